"""Graders of lesson 02."""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor


def _numbers(given: Any) -> np.ndarray | None:
    """An answer as an array, or None where it is not made of numbers."""
    try:
        found = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given)
    except (RuntimeError, TypeError, ValueError):
        return None
    return found if found.dtype.kind in "biuf" else None


def grade_1(paste: Callable[..., Any]) -> str | None:
    """A picture's thing on a plain colour, with soft edges."""
    picture = np.random.default_rng(0).integers(60, 256, (5, 7, 3), np.uint8)
    mask = np.tile(np.array([0, 0, 50, 128, 190, 255, 255], np.uint8), (5, 1))
    colour, used, shown = (200, 30, 90), picture.copy(), mask.copy()
    given = paste(used, shown, colour)
    if (used != picture).any():
        return "You paint into the picture that is given, and it is lost: work on picture.copy()."
    if (shown != mask).any():
        return "You change the mask that is given: work on a copy of it."
    found = _numbers(given)
    if found is None:
        return f"A picture is asked for, but paste(…) gives {type(given).__name__}."
    if found.shape == (5, 7, 4):
        return "You return four channels, but the colour stands where the mask is 0: H×W×3 will do."
    if found.shape != picture.shape:
        return f"A picture of 5×7×3 should keep its shape, but yours comes back as {found.shape}."
    if found.dtype != np.uint8:
        return f"Your result is {found.dtype}; pictures are uint8: .round().astype(np.uint8)."
    p, c, m = picture.astype(int), np.array(colour), mask[..., None].astype(int)
    exact = (m * p + (255 - m) * c) / 255
    if (found == exact.round()).all():
        return None
    if (abs(exact - 0.5 - found) < 0.501).all():
        return "You cut the fractions off, up to one too dark: .round() before .astype(np.uint8)."
    if (found[mask == 255] == c).all() and (found[mask == 0] == picture[mask == 0]).all():
        return (
            "The mask is upside down: yours paints over the thing and keeps its background. The "
            "picture's share is mask / 255, and the colour gets the rest."
        )
    if ((found == picture).all(2) | (found == c).all(2)).all():
        return (
            "Each of your pixels is all picture or all colour, and the soft edges are lost. The "
            "mask is no yes or no: where it is 128, about half of each goes in."
        )
    unscaled = [m * p + (1 - m) * c, m * p + (255 - m) * c]
    if any((found == way).all() for sums in unscaled for way in (sums % 256, sums.clip(0, 255))):
        return "A share goes from 0 to 1, but your mask still goes to 255: divide it by 255 first."
    product, rest = m * p % 256, (255 - m) * c
    overflown = [product + rest, (product + rest) % 256, product + rest % 256]
    if any((abs(found - sums / 255) < 1).all() for sums in overflown):
        return (
            "The thing turns black: mask * picture stays uint8, which drops all above 255. Divide "
            "first, (mask / 255) * picture, and the numbers are floats."
        )
    y, x, _ = np.argwhere(found != exact.round())[0]
    return (
        f"Of {p[y, x].tolist()} under a mask of {m[y, x, 0]}, on {list(colour)}, you make "
        f"{found[y, x].tolist()}; {exact[y, x].round().astype(int).tolist()} is right."
    )


