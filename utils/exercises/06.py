"""Graders of lesson 06."""

from collections.abc import Callable
from typing import Any

import numpy as np


def _unit(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    vectors = rng.normal(size=(n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _best(scores: np.ndarray, allowed: np.ndarray, k: int) -> list[int]:
    return [int(i) for i in np.argsort(-scores, kind="stable") if allowed[i]][:k]


def grade_1(search_among: Callable[..., Any]) -> str | None:
    """The nearest among those allowed, as positions in the gallery."""
    rng = np.random.default_rng(0)
    vectors, query = _unit(rng, 6000, 5), _unit(rng, 1, 5)[0]
    scores = vectors @ query
    allowed, half = np.zeros(6000, bool), int((scores > 0).sum())
    allowed[np.argsort(-scores)[half - 12 :: 8]] = True  # two above 0, all others below
    many = int(allowed.sum()) + 10
    kept = vectors.copy(), query.copy(), allowed.copy()
    found = np.asarray(search_among(vectors, query, allowed, 5))
    if not all(np.array_equal(a, b) for a, b in zip((vectors, query, allowed), kept, strict=True)):
        return "Your function changes what it is given; work on a copy."
    if found.ndim != 1:
        return f"k positions in a row are asked for, but yours have shape {found.shape}."
    if found.dtype == bool:
        return "Yours says yes or no of each picture; return the positions, best first."
    given = [int(i) for i in found]
    expected = _best(scores, allowed, 5)
    if given == expected:
        every = [int(i) for i in search_among(vectors, query, allowed, many)]
        if not allowed[every].all():
            return (
                f"Asked for {many} where {many - 10} are allowed, yours gives {len(every)}, with "
                "some that are not: return fewer."
            )
        if len(every) < many - 10:
            return f"{many - 10} are allowed and {many} were asked for: return them all."
        if every != _best(scores, allowed, many):
            return f"The five best are right, but of all {many - 10} some are not in their places."
        return None
    if not given:
        return (
            "None of the nearest is allowed, so nothing was left: filter first, then take the k "
            "best."
        )
    if given == [int(np.flatnonzero(allowed).tolist().index(i)) for i in expected]:
        return "These are positions among the allowed; map them back to positions in the gallery."
    if not allowed[given].all():
        return "Some of your answers are not allowed."
    if sorted(given) == sorted(expected):
        return "The right ones, but not best first."
    return f"Expected {expected}, but yours are {given}. Is a larger product better in yours?"


def grade_2(shares: Callable[..., Any]) -> str | None:
    """Shares of places that add up to the cosine."""
    rng = np.random.default_rng(0)
    places, other = rng.normal(0.5, 1, size=(3, 4, 6)), 7 * rng.normal(0.5, 1, size=6)
    given = np.asarray(shares(places.copy(), other.copy()), float)
    if given.shape != (3, 4):
        return f"Each of 3×4 places has one share, but yours have shape {given.shape}."
    mean = places.mean((0, 1))
    cosine = mean @ other / np.linalg.norm(mean) / np.linalg.norm(other)
    expected = _shares(places, other)
    if np.allclose(given, expected):
        fewer = np.asarray(shares(places[:, :2].copy(), other.copy()), float)
        if np.shape(fewer) != (3, 2) or not np.allclose(fewer, _shares(places[:, :2], other)):
            return "With 3×4 places yours is right, with 3×2 it is not: count the places."
        return None
    if np.allclose(given, 12 * expected):
        return "Their mean is the cosine, but their sum should be: divide by the number of places."
    if np.allclose(given, expected * np.linalg.norm(other)):
        return "`other` may have any length: divide by its norm."
    lengths = np.linalg.norm(places, axis=2) * np.linalg.norm(other)
    if np.allclose(given, places @ other / lengths) or np.allclose(
        given, places @ other / lengths / 12
    ):
        return (
            "You divide each place by its own length. The cosine is that of the *mean*: divide by "
            "the length of the mean of all places."
        )
    if np.isclose(given.sum(), cosine):
        return (
            "They add up to the cosine, but a place's share is its own product with `other`, be it "
            f"negative: the first should be {expected[0, 0]:.4f}, but is {given[0, 0]:.4f}."
        )
    return f"They should add up to {cosine:.4f}, the cosine, but yours add up to {given.sum():.4f}."


def _shares(places: np.ndarray, other: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(places.mean((0, 1))) * np.linalg.norm(other)
    shares: np.ndarray = places @ other / (places[..., 0].size * length)
    return shares


def grade_3(recommend: Callable[..., Any]) -> str | None:
    """Near any of the likes, not nearer to a dislike."""
    rng = np.random.default_rng(0)
    vectors, likes = _unit(rng, 80, 4), [3, 40]
    near = np.argsort(-(vectors @ vectors[likes].T).max(1))
    dislikes = [int(near[4]), int(near[7])]  # so near that others are nearer to them
    kept = vectors.copy(), list(likes), list(dislikes)
    given = [int(i) for i in recommend(vectors, *kept[1:], 8)]
    if not np.array_equal(vectors, kept[0]) or kept[1:] != (likes, dislikes):
        return "Your function changes the vectors or lists that it is given; work on copies."
    try:
        without = [int(i) for i in recommend(vectors, list(likes), [], 8)]
    except Exception as error:  # with dislikes it worked
        return f"Without a dislike yours fails ({error}); an empty list has no maximum."
    liking = (vectors @ vectors[likes].T).max(1)
    disliking = (vectors @ vectors[dislikes].T).max(1)
    new = ~np.isin(np.arange(80), [*likes, *dislikes])
    if set(given) & {*likes, *dislikes} or set(without) & set(likes):
        return "Pictures that were liked or disliked are known to the user: leave them out."
    mean = vectors[likes].mean(0)
    if without == _best(vectors @ mean, ~np.isin(np.arange(80), likes), 8):
        return "You rank by the mean of the likes; take each picture's *nearest* like."
    if without != _best(liking, ~np.isin(np.arange(80), likes), 8):
        return (
            f"With likes alone, {_best(liking, new, 3)} … come first, but yours are {without[:3]} …"
        )
    if given == _best(liking, new, 8):
        return "Dislikes change nothing in yours: leave out what is nearer to one than to a like."
    if given == _best(liking - disliking, new & (liking >= disliking), 8):
        return "Dislikes only leave out; the order is that of the likes alone."
    right = _best(liking, new & (liking >= disliking), 8)
    if len(given) < 8 and given == right[: len(given)]:
        return f"Yours gives {len(given)} of 8, and more are left: leave out first, then take k."
    if given != right:
        return f"{right[:3]} … come first, yours are {given[:3]} …"
    left = _best(liking, new & (liking >= disliking), 80)
    if [int(i) for i in recommend(vectors, list(likes), list(dislikes), 80)] != left:
        return f"Of 80 pictures {len(left)} are left to recommend: for k = 80 give these alone."
    if len(recommend(vectors, list(likes), [], 80)) != 78:
        return (
            "Without a dislike nothing is nearer to one, but yours leaves out more than the likes. "
            "A cosine may be negative."
        )
    return None
