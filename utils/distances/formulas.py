"""The distances themselves, what each of them expects, and all pairs of small sets.

x and y being rows of length D, p and q rows that are distributions:

cosine         1 − x·y / (‖x‖‖y‖), 0 to 2
euclidean      √Σ(x−y)²
manhattan      Σ|x−y|
chebyshev      max|x−y|
mahalanobis    √((x−y)ᵀ Σ⁻¹ (x−y)), Σ being `covariance` (Mahalanobis 1936)
matusita       √Σ(√p−√q)², 0 to √2 (Matusita 1955); √2 times Hellinger's
bhattacharyya  −ln Σ√(pq), 0 to infinity (Bhattacharyya 1943; this form Kailath 1967)
kl             Σ p ln(p / max(q, 1e-12)), p of the query, q of the gallery (Kullback & Leibler 1951)
"""

from typing import Any

import numpy as np

from utils.distances.learned import whiten

METRICS = (
    "cosine", "euclidean", "manhattan", "chebyshev", "mahalanobis", "matusita", "bhattacharyya",
    "kl",
)  # fmt: skip
OF_DISTRIBUTIONS = ("matusita", "bhattacharyya", "kl")
EPSILON = 1e-12  # what kl takes for a share of 0 in the gallery
MAX_BYTES = 1 << 30
BLOCK_BYTES = 64 << 20  # of distances held at once


def check_vectors(vectors: Any, what: str = "vectors") -> np.ndarray:
    """`vectors` as float32 N×D, or a ValueError that says what is wrong with them."""
    array = np.asarray(vectors)
    if array.ndim != 2 or array.shape[1] == 0:
        hint = "; for one vector write v[None]" if array.ndim == 1 else ""
        raise ValueError(f"{what} must be N×D, one row each, but have shape {array.shape}{hint}.")
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{what} must be numbers, but are {array.dtype}.")
    array = array.astype(np.float32, copy=False)
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{what} must be finite, but {bad.sum()} of {len(array)} rows hold NaN or infinity, "
            f"the first being row {bad.argmax()}; leave those out or embed them again."
        )
    return array


def check_metric(metric: str) -> None:
    """Raise ValueError, with the names there are, for an unknown metric."""
    if metric not in METRICS:
        raise ValueError(f"There is no metric {metric!r}; choose one of: {', '.join(METRICS)}.")


def check_widths(a: Any, b: Any) -> None:
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"The queries have {a.shape[1]} numbers a row and the gallery {b.shape[1]}; embed both "
            "with one model."
        )


def ready(vectors: Any, metric: str, what: str = "vectors", covariance: Any = None) -> np.ndarray:
    """Checked, and in the space where the metric is a plain sum over the numbers of two rows.

    Unit rows for cosine; whitened ones for mahalanobis; square roots, which have unit length, for
    matusita and bhattacharyya; distributions for kl. float32 N×D.

    Raises ValueError for what the metric cannot compare, or a covariance missing or in vain.
    """
    check_metric(metric)
    if (covariance is not None) != (metric == "mahalanobis"):
        raise ValueError(
            "mahalanobis needs covariance=…, D×D, such as within_class_covariance(vectors, labels)."
            if covariance is None
            else f"A covariance belongs to mahalanobis; {metric} has no use for it."
        )
    array = check_vectors(vectors, what)
    if metric == "cosine":
        return _unit(array, what)
    if metric == "mahalanobis":
        return whiten(array, covariance)
    if metric in OF_DISTRIBUTIONS:
        shares = _distributions(array, metric, what)
        return shares if metric == "kl" else np.sqrt(shares)
    return array


def _unit(array: np.ndarray, what: str) -> np.ndarray:
    largest = np.abs(array).max(axis=1, keepdims=True, initial=0)
    if not largest.all():
        raise ValueError(
            f"Cosine needs a direction, but row {(largest == 0).argmax()} of {what} is all zeros; "
            "leave it out or choose euclidean."
        )
    array = array / largest  # so that no square under- or overflows
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def _distributions(array: np.ndarray, metric: str, what: str) -> np.ndarray:
    """Rows that are not negative and sum to 1, to the last digit."""
    advice = "give it histograms or softmax outputs, or choose euclidean"
    negative = (array < 0).any(axis=1)
    if negative.any():
        row = negative.argmax()
        raise ValueError(
            f"{metric} compares distributions, but row {row} of {what} holds {array[row].min():.3g}"
            f", and a share cannot be negative; {advice}."
        )
    total = array.sum(axis=1, dtype=np.float64, keepdims=True)
    off = np.abs(total[:, 0] - 1) > 1e-3
    if off.any():
        row = off.argmax()
        raise ValueError(
            f"{metric} compares distributions, but row {row} of {what} sums to {total[row, 0]:.3g}"
            f" and not to 1; divide each row by its sum, {advice}."
        )
    return (array / total).astype(np.float32)


def pairwise(
    a: Any,
    b: Any,
    metric: str = "cosine",
    max_bytes: int = MAX_BYTES,
    *,
    covariance: Any = None,
) -> np.ndarray:
    """All distances between the rows of `a` (N×D) and `b` (M×D), float32 N×M.

    Under kl the rows of `a` are the queries. covariance : D×D, for mahalanobis alone.

    Raises
    ------
    ValueError : shapes that do not fit, NaN, an unknown metric, or rows that it cannot compare:
        zeros under cosine; what is no distribution under matusita, bhattacharyya and kl.
    MemoryError : the answer would take more than `max_bytes`; `nearest` works in blocks.
    """
    a, b = ready(a, metric, "a", covariance), ready(b, metric, "b", covariance)
    check_widths(a, b)
    if 4 * len(a) * len(b) > max_bytes:
        raise MemoryError(
            f"{len(a):,} × {len(b):,} distances take {4 * len(a) * len(b) / 1e9:.1f} GB, over the "
            f"limit of {max_bytes / 1e9:.1f} GB; use nearest(a, b, k), which works in blocks."
        )
    out = np.empty((len(a), len(b)), np.float32)
    rows = max(1, BLOCK_BYTES // (8 * max(1, len(b))))  # float64 on the way
    for start in range(0, len(a), rows):
        out[start : start + rows] = _all_pairs(a[start : start + rows], b, metric)
    return out


def _all_pairs(a: np.ndarray, b: np.ndarray, metric: str) -> np.ndarray:
    from scipy.spatial.distance import cdist
    from scipy.special import xlogy

    if metric == "cosine":
        return (1 - a @ b.T).clip(0, 2)
    if metric == "bhattacharyya":
        with np.errstate(divide="ignore"):  # nothing in common: infinitely far
            return -np.log((a.astype(np.float64) @ b.T.astype(np.float64)).clip(0, 1))
    if metric == "kl":
        p = a.astype(np.float64)
        return (xlogy(p, p).sum(1)[:, None] - p @ np.log(b.clip(EPSILON)).T).clip(0)
    return cdist(
        a, b, {"manhattan": "cityblock", "chebyshev": "chebyshev"}.get(metric, "euclidean")
    )
