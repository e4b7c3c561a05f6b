"""Graders of lesson 07."""

from collections.abc import Callable
from typing import Any

import numpy as np


def grade_1(merge: Callable[..., Any]) -> str | None:
    """The nearest of several shards, each picture once."""
    shards = [
        (np.array(["a", "b"]), np.array([0.1, 0.4])),
        (np.array(["d", "h"]), np.array([0.2, 0.4])),  # h is as far as b
        (np.array(["b", "e", "f"]), np.array([0.4, 0.5, 0.6])),  # a replica of b
        (np.array([], dtype="<U1"), np.array([])),
    ]
    kept = [(ids.copy(), distances.copy()) for ids, distances in shards]
    given = merge(kept, 5)
    if not isinstance(given, tuple | list) or len(given) != 2:
        return "Return two things, the ids and their distances."
    ids, distances = [str(id) for id in given[0]], np.asarray(given[1], float)
    if len(kept) != len(shards) or any(
        not np.array_equal(a, b)
        for one, two in zip(kept, shards, strict=True)
        for a, b in zip(one, two, strict=True)
    ):
        return "Your function changes the answers it is given."
    if len(set(ids)) < len(ids):
        return "One picture is answered twice: b lies on two shards."
    if ids[:2] == ["f", "e"] or ids[2:] == ["d", "a"]:
        return "The nearest should come first: a small distance is near."
    if ids == ["a", "b", "d", "e", "f"]:
        return "Yours come in the order of the alphabet: the nearest should come first."
    if ids[:2] + ids[3:] == ["a", "d", "e", "f"]:
        return "b and h are equally far, but two pictures: a replica is known by its id."
    if sorted(ids) == ["a", "b", "d", "h"]:
        return "Asked for five, yours gives four: take k only after what comes twice is gone."
    if ids[:2] != ["a", "d"] or sorted(ids[2:4]) != ["b", "h"] or ids[4:] != ["e"]:
        return f"The five nearest are a, d, b, h, e, but yours are {', '.join(ids)}."
    if not np.allclose(distances, [0.1, 0.2, 0.4, 0.4, 0.5]):
        return f"The ids are right, their distances are not: {distances.round(2).tolist()}."
    if len(merge(shards, 50)[0]) != 6:
        return "Six pictures are on the shards: asked for fifty, return all six."
    return None


def grade_2(smallest: Callable[..., Any]) -> str | None:
    """The smallest value of a knob that reaches a recall."""
    truth = np.arange(128).reshape(16, 8)  # eighths of sixteenths are exact
    asked: list[int] = []

    def search(value: int) -> np.ndarray:
        asked.append(value)
        found = truth[:, ::-1].copy()  # in another order: recall does not mind
        missed = np.roll(truth, 1, axis=0)  # what is true for another query
        found[1:, min(value, 8) :] = missed[1:, min(value, 8) :]  # the first finds all
        return found

    values = [2, 4, 6, 8, 10, 12]
    for least, expected in ((0.5, 4), (0.53125, 4), (0.6, 6), (1.0, 8)):
        asked.clear()
        given = smallest(search, truth, list(values), least)
        if given is None and expected:
            return (
                f"A recall of {least} is reached at {expected}, but yours finds none. Do you "
                "compare place by place? A true one counts wherever it stands."
            )
        if given not in values:
            return f"The answer is one of the values, but yours is {given!r}."
        if given != expected:
            found = "is larger" if given > expected else "has a smaller recall"
            return f"For a recall of at least {least} the answer is {expected}; {given} {found}."
        if max(asked) > expected:
            return f"{expected} was enough, but {max(asked)} was searched too: stop in time."
        if len(asked) > len(set(asked)):
            return "You search with one value twice; a search takes time, so keep what it found."
    if smallest(search, truth, [2, 4], 0.9) is not None:
        return "Where no value reaches the recall, return None."
    return None


def grade_3(encode: Callable[..., Any]) -> str | None:
    """The number of the nearest word, for each part of each vector."""
    rng = np.random.default_rng(0)
    books, vectors = rng.normal(size=(3, 200, 4)), rng.normal(size=(50, 12))
    books[1] *= 3
    given = np.asarray(encode(vectors.copy(), books.copy()))
    parts = vectors.reshape(50, 3, 4)
    apart = ((parts[:, :, None] - books) ** 2).sum(-1)
    expected = apart.argmin(-1)
    if given.shape != (50, 3):
        return f"50 vectors in 3 parts have codes of shape (50, 3), not {given.shape}."
    if given.dtype != np.uint8:
        return f"A code is one byte, uint8, but yours are {given.dtype}: that is the whole point."
    if np.array_equal(given, expected):
        fewer = np.asarray(encode(vectors[:, :8].copy(), books[:2].copy()))
        if not np.array_equal(fewer, expected[:, :2]):
            return "With three books yours is right, with two it is not: count the books."
        return None
    if np.array_equal(given, apart.argmax(-1)):
        return "These are the farthest words."
    if np.array_equal(given, np.einsum("npd,pwd->npw", parts, books).argmax(-1)):
        return "You take the largest product; the nearest word is by Euclidean distance."
    other = vectors.reshape(50, 4, 3).transpose(0, 2, 1)
    if np.array_equal(given, ((other[:, :, None] - books) ** 2).sum(-1).argmin(-1)):
        return "Part p is the numbers 4p to 4p + 3 of the vector, not every third of them."
    if np.array_equal(given, ((parts[:, :, None] - books[:1]) ** 2).sum(-1).argmin(-1)):
        return "Each part has its own book; you look into the first for all."
    return f"{(given == expected).mean():.0%} of the codes name the nearest word."
