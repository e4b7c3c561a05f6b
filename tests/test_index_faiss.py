"""What only the indexes of faiss do: training, knobs, the dead in a graph, filters, files."""

import subprocess
import sys

import faiss
import numpy as np
import pytest

from utils import ROOT
from utils.distances import nearest
from utils.index import ExactIndex, FaissIndex, QdrantIndex
from utils.index.synthetic import intrinsic_dimension, synthetic_vectors

N, DIM = 3_000, 16
VECTORS = synthetic_vectors(N + 50, DIM, 8)
QUERIES = VECTORS[N:]
KINDS = {"flat": {}, "ivf": {"train_at": N}, "hnsw": {}, "pq": {"train_at": N, "m": 8}}
ALL = pytest.mark.parametrize("kind", KINDS)


def names(n, start=0):
    return [str(i) for i in range(start, start + n)]


def filled(kind, n=N, payload=None, **knobs):
    index = FaissIndex(kind, **(KINDS[kind] | knobs))
    index.add(names(n), VECTORS[:n], payload)
    return index


def recall(index, among=None, where=None, k=10):
    """Share of the true k that the index finds for the queries."""
    among = np.arange(N) if among is None else np.asarray(among)
    truth = among[nearest(QUERIES, VECTORS[among], k)[0]].astype(str)
    found = index.search(QUERIES, k, where)[0]
    return np.mean([len(set(a) & set(b)) / k for a, b in zip(truth, found, strict=True)])


@pytest.mark.parametrize(
    "kind, at_least", [("flat", 1), ("ivf", 0.95), ("hnsw", 0.95), ("pq", 0.5)]
)
def test_each_kind_finds_most_with_its_own_knobs(kind, at_least):
    assert recall(filled(kind)) >= at_least


@pytest.mark.parametrize("kind, knob, low, high", [("ivf", "nprobe", 1, 20), ("hnsw", "ef", 1, 50)])
def test_more_effort_finds_more(kind, knob, low, high):
    index = filled(kind)
    found = []
    for value in (low, high):
        index.knobs[knob] = value
        found.append(recall(index))
    assert found[0] < found[1]


def test_more_bytes_find_more_and_cost_what_they_say():
    few, many, raw = filled("pq", m=2), filled("pq", m=8), filled("ivf")
    assert recall(few) < recall(many) < recall(raw)
    assert many.nbytes - few.nbytes == 6 * N and many.nbytes < raw.nbytes / 2
    exact = ExactIndex()
    exact.add(names(N), VECTORS[:N])
    assert exact.nbytes == 4 * N * DIM < raw.nbytes < filled("hnsw").nbytes


@pytest.mark.parametrize("kind", ["ivf", "pq"])
def test_an_index_compares_with_all_until_there_is_enough_to_train_on(kind):
    index = filled(kind, N - 1)
    index.remove(["7"])
    index.knobs["nprobe"] = 1
    assert recall(index, [i for i in range(N - 1) if i != 7]) == 1
    index.add(["7"], VECTORS[7:8], [{"again": True}])
    index.add([str(N - 1)], VECTORS[N - 1 : N])
    assert recall(index) < 1 and len(index) == N and index.payload == {"7": {"again": True}}
    index.knobs["nprobe"] = N
    assert recall(index) > 0.5 and index.search(VECTORS[7:8], 1)[0].tolist() == [["7"]]
    index.add(["late"], -VECTORS[7:8])
    assert index.search(-VECTORS[7:8], 1)[0].tolist() == [["late"]]


@ALL
def test_there_are_always_k_however_little_is_looked_at(kind):
    index = filled(kind)
    index.knobs.update({"nprobe": 1, "ef": 1} if kind != "flat" else {})
    ids, apart = index.search(QUERIES[:5], N)
    assert all(set(row) == set(names(N)) for row in ids)
    assert (np.diff(apart, axis=1) >= 0).all()


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_where_few_match_a_filter_none_of_them_is_missed(kind):
    index = filled(kind, payload=[{"rare": i % 50 == 0, "half": i % 2} for i in range(N)])
    assert recall(index, range(0, N, 50), {"rare": True}) == 1
    assert recall(index, range(1, N, 2), {"half": 1}) > 0.9


@ALL
def test_what_was_removed_never_comes_back(kind, tmp_path):
    index, gone = filled(kind), set()
    start = index.nbytes
    for some in (200, 300, 400, 500):  # the dead of a graph pass a quarter on the way
        now = [id for id in names(N) if id not in gone][:some]
        index.remove(now)
        gone |= set(now)
        index.save(tmp_path / "index")
        for each in (index, FaissIndex.load(tmp_path / "index")):
            ids, _ = each.search(VECTORS[:40], len(each))
            assert all(set(row) == set(names(N)) - gone for row in ids)
            assert not gone & set(each.search(VECTORS[: len(gone)], 5)[0].flat)
            assert each.knobs == index.knobs and each.kind == kind
        index = each
    assert index.nbytes < start


