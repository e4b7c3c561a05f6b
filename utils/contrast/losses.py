"""Losses that know no label: the other view of a picture is right, every other picture wrong."""

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(a: Tensor, b: Tensor, temperature: float = 0.2) -> Tensor:
    """The normalised temperature-scaled cross-entropy of SimCLR.

    Each of the 2N vectors must find the other view of its picture among the 2N − 1 others: Chen et
    al. 2020, "A Simple Framework for Contrastive Learning of Visual Representations", eq. 1.

    Parameters
    ----------
    a, b : float, N×D each: row i of both is a view of picture i. Scaled to unit length here.
    temperature : what cosines are divided by, above 0.

    Returns
    -------
    Scalar: the mean over all 2N.

    Raises
    ------
    ValueError : shapes that differ, fewer than two pictures, a temperature that is not positive.
    """
    _check(a, b, temperature)
    if len(a) < 2:
        raise ValueError(
            f"A batch of {len(a)} picture has nothing that a view could be told from; it takes two "
            "pictures or more."
        )
    z = F.normalize(torch.cat([a, b]), dim=1)
    scores = z @ z.T / temperature
    scores = scores.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -torch.inf)
    other = torch.arange(len(z), device=z.device).roll(len(a))  # where the other view stands
    return F.cross_entropy(scores, other)


def info_nce(queries: Tensor, keys: Tensor, queue: Tensor, temperature: float = 0.2) -> Tensor:
    """MoCo's loss: each query must find its own key among the queue's.

    He et al. 2020, "Momentum Contrast for Unsupervised Visual Representation Learning", eq. 1.

    Parameters
    ----------
    queries, keys : float, N×D each: row i of both is a view of picture i.
    queue : float, K×D, keys of earlier batches; all wrong. All three are scaled to unit length.
    temperature : what cosines are divided by, above 0.

    Returns
    -------
    Scalar: the mean over the N queries.

    Raises
    ------
    ValueError : shapes that differ, an empty queue, a temperature that is not positive.
    """
    _check(queries, keys, temperature)
    if queue.ndim != 2 or not len(queue) or queue.shape[1] != queries.shape[1]:
        raise ValueError(
            f"The queue has shape {tuple(queue.shape)}; it takes K×{queries.shape[1]} keys, K ≥ 1, "
            "as long as a query."
        )
    queries, keys, queue = (F.normalize(x, dim=1) for x in (queries, keys, queue))
    right = (queries * keys).sum(1, keepdim=True)
    scores = torch.cat([right, queries @ queue.T], 1) / temperature
    return F.cross_entropy(scores, scores.new_zeros(len(scores), dtype=torch.long))


def alike(a: Tensor, b: Tensor) -> Tensor:
    """Only attraction: 1 − the mean cosine of two views; it falls to 0 when all is one point."""
    _check(a, b, 1.0)
    return 1 - F.cosine_similarity(a, b).mean()


def _check(a: Tensor, b: Tensor, temperature: float) -> None:
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(
            f"Two views of N pictures are N×D each, but are {tuple(a.shape)} and {tuple(b.shape)}."
        )
    if not temperature > 0:
        raise ValueError(
            f"A temperature is above 0 (usual are .05 to 1), but is {temperature}: cosines are "
            "divided by it."
        )
