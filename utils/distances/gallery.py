"""The nearest neighbours of many queries, in blocks: memory does not grow with their number."""

from typing import Any

import numpy as np

from utils.distances.formulas import BLOCK_BYTES, EPSILON, check_widths, ready

SPARE = 6  # candidates beyond k that a first, rounded look brings


def nearest(
    a: Any,
    b: Any,
    k: int,
    metric: str = "cosine",
    *,
    leave_one_out: bool = False,
    covariance: Any = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The `k` rows of the gallery `b` nearest to each row of `a`, in blocks.

    Parameters
    ----------
    a, b : float, N×D and M×D. k : 1 to M (to M − 1 with `leave_one_out`).
    leave_one_out : a and b are the same pictures in the same order, and none is its own answer.
    covariance : D×D, for mahalanobis alone.

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
    return Gallery(b, metric, covariance).nearest(a, k, own)


class Gallery:
    """Vectors made ready to be searched again and again under one metric; float, M×D."""

    def __init__(self, vectors: Any, metric: str = "cosine", covariance: Any = None) -> None:
        import torch  # takes seconds to import

        self.metric, self.covariance = metric, covariance
        rows = np.ascontiguousarray(ready(vectors, metric, "gallery", covariance))
        self._rows = self._vectors = torch.from_numpy(rows)
        if metric == "kl":  # whose products are with logarithms
            self._vectors = self._rows.clamp(min=EPSILON).log()
        squares = self._vectors.square().sum(1)
        self._half_squares = squares / 2
        self._lengths = squares.sqrt()

    def __len__(self) -> int:
        return len(self._vectors)

    def nearest(
        self, queries: Any, k: int, own: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As the function `nearest`; own[i] is the position that query i may not be given."""
        queries = ready(queries, self.metric, "queries", self.covariance)
        check_widths(queries, self._vectors)
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
        if self.metric in ("manhattan", "chebyshev"):
            power = 1 if self.metric == "manhattan" else torch.inf
            close = torch.cdist(a, self._vectors, p=power).neg_()
        elif self.metric in ("euclidean", "mahalanobis"):
            # ‖a−b‖² = ‖a‖² − 2(a·b − ‖b‖²/2): the same order for less work
            close = torch.addmm(self._half_squares, a, self._vectors.T, beta=-1)
        else:  # rows of unit length, where a product tells the order; under kl Σ p ln q does
            close = a @ self._vectors.T
        if own is not None:
            close[torch.arange(len(a)), torch.from_numpy(own)] = -torch.inf
        values, found = close.topk(min(k + SPARE, len(self) - (own is not None)))
        # The distances themselves from differences: products lose the last digits, and a picture
        # must be at exactly 0 from its copy.
        positions, apart = self._ranked(a, found, k)
        # Where rounding cannot tell the last of these from one left out, look at all such ones.
        cutoff = values[:, k - 1] - 2 * self._rounding(a, values[:, k - 1], self._lengths.max())
        for i in torch.nonzero(values[:, -1] >= cutoff)[:, 0].tolist():
            off = self._rounding(a[i], close[i], self._lengths)
            least = (values[i, :k] - off[found[i, :k]]).min()
            unsure = torch.nonzero(close[i] + off >= least)[:, 0]
            positions[i : i + 1], apart[i : i + 1] = self._ranked(a[i : i + 1], unsure[None], k)
        return positions, apart

    def _rounding(self, a: Any, values: Any, lengths: Any) -> Any:
        """How far a computed value may be from the true one, for pictures of these lengths.

        A sum of D products is off by at most D·ε·‖a‖‖b‖ (Higham 2002, section 3.1).
        """
        if self.metric in ("manhattan", "chebyshev"):
            size = values.abs()
        else:
            size = a.norm(dim=-1) * lengths
            if self.metric in ("euclidean", "mahalanobis"):
                size = size + lengths**2
        return a.shape[-1] * np.finfo(np.float32).eps * size

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
            apart[rows] = self._apart(a[rows, None], self._rows[found[rows]])
        return apart

    def _apart(self, x: Any, y: Any) -> Any:
        """The distances of rows x (N×1×D, not changed) to y (N×k×D, changed): N×k."""
        if self.metric == "kl":  # Σ p ln(p/q) − p + q: the same sum, and no term is negative
            ratio = x.clamp(min=EPSILON).log() - y.clamp(min=EPSILON).log()
            return ratio.mul_(x).add_(y.sub_(x)).clamp_(min=0).sum(2)
        common = (x * y).sum(2) if self.metric == "bhattacharyya" else None
        difference = y.sub_(x)
        if self.metric == "manhattan":
            return difference.abs_().sum(2)
        if self.metric == "chebyshev":
            return difference.abs_().amax(2)
        squares = difference.square_().sum(2)
        if self.metric == "cosine":  # on unit rows 1 − x·y = ‖x−y‖² / 2
            return squares.div_(2)
        if common is not None:
            return (-(squares / -2).log1p()).where(common > 0.5, -common.log())
        return squares.sqrt_()
