"""Losses that pull look-alikes together and push the rest away, over one batch of embeddings."""

import torch
import torch.nn.functional as F
from torch import Tensor


def cosine_cross_entropy(
    vectors: Tensor, prototypes: Tensor, labels: Tensor, scale: float = 12.0, smoothing: float = 0.1
) -> Tensor:
    """Cross-entropy over scaled cosines between embeddings and one learned prototype a class.

    Also called normalised softmax (Wang et al. 2017, "NormFace", eq. 6).

    Parameters
    ----------
    vectors : float, N×D, unit rows.
    prototypes : float, C×D, any length; normalised here.
    labels : int64, N, values in [0, C).
    scale : inverse temperature that the cosines are multiplied by.
    smoothing : share of the target spread over all classes, in [0, 1).
    """
    cosines = vectors @ F.normalize(prototypes, dim=1).T
    return F.cross_entropy(scale * cosines, labels, label_smoothing=smoothing)


def semi_hard_triplet_loss(vectors: Tensor, labels: Tensor, margin: float = 0.2) -> Tensor:
    """Triplet loss with one random positive an anchor and the nearest negative beyond it.

    Semi-hard mining (Schroff et al. 2015, "FaceNet", eq. 4) on plain, not squared, Euclidean
    distance. An anchor whose every negative is nearer than its positive takes the farthest
    negative, which keeps it in the loss. Anchors without a positive or a negative are left out;
    a batch of only such anchors gives 0.

    Parameters
    ----------
    vectors : float, N×D, unit rows. labels : int64, N. margin : in units of distance, [0, 2].
    """
    distances = torch.cdist(vectors, vectors)
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    chosen = torch.rand(distances.shape, device=distances.device).masked_fill(~positive, -1)
    to_positive = distances.gather(1, chosen.argmax(1, keepdim=True))
    beyond = distances.masked_fill(same | (distances <= to_positive), torch.inf).amin(1)
    farthest = distances.masked_fill(same, -torch.inf).amax(1)
    to_negative = torch.where(beyond.isinf(), farthest, beyond)
    usable = positive.any(1) & ~same.all(1)
    losses = F.relu(to_positive[:, 0] - to_negative + margin)[usable]
    return losses.mean() if len(losses) else vectors.sum() * 0.0
