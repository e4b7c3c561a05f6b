"""Mahalanobis: a Euclidean distance in a space that a covariance has straightened."""

from typing import Any

import numpy as np


def whiten(vectors: np.ndarray, covariance: Any) -> np.ndarray:
    """Vectors whose Euclidean distances are the Mahalanobis distances of the given ones.

    With Σ = LLᵀ (Cholesky) these are the rows L⁻¹x, since ‖L⁻¹(x−y)‖² = (x−y)ᵀΣ⁻¹(x−y).

    Parameters
    ----------
    vectors : float, N×D. covariance : float, D×D, symmetric and positive definite.

    Returns
    -------
    float32, N×D.

    Raises
    ------
    ValueError : the covariance is of another size, not symmetric, or singular.
    """
    from scipy.linalg import solve_triangular

    matrix, dim = np.asarray(covariance, np.float64), vectors.shape[1]
    if matrix.shape != (dim, dim):
        raise ValueError(
            f"Vectors of {dim} numbers need a covariance of {dim}×{dim}, but it has shape "
            f"{matrix.shape}."
        )
    if not np.allclose(matrix, matrix.T):
        raise ValueError("A covariance is symmetric, but this one is not; did you transpose?")
    try:
        lower = np.linalg.cholesky(matrix)
        # What is left of each variance beside the earlier ones; rounding leaves some of none.
        if (np.diag(lower) ** 2 < 1e-12 * dim * np.diag(matrix)).any():
            raise np.linalg.LinAlgError("singular")
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "This covariance has no inverse: some direction never varies. Shrink it, with "
            "sklearn.covariance.shrunk_covariance(covariance, 0.1)."
        ) from error
    return solve_triangular(lower, vectors.T.astype(np.float64), lower=True).T.astype(np.float32)


def within_class_covariance(vectors: np.ndarray, labels: Any) -> np.ndarray:
    """How the pictures of one label differ from each other: float64 D×D.

    Σ_i (x_i − μ_label(i))(x_i − μ_label(i))ᵀ / (N − C), C being the number of labels: the pooled
    covariance of discriminant analysis (Fisher 1936).

    Raises ValueError where every label has a single picture, or lengths do not fit.
    """
    vectors, (names, number) = (
        np.asarray(vectors, np.float64),
        np.unique(labels, return_inverse=True),
    )
    if len(number) != len(vectors):
        raise ValueError(f"{len(vectors)} vectors need as many labels, not {len(number)}.")
    if len(names) == len(vectors):
        raise ValueError("Each picture has a label of its own, so none differs from its like.")
    sums = np.zeros((len(names), vectors.shape[1]))
    np.add.at(sums, number, vectors)
    centred = vectors - (sums / np.bincount(number)[:, None])[number]
    return centred.T @ centred / (len(vectors) - len(names))
