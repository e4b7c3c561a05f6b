"""Recall against time against memory: what each structure of an index buys and what it costs.

    python -m benchmarks.index

Synthetic vectors of 64 dimensions, about 16 of them free, up to a million, and the embeddings of
10,000 photos; ten nearest of 500 queries, one query at a time. About eight minutes on 2 cores.
Writes results/index.json.
"""

import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.neighbors import KDTree

from benchmarks.timing import ratio, seconds
from tools.record import provenance, write_json
from utils import ROOT
from utils.distances import nearest
from utils.embed import load_embeddings
from utils.index import ExactIndex, FaissIndex, QdrantIndex
from utils.index.synthetic import intrinsic_dimension, synthetic_vectors

SIZES, QUERIES, K = (10_000, 100_000, 1_000_000), 500, 10
SETTINGS: dict[str, tuple[dict[str, int], str, tuple[int, ...]]] = {  # built with, knob, its values
    "ivf": ({}, "nprobe", (1, 2, 4, 8, 16, 32, 64)),
    "hnsw": ({}, "ef", (10, 16, 32, 64, 128)),
    "pq, 16 bytes": ({"m": 16}, "nprobe", (4, 16, 64)),
    "pq, 32 bytes": ({"m": 32}, "nprobe", (4, 16, 64)),
}
DIMS = (2, 4, 8, 16, 32, 64)


