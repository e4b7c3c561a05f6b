"""The exact index beyond what every index promises (test_index_contract): its third distance, its
vectors in their order, its file, damaged anywhere."""

import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.index import ExactIndex

BY_NAME = pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan"])


def random(n, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def filled(n=6, metric="cosine", model="m1"):
    index = ExactIndex(metric, model)
    payload = [{"url": f"é{i}", "n": i, "tags": [None, True, 1.5]} for i in range(n)]
    index.add([f"id{i}" for i in range(n)], random(n), payload)
    return index


def state(index):
    """Everything that can be seen of an index."""
    return (
        index.ids,
        index.vectors.tolist(),
        dict(index.payload),
        len(index),
        index.metric,
        index.model,
    )


def manhattan(a, b):
    a, b = np.asarray(a, np.float64)[:, None], np.asarray(b, np.float64)[None]
    return np.abs(a - b).sum(2)


def test_a_search_by_manhattan_gives_ids_and_distances_nearest_first():
    index, queries = filled(20, "manhattan"), random(3, seed=1)
    ids, apart = index.search(queries, 5)
    every = manhattan(queries, random(20))
    assert ids.shape == apart.shape == (3, 5) and apart.dtype == np.float32
    order = np.argsort(every, axis=1)[:, :5]
    assert ids.tolist() == [[f"id{i}" for i in row] for row in order]
    assert all(type(id) is str for id in ids.flat)
    np.testing.assert_allclose(apart, np.take_along_axis(every, order, 1), atol=1e-5)


@BY_NAME
def test_a_picture_in_the_index_finds_itself_at_zero(metric):
    ids, apart = filled(50, metric).search(random(50), 1)
    assert ids[:, 0].tolist() == [f"id{i}" for i in range(50)] and (apart == 0).all()


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "search", "reload"]),
        st.lists(st.integers(0, 14), max_size=6),
        st.booleans(),
    ),
    max_size=12,
)


@given(steps=steps)
def test_after_any_adding_and_removing_the_index_equals_a_dictionary(steps, tmp_path):
    index, model, notes = ExactIndex("manhattan"), {}, {}
    for number, (step, numbers, with_payload) in enumerate(steps):
        ids = [f"n{i}" for i in numbers]
        vectors = random(len(ids), 3, seed=number)
        if step == "add":
            payload = [[number, id] for id in ids] if with_payload else None
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
        elif step == "reload":
            index.save(tmp_path / "index")
            index = ExactIndex.load(tmp_path / "index")
        assert index.ids == list(model) and len(index) == len(model) and index.payload == notes
        if model:
            np.testing.assert_array_equal(index.vectors, list(model.values()))
            found, apart = index.search(random(2, 3, seed=99), len(model))
            every = manhattan(random(2, 3, seed=99), list(model.values()))
            np.testing.assert_allclose(apart, np.sort(every, axis=1), atol=1e-5)
            assert all(set(row) == set(model) for row in found)


def test_an_index_built_one_by_one_equals_one_built_at_once():
    one_by_one = ExactIndex()
    for i, vector in enumerate(random(40)):
        one_by_one.add([f"id{i}"], vector[None])
    np.testing.assert_array_equal(one_by_one.vectors, filled(40).vectors)
    assert (
        one_by_one.search(random(1), 40)[0].tolist() == filled(40).search(random(1), 40)[0].tolist()
    )


def test_an_index_keeps_a_copy_of_what_it_was_given():
    vectors = random(2)
    index = ExactIndex()
    index.add(["a", "b"], vectors)
    vectors[:] = 7
    np.testing.assert_array_equal(index.vectors, random(2))


def test_the_vectors_and_ids_shown_cannot_change_the_index():
    index = filled(3)
    with pytest.raises(ValueError, match="read-only"):
        index.vectors[0, 0] = 1
    index.ids.append("x")
    assert len(index) == 3 and index.ids == ["id0", "id1", "id2"]


def with_value(value):
    vectors = random(2)
    vectors[1] = value
    return vectors


BAD_ADD = {
    "an id given twice": (["x", "x"], random(2), None, "1 ids are given twice, such as 'x'"),
    "fewer ids": (["x"], random(2), None, "there are 1 ids, 2 vectors"),
    "more ids": (["x", "y", "z"], random(2), None, "there are 3 ids, 2 vectors"),
    "fewer payloads": (["x", "y"], random(2), [1], "2 ids, 2 vectors, 1 payloads"),
    "one vector": (["x"], random(1)[0], None, r"write v\[None\]"),
    "NaN": (["x", "y"], with_value(np.nan), None, "the first being row 1"),
    "infinity": (["x", "y"], with_value(np.inf), None, "the first being row 1"),
    "text": (["x"], np.array([["a"] * 8]), None, "must be numbers"),
    "zeros under cosine": (["x", "y"], with_value(0), None, "row 1 of vectors is all zeros"),
}


