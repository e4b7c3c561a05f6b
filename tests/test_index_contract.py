"""What every engine promises, by the same tests, against brute force and a dictionary."""

import numpy as np
import pytest

from utils.index import ExactIndex, FaissIndex


def faiss_index(kind, **knobs):
    return lambda **settings: FaissIndex(kind, **settings, **knobs)


# With so few vectors, all knobs such that nothing is missed: errors are the code's, not the kind's.
MAKES = {
    "exact": ExactIndex,
    "flat": faiss_index("flat"),
    "ivf, not trained": faiss_index("ivf"),
    "ivf": faiss_index("ivf", train_at=5, nlist=3, nprobe=3),
    "hnsw": faiss_index("hnsw", ef=100),
}
ENGINES = pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)


def random(n, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def names(n):
    return [f"id{i}" for i in range(n)]


def filled(make, n=6, payload=None, **settings):
    index = make(**settings)
    index.add(names(n), random(n), payload)
    return index


def distances(a, b, metric):
    a, b = np.asarray(a, np.float64)[:, None], np.asarray(b, np.float64)[None]
    if metric == "cosine":
        return 1 - (a * b).sum(2) / np.linalg.norm(a, axis=2) / np.linalg.norm(b, axis=2)
    return np.sqrt(((a - b) ** 2).sum(2))


NOTES = [
    {"category": "animals", "artist": "noto", "year": 1, "tags": ["cat", "wild"]},
    {"category": "animals", "artist": "fxemoji", "year": 2, "tags": ["dog"]},
    {"category": "food", "artist": "noto", "year": True, "free": True},
    None,
    {"category": None, "year": 1.0, "free": 1, "a.b": "dotted", 'q"': "quoted"},
    "animals",
]
FILTERS = [
    ({"category": "animals"}, [0, 1]),
    ({"category": ["animals", "food"], "artist": "noto"}, [0, 2]),
    ({"category": ["food", "nothing"]}, [2]),
    ({"year": 1}, [0]),
    ({"year": True}, [2]),
    ({"year": [2, True]}, [1, 2]),
    ({"free": 1}, [4]),
    ({"tags": "wild"}, [0]),
    ({"tags": ("dog", "cat")}, [0, 1]),
    ({"artist": np.array(["noto"])[0]}, [0, 2]),
    ({"artist": [], "category": "animals"}, []),
    ({"colour": "red"}, []),
    ({"a.b": "dotted"}, [4]),
    ({}, [0, 1, 2, 3, 4, 5]),
    (None, [0, 1, 2, 3, 4, 5]),
]


@ENGINES
@pytest.mark.parametrize("where, match", FILTERS)
def test_a_filter_leaves_what_matches_it(make, where, match):
    index, queries = filled(make, payload=NOTES), random(3, seed=1)
    assert index.count(where) == len(match)
    every = distances(queries, random(6), "cosine")[:, match]
    for k in range(1, len(match) + 1):
        ids, apart = index.search(queries, k, where)
        order = np.argsort(every, axis=1)[:, :k]
        assert ids.tolist() == [[f"id{match[i]}" for i in row] for row in order]
        np.testing.assert_allclose(apart, np.take_along_axis(every, order, 1), atol=1e-5)
    with pytest.raises(ValueError, match=f"k must be from 1 to {len(match)}, .* but is"):
        index.search(queries, len(match) + 1, where)


@ENGINES
def test_a_filter_follows_what_is_added_and_removed(make):
    index = filled(make, payload=NOTES)
    index.remove(["id0"])
    index.add(["new"], random(1), [{"category": "animals"}])
    assert index.count({"category": "animals"}) == 2
    assert index.search(random(1), 1, {"category": "animals"})[0].tolist() == [["new"]]


@ENGINES
@pytest.mark.parametrize(
    "where, says",
    [
        ("animals", "where must be like"),
        ({"year": 1.5}, "'year' is to be 1.5"),
        ({"year": [1, None]}, "'year' is to be None"),
        ({"year": {"from": 1}}, "text, whole numbers, True or False"),
    ],
)
def test_a_filter_that_is_none_is_refused(make, where, says):
    index = filled(make, payload=NOTES)
    for ask in (index.count, lambda where: index.search(random(1), 1, where)):
        with pytest.raises(ValueError, match=says):
            ask(where)


@ENGINES
def test_what_is_in_an_index_can_be_asked(make):
    index = filled(make)
    index.remove(["id2"])
    assert "id1" in index and "id2" not in index and "x" not in index and len(index) == 5
