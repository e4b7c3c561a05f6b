"""Distances between embeddings, and the nearest neighbours under any of them.

Always: smaller is nearer. Three metrics, x and y being rows of length D:
cosine 1 − x·y / (‖x‖‖y‖), 0 to 2; euclidean √Σ(x−y)²; manhattan Σ|x−y|.
"""

from typing import Any

import numpy as np

METRICS = ("cosine", "euclidean", "manhattan")
MAX_BYTES = 1 << 30
BLOCK_BYTES = 64 << 20  # of distances held at once
SPARE = 6  # candidates beyond k that a first, rounded look brings


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


def _ready(vectors: Any, metric: str, what: str) -> np.ndarray:
    """Checked, and under cosine scaled to length 1."""
    array = check_vectors(vectors, what)
    if metric != "cosine":
        return array
    largest = np.abs(array).max(axis=1, keepdims=True, initial=0)
    if not largest.all():
        raise ValueError(
            f"Cosine needs a direction, but row {(largest == 0).argmax()} of {what} is all zeros; "
            "leave it out or choose euclidean."
        )
    array = array / largest  # so that no square under- or overflows
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def _check_widths(a: Any, b: Any) -> None:
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"The queries have {a.shape[1]} numbers a row and the gallery {b.shape[1]}; embed both "
            "with one model."
        )


