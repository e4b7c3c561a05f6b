"""Batches to train on: which pictures go together, and what the network gets of them.

A sampler answers step → positions; it keeps no state, so a training that was interrupted goes on
with the very batches it would have had.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from utils.images import ImageSet, check_labelled

Sampler = Callable[[int], np.ndarray]


def balanced(labels: Sequence[int] | np.ndarray, classes: int, each: int, seed: int = 0) -> Sampler:
    """P×K batches: at each step `classes` random labels with `each` random pictures of each.

    Every picture then has each − 1 positives and the rest of the batch as negatives. A label with
    fewer than `each` pictures repeats some; one with a single picture has no positive and is left
    out, with a warning.

    Returns
    -------
    step → positions, int64, classes·each of them, picture by picture of one label after another.

    Raises
    ------
    ValueError : labels missing (−1), fewer than two labels in a batch, fewer labels with two
        pictures than `classes`, each < 2.
    """
    labels = np.asarray(labels)
    check_labelled(labels, "without labels nobody knows what should be alike")
    if classes < 2 or each < 2:
        raise ValueError(
            f"A batch of {classes} classes × {each} pictures holds no triplet: it takes at least "
            "two classes, for negatives, and two pictures of each, for positives."
        )
    known, counts = np.unique(labels, return_counts=True)
    if (counts < 2).any():
        warnings.warn(
            f"{(counts < 2).sum()} of {len(known)} classes have a single picture and are left out "
            f"of the training, the first being class {known[counts < 2][0]}; a second picture of "
            "each would bring it in.",
            stacklevel=2,
        )
    groups = [np.flatnonzero(labels == label) for label in known[counts > 1]]
    if len(groups) < classes:
        raise ValueError(
            f"A batch of {classes} classes needs as many with two pictures or more, but there are "
            f"{len(groups)}; ask for fewer classes a batch."
        )

    def draw(step: int) -> np.ndarray:
        rng = np.random.default_rng([seed, step])
        chosen = rng.choice(len(groups), classes, replace=False)
        return np.concatenate(
            [rng.choice(groups[c], each, replace=len(groups[c]) < each) for c in chosen]
        )

    return draw


def shuffled(pictures: int, size: int, seed: int = 0) -> Sampler:
    """Epochs: all the pictures in a new random order each, cut into batches of `size`.

    What is left over at the end of an epoch is dropped. Raises ValueError for size > pictures.
    """
    per_epoch = pictures // size
    if not per_epoch:
        raise ValueError(f"A batch of {size} needs as many pictures, but there are {pictures}.")

    def draw(step: int) -> np.ndarray:
        epoch, part = divmod(step, per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(pictures)
        return order[part * size : (part + 1) * size]

    return draw


@dataclass(frozen=True)
class Batches:
    """step → (network input N×3×h×w, labels int64 N), what `train` draws from.

    Attributes
    ----------
    pictures : what to learn from. preprocess : the network's own. sampler : step → positions.
    augment : input → input of the same shape, or None; its chance is torch's.
    device : where the input is made; the GPU's own is faster there.
    """

    pictures: ImageSet
    preprocess: Callable[[Tensor], Tensor]
    sampler: Sampler
    augment: Callable[[Tensor], Tensor] | None = None
    device: str | torch.device = "cpu"

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        rows = self.sampler(step)
        x = self.preprocess(torch.from_numpy(self.pictures.images[rows]).to(self.device))
        labels = torch.from_numpy(self.pictures.labels[rows])
        return (self.augment(x) if self.augment else x), labels
