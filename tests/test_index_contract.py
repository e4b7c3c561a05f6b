"""What every engine promises, by the same tests, against brute force and a dictionary."""

import os
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.embed import embed
from utils.images import load_images
from utils.index import ExactIndex, FaissIndex, QdrantIndex
from utils.index.qdrant_collection import Collection
from utils.words import embed_text


def faiss_index(kind, **knobs):
    return lambda **settings: FaissIndex(kind, **settings, **knobs)


COLLECTIONS = []


def fresh():
    """A collection of the test's own: at QDRANT_URL (make test-qdrant), else in this process."""
    COLLECTIONS.append(f"lookalike-test-{uuid.uuid4()}")
    return COLLECTIONS[-1]


@pytest.fixture(scope="module", autouse=True)
def a_server_is_asked_and_left_as_it_was(set_outside):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("QDRANT_URL", "QDRANT_API_KEY"):
            if name in set_outside:
                patch.setenv(name, set_outside[name])
        yield
        if "QDRANT_URL" in os.environ:
            for name in COLLECTIONS:
                Collection(None, name).ask("delete_collection")


def load(index, path, model=None):
    if isinstance(index, QdrantIndex):
        return QdrantIndex.load(path, model, None, fresh())
    return type(index).load(path, model)


# With so few vectors, all knobs such that nothing is missed: errors are the code's, not the kind's.
MAKES = {
    "exact": ExactIndex,
    "flat": faiss_index("flat"),
    "ivf, not trained": faiss_index("ivf"),
    "ivf": faiss_index("ivf", train_at=5, nlist=3, nprobe=3),
    "hnsw": faiss_index("hnsw", ef=100),
    "qdrant": lambda **settings: QdrantIndex(None, fresh(), **settings),
}
BY_METRIC = pytest.mark.parametrize("metric", ["cosine", "euclidean"])
ENGINES = pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)


def random(n, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def names(n):
    return [f"id{i}" for i in range(n)]


def filled(make, n=6, payload=None, **settings):
    index = make(**settings)
    index.add(names(n), random(n), payload)
    return index


@ENGINES
def test_a_very_short_vector_has_a_direction_like_any_other(make):
    index = make(metric="cosine")
    index.add(["long", "short", *names(5)], [[1.0, 0], [0, 1e-30], *[[-1.0, -1]] * 5])
    found, apart = index.search([[0.0, 2]], 1)
    assert found.tolist() == [["short"]] and apart[0, 0] == pytest.approx(0, abs=1e-6)


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


@ENGINES
@BY_METRIC
@pytest.mark.parametrize("n", [1, 40])
def test_a_search_gives_the_nearest_with_their_distances(make, metric, n):
    index, queries = filled(make, n, metric=metric), random(30, seed=1)
    every = distances(queries, random(n), metric)
    for k in {1, min(5, n), n}:
        ids, apart = index.search(queries, k)
        order = np.argsort(every, axis=1)[:, :k]
        assert ids.shape == apart.shape == (30, k) and apart.dtype == np.float32
        assert ids.tolist() == [[f"id{i}" for i in row] for row in order]
        assert all(type(id) is str for id in ids.flat)
        np.testing.assert_allclose(apart, np.take_along_axis(every, order, 1), atol=2e-5)


@ENGINES
@pytest.mark.parametrize("where", [None, {"category": "animals"}])
def test_no_queries_have_no_answers(make, where):
    ids, apart = filled(make, payload=NOTES).search(np.empty((0, 8)), 2, where)
    assert ids.shape == apart.shape == (0, 2)
    assert ids.dtype == object and apart.dtype == np.float32


@ENGINES
@BY_METRIC
def test_a_picture_in_the_index_finds_itself_at_zero(make, metric):
    ids, apart = filled(make, 50, metric=metric).search(random(50)[:19], 1)
    assert ids[:, 0].tolist() == names(19) and (apart >= 0).all()
    np.testing.assert_allclose(apart, 0, atol=1e-6)


@ENGINES
@BY_METRIC
def test_texts_find_the_pictures_nearest_to_them_in_one_line(make, metric, pair):
    pictures = load_images("scenes", "validation")[:60]
    vectors = embed(pair.images, pictures)
    index = make(metric=metric, model=pair.images.digest)
    index.add(pictures.ids, vectors, [{"thing": pictures.label_of(i)} for i in range(60)])
    texts = ["red fruit", "um gato preto", "limão"]
    ids, apart = index.search(embed_text(pair, texts), k=10)
    every = distances(embed_text(pair, texts), vectors, metric)
    order = np.argsort(every, axis=1)[:, :10]
    assert ids.tolist() == [[pictures.ids[i] for i in row] for row in order]
    np.testing.assert_allclose(apart, np.take_along_axis(every, order, 1), atol=2e-5)
    of_one = {"thing": pictures.label_of(7)}
    (found,), _ = index.search(embed_text(pair, "um gato preto"), 3, of_one)
    assert {index.payload[id]["thing"] for id in found} == {pictures.label_of(7)}


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "remove", "reload"]),
        st.lists(st.integers(0, 14), max_size=6),
        st.booleans(),
    ),
    max_size=12,
)


