"""How good is a search? Leave-one-out retrieval: every picture asks, all the others answer."""

from typing import Any

import numpy as np

from utils.distances import Gallery, check_vectors, nearest
from utils.images import check_labelled


class Score(float):
    """A mean over queries that remembers them: compare and print it like any float.

    Attributes
    ----------
    per_query : float64, one value a counted query. queries : int64, their positions.
    left_out : how many queries had no positive and were not counted.
    """

    per_query: np.ndarray
    queries: np.ndarray
    left_out: int

    def __new__(cls, per_query: np.ndarray, queries: np.ndarray, left_out: int) -> "Score":
        score = super().__new__(cls, per_query.mean())
        score.per_query, score.queries, score.left_out = per_query, queries, left_out
        return score

    def __reduce__(self) -> tuple[Any, ...]:  # for copy and pickle
        return Score, (self.per_query, self.queries, self.left_out)

    def interval(
        self, level: float = 0.95, draws: int = 1000, groups: Any = None
    ) -> tuple[float, float]:
        """Confidence interval by bootstrap over queries (Efron & Tibshirani 1993, chapter 13).

        Queries of one thing are alike. To tell of other things rather than of other pictures,
        give `groups`, a label for each counted query: whole groups are drawn then (Davison &
        Hinkley 1997, "Bootstrap Methods and Their Application", section 3.8).

        Raises ValueError for groups of another number than the queries.
        """
        rng = np.random.default_rng(0)
        n = len(self.per_query)
        if groups is None:
            means = [self.per_query[rng.integers(0, n, n)].mean() for _ in range(draws)]
        else:
            if len(groups) != n:
                raise ValueError(f"{n} counted queries need as many groups, not {len(groups)}.")
            _, group = np.unique(groups, return_inverse=True)
            total, size = np.bincount(group, self.per_query), np.bincount(group)
            picks = rng.integers(0, len(size), (draws, len(size)))
            means = (total[picks].sum(1) / size[picks].sum(1)).tolist()
        tail = (1 - level) / 2
        low, high = np.quantile(means, [tail, 1 - tail])
        return float(low), float(high)


def recall_at_k(
    vectors: Any, labels: Any, k: int = 1, metric: str = "cosine", *, covariance: Any = None
) -> Score:
    """Share of queries with a picture of their own label among their k nearest others.

    With k = 1 over a whole set this is leave-one-out top-1. The query is never its own answer;
    a query whose label no other picture has is left out and counted in `.left_out`.

    Parameters
    ----------
    vectors : float, N×D. labels : int, N, none negative. k : 1 to N − 1.
    covariance : D×D, for mahalanobis alone.

    Raises
    ------
    ValueError : labels missing (−1), of another length, no query with a positive, k out of range.
    """
    vectors, labels, positives = _check(vectors, labels)
    found, _ = nearest(vectors, vectors, k, metric, leave_one_out=True, covariance=covariance)
    hit = (labels[found] == labels[:, None]).any(axis=1)
    return _score(hit.astype(np.float64), positives)


def mean_average_precision_at_r(
    vectors: Any, labels: Any, metric: str = "cosine", *, covariance: Any = None
) -> Score:
    """mAP@R: precision averaged over the first R answers, R being a query's positives.

    AP@R = (1/R) Σ_{i≤R} P(i) · [answer i is right] (Musgrave et al. 2020, "A Metric Learning
    Reality Check", eq. 2); 1 only where all R positives come first. Parameters, left-out queries
    and errors as for `recall_at_k`.
    """
    vectors, labels, positives = _check(vectors, labels)
    deepest = int(positives.max())
    values = np.empty(len(labels))
    gallery = Gallery(vectors, metric, covariance)
    block = max(1, (64 << 20) // (16 * deepest))
    for start in range(0, len(labels), block):
        rows = np.arange(start, min(start + block, len(labels)))
        found, _ = gallery.nearest(vectors[rows], deepest, own=rows)
        right = labels[found] == labels[rows, None]
        right &= np.arange(deepest) < positives[rows, None]
        precision = right.cumsum(axis=1) / np.arange(1, deepest + 1)
        values[rows] = (precision * right).sum(axis=1) / np.maximum(positives[rows], 1)
    return _score(values, positives)


def gain(before: Score, after: Score) -> Score:
    """What a change brought each query: a Score of differences, with its interval.

    The same queries ask twice, so their differences tell more than two intervals side by side.

    Raises ValueError where the two scores are not of the same queries.
    """
    if not np.array_equal(before.queries, after.queries):
        raise ValueError(
            f"A gain compares the same queries, but one score has {len(before.queries)} and the "
            f"other {len(after.queries)}, or others."
        )
    return Score(after.per_query - before.per_query, before.queries, before.left_out)


def _check(vectors: Any, labels: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Validated vectors and labels, and how many positives each query has."""
    vectors, labels = check_vectors(vectors), np.asarray(labels)
    if labels.shape != (len(vectors),):
        raise ValueError(
            f"{len(vectors)} vectors need as many labels, but labels have shape {labels.shape}."
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be whole numbers, but are {labels.dtype}.")
    check_labelled(labels, "without the truth nothing can be scored")
    _, number, counts = np.unique(labels, return_inverse=True, return_counts=True)
    positives = counts[number] - 1
    if not positives.any():
        raise ValueError(
            f"None of the {len(labels)} pictures shares its label with another, so no query has a "
            "right answer; give at least one label two pictures."
        )
    return vectors, labels, positives


def _score(values: np.ndarray, positives: np.ndarray) -> Score:
    queries = np.flatnonzero(positives)
    return Score(values[queries], queries, len(values) - len(queries))
