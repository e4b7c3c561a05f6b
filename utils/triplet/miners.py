"""Which triplets of a batch to learn from: miners over the matrix of its distances.

Each takes `distances` (float, N×N; squared or plain, the order is the same) and `labels` (int64,
N), and returns positions (anchors, positives, negatives), int64, all of one length. A picture
without a positive or without a negative in the batch is no anchor.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Triplets = tuple[Tensor, Tensor, Tensor]
Miner = Callable[[Tensor, Tensor], Triplets]


def random_triplets(distances: Tensor, labels: Tensor) -> Triplets:
    """One random positive and one random negative for each anchor."""
    same, positive = pairs_of(labels)
    chance = torch.rand_like(distances)
    to = chance.masked_fill(~positive, -1).argmax(1), chance.masked_fill(same, -1).argmax(1)
    return _usable(same, positive, *to)


def semi_hard(distances: Tensor, labels: Tensor) -> Triplets:
    """A random positive for each anchor, and the nearest negative that is farther than it.

    Schroff et al. 2015, "FaceNet", section 3.2. An anchor whose every negative is nearer than its
    positive takes the farthest negative, which keeps it in the loss.
    """
    same, positive = pairs_of(labels)
    chosen = torch.rand_like(distances).masked_fill(~positive, -1).argmax(1)
    reach = distances.gather(1, chosen[:, None])
    beyond = distances.masked_fill(same | (distances <= reach), torch.inf)
    nearest, found = beyond.min(1)
    farthest = distances.masked_fill(same, -torch.inf).argmax(1)
    return _usable(same, positive, chosen, torch.where(nearest.isinf(), farthest, found))


def batch_hard(distances: Tensor, labels: Tensor) -> Triplets:
    """The farthest positive and the nearest negative of each anchor.

    Hermans et al. 2017, "In Defense of the Triplet Loss for Person Re-Identification", eq. 5.
    """
    # One matrix serves both: negatives as they are, the picture itself beyond, positives on top.
    reach = 2 * distances.amax().item() or 1.0  # no more than that, or small ones are rounded off
    row = labels.float()  # compared fastest, but 2²⁴ and 2²⁴ + 1 are one
    if not row.to(labels.dtype).equal(labels):
        row = labels.unique(return_inverse=True)[1].float()
    ranked = torch.eq(row[:, None], row, out=torch.empty_like(distances))
    torch.add(distances, ranked, alpha=2 * reach, out=ranked).fill_diagonal_(reach)
    positives, negatives = ranked.argmax(1), ranked.argmin(1)
    itself = torch.arange(len(labels), device=labels.device)
    usable = (positives != itself) & (negatives != itself)
    if usable.all():
        return itself, positives, negatives
    anchors = usable.nonzero()[:, 0]
    return anchors, positives[anchors], negatives[anchors]


def all_triplets(distances: Tensor, labels: Tensor) -> Triplets:
    """Every triplet of the batch: N·(K − 1)·(N − K) of them where each label has K pictures."""
    same, positive = pairs_of(labels)
    anchors, positives = positive.nonzero(as_tuple=True)
    pair, negatives = (~same[anchors]).nonzero(as_tuple=True)
    return anchors[pair], positives[pair], negatives


def pairs_of(labels: Tensor) -> tuple[Tensor, Tensor]:
    """N×N: of one label; the same without a picture itself."""
    same = labels[:, None] == labels[None, :]
    return same, same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)


def _usable(same: Tensor, positive: Tensor, positives: Tensor, negatives: Tensor) -> Triplets:
    anchors = (positive.any(1) & ~same.all(1)).nonzero()[:, 0]
    return anchors, positives[anchors], negatives[anchors]