@ENGINES
@BY_METRIC
@given(steps=steps)
def test_after_any_adding_and_removing_an_index_equals_a_dictionary(make, metric, steps, tmp_path):
    index, model, notes = make(metric=metric), {}, {}
    for number, (step, numbers, with_payload) in enumerate(steps):
        ids = [f"n{i}" for i in numbers]
        vectors = random(len(ids), 4, seed=number)
        if step == "add":
            payload = [{"step": number, "own": id} for id in ids] if with_payload else None
            if len(set(ids)) < len(ids) or set(ids) & set(model):
                with pytest.raises(ValueError, match="nothing was added"):
                    index.add(ids, vectors, payload)
            else:
                index.add(ids, vectors, payload)
                model |= dict(zip(ids, vectors, strict=True))
                notes |= dict(zip(ids, payload or [], strict=False))
        elif step == "remove":
            if set(ids) - set(model):
                with pytest.raises(KeyError, match="nothing was removed"):
                    index.remove(ids)
            else:
                index.remove(ids)
                model = {id: vector for id, vector in model.items() if id not in ids}
                notes = {id: note for id, note in notes.items() if id not in ids}
        else:
            index.save(tmp_path / "index")
            index = load(index, tmp_path / "index")
        equals(index, model, notes, metric)


def equals(index, model, notes, metric):
    """The index holds and finds what the dictionaries do, and nothing that was removed."""
    assert len(index) == index.count() == len(model)
    assert [id for id in (f"n{i}" for i in range(15)) if id in index] == sorted(
        model, key=lambda id: int(id[1:])
    )
    assert dict(index.payload) == notes
    for where in (None, {"step": [0, 1, 2]}):
        among = [id for id in model if where is None or notes.get(id, {}).get("step", 9) < 3]
        assert index.count(where) == len(among)
        if among:
            found, apart = index.search(random(2, 4, seed=99), len(among), where)
            every = distances(random(2, 4, seed=99), [model[id] for id in among], metric)
            np.testing.assert_allclose(apart, np.sort(every, axis=1), atol=2e-5)
            assert all(set(row) == set(among) for row in found)


BAD = {
    "an id given twice": (["x", "x"], random(2), None, "1 ids are given twice, such as 'x'"),
    "an id that is there": (["x", "id3"], random(2), None, "in the index already, such as 'id3'"),
    "fewer ids": (["x"], random(2), None, "there are 1 ids, 2 vectors"),
    "fewer notes": (["x", "y"], random(2), [{}], "2 ids, 2 vectors, 1 payloads"),
    "another width": (["x", "y"], random(2, 5), None, "vectors of 8 numbers, not 5"),
    "one vector": (["x"], random(1)[0], None, r"write v\[None\]"),
    "text": (["x"], np.array([["a"] * 8]), None, "must be numbers"),
    "not a number": (["x"], np.full((1, 8), np.nan), None, "NaN or infinity"),
    "no direction": (["x"], np.zeros((1, 8)), None, "all zeros"),
}