def names(n: int, start: int = 0) -> list[str]:
    return [str(i) for i in range(start, start + n)]


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of the true ten that were found; ids are positions."""
    hits = [len(set(map(int, a)) & set(b)) for a, b in zip(found, truth.tolist(), strict=False)]
    return sum(hits) / (K * len(hits))


def milliseconds(search: Callable[[np.ndarray], Any], queries: np.ndarray) -> float:
    """Median of one query at a time, over those that fit into a second, after five of warm-up."""
    times: list[float] = []
    for i in range(len(queries)):
        start = time.perf_counter()
        search(queries[i : i + 1])
        times.append(1000 * (time.perf_counter() - start))
        if len(times) > 10 and sum(times) > 1000:
            break
    return statistics.median(times[5:])


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def filled(index: Any, vectors: np.ndarray) -> Any:
    index.add(names(len(vectors)), vectors)
    return index


def built_from(vectors: np.ndarray, name: str, knobs: dict[str, int]) -> FaissIndex:
    if name != "hnsw":
        knobs = knobs | {"train_at": len(vectors)}
    return filled(FaissIndex(name.split(",")[0], **knobs), vectors)


def frontier(vectors: np.ndarray, queries: np.ndarray) -> Iterator[dict[str, Any]]:
    """One point for every structure and every value of its knob."""
    truth = nearest(queries, vectors, K)[0]

    def point(name: str, search: Any, built: float, size: float, **more: Any) -> dict[str, Any]:
        ms = milliseconds(search, queries)
        told = {"structure": name, "milliseconds": ms, "queries_per_second": 1000 / ms}
        told |= {"bytes_per_vector": size / len(vectors), "build_seconds": built} | more
        print(len(vectors), told, flush=True)
        return told

    exact, built = timed(lambda: filled(ExactIndex(), vectors))
    yield point("exact", lambda q: exact.search(q, K), built, exact.nbytes, recall=1.0)
    tree, built = timed(lambda: KDTree(vectors))
    size = len(pickle.dumps(tree))
    yield point("kd-tree", lambda q: tree.query(q, K), built, size, recall=1.0)
    for name, (with_knobs, knob, values) in SETTINGS.items():
        index, built = timed(lambda of=(name, with_knobs): built_from(vectors, *of))
        size = index.nbytes
        for value in values:
            index.knobs[knob] = value
            score = recall(index.search(queries, K)[0], truth)
            one = lambda q, index=index: index.search(q, K)  # noqa: E731
            yield point(name, one, built, size, recall=score, knob=knob, value=value)


def share_visited(vectors: np.ndarray, queries: np.ndarray) -> float:
    """The part of all points that a KD-tree computes a distance to, for ten neighbours."""
    tree = KDTree(vectors)
    tree.reset_n_calls()
    tree.query(queries, K)
    return tree.get_n_calls() / (len(vectors) * len(queries))


def trees(n: int = 20_000) -> dict[str, Any]:
    """Why trees lose: at one N, by dimension, and by the free ones among 64."""
    told: dict[str, Any] = {"vectors": n, "normal": {}, "of_64": {}, "of_64_twonn": {}}
    for dim in DIMS:
        even = np.random.default_rng(0).normal(size=(n + QUERIES, dim)).astype(np.float32)
        told["normal"][str(dim)] = share_visited(even[:n], even[n:])
        sheet = synthetic_vectors(n + QUERIES, intrinsic=dim, groups=1)
        told["of_64"][str(dim)] = share_visited(sheet[:n], sheet[n:])
        told["of_64_twonn"][str(dim)] = intrinsic_dimension(sheet[:n], n)
    photos, _ = load_embeddings("cifar10-test")
    told["photos"] = share_visited(photos[:-QUERIES], photos[-QUERIES:])
    told["photos_twonn"] = intrinsic_dimension(photos, len(photos))
    return told


def intrinsic(n: int = 30_000) -> dict[str, Any]:
    """Recall of lists and links at the same effort, by the free dimensions among 64."""
    told: dict[str, Any] = {"vectors": n, "ivf_nprobe_8": {}, "hnsw_ef_16": {}}
    for dim in DIMS:
        vectors = synthetic_vectors(n + QUERIES, intrinsic=dim, groups=1)
        gallery, queries = vectors[:n], vectors[n:]
        truth = nearest(queries, gallery, K)[0]
        for key, index in {
            "ivf_nprobe_8": FaissIndex("ivf", nprobe=8),
            "hnsw_ef_16": FaissIndex("hnsw", ef=16),
        }.items():
            found = filled(index, gallery).search(queries, K)[0]
            told[key][str(dim)] = recall(found, truth)
    return told


def changes(vectors: np.ndarray, some: int = 1_000) -> dict[str, Any]:
    """Milliseconds to add and to remove 1,000 of many, and to search for the first time after."""
    told = {}
    kinds = {"exact": ExactIndex()} | {kind: FaissIndex(kind) for kind in ("ivf", "hnsw", "pq")}
    for name, index in kinds.items():
        filled(index, vectors[:-some]).search(vectors[:1])
        _, added = timed(lambda i=index: i.add(names(some, len(vectors)), vectors[-some:]))
        _, removed = timed(lambda i=index: i.remove(names(some)))
        _, after = timed(lambda i=index: i.search(vectors[:1]))
        told[name] = {
            "add_milliseconds": 1000 * added,
            "remove_milliseconds": 1000 * removed,
            "first_search_milliseconds": 1000 * after,
        }
    quarter = names(len(vectors) // 4, some)
    _, told["hnsw"]["rebuild_seconds"] = timed(lambda: kinds["hnsw"].remove(quarter))
    return {"vectors": len(vectors), "changed": some} | told


def over_bare(vectors: np.ndarray, queries: np.ndarray) -> dict[str, float]:
    """Exact search for one query against nothing but a product and a top-k, in turn."""
    gallery, index = torch.from_numpy(vectors), filled(ExactIndex(), vectors)
    query = torch.from_numpy(queries[:1])
    times = seconds({
        "index": lambda: index.search(queries[:1], K),
        "bare": lambda: (query @ gallery.T).topk(K),
    }, 50)  # fmt: skip
    milliseconds = 1000 * statistics.median(times["index"])
    return {"milliseconds": milliseconds, "over_bare_torch": ratio(times, "index", "bare")}


def qdrant(vectors: np.ndarray, queries: np.ndarray, some: int = 2_000) -> dict[str, float]:
    """Qdrant in this process, and what a folder takes to keep each vector at once."""
    index, built = timed(lambda: filled(QdrantIndex(":memory:"), vectors))
    told = {"vectors": len(vectors), "add_milliseconds_each": 1000 * built / len(vectors)}
    told["milliseconds"] = milliseconds(lambda q: index.search(q, K), queries)
    with tempfile.TemporaryDirectory() as folder:
        kept = QdrantIndex(folder)
        _, built = timed(lambda: filled(kept, vectors[:some]))
        kept.close()
    return told | {"folder_add_milliseconds_each": 1000 * built / some}


def main() -> None:
    photos, _ = load_embeddings("cifar10-test")
    many = synthetic_vectors(max(SIZES) + QUERIES)
    queries = many[-QUERIES:]
    record = provenance() | {
        "what": "recall@10, milliseconds of one query at a time, bytes a vector, by structure",
        "data": "synthetic vectors, 64 dimensions of which 16 are free; CIFAR-10 (JPEG) test "
        "embeddings",
        "command": "python -m benchmarks.index",
        "spread": f"medians over up to {QUERIES} queries; ratios over 50 rounds",
        "exact_million": over_bare(many[:-QUERIES], queries),
        "trees": trees(),
        "intrinsic": intrinsic(),
        "changes": changes(many[:100_000]),
        "qdrant": qdrant(many[:10_000], queries),
        "photos": list(frontier(photos[:-QUERIES], photos[-QUERIES:])),
        "synthetic": {str(n): list(frontier(many[:n], queries)) for n in SIZES},
    }
    write_json(ROOT / "results/index.json", record)


if __name__ == "__main__":
    main()