@pytest.mark.parametrize("kind", BAD_ADD)
def test_a_bad_first_addition_leaves_the_index_empty_and_usable(kind):
    ids, vectors, payload, says = BAD_ADD[kind]
    index = ExactIndex()
    with pytest.raises(ValueError, match=says):
        index.add(ids, vectors, payload)
    assert len(index) == 0 and index.payload == {}
    index.add(["a"], random(1, 4))
    assert index.search(random(1, 4), 1)[0].tolist() == [["a"]]


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_zeros_are_vectors_like_any_other_where_direction_does_not_matter(metric):
    index = ExactIndex(metric)
    index.add(["zero", "one"], [[0.0, 0], [1, 0]])
    assert index.search([[0.0, 0]], 1)[0].tolist() == [["zero"]]


@pytest.mark.parametrize(
    "queries, says",
    [
        (with_value(np.nan), "NaN or infinity"),
        (with_value(0), "all zeros"),
        (np.array([["a"] * 8]), "must be numbers"),
    ],
)
def test_queries_that_cannot_be_compared_are_refused(queries, says):
    index = filled()
    with pytest.raises(ValueError, match=says):
        index.search(queries, 1)
    assert index.search(random(1), 1)[0].tolist() == [["id0"]]


def test_an_index_of_histograms_refuses_what_is_none_and_keeps_the_rest():
    index = ExactIndex("kl")
    index.add(["dark", "light"], [[0.9, 0.1], [0.2, 0.8]])
    with pytest.raises(ValueError, match=r"row 0 of vectors sums to 2 and not to 1"):
        index.add(["both"], [[1.0, 1.0]])
    assert index.ids == ["dark", "light"]
    assert index.search([[0.3, 0.7]], 2)[0].tolist() == [["light", "dark"]]


@pytest.mark.parametrize("n", [0, 6])
def test_a_saved_index_comes_back_the_same(n, tmp_path):
    index = filled(n, "manhattan") if n else ExactIndex("manhattan", "m1")
    path = tmp_path / "an index.lookalike"
    index.save(path)
    for back in (ExactIndex.load(path), ExactIndex.load(str(path), model="m1")):
        assert state(back)[0] == state(index)[0] and state(back)[2:] == state(index)[2:]
        if n:
            np.testing.assert_array_equal(back.vectors, index.vectors)
            assert back.search(random(2), 1)[0].tolist() == index.search(random(2), 1)[0].tolist()
        back.add(["new"], random(1, seed=5))
        assert len(back) == n + 1
    assert os.listdir(tmp_path) == [path.name]


def test_an_index_of_no_named_model_is_refused_where_one_is_asked_for(tmp_path):
    filled(model="").save(tmp_path / "index")
    with pytest.raises(ValueError, match="'of no name', not by 'm2'"):
        ExactIndex.load(tmp_path / "index", model="m2")


@pytest.mark.parametrize("payload", [object(), {1, 2}, b"bytes", np.float32(1)])
def test_a_save_that_fails_leaves_the_old_file_and_no_other(tmp_path, payload):
    path = tmp_path / "index"
    filled().save(path)
    before = path.read_bytes()
    index = filled(2)
    index.add(["x"], random(1, seed=3), [payload])
    with pytest.raises(TypeError):
        index.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["index"]
    assert len(index) == 3


def saved(tmp_path):
    path = tmp_path / "index"
    filled().save(path)
    return path, path.read_bytes()


def test_an_index_cut_short_anywhere_is_refused(tmp_path):
    path, content = saved(tmp_path)
    for length in [*range(0, len(content), 11), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="not a whole index"):
            ExactIndex.load(path)


def test_an_index_with_a_wrong_byte_is_refused_or_right(tmp_path):
    path, content = saved(tmp_path)
    expected, refused = state(filled()), 0
    for at in range(0, len(content), 2):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            assert state(ExactIndex.load(path)) == expected, at
        except ValueError:
            refused += 1
    assert refused > 100


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def text(content):
    return np.frombuffer(content.encode(), np.uint8)


def archive():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("hello.txt", "hello")
    return buffer.getvalue()


GARBAGE = {
    "nothing": b"",
    "text": b"this is not an index\n",
    "noise": np.random.default_rng(0).bytes(3000),
    "another archive": archive(),
    "an array": npy(random(3)),
    "an archive of arrays": npz(vectors=random(3)),
    "nothing about it": npz(about=text("{}"), ids=text('["a"]'), vectors=random(1)),
    "about is a list": npz(about=text("[]"), ids=text('["a"]'), vectors=random(1)),
    "fewer ids than vectors": npz(
        about=text('{"metric": "cosine", "model": "", "payload": {}}'),
        ids=text('["a"]'),
        vectors=random(3),
    ),
    "an unknown metric": npz(
        about=text('{"metric": "l3", "model": "", "payload": {}}'),
        ids=text('["a"]'),
        vectors=random(1),
    ),
    "NaN inside": npz(
        about=text('{"metric": "cosine", "model": "", "payload": {}}'),
        ids=text('["a"]'),
        vectors=random(1) * np.nan,
    ),
}


@pytest.mark.parametrize("kind", GARBAGE)
@pytest.mark.parametrize("model", [None, "m1"])
def test_a_file_that_is_no_index_is_refused_and_named(kind, model, tmp_path):
    path = tmp_path / "garbage.index"
    path.write_bytes(GARBAGE[kind])
    with pytest.raises(ValueError, match=r"garbage\.index") as caught:
        ExactIndex.load(path, model)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_index(tmp_path):
    with pytest.raises(ValueError, match="not a whole index"):
        ExactIndex.load(tmp_path)
