"""Graders of lesson 04."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode


def grade_1(minkowski: Callable[..., Any]) -> str | None:
    """All pairs, any p, infinity included."""
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    before = a.copy(), b.copy()
    for p in (2, 1, 3, 0.5, np.inf):
        found = np.asarray(minkowski(a, b, p))
        if found.shape != (4, 6):
            return (
                f"4 rows and 6 rows make 4×6 pairs, but yours has shape {found.shape}. Subtract "
                "a[:, None] and b[None], then sum over the last axis."
            )
        if p == np.inf:
            expected = cdist(a, b, "chebyshev")
            if np.isnan(found).any() or (found == np.inf).any() or (found == 1).all():
                return "For p = ∞ the formula cannot be computed as it stands: take the maximum."
        else:
            expected = (np.abs(a[:, None] - b) ** p).sum(2) ** (1 / p)
        if np.allclose(found, expected, atol=1e-8):
            continue
        if np.isnan(found).any():
            told = ": a negative number has no such power. Use abs first." if p % 1 else "."
            return f"At p = {p} there are NaNs{told}"
        if np.allclose(found, expected**p, atol=1e-8):
            return f"At p = {p} the root is missing: raise the sum to 1/p."
        signed = np.abs((a[:, None] - b).sum(2))
        if p == 1 and np.allclose(abs(found), signed):
            return "Your differences cancel each other: take the absolute value before the sum."
        i, j = np.unravel_index(np.abs(found - expected).argmax(), expected.shape)
        return (
            f"At p = {p} a[{i}] and b[{j}] should be {expected[i, j]:.6g} apart, but are "
            f"{found[i, j]:.6g}."
        )
    if not (np.array_equal(a, before[0]) and np.array_equal(b, before[1])):
        return "Your function writes into the vectors it is given."
    return None


def grade_2(blend: Callable[..., Any]) -> str | None:
    """Both on one scale, then mixed."""
    rng = np.random.default_rng(0)
    first, second = rng.random((3, 5)), 100 * rng.random((3, 5))
    kept = first.copy(), second.copy()
    found = np.asarray(blend(first, second, 0.25), float)
    again = np.asarray(blend(first, second, 0.6), float)
    if not (np.array_equal(first, kept[0]) and np.array_equal(second, kept[1])):
        return "Your function changes a matrix it was given. Write first / …, not first /= …."
    if found.shape != first.shape:
        return f"Two matrices of shape (3, 5) become one of that shape, not {found.shape}."
    one, other = first / first.mean(), second / second.mean()
    if np.allclose(found, 0.75 * one + 0.25 * other):
        if not np.allclose(again, 0.4 * one + 0.6 * other):
            return "For weight = 0.25 it is right, but not for 0.6: use `weight`."
        return None
    if np.allclose(found, 0.25 * one + 0.75 * other):
        return "The weight belongs to the second matrix, and 1 - weight to the first."
    if np.allclose(found, 0.75 * first + 0.25 * second):
        return (
            "The second matrix is a hundred times as large as the first and decides alone. Divide "
            "each by its own mean first."
        )
    if np.allclose(found, one + 0.25 * other):
        return "At weight 1 nothing of the first should be left: give it 1 - weight."
    by_largest = 0.75 * first / first.max() + 0.25 * second / second.max()
    if np.allclose(found, by_largest):
        return "Divide by the mean: by the largest, one far picture changes the whole scale."
    rows = 0.75 * first / first.mean(1, keepdims=True) + 0.25 * second / second.mean(
        1, keepdims=True
    )
    if np.allclose(found, rows):
        return "Divide by one mean of the whole matrix, not by one for each row."
    return (
        f"The first entry should be {(0.75 * one + 0.25 * other)[0, 0]:.3f}, but is "
        f"{found[0, 0]:.3f}."
    )


class _Largest(TorchDispatchMode):
    """Remembers the largest tensor that was made while it was watching."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, torch.Tensor):
                self.most = max(self.most, one.numel())
        return made


def grade_3(search: Callable[..., Any]) -> str | None:
    """The right neighbours, in blocks that are as small as asked for."""
    generator = torch.Generator().manual_seed(0)
    gallery = torch.randn(600, 4, generator=generator)
    queries = torch.randn(50, 4, generator=generator)
    expected = torch.cdist(queries, gallery).topk(5, largest=False).indices
    with _Largest() as watched:
        found = search(queries, gallery, 5, 7)
    if not isinstance(found, torch.Tensor):
        return (
            f"Return one tensor of positions, not {type(found).__name__}; torch.cat joins blocks."
        )
    if found.shape != (50, 5):
        missing = " The last block is smaller than the others." if len(found) == 49 else ""
        return f"50 queries with 5 answers each make 50×5, not {tuple(found.shape)}.{missing}"
    if found.dtype != torch.int64:
        return f"Positions are int64, but yours are {found.dtype}: topk gives values and indices."
    far = torch.cdist(queries, gallery).topk(5).indices
    if torch.equal(found, far):
        return "Those are the farthest: topk takes the largest unless it is told largest=False."
    if torch.equal(found.sort(1).values, expected.sort(1).values) and not torch.equal(
        found, expected
    ):
        return "The right answers, but not the nearest first."
    if not torch.equal(found, expected):
        return (
            f"{(found != expected).any(1).sum()} of 50 queries get other than their five nearest."
        )
    if watched.most > 7 * 600:
        return (
            f"With block = 7 no tensor should hold more than 7 × 600 numbers, but one held "
            f"{watched.most:,}. Compare `block` queries at a time."
        )
    with _Largest() as wider:
        three = search(queries, gallery, 3, 25)
    if three.shape != (50, 3):
        return f"For k = 3 you return {tuple(three.shape)}: use `k`."
    if wider.most <= watched.most:
        return "With block = 25 your blocks are no larger than with block = 7: use `block`."
    return None