def test_a_graph_keeps_its_dead_until_they_are_a_quarter():
    index = filled("hnsw")
    size = index.nbytes
    index.remove(names(N // 4))
    assert index.nbytes == size and len(index) == N - N // 4
    index.remove([str(N // 4)])
    assert index.nbytes < 0.8 * size
    assert recall(index, range(N // 4 + 1, N)) > 0.95


def test_a_flat_index_answers_as_faiss_does():
    index, flat = FaissIndex("flat", "euclidean"), faiss.IndexFlatL2(DIM)
    index.add(names(N), VECTORS[:N])
    flat.add(VECTORS[:N])
    squares, positions = flat.search(QUERIES, 10)
    ids, apart = index.search(QUERIES, 10)
    assert ids.tolist() == positions.astype(str).tolist()
    np.testing.assert_allclose(apart, np.sqrt(squares), atol=1e-6)


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda: FaissIndex("tree"), "no kind 'tree'; choose one of: flat, ivf, hnsw, pq"),
        (lambda: FaissIndex("ivf", ef=3), "'ivf' has the knobs .*nprobe.* but was given ef=3"),
        (lambda: FaissIndex("hnsw", M=1), "from 2, but was given M=1"),
        (lambda: FaissIndex("ivf", nprobe=0), "from 1, but was given nprobe=0"),
        (lambda: FaissIndex("pq", m=4, train_at=1), "from 2, but was given train_at=1"),
        (lambda: FaissIndex("pq", m=0), "from 1, but was given m=0"),
        (lambda: FaissIndex("hnsw", "manhattan"), "'manhattan'.* ExactIndex does"),
        (lambda: filled("pq", m=5), "m must divide the 16 numbers of a vector, not 5"),
    ],
)
def test_what_a_kind_cannot_do_is_told_in_a_sentence(make, says):
    with pytest.raises(ValueError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)


@ALL
def test_a_file_with_a_wrong_byte_is_refused_or_right(kind, tmp_path):
    path, soon = tmp_path / "index", {"train_at": 300} if "train_at" in KINDS[kind] else {}
    filled(kind, 300, **soon).save(path)
    content, refused = path.read_bytes(), 0
    expected = FaissIndex.load(path).search(QUERIES, 5)[0].tolist()
    for at in range(0, len(content), 997):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            assert FaissIndex.load(path).search(QUERIES, 5)[0].tolist() == expected
        except ValueError:
            refused += 1
    assert refused > 10


def test_a_file_of_another_engine_is_refused_and_what_reads_it_named(tmp_path):
    filled("flat", 10).save(tmp_path / "flat")
    exact = ExactIndex(model="m1")
    exact.add(["a"], VECTORS[:1])
    exact.save(tmp_path / "exact")
    for load, name, reader in (
        (FaissIndex.load, "exact", "ExactIndex.load reads it; a new index .* its ids and vectors"),
        (ExactIndex.load, "flat", "FaissIndex.load reads it"),
        (QdrantIndex.load, "flat", "FaissIndex.load reads it"),
    ):
        with pytest.raises(ValueError, match=f"{name}' is an index of another engine: {reader}"):
            load(tmp_path / name)


@pytest.mark.parametrize("free", [2, 5, 10])
def test_vectors_made_to_measure_have_the_free_dimensions_asked_for(free):
    vectors = synthetic_vectors(5_000, 32, free)
    assert vectors.shape == (5_000, 32) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert intrinsic_dimension(vectors) == pytest.approx(free, rel=0.2)


def test_the_intrinsic_dimension_of_plain_noise_is_its_dimension():
    noise = np.random.default_rng(0).uniform(size=(5_000, 3))
    assert intrinsic_dimension(noise) == pytest.approx(3, rel=0.1)
    assert intrinsic_dimension(np.repeat(noise, 2, axis=0), 10_000) == pytest.approx(3, rel=0.1)


def test_a_filter_works_beside_faiss_patch_for_tensors():
    """pytorch-metric-learning loads it; it replaces faiss's own search, for the whole process."""
    code = """
import faiss.contrib.torch_utils
import numpy as np
from utils.index import FaissIndex
index = FaissIndex("flat")
index.add(["a", "b"], np.eye(2, dtype=np.float32), [{"kind": "x"}, {"kind": "y"}])
print(index.search(np.eye(2, dtype=np.float32)[:1], 1, {"kind": "y"})[0][0, 0])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "b\n", done.stderr
