"""What only Qdrant's index does: places, models, faults on the way, and answers over HTTP."""

import uuid

import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_server import Server

import utils.index.qdrant_collection
from utils.index import ExactIndex, QdrantIndex

pytestmark = [
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect"),
    pytest.mark.filterwarnings("ignore:Failed to obtain server version"),
]


def random(n, d=8, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def names(n, start=0):
    return [f"id{i}" for i in range(start, start + n)]


@pytest.fixture
def server(monkeypatch):
    """A server at QDRANT_URL, and no waiting before a request is tried again."""
    server = Server()
    monkeypatch.setenv("QDRANT_URL", server.url)
    monkeypatch.setattr(utils.index.qdrant_collection, "PAUSES", (0, 0, 0))
    yield server
    server.shutdown()
    server.server_close()


def uploads(server):
    return [body for method, what, body in server.seen if (method, what) == ("PUT", "points")]


def test_the_same_lines_work_against_a_server(server, tmp_path):
    exact, index = ExactIndex("euclidean", "m1"), QdrantIndex(metric="euclidean", model="m1")
    payload = [{"category": "ab"[i % 2], "year": i} for i in range(600)]
    for each in (exact, index):
        each.add(names(600), random(600), payload)
        each.remove(names(3))
    for where in (None, {"category": "a"}, {"year": [5, 6, 7, 8, 9], "category": ["a", "b"]}):
        (ids, apart), (found, as_far) = (
            x.search(random(3, seed=1), 5, where) for x in (exact, index)
        )
        assert found.tolist() == ids.tolist() and index.count(where) == exact.count(where)
        np.testing.assert_allclose(as_far, apart, atol=1e-5)
    assert dict(index.payload) == exact.payload and index.payload["id7"]["year"] == 7
    with pytest.raises(ValueError, match=r"k must be from 1 to 5, .* but is 6"):
        index.search(random(1), 6, {"year": [5, 6, 7, 8, 9]})
    index.save(tmp_path / "index")
    assert ExactIndex.load(tmp_path / "index").count() == 597
    again = QdrantIndex(metric="euclidean", model="m1")
    assert len(again) == 597 and "id3" in again and "id2" not in again


def test_a_server_indexes_a_field_once_when_it_is_first_asked_for(server):
    index = QdrantIndex()
    assert index.count({"year": 1}) == 0
    index.add(["a"], random(1), [{"year": 1, "name": "x", "free": True}])
    for where in ({"year": 1}, {"year": [2, 3]}, {"name": "x"}, {"free": True, "year": 1}):
        index.count(where)
    asked = [body for _, what, body in server.seen if what == "index"]
    assert asked == [
        {"field_name": f'payload."{field}"', "field_schema": schema}
        for field, schema in [("year", "integer"), ("name", "keyword"), ("free", "bool")]
    ]


@pytest.mark.parametrize("fault", [500, 503, 429, "cut"])
def test_an_upload_that_fails_is_tried_again(server, fault):
    index = QdrantIndex()
    server.faults["PUT", "points"] = [200, fault, fault, fault]
    index.add(names(600), random(600))
    assert len(index) == 600 and len(uploads(server)) == 3 + 3
    assert index.search(random(600)[-1:], 1)[0].tolist() == [["id599"]]


@pytest.mark.parametrize("fault", [503, "cut"])
def test_what_was_stored_before_a_server_failed_stays_and_the_rest_can_follow(server, fault):
    index = QdrantIndex()
    server.faults["PUT", "points"] = [200, fault, fault, fault, fault]
    with pytest.raises(ConnectionError, match=r"did not answer upsert .*; look whether") as caught:
        index.add(names(600), random(600))
    assert "\n" not in str(caught.value) and server.url in str(caught.value)
    assert len(index) == 256
    left = [i for i, id in enumerate(names(600)) if id not in index]
    index.add([f"id{i}" for i in left], random(600)[left])
    assert len(index) == 600


def test_a_key_is_sent_and_a_wrong_one_is_told_at_once(server, monkeypatch):
    monkeypatch.setenv("QDRANT_API_KEY", "secret")
    with pytest.warns(UserWarning, match="insecure"):
        QdrantIndex()
    assert server.keys[-1] == "secret"
    server.faults["GET", "exists"] = [401, 401]
    with (
        pytest.warns(UserWarning, match="insecure"),
        pytest.raises(ConnectionError, match="its key"),
    ):
        QdrantIndex()
    assert server.faults["GET", "exists"] == [401]


def test_a_server_that_is_not_there_is_told_in_a_sentence():
    with pytest.raises(ConnectionError, match="look whether it runs there") as caught:
        QdrantIndex("http://127.0.0.1:9")
    assert "\n" not in str(caught.value)


def test_a_folder_keeps_what_was_added_and_removed(tmp_path):
    index = QdrantIndex(tmp_path, metric="manhattan", model="m1")
    index.add(names(5), random(5), [{"i": i} for i in range(5)])
    index.remove(["id4"])
    with pytest.raises(RuntimeError, match="already accessed"):
        QdrantIndex(tmp_path)
    index.close()
    index = QdrantIndex(tmp_path, metric="manhattan", model="m1")
    assert len(index) == 4 and dict(index.payload) == {f"id{i}": {"i": i} for i in range(4)}
    ids, apart = index.search(random(2, seed=1), 1)
    every = np.abs(random(2, seed=1)[:, None] - random(4)[None]).sum(2)
    assert ids[:, 0].tolist() == [f"id{i}" for i in every.argmin(1)]
    np.testing.assert_allclose(apart[:, 0], every.min(1), atol=1e-5)
    index.close()


@pytest.mark.parametrize(
    "other, says",
    [
        ({"model": "m2"}, "made by the model 'm1', not by 'm2'"),
        ({"model": "m1", "metric": "euclidean"}, "made for the distance cosine, not euclidean"),
        ({"collection": "foreign"}, "was not made by this course"),
    ],
)
def test_a_collection_of_another_kind_is_refused_in_one_sentence(tmp_path, other, says):
    index = QdrantIndex(tmp_path, model="m1")
    index.add(["a"], random(1))
    index.close()
    client = QdrantClient(path=str(tmp_path))
    client.create_collection("foreign", models.VectorParams(size=8, distance="Cosine"))
    client.close()
    with pytest.raises(ValueError, match=says) as caught:
        QdrantIndex(tmp_path, **other)
    assert "\n" not in str(caught.value)
    QdrantIndex(tmp_path, model="m1").close()


def test_a_collection_of_another_width_takes_nothing(tmp_path):
    index = QdrantIndex(tmp_path)
    index.add(["a"], random(1))
    index.close()
    index = QdrantIndex(tmp_path)
    with pytest.raises(ValueError, match="holds vectors of 8 numbers, not 5"):
        index.add(["b"], random(1, 5))
    assert len(index) == 1
    index.close()


def test_a_collection_that_another_program_makes_later_is_seen(server):
    early, maker = QdrantIndex(model="m1"), QdrantIndex(model="m1")
    assert len(early) == early.about() == 0 and "a" not in early
    maker.add(["a", "b"], random(2))
    assert early.search(random(2)[:1], 1)[0].tolist() == [["a"]]
    early.add(["c"], random(1, seed=1))  # beside them, not in their place
    assert len(maker) == early.about() == 3


def test_a_file_is_loaded_into_a_new_collection_alone(tmp_path):
    exact = ExactIndex()
    exact.add(names(3), random(3), [{"i": 0}, None, "text"])
    exact.save(tmp_path / "file")
    QdrantIndex.load(tmp_path / "file", place=tmp_path / "q").close()
    with pytest.raises(ValueError, match="holds 3 pictures already; load into another name"):
        QdrantIndex.load(tmp_path / "file", place=tmp_path / "q")


def test_other_programs_find_a_picture_by_the_uuid_of_its_id(tmp_path):
    index = QdrantIndex(tmp_path)
    index.add(["maçã.png"], random(1), [{"a": 1}])
    index.close()
    client = QdrantClient(path=str(tmp_path))
    key = str(uuid.uuid5(uuid.NAMESPACE_URL, "maçã.png"))
    (point,) = client.retrieve("pictures", [key])
    assert point.payload == {"id": "maçã.png", "payload": {"a": 1}}
    client.close()


def test_a_field_that_qdrant_cannot_name_is_refused():
    with pytest.raises(ValueError, match="a field with a quote in it"):
        QdrantIndex(":memory:").count({'a"b': 1})