@ENGINES
@pytest.mark.parametrize("ids, vectors, payload, says", BAD.values(), ids=BAD)
def test_what_cannot_be_added_is_refused_and_nothing_is_added(make, ids, vectors, payload, says):
    index = filled(make)
    with pytest.raises(ValueError, match=says) as caught:
        index.add(ids, vectors, payload)
    assert len(index) == 6 and "x" not in index and "\n" not in str(caught.value)
    assert index.search(random(1), 1)[0].tolist() == [["id0"]]


@ENGINES
def test_what_cannot_be_searched_or_removed_is_refused(make):
    index = filled(make)
    for k in (0, -1, 7):
        with pytest.raises(ValueError, match=f"k must be from 1 to 6, .* but is {k}"):
            index.search(random(1), k)
    for queries, says in [(random(1, 5), "5 numbers a row"), (random(1)[0], r"v\[None\]")]:
        with pytest.raises(ValueError, match=says):
            index.search(queries, 1)
    with pytest.raises(KeyError, match="1 ids are not in the index, such as 'x'; nothing was"):
        index.remove(["id1", "x"])
    assert len(index) == 6
    with pytest.raises(ValueError, match="k must be from 1 to 0"):
        make().search(random(1), 1)
    with pytest.raises(ValueError, match="k must be from 1 to 0"):
        make().search(random(1), 1, {"category": "animals"})


@ENGINES
def test_an_emptied_index_takes_any_vectors_again(make):
    index = filled(make)
    index.remove(names(6))
    index.add([], np.zeros((0, 8)))
    assert len(index) == 0
    index.add(["new"], random(1, 5), [{"a": 1}])
    assert index.search(random(1, 5), 1, {"a": 1})[0].tolist() == [["new"]]


@ENGINES
def test_ids_and_payload_of_any_language_survive_a_file(make, tmp_path):
    strange = ["maçã/é.png", "図/猫.jpg", "a'b\"c\\d", " ", "\n", "🐯"]
    payload = [{"名": "猫", "n": [None, True, 1.5]}, "text", 7, [], {}, {"a": {"b": "ç"}}]
    index = make(model="m1")
    index.add(strange, random(6), payload)
    index.save(tmp_path / "index")
    back = load(index, tmp_path / "index")
    assert dict(back.payload) == dict(zip(strange, payload, strict=True)) and back.model == "m1"
    assert back.search(random(6), 1)[0][:, 0].tolist() == strange
    with pytest.raises(KeyError):
        back.payload["nobody"]


@ENGINES
def test_a_file_of_another_model_or_of_nothing_is_refused(make, tmp_path):
    filled(make, model="m1").save(tmp_path / "index")
    with pytest.raises(ValueError, match="made by the model 'm1', not by 'm2'"):
        load(make(), tmp_path / "index", "m2")
    with pytest.raises(FileNotFoundError, match="no index at"):
        load(make(), tmp_path / "nowhere")
    content = (tmp_path / "index").read_bytes()
    for length in [0, 10, len(content) // 2, len(content) - 1]:
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(ValueError, match="not a whole index"):
            load(make(), tmp_path / "cut")
    assert sorted(os.listdir(tmp_path)) == ["cut", "index"]


@ENGINES
def test_a_save_that_fails_leaves_the_old_file(make, tmp_path):
    index = filled(make)
    index.save(tmp_path / "index")
    before = (tmp_path / "index").read_bytes()
    with pytest.raises((OSError, TypeError)):
        if isinstance(index, QdrantIndex):  # which takes nothing that it could not write
            index.save(tmp_path / "no folder" / "index")
        else:
            index.add(["x"], random(1, seed=3), [object()])
            index.save(tmp_path / "index")
    assert (tmp_path / "index").read_bytes() == before and os.listdir(tmp_path) == ["index"]


@ENGINES
def test_a_metric_the_engine_does_not_have_is_refused(make):
    with pytest.raises(ValueError, match="choose one of: cosine, euclidean"):
        make(metric="l2")
    with pytest.raises(ValueError, match=r"whiten\(vectors, covariance\) under euclidean"):
        make(metric="mahalanobis")
