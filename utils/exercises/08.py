"""Graders of lesson 08."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from utils.cnn import CompactCNN
from utils.contrast import Views, as_pictures
from utils.embed import embed
from utils.embedder import Embedder
from utils.exercises import not_ready


def grade_1(other_half: Callable[..., Any]) -> str | None:
    """The share of views whose nearest other view is of the same picture."""
    rng = np.random.default_rng(0)
    cosines = rng.uniform(-1, 0.9, (12, 12))
    cosines = (cosines + cosines.T) / 2
    for i in (0, 1, 2, 3):
        cosines[i, i + 6] = cosines[i + 6, i] = 0.95
    for i, j, cosine in ((6, 9, 0.97), (4, 5, 0.93)):  # 6 and 9 prefer each other
        cosines[i, j] = cosines[j, i] = cosine
    np.fill_diagonal(cosines, 1.0)
    given, kept = other_half(cosines.copy()), cosines.copy()
    if np.ndim(given):
        return f"One number is asked for, but yours has shape {np.shape(given)}. Take the mean."
    found, expected = float(given), _share(cosines)
    other_half(kept)
    if not np.array_equal(kept, cosines):
        return "Your function changes the matrix that it is given; work on a copy of it."
    if np.isclose(found, expected):
        far = -np.array(
            [[-1, 0.5, 0.2, 0.3], [0.5, -1, 0.4, 0.1], [0.2, 0.4, -1, 0.6], [0.3, 0.1, 0.6, -1]]
        )
        if not np.isclose(float(other_half(far.copy())), _share(far)):
            return (
                "Cosines may all be negative, and 0 is then the largest: put −inf on the diagonal."
            )
        return None
    if np.isclose(found, 0) or np.isclose(found, _share(cosines, itself=True)):
        return "Each view is nearest to itself: leave the diagonal out first."
    if np.isclose(found, 12 * expected):
        return "That is a number of views, not a share: divide by all 2N of them."
    if np.isclose(found, 100 * expected):
        return "That is a percentage; a share lies between 0 and 1."
    if np.isclose(found, _share(cosines, half=True)):
        return "You ask only the first N views; the other N have a question, too."
    if np.isclose(found, _share(cosines, by=1)):
        return "Row i and row i + N are views of one picture here, not neighbouring rows."
    return f"Here {expected:.3f} of the views find their other half, but yours says {found:.3f}."


def _share(
    cosines: np.ndarray, itself: bool = False, half: bool = False, by: int | None = None
) -> float:
    """What a solution, or a typical mistake, answers."""
    size = len(cosines)
    other = (np.arange(size) ^ by) if by else np.roll(np.arange(size), size // 2)
    scores = cosines if itself else np.where(np.eye(size, dtype=bool), -np.inf, cosines)
    found = scores.argmax(1) == other
    return float(found[: size // 2].mean() if half else found.mean())


def grade_2(step: Callable[..., Any]) -> str | None:
    """First in, first out, the newest in front."""
    queue = torch.arange(10.0).reshape(5, 2)
    keys, given = 100 + torch.arange(6.0).reshape(3, 2), queue.clone()
    after = step(given, keys, 6)
    if not isinstance(after, torch.Tensor):
        return f"The queue after a batch is a tensor, but yours is a {type(after).__name__}."
    if not torch.equal(given, queue):
        return "You change the queue that you were given; its vectors are still in use. Join anew."
    right = torch.cat([keys, queue])
    if after.shape == right[:6].shape and torch.equal(after, right[:6]):
        short = step(queue[:1], keys, 6)
        if len(short) != 4:
            return f"A queue that is not full keeps all: here 4 keys, but yours has {len(short)}."
        if not torch.equal(short, right[:4]):
            return "Where the queue is not full, too, the newest keys belong in front."
        return None if len(step(queue, keys, 2)) == 2 else "A batch may be larger than the queue."
    if len(after) > 6:
        return f"It may hold 6 keys, but yours has {len(after)}: let the oldest fall out."
    if torch.equal(after, torch.cat([queue, keys])[-6:]):
        return "The newest keys belong in front, yours are at the end."
    if torch.equal(after, torch.cat([queue, keys])[:6]):
        return "The newest keys are the ones that fall out in yours; the oldest should."
    if torch.equal(after, torch.cat([keys, queue[-3:]])):
        return (
            "The oldest stand at the end of the queue: those should fall out, not those in front."
        )
    return "Expected the three new keys and then the first three of the queue."


def grade_3(recipe: Callable[..., Any]) -> str | None:
    """An Embedder without its head that tells apart what it has never been told apart."""
    images, again = _patterns(96, 0), _patterns(192, 1)
    model = recipe(images, 20)
    if not isinstance(model, Embedder):
        return f"recipe(…) should return an Embedder, but returns {type(model).__name__}."
    if hint := not_ready(model.module, epochs=20):
        return hint
    if not isinstance(model.module, CompactCNN):
        return (
            f"The Embedder's network is a {type(model.module).__name__}: the head goes after the "
            "training. Return the model that you gave to with_projection, not what it returned."
        )
    torch.manual_seed(2)
    seen = as_pictures(Views().pixels(again.repeat(2, 1, 1, 1)))
    vectors = embed(model, seen, cache=False)
    if not np.isfinite(vectors).all():
        return "Some embeddings are no numbers."
    away = 1 - float((vectors @ vectors.T).mean())
    if away < 0.005:  # few steps leave a small network at .02
        return "Embeddings are nearly alike: it has collapsed. Does its loss have wrong answers?"
    nearer = _nearer(vectors @ vectors.T)
    if nearer < 0.62:  # without wrong answers up to .56, with them from .64 on
        return (
            "After 20 epochs over 96 patterns a view is nearer to its other half than to another "
            f"view in {nearer:.0%} of all cases, and by chance in 50 %. Does its loss have wrong "
            "answers (TwoViews)? Without them it falls, and nothing is learned. If it has, try "
            "smaller batches, which make more steps."
        )
    return None


def _nearer(cosines: np.ndarray) -> float:
    """How often a view is nearer to its other half than to another view.

    Steadier than the share whose *nearest* view is right, by which a batch of 64, as in the lesson,
    and a learning rate of nearly 0 came out alike.
    """
    size = len(cosines)
    own = cosines[np.arange(size), np.roll(np.arange(size), size // 2)]
    return float((cosines < own[:, None]).sum() / (size * (size - 2)))


def _patterns(n: int, seed: int) -> torch.Tensor:
    """Pictures that any view is known by: uint8, N×32×32×3, each of four colours of its own."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 256, (n, 2, 2, 3), np.uint8)
    return torch.from_numpy(colours.repeat(16, 1).repeat(16, 2))