def grade_2(strict_threshold: Callable[..., Any]) -> str | None:
    """The lowest threshold at which half of the pairs that pass are the same."""
    rng = np.random.default_rng(0)
    same = rng.permutation(2000) < 100
    scores = np.where(same, rng.normal(0.5, 0.2, 2000), rng.normal(0.0, 0.2, 2000))
    low, high = np.sort(scores[same])[-4:-2]
    scores[np.flatnonzero(~same)[:6]] = np.linspace(low, high, 8)[1:-1]  # wrong, near the top
    given = strict_threshold(scores.copy(), same.copy(), 0.5)
    found = _numbers(given)
    if found is None or found.ndim:
        return f"The threshold is one number, but your function gives {type(given).__name__}."
    if found.dtype.kind != "f":
        return f"{found} is a whole number. If it is a place, return the score that stands there."

    def share_right(threshold: float) -> float:
        passed = scores >= threshold
        return float(same[passed].mean()) if passed.any() else 0.0

    cut = float(found)
    if np.isnan(cut):
        return "Your threshold is NaN, which no score reaches."
    near = float(scores[abs(scores - cut).argmin()])
    cut = near if abs(near - cut) < 1e-6 else cut  # a float32 may lie above its score
    right = share_right(cut)
    passed, caught = int((scores >= cut).sum()), int((scores[same] >= cut).sum())
    if right >= 0.5 and passed == _passing(scores, same, 0.5):
        # A precision that no threshold brings exactly: the closest lies below it.
        cut = float(strict_threshold(scores.copy(), same.copy(), 0.77)) - 1e-6
        if not share_right(cut) >= 0.77:
            return f"For a precision of 0.77 yours reaches {share_right(cut):.3f}."
        if (scores >= cut).sum() < _passing(scores, same, 0.77):
            return f"For a precision of 0.77 a threshold below your {cut:.2f} would do."
        return None
    if cut == 0.5:
        return "0.5 is the precision that is asked for. The threshold is a score that brings it."
    if (scores >= -cut).sum() == _passing(scores, same, 0.5):
        return f"The sign is upside down: you return {cut:.2f}, and {-cut:.2f} would hold."
    if passed == 0:
        return f"No pair reaches {cut:.2f}: the highest score is {scores.max():.2f}."
    if caught in (50, 51):
        return (
            f"{cut:.2f} lets half of the same pairs pass, which is recall. Precision asks that "
            "half of what passes is the same."
        )
    if right >= 0.5:
        return (
            f"At {cut:.2f} {right:.0%} of what passes is the same, but only {caught} of 100 same "
            "pairs are found. A lower threshold would do; take the lowest."
        )
    told = f"At {cut:.2f} {passed} pairs pass, and only {right:.1%} of them are the same"
    return f"{told}. Go up until half of them are."


def _passing(scores: np.ndarray, same: np.ndarray, precision: float) -> int:
    """How many pairs pass the lowest threshold that brings a precision."""
    right = np.cumsum(same[np.argsort(-scores)]) / np.arange(1, len(same) + 1)
    return int(np.flatnonzero(right >= precision)[-1] + 1)


def grade_3(mutual_matches: Callable[..., Any]) -> str | None:
    """Pairs of tokens that are each other's nearest by cosine."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(n, 4)) * rng.uniform(0.3, 3, (n, 1)) for n in (12, 9))
    cosine = (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
    used = a.copy(), b.copy()
    given = mutual_matches(*used)
    if (used[0] != a).any() or (used[1] != b).any():
        return "Your function changes the tokens it is given: write a / …, not a /= …."
    found = _numbers(given)
    if found is None:
        return f"Pairs (i, j) are asked for, but your function gives {type(given).__name__}."
    if found.size and found.dtype.kind not in "iu":
        return f"Return places of tokens, not similarities: whole numbers, no {found.dtype}."
    if found.ndim != 2 or found.shape[1] != 2:
        return f"One row (i, j) a match makes M×2, but your answer has shape {found.shape}."
    wanted, pairs = _mutual(cosine), sorted((i, j) for i, j in found.tolist())
    if pairs == wanted:
        return None
    if sorted((j, i) for i, j in pairs) == wanted:
        return "The columns are swapped: i, the token of a, comes first, then j, that of b."
    if len(pairs) in {12, 9} and len(set(pairs)) == len(pairs):
        return (
            f"You give each of one picture's {len(pairs)} tokens a partner. Keep (i, j) only where "
            "the way back, from b's token to its nearest in a, leads to i again."
        )
    if pairs == _mutual(-cosine):
        return "Those are the farthest. The nearest has the largest cosine: argmax, not argmin."
    if pairs == _mutual(a @ b.T):
        return "In dot products long tokens win. For the cosine divide each by its norm first."
    if pairs == _mutual(-np.linalg.norm(a[:, None] - b, axis=2)):
        return "Euclidean distance sees lengths too. For the cosine divide each by its norm first."
    missing = sorted({*wanted} - {*pairs})
    if missing:
        return f"{missing[0]} is missing: these two tokens are each other's nearest by cosine."
    return (
        f"You give {len(pairs)} pairs, but {len(wanted)} are mutual: drop the others and doubles."
    )


def _mutual(nearness: np.ndarray) -> list[tuple[int, int]]:
    """The places of what is largest both in its row and in its column."""
    there, back = nearness.argmax(1), nearness.argmax(0)
    return [(i, int(j)) for i, j in enumerate(there) if back[j] == i]
