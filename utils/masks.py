"""How well do masks agree with the truth?"""

import numpy as np


def iou(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of masks, each cut at the middle of its range: float64, N.

    1 where both are empty.
    """
    a, b = (masks >= 0.5 for masks in _shares(found, truth))
    union = (a | b).sum((1, 2))
    return np.where(union == 0, 1.0, (a & b).sum((1, 2)) / np.maximum(union, 1))


def mean_absolute_error(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean difference of mask values, 0 to 1 (Perazzi et al. 2012, eq. 11): float64, N."""
    a, b = _shares(found, truth)
    return np.abs(a - b).mean((1, 2))


def max_f_beta(found: np.ndarray, truth: np.ndarray, beta_squared: float = 0.3) -> float:
    """The best F-beta over all thresholds, precision and recall averaged over the pictures.

    F = (1 + β²)·P·R / (β²·P + R) (Achanta et al. 2009, eq. 6, with β² = 0.3).
    """
    a, truth = _shares(found, truth)
    b = truth >= 0.5
    best = 0.0
    for threshold in np.arange(1, 256) / 255:
        cut = a >= threshold
        hit = (cut & b).sum((1, 2))
        precision = (hit / np.maximum(cut.sum((1, 2)), 1)).mean()
        recall = (hit / np.maximum(b.sum((1, 2)), 1)).mean()
        below = beta_squared * precision + recall
        best = max(best, float((1 + beta_squared) * precision * recall / max(below, 1e-12)))
    return best


def _shares(found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks as float64 from 0 to 1, whether they came as uint8 or so already."""
    if found.ndim != 3 or found.shape != truth.shape:
        raise ValueError(
            f"Masks must be N×H×W, found ones as the true ones, but are {found.shape} and "
            f"{truth.shape}."
        )
    if truth.dtype == np.uint8 and truth.max(initial=0) == 1:
        raise ValueError("uint8 masks go from 0 to 255; give masks of 0 and 1 as bool.")
    first, second = (m / 255 if m.dtype == np.uint8 else m.astype(float) for m in (found, truth))
    return first, second
