"""Lists, links and codes of faiss: a query is compared with a part of the gallery."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.distances import ready
from utils.distances.formulas import check_widths
from utils.index.files import reading, write
from utils.index.protocol import (
    Where,
    check_index_metric,
    check_k,
    check_known,
    check_new,
    check_room,
    matching,
)
from utils.progress import progress

# What can be set, by the names of the papers; nlist 0 is 2√N at the time of training.
KNOBS: dict[str, dict[str, int]] = {
    "flat": {},
    "ivf": {"nlist": 0, "nprobe": 16, "train_at": 10_000},
    "hnsw": {"M": 16, "ef": 64, "ef_construction": 40},
    "pq": {"m": 16, "nlist": 0, "nprobe": 16, "train_at": 10_000},
}
STEP = 10_000  # vectors added between two looks at the progress bar
SAMPLE = 64  # vectors a list or code word that k-means looks at; more changes little
DEAD = 1 / 4  # of the vectors in an HNSW graph, from which on it is built anew
FEW = 1 / 10  # of the pictures, below which those that match a filter are all compared


class FaissIndex:
    """An index of faiss, under ids and payload as every other here.

    Parameters
    ----------
    kind : "flat" compares with every vector. "ivf" (inverted file; Jégou et al. 2011) sorts the
        vectors into `nlist` lists by k-means and looks into the `nprobe` nearest. "hnsw" (Malkov &
        Yashunin 2016) walks a graph of `M` links a vector (twice as many on the lowest layer),
        keeping the `ef` best on the way (`ef_construction` while it is built). "pq" (product
        quantisation; Jégou et al. 2011) is "ivf" with each vector kept as `m` bytes.
    metric : "cosine" or "euclidean". model : as for `ExactIndex`.
    knobs : those of the kind, see `KNOBS`; `index.knobs["nprobe" or "ef"]` may change at any time.

    "ivf" and "pq" are trained once, on what is there when `train_at` vectors are; until then they
    compare with every vector. Removal scans the vectors of "flat", "ivf" and "pq"; faiss's graph
    cannot lose a point, so "hnsw" only marks it, steps over it, and is built anew when a quarter is
    dead. "flat" compares many queries at once by products, which may leave a copy 1e-3 from its
    picture.
    """

    def __init__(
        self, kind: str = "hnsw", metric: str = "cosine", model: str = "", **knobs: int
    ) -> None:
        if kind not in KNOBS:
            raise ValueError(f"There is no kind {kind!r}; choose one of: {', '.join(KNOBS)}.")
        check_index_metric(metric, ("cosine", "euclidean"))
        for name, value in knobs.items():
            least = {"nlist": 0, "M": 2, "train_at": 2}.get(name, 1)  # one vector has no code words
            if name not in KNOBS[kind] or value < least:
                raise ValueError(
                    f"{kind!r} has the knobs {KNOBS[kind]}, whole numbers from "
                    f"{least}, but was given {name}={value}."
                )
        self.kind, self.metric, self.model = kind, metric, model
        self.knobs = KNOBS[kind] | knobs
        self.payload: dict[str, Any] = {}
        self._engine: Any = None
        self._numbers: dict[str, int] = {}  # what faiss calls each id
        self._names: dict[int, str] = {}
        self._next = 0  # numbers are not used twice, but by an engine made anew
        self._alive: Any = None  # faiss's selector of what is not dead, made when it is needed

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, id: object) -> bool:
        return id in self._numbers

    @property
    def ids(self) -> list[str]:
        """All ids, in the order they were added."""
        return list(self._numbers)

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors, lists, links or codes; ids and payload come on top."""
        return _faiss().serialize_index(self._engine).nbytes if len(self) else 0

    def add(self, ids: Sequence[str], vectors: Any, payload: Sequence[Any] | None = None) -> None:
        """As `ExactIndex.add`; the add that reaches `train_at` vectors trains the index."""
        ids, vectors = check_new(ids, vectors, payload)
        dim = self._engine.d if len(self) else None
        rows = check_room(ids, vectors, self.metric, self._numbers, dim)
        if not ids:
            return
        m = self.knobs.get("m", 1)
        if rows.shape[1] % m:
            raise ValueError(f"m must divide the {rows.shape[1]} numbers of a vector, not {m}.")
        self._put(ids, np.ascontiguousarray(rows, np.float32))
        if payload is not None:
            self.payload.update(zip(ids, payload, strict=True))

    def _put(self, ids: list[str], rows: np.ndarray) -> None:
        if not len(self):
            self._engine, self._next = None, 0
        if self._engine is None and self.kind == "hnsw":
            self._engine = _faiss().IndexHNSWFlat(rows.shape[1], self.knobs["M"])
            self._engine.hnsw.efConstruction = self.knobs["ef_construction"]
        elif self._engine is None:
            self._engine = _faiss().IndexIDMap2(_faiss().IndexFlatL2(rows.shape[1]))
        if self._waits and len(self) + len(ids) >= self.knobs["train_at"]:
            if len(self):
                held = np.fromiter(self._names, np.int64)
                rows = np.concatenate([self._engine.reconstruct_batch(held), rows])
            ids = self.ids + ids
            self._engine = self._trained(rows)
            self._numbers, self._names, self._next = {}, {}, 0
        numbers = np.arange(self._next, self._next + len(ids))
        self._next += len(ids)
        for at in progress(range(0, len(ids), STEP), "adding"):
            part = slice(at, at + STEP)
            if self.kind == "hnsw":
                self._engine.add(rows[part])
            else:
                self._engine.add_with_ids(rows[part], numbers[part])
        self._names.update(zip(numbers.tolist(), ids, strict=True))
        self._numbers.update(zip(ids, numbers.tolist(), strict=True))
        self._alive = None

    @property
    def _waits(self) -> bool:
        """Whether the index is to be trained, and is not yet."""
        return "train_at" in self.knobs and isinstance(self._engine, _faiss().IndexIDMap2)

    def _trained(self, rows: np.ndarray) -> Any:
        dim, lists = rows.shape[1], self.knobs["nlist"] or round(2 * len(rows) ** 0.5)
        lists = min(lists, len(rows))
        if self.kind == "ivf":
            engine = _faiss().IndexIVFFlat(_faiss().IndexFlatL2(dim), dim, lists)
        else:
            m, bits = self.knobs["m"], min(8, int(np.log2(len(rows))))  # code words ≤ vectors
            engine = _faiss().IndexIVFPQ(_faiss().IndexFlatL2(dim), dim, lists, m, bits)
            engine.pq.cp.max_points_per_centroid = SAMPLE
            engine.pq.cp.min_points_per_centroid = 1
        engine.cp.max_points_per_centroid, engine.cp.min_points_per_centroid = SAMPLE, 1
        engine.train(rows)
        return engine

    def remove(self, ids: Sequence[str]) -> None:
        """As `ExactIndex.remove`."""
        gone = check_known(ids, self._numbers)
        if not gone:
            return
        numbers = np.array([self._numbers.pop(id) for id in gone])
        for number in numbers.tolist():
            del self._names[number]
        for id in gone:
            self.payload.pop(id, None)
        self._alive = None
        if self.kind != "hnsw":
            self._engine.remove_ids(_faiss().IDSelectorBatch(numbers))
        elif len(self) < (1 - DEAD) * self._engine.ntotal:
            ids, held = self.ids, np.fromiter(self._numbers.values(), np.int64, len(self))
            rows = self._engine.storage.reconstruct_batch(held)
            self._numbers, self._names = {}, {}
            if ids:
                self._put(ids, rows)

    def search(
        self, queries: Any, k: int = 10, where: Where | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `ExactIndex.search`, but a neighbour may be missed and one farther away be given.

        There are always k. Where few match the filter, those are all compared.
        """
        among = None
        if where is not None:
            held = np.fromiter(self._numbers.values(), np.int64, len(self))
            among = held[matching(self.ids, self.payload, where)]
        most = len(self) if among is None else len(among)
        check_k(k, most, where)
        rows = np.ascontiguousarray(ready(queries, self.metric, "queries"))
        check_widths(rows, np.empty((0, self._engine.d)))
        selector = self._selector(among)
        squares, numbers = self._found(rows, k, selector, every=most < FEW * len(self))
        short = (numbers < 0).any(axis=1)
        if short.any():
            squares[short], numbers[short] = self._found(rows[short], k, selector, every=True)
        ids = np.array([self._names[n] for n in numbers.flat], dtype=object).reshape(numbers.shape)
        squares = squares.clip(min=0)  # of unit vectors ‖a−b‖² = 2 (1 − a·b)
        return ids, squares / 2 if self.metric == "cosine" else np.sqrt(squares)

    def _selector(self, among: np.ndarray | None) -> Any:
        """What tells faiss which numbers may be an answer; None where all may."""
        if among is not None:
            return _bitmap(among)
        if self.kind != "hnsw" or self._engine.ntotal == len(self):
            return None
        if self._alive is None:
            self._alive = _bitmap(np.fromiter(self._names, np.int64, len(self)))
        return self._alive

    def _found(
        self, rows: np.ndarray, k: int, selector: Any, every: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances and numbers, Q×k, −1 where too few were found; from every vector."""
        engine, parameters = self._engine, _faiss().SearchParameters(sel=selector)
        if self.kind == "hnsw" and every:
            engine = _faiss().downcast_index(engine.storage)
        elif self.kind == "hnsw":
            parameters = _faiss().SearchParametersHNSW(sel=selector, efSearch=self.knobs["ef"])
        elif self.kind in ("ivf", "pq") and not self._waits:
            nprobe = engine.nlist if every else max(1, self.knobs["nprobe"])
            parameters = _faiss().SearchParametersIVF(sel=selector, nprobe=nprobe)
        # faiss's patch for tensors, which some libraries load, knows no parameters
        search = getattr(engine, "search_numpy", engine.search)
        return search(rows, k, params=parameters)

    def count(self, where: Where | None = None) -> int:
        """As `ExactIndex.count`."""
        return len(self) if where is None else len(matching(self.ids, self.payload, where))

    def save(self, path: str | Path) -> None:
        """As `ExactIndex.save`."""
        about = {key: getattr(self, key) for key in ("kind", "metric", "model", "knobs", "payload")}
        engine = np.empty(0, np.uint8) if not len(self) else _faiss().serialize_index(self._engine)
        numbers = np.fromiter(self._numbers.values(), np.int64, len(self))
        write(path, about, self.ids, numbers=numbers, engine=engine)

    @classmethod
    def load(cls, path: str | Path, model: str | None = None) -> "FaissIndex":
        """As `ExactIndex.load`."""
        with reading(path, model, "engine") as found:
            about = found["about"]
            index = cls(about["kind"], about["metric"], about["model"], **about["knobs"])
            index.payload = dict(about["payload"])
            numbers = found["numbers"].tolist()
            index._numbers = dict(zip(found["ids"], numbers, strict=True))
            index._names = dict(zip(numbers, found["ids"], strict=True))
            if numbers:
                index._engine = _faiss().deserialize_index(found["engine"])
                in_graph = index._engine.ntotal if index.kind == "hnsw" else 0  # the dead as well
                index._next = max(in_graph, max(numbers) + 1)
        return index


def _faiss() -> Any:  # whose own types leave much out
    import faiss

    return faiss


def _bitmap(numbers: np.ndarray) -> Any:
    marked = np.zeros(numbers.max(initial=-1) + 1, bool)
    marked[numbers] = True
    return _faiss().IDSelectorBitmap(np.packbits(marked, bitorder="little"))
