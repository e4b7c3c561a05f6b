"""Distances between embeddings, and the nearest neighbours under any of them.

Always: smaller is nearer.
"""

from utils.distances.formulas import (
    METRICS,
    OF_DISTRIBUTIONS,
    check_metric,
    check_vectors,
    pairwise,
    ready,
)
from utils.distances.gallery import Gallery, nearest
from utils.distances.learned import whiten, within_class_covariance

__all__ = [
    "METRICS",
    "OF_DISTRIBUTIONS",
    "Gallery",
    "check_metric",
    "check_vectors",
    "nearest",
    "pairwise",
    "ready",
    "whiten",
    "within_class_covariance",
]
