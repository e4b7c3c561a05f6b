"""Vectors as networks make them, in any number: as many dimensions as asked, few of them free."""

import numpy as np


def synthetic_vectors(n: int, dim: int = 64, intrinsic: int = 16, groups: int = 100) -> np.ndarray:
    """Unit vectors on a curved sheet of `intrinsic` dimensions, in overlapping groups.

    The same `dim`, `intrinsic` and `groups` draw from the same sheet, so that the last
    rows of n + 1,000 vectors are queries for the first n.

    Returns float32, n×dim.
    """
    sheet, points = (np.random.default_rng([0, i]) for i in range(2))
    centres = sheet.normal(size=(groups, intrinsic)).astype(np.float32)
    bend = sheet.normal(size=(intrinsic, 2 * dim)).astype(np.float32) / np.sqrt(intrinsic)
    spread = sheet.normal(size=(2 * dim, dim)).astype(np.float32)
    phase = sheet.uniform(0, 2 * np.pi, 2 * dim).astype(np.float32)
    vectors = np.empty((n, dim), np.float32)
    for start in range(0, n, 100_000):
        some = vectors[start : start + 100_000]
        free = centres[points.integers(groups, size=len(some))]
        free += points.normal(scale=0.6, size=free.shape).astype(np.float32)
        some[:] = np.sin(free @ bend + phase) @ spread
        some /= np.linalg.norm(some, axis=1, keepdims=True)
    return vectors


def intrinsic_dimension(vectors: np.ndarray, sample: int = 5_000) -> float:
    """How many directions there are to go from a point, by TwoNN (Facco and others 2017).

    In d dimensions the second neighbour is farther than the first by a factor r of which the mean
    of ln r is 1/d: the maximum likelihood, where the paper fits a line. Looks at the first
    `sample` of the vectors, float N×D, copies left out.
    """
    from utils.distances import nearest

    some = np.unique(vectors[:sample], axis=0)
    apart = nearest(some, some, 2, "euclidean", leave_one_out=True)[1].astype(np.float64)
    return float(1 / np.log(apart[:, 1] / apart[:, 0]).mean())
