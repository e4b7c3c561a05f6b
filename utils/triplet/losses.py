"""Losses that pull look-alikes together and push the rest away, over one batch of embeddings."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.triplet.miners import Miner, pairs_of, semi_hard


def _distances(vectors: Tensor) -> Tensor:
    """N×N, from differences: products lose the small ones, which decide in a collapse."""
    return torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")


def contrastive_loss(
    vectors: Tensor, labels: Tensor, margin: float = 0.5, squared: bool = True
) -> Tensor:
    """Pull every pair of one label together, push the others at least `margin` apart.

    mean d² over pairs of one label + mean max(0, margin − d)² over the rest (Hadsell et al. 2006,
    "Dimensionality Reduction by Learning an Invariant Mapping", eq. 4, without its ½ and with
    the mean of each kind of pair instead of one sum). With squared=False d and max(0, margin − d)
    instead. A kind of pair that the batch lacks costs 0.

    Parameters
    ----------
    vectors : float, N×D. labels : int64, N. margin : in units of distance; [0, 2] on unit rows.
    """
    distances = _distances(vectors)
    same, positive = pairs_of(labels)
    near, far = distances[positive], F.relu(margin - distances[~same])
    if squared:
        near, far = near.square(), far.square()
    return sum((part.mean() for part in (near, far) if len(part)), vectors.sum() * 0.0)


def triplet_loss(
    vectors: Tensor,
    labels: Tensor,
    margin: float = 0.2,
    mine: Miner = semi_hard,
    squared: bool = False,
) -> Tensor:
    """Mean of max(0, d(a, p) − d(a, n) + margin) over the triplets that a miner chooses.

    Schroff et al. 2015, "FaceNet", section 3.1, whose distance is the squared one (squared=True);
    on plain distances as in Hermans et al. 2017. A batch without triplets costs 0.

    Parameters
    ----------
    vectors : float, N×D, unit rows. labels : int64, N. margin : in units of the distance, [0, 2].
    mine : distances (N×N) and labels → positions of anchors, positives and negatives.
    """
    distances = _distances(vectors)
    anchors, positives, negatives = mine(distances.detach(), labels)
    if not len(anchors):
        return vectors.sum() * 0.0
    to_positive, to_negative = distances[anchors, positives], distances[anchors, negatives]
    if squared:
        to_positive, to_negative = to_positive.square(), to_negative.square()
    return F.relu(to_positive - to_negative + margin).mean()


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


class TripletAndCrossEntropy(nn.Module):
    """Triplets teach the distances, a cross-entropy over prototypes keeps them from collapsing.

    `triplet_loss` + `cosine_cross_entropy`, with the C prototypes as parameters of its own. On
    classes that are not in training only the triplets' part would have a meaning; the prototypes
    are thrown away with the loss.

    Parameters
    ----------
    classes : C, labels are in [0, C). dim : D, length of an embedding. margin, mine, squared : as
        for `triplet_loss`.
    """

    def __init__(
        self,
        classes: int,
        dim: int,
        margin: float = 0.2,
        mine: Miner = semi_hard,
        squared: bool = False,
    ) -> None:
        super().__init__()
        self.margin, self.mine, self.squared = margin, mine, squared
        self.prototypes = nn.Parameter(torch.randn(classes, dim))

    def forward(self, vectors: Tensor, labels: Tensor) -> Tensor:
        classes = cosine_cross_entropy(vectors, self.prototypes, labels)
        return classes + triplet_loss(vectors, labels, self.margin, self.mine, self.squared)


@torch.no_grad()
def mean_cosine(vectors: Tensor) -> float:
    """Mean cosine of all pairs of different rows: 1 when all point the same way, a collapse.

    From the length of the sum, (‖Σv‖² − N) / (N (N − 1)), without the N×N matrix.

    Parameters
    ----------
    vectors : float, N×D, unit rows, N ≥ 2.
    """
    n = len(vectors)
    return float((vectors.double().sum(0).square().sum() - n) / (n * (n - 1)))


@torch.no_grad()
def active_share(vectors: Tensor, labels: Tensor, margin: float = 0.2) -> float:
    """Share of all the batch's triplets that the margin still pushes, 0 to 1; 0 without any.

    Active: d(a, p) + margin > d(a, n), plain distances. Counted from each anchor's sorted
    negatives, so memory stays N×N.

    Parameters
    ----------
    vectors : float, N×D. labels : int64, N. margin : in units of distance.
    """
    distances = torch.cdist(vectors, vectors)
    same, positive = pairs_of(labels)
    negatives = distances.masked_fill(same, torch.inf).sort(1).values
    active = torch.searchsorted(negatives, distances + margin)
    triplets = (positive.sum(1) * negatives.isfinite().sum(1)).sum()
    return float(active[positive].sum() / triplets.clamp(min=1))
