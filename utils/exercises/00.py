"""Graders of lesson 00."""

import tempfile
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from utils.embed import colour_histogram
from utils.metrics import recall_at_k


def grade_1(recall_5: Any, vectors: np.ndarray, labels: np.ndarray) -> str | None:
    """Recall@5 of these vectors, as a number from 0 to 1."""
    try:
        recall_5 = float(recall_5)
    except (TypeError, ValueError):
        return f"recall_5 should be one number, but is a {type(recall_5).__name__}."
    wanted, first = recall_at_k(vectors, labels, 5), recall_at_k(vectors, labels, 1)
    if abs(recall_5 - wanted) < 1e-6:
        return None
    if abs(recall_5 - first) < 1e-6:
        return (
            f"{recall_5:.3f} is recall@1. Five answers are allowed now: which argument of "
            "recall_at_k says so?"
        )
    if abs(recall_5 - 100 * wanted) < 1e-3:
        return "That is a percentage. Leave recall between 0 and 1, and let the format show the %."
    return f"{recall_5:.3f} is not it. Give recall_at_k the scenes' embeddings, their labels and k."


def grade_2(quarters: Callable[[np.ndarray], Any]) -> str | None:
    """Four colour histograms of a picture's quarters, joined; each counts a quarter."""
    # Wider than high, and no two pixels alike: one row too few is seen.
    picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
    used = picture.copy()
    found = np.asarray(quarters(used))
    if (used != picture).any():
        return "Your function changes the picture it is given: write picture // …, not //= …."
    if found.shape == (64,):
        return "That is one histogram of 64. Cut the picture into its four quarters first."
    if found.shape != (256,):
        return (
            f"Your answer has shape {found.shape}; four histograms of 64, one behind the other "
            "(np.concatenate), have shape (256,)."
        )
    if abs(found.sum() - 4) < 1e-3:
        return (
            "Your numbers sum to 4: each quarter counts as a whole picture. Divide by 4, so that "
            "the distances stay comparable to those of one histogram."
        )
    if not abs(found.sum() - 1) < 1e-3:  # NaN is not 1 either
        return f"Your numbers sum to {found.sum():.3g}. They are shares of the picture: make it 1."
    parts = (picture[:4, :6], picture[:4, 6:], picture[4:, :6], picture[4:, 6:])
    wanted = [_histogram(part) / 4 for part in parts]
    given = found.reshape(4, 64)
    if np.allclose(given, wanted, atol=1e-4):
        return None
    if any(np.allclose(given, other, atol=1e-4) for other in permutations(wanted)):
        return (
            "All four quarters are there, but in another order. Read them like text: top left, top "
            "right, bottom left, bottom right."
        )
    return "The quarters do not hold the right pixels. Check your slices: rows first, then columns."


def _histogram(part: np.ndarray) -> np.ndarray:
    return colour_histogram(part[None])[0]


def grade_3(search_folder: Callable[..., Any]) -> str | None:
    """For each picture of a folder the ids of its k nearest others."""
    with tempfile.TemporaryDirectory() as folder:
        _paint(Path(folder))
        found, one, three = (np.asarray(search_folder(folder, k)) for k in (2, 1, 3))
    if found.shape != (4, 2):
        return (
            f"For a folder of 4 pictures and k = 2 your answer has shape {found.shape}; one row a "
            "picture with 2 answers each is (4, 2)."
        )
    if found.dtype.kind in "iu":
        return "Your answers are positions. Turn them into names: pictures.ids[i]."
    ids = ["a.png", "b.png", "c.png", "d.png"]
    unknown = sorted({str(id) for id in found.flat} - set(ids))
    if unknown:
        return f"{unknown[0]!r} is not the id of a picture in the folder; pictures.ids holds them."
    own = [id for id, row in zip(ids, found, strict=True) if id in row]
    if own:
        return (
            f"{own[0]} is among its own answers. Leave the query out: nearest(…, "
            "leave_one_out=True), or drop the first column."
        )
    twins = {"a.png": "b.png", "b.png": "a.png", "c.png": "d.png", "d.png": "c.png"}
    if all(row[0] == twins[id] for id, row in zip(ids, found, strict=True)):
        if any(row[0] == row[1] for row in found):
            return "One picture is answered twice: the k nearest are k different ones."
        if one.shape != (4, 1):
            return f"For k = 1 your answer has shape {one.shape}; it should be (4, 1). Use k."
        if three.shape != (4, 3) or (three[:, :2] != found).any():
            return (
                "The two nearest are not the first two of the three nearest. Sort, nearest first."
            )
        return None
    if all(row[-1] == twins[id] for id, row in zip(ids, found, strict=True)):
        return "The farthest comes first. Smaller distances are nearer: sort upwards."
    return "The nearest pictures are not the ones found. Embed the pictures, then search them all."


def _paint(folder: Path) -> None:
    """Two pairs of near twins, which any network that works tells apart."""
    rows, columns = np.mgrid[:64, :64]
    circle = ((rows - 32) ** 2 + (columns - 32) ** 2 < 400)[..., None]
    stripes = (rows // 8 % 2 == 0)[..., None]
    red, blue = np.array([[[200, 40, 30]]]), np.array([[[30, 60, 200]]])
    pairs = {"a": (circle, red, 245), "b": (circle, red, 235), "c": (stripes, blue, 20),
             "d": (stripes, blue, 35)}  # fmt: skip
    for name, (shape, colour, ground) in pairs.items():
        pixels = np.where(shape, colour, ground).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
