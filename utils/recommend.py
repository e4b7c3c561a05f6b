"""Recommendation from embeddings: what a user likes as one vector, and answers that differ."""

from typing import Any

import numpy as np

from utils.distances import check_vectors


def taste(liked: Any) -> np.ndarray:
    """A user as the mean of what they liked, made a unit vector: float32 N×D → float32 D.

    Raises ValueError without a like, or where the likes cancel out.
    """
    liked = np.atleast_2d(np.asarray(liked, np.float32))
    if not liked.size:
        raise ValueError("Nothing is liked yet; a taste takes at least one embedding.")
    mean = check_vectors(liked).mean(axis=0)
    length = np.linalg.norm(mean)
    if not length > 1e-6:
        raise ValueError("The pictures cancel each other out, and their mean points nowhere.")
    return mean / length


def mmr(query: Any, vectors: Any, k: int, balance: float = 0.7) -> np.ndarray:
    """Maximal marginal relevance: answers near the query, and not near each other.

    One after another, the candidate with the largest
    balance · cos(query, d) − (1 − balance) · max cos(d, what is chosen already)
    (Carbonell & Goldstein 1998, "The Use of MMR, Diversity-Based Reranking for Reordering
    Documents and Producing Summaries", section 2). The first is the nearest.

    Parameters
    ----------
    query : float, D. vectors : float, N×D, the candidates; both L2-normalised.
    k : how many, 1 to N. balance : 1 for relevance alone, 0 for variety alone.

    Returns
    -------
    int64 k, positions in `vectors`, best first.

    Raises
    ------
    ValueError : k or balance out of range, or query and vectors of different lengths.
    """
    vectors, query = check_vectors(vectors), np.asarray(query, np.float32)
    if query.shape != vectors.shape[1:]:
        raise ValueError(
            f"The query has shape {query.shape}, and the candidates are {vectors.shape[1]} long."
        )
    if not 1 <= k <= len(vectors):
        raise ValueError(f"k must be 1 to {len(vectors)}, as many as candidates, but is {k}.")
    if not 0 <= balance <= 1:
        raise ValueError(f"balance is from 0 (variety) to 1 (relevance), but is {balance}.")
    relevance, chosen = vectors @ query, list[int]()
    similar = np.full(len(vectors), -1.0, np.float32)  # to the nearest of those chosen: none yet
    for _ in range(k):
        worth = balance * relevance - (1 - balance) * similar
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax() if chosen else relevance.argmax()))
        similar = np.maximum(similar, vectors @ vectors[chosen[-1]])
    return np.array(chosen)