def pairwise(a: Any, b: Any, metric: str = "cosine", max_bytes: int = MAX_BYTES) -> np.ndarray:
    """All distances between the rows of `a` (N×D) and `b` (M×D), float32 N×M.

    Raises
    ------
    ValueError : shapes that do not fit, NaN, a zero row under cosine, an unknown metric.
    MemoryError : the answer would take more than `max_bytes`; `nearest` works in blocks.
    """
    from scipy.spatial.distance import cdist

    check_metric(metric)
    a, b = _ready(a, metric, "a"), _ready(b, metric, "b")
    _check_widths(a, b)
    if 4 * len(a) * len(b) > max_bytes:
        raise MemoryError(
            f"{len(a):,} × {len(b):,} distances take {4 * len(a) * len(b) / 1e9:.1f} GB, over the "
            f"limit of {max_bytes / 1e9:.1f} GB; use nearest(a, b, k), which works in blocks."
        )
    if metric == "cosine":
        return (1 - a @ b.T).clip(0, 2)
    out = np.empty((len(a), len(b)), np.float32)
    rows = max(1, BLOCK_BYTES // (8 * max(1, len(b))))  # SciPy answers in float64
    for start in range(0, len(a), rows):
        name = "cityblock" if metric == "manhattan" else metric
        out[start : start + rows] = cdist(a[start : start + rows], b, name)
    return out


def nearest(
    a: Any, b: Any, k: int, metric: str = "cosine", *, leave_one_out: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of the gallery `b` nearest to each row of `a`, in blocks.

    Parameters
    ----------
    a, b : float, N×D and M×D. k : 1 to M (to M − 1 with `leave_one_out`).
    leave_one_out : a and b are the same pictures in the same order, and none is its own answer.

    Returns
    -------
    positions : int64, N×k, nearest first; at equal distances the lower position first.
    distances : float32, N×k.

    Raises
    ------
    ValueError : as for `pairwise`, or k out of range.
    """
    if leave_one_out and len(a) != len(b):
        raise ValueError(f"Leave-one-out needs the same rows twice, not {len(a)} and {len(b)}.")
    own = np.arange(len(a)) if leave_one_out else None
    return Gallery(b, metric).nearest(a, k, own)


class Gallery:
    """Vectors made ready to be searched again and again under one metric; float, M×D."""

    def __init__(self, vectors: Any, metric: str = "cosine") -> None:
        import torch  # takes seconds to import

        check_metric(metric)
        self.metric = metric
        self._vectors = torch.from_numpy(np.ascontiguousarray(_ready(vectors, metric, "gallery")))
        self._half_squares = self._vectors.square().sum(1) / 2
        self._longest = self._half_squares.max().mul(2).sqrt() if len(self) else 0.0

    def __len__(self) -> int:
        return len(self._vectors)

    def nearest(
        self, queries: Any, k: int, own: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As the function `nearest`; own[i] is the position that query i may not be given."""
        queries = _ready(queries, self.metric, "queries")
        _check_widths(queries, self._vectors)
        most = len(self) - (own is not None)
        if not 1 <= k <= most:
            raise ValueError(
                f"k must be from 1 to {most}, the pictures that can be an answer, but is {k}."
            )
        positions = np.empty((len(queries), k), np.int64)
        distances = np.empty((len(queries), k), np.float32)
        block = max(1, BLOCK_BYTES // (4 * len(self)))
        for start in range(0, len(queries), block):
            rows = slice(start, start + block)
            not_these = None if own is None else own[rows]
            positions[rows], distances[rows] = self._block(queries[rows], k, not_these)
        return positions, distances

    def _block(
        self, queries: np.ndarray, k: int, own: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        import torch

        a = torch.from_numpy(np.ascontiguousarray(queries))
        if self.metric == "manhattan":
            close = torch.cdist(a, self._vectors, p=1).neg_()
        elif self.metric == "cosine":
            close = a @ self._vectors.T
        else:  # ‖a−b‖² = ‖a‖² − 2(a·b − ‖b‖²/2): the same order for less work
            close = torch.addmm(self._half_squares, a, self._vectors.T, beta=-1)
        if own is not None:
            close[torch.arange(len(a)), torch.from_numpy(own)] = -torch.inf
        values, found = close.topk(min(k + SPARE, len(self) - (own is not None)))
        # The distances themselves from differences: products lose the last digits, and a picture
        # must be at exactly 0 from its copy.
        positions, apart = self._ranked(a, found, k)
        # Where rounding cannot tell the last of these from one left out, look at all such ones.
        cutoff = values[:, k - 1] - self._rounding(a, values[:, k - 1])
        for i in torch.nonzero(values[:, -1] >= cutoff)[:, 0].tolist():
            unsure = torch.nonzero(close[i] >= cutoff[i])[:, 0]
            positions[i : i + 1], apart[i : i + 1] = self._ranked(a[i : i + 1], unsure[None], k)
        return positions, apart

    def _rounding(self, a: Any, values: Any) -> Any:
        """How far apart two computed values may be whose true ones are equal, for each query.

        A sum of D products is off by at most D·ε·‖a‖‖b‖ (Higham 2002, section 3.1).
        """
        if self.metric == "manhattan":
            size = values.abs()
        else:
            size = (a.norm(dim=1) + self._longest) * self._longest
        return 2 * a.shape[1] * np.finfo(np.float32).eps * size

    def _ranked(self, a: Any, found: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest of the candidates found for each query, by distance and then position."""
        apart, positions = self._exactly(a, found).numpy(), found.numpy()
        by = np.lexsort((positions, apart), axis=1)[:, :k]
        return np.take_along_axis(positions, by, 1), np.take_along_axis(apart, by, 1)

    def _exactly(self, a: Any, found: Any) -> Any:
        """Distances from each row of `a` to the rows of the gallery found for it, N×k."""
        apart = a.new_empty(found.shape)
        step = max(1, BLOCK_BYTES // (4 * found.shape[1] * a.shape[1]))
        for start in range(0, len(a), step):
            rows = slice(start, start + step)
            difference = self._vectors[found[rows]].sub_(a[rows, None])
            if self.metric == "manhattan":
                apart[rows] = difference.abs_().sum(2)
            elif self.metric == "euclidean":
                apart[rows] = difference.square_().sum(2).sqrt_()
            else:  # on unit rows 1 − x·y = ‖x−y‖² / 2
                apart[rows] = difference.square_().sum(2).div_(2)
        return apart
