"""Qdrant behind the same protocol: in this process, in a folder, or on a server or cluster."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from utils.distances import ready
from utils.distances.formulas import check_widths
from utils.index.files import check_model, reading, write
from utils.index.protocol import (
    Where,
    check_index_metric,
    check_k,
    check_known,
    check_new,
    check_room,
)
from utils.index.qdrant_collection import Collection, qdrant_models
from utils.progress import progress

METRICS = {"cosine": "Cosine", "euclidean": "Euclid", "manhattan": "Manhattan"}
BATCH = 256  # points or queries in one request


class QdrantIndex:
    """A collection of Qdrant, under ids and payload as every other index here.

    Parameters
    ----------
    place : ":memory:", a folder (one process at a time), or the address of a server; by default
        the address in QDRANT_URL, or ":memory:". A key is taken from QDRANT_API_KEY.
    collection : its name there. One that exists is opened, if it was made with this metric and
        model.
    metric : "cosine", "euclidean" or "manhattan". model : as for `ExactIndex`.

    What `add` and `remove` have done is kept in a folder or on a server from then on; `save` is for
    taking it elsewhere. A server compares with every vector of a small collection, and walks a
    graph where one of its segments holds more than some ten megabytes of them.

    Raises
    ------
    ValueError : the collection is of another model, metric or maker. ConnectionError : no answer.
    """

    def __init__(
        self,
        place: str | Path | None = None,
        collection: str = "pictures",
        metric: str = "cosine",
        model: str = "",
    ) -> None:
        check_index_metric(metric, tuple(METRICS))
        self._at = Collection(place, collection)
        self.metric, self.model = metric, model
        try:
            self._width = self._checked()
        except Exception:
            self.close()  # or a folder would stay locked
            raise

    @property
    def _dim(self) -> int | None:
        """The width of the collection, None while there is none."""
        if self._width is None:  # another program may have made it meanwhile
            self._width = self._checked()
        return self._width

    def _checked(self) -> int | None:
        """The width of the collection there, if it is of this course and model; None for none."""
        if not self._at.ask("collection_exists", again=False):
            return None
        config = self._at.ask("get_collection").config
        about, vectors = config.metadata or {}, config.params.vectors
        if "model" not in about:
            raise ValueError(
                f"The collection {self._at.name!r} at {self._at.place} was not made by this "
                "course; choose another name."
            )
        check_model(f"{self._at.name} at {self._at.place}", about["model"], self.model)
        if vectors.distance != METRICS[self.metric]:
            raise ValueError(
                f"The collection {self._at.name!r} at {self._at.place} was made for the distance "
                f"{vectors.distance.lower()}, not {self.metric}; open it with that one."
            )
        return vectors.size

    def close(self) -> None:
        """Let go of the folder or the connection."""
        self._at.client.close()

    def __len__(self) -> int:
        return self.count()

    def __contains__(self, id: object) -> bool:
        return bool(self._points([str(id)]))

    @property
    def payload(self) -> Mapping[str, Any]:
        """payload[id] asks Qdrant for what was added with an id; KeyError where there is none."""
        return _Payloads(self)

    def _points(self, ids: Sequence[str], payload: Any = ("id",)) -> list[Any]:
        """The points there are under these ids, in batches; with their id, or (True) all of it."""
        if self._dim is None:
            return []
        keys, found = [_key(id) for id in ids], []
        for at in range(0, len(keys), BATCH):
            found += self._at.ask("retrieve", ids=keys[at : at + BATCH], with_payload=payload)
        return found

    def _scroll(self, **what: Any) -> Iterator[Any]:
        """Every point, in batches."""
        offset = None
        while self._dim is not None:
            points, offset = self._at.ask("scroll", limit=BATCH, offset=offset, **what)
            yield from points
            if offset is None:
                break

    def add(self, ids: Sequence[str], vectors: Any, payload: Sequence[Any] | None = None) -> None:
        """As `ExactIndex.add`, in batches, each tried again where the fault may pass.

        What is stored is stored: after a ConnectionError or a kill, add those that are not
        `in` the index yet.
        """
        ids, vectors = check_new(ids, vectors, payload)
        there = {point.payload["id"] for point in self._points(ids)}
        # The rows as they are compared: of very short ones Qdrant would make no unit vectors.
        rows = check_room(ids, vectors, self.metric, there, self._dim if len(self) else None)
        if not ids:
            return
        if self._dim != rows.shape[1]:
            self._create(rows.shape[1])
        notes: list[dict[str, Any]] = [{"id": id} for id in ids]
        if payload is not None:
            notes = [{"id": id, "payload": it} for id, it in zip(ids, payload, strict=True)]
        for at in progress(range(0, len(ids), BATCH), "adding"):
            part = slice(at, at + BATCH)
            keys, some = [_key(id) for id in ids[part]], rows[part].tolist()
            batch = qdrant_models().Batch(ids=keys, vectors=some, payloads=notes[part])
            self._at.ask("upsert", points=batch, wait=True)

    def _create(self, dim: int) -> None:
        """A collection for vectors of this width, in place of an emptied one of another."""
        if self._dim is not None:
            self._at.ask("delete_collection")
            self._at.looked_up.clear()
        vectors = qdrant_models().VectorParams(size=dim, distance=METRICS[self.metric])
        self._at.ask("create_collection", vectors_config=vectors, metadata={"model": self.model})
        self._width = dim

    def remove(self, ids: Sequence[str]) -> None:
        """As `ExactIndex.remove`."""
        ids = [str(id) for id in ids]
        gone = check_known(ids, {point.payload["id"] for point in self._points(ids)})
        keys = iter([_key(id) for id in gone])
        while batch := list(islice(keys, BATCH)):
            self._at.ask("delete", points_selector=batch, wait=True)

    def search(
        self, queries: Any, k: int = 10, where: Where | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `ExactIndex.search`; a server's graph may miss a neighbour and give one farther."""
        rows = ready(queries, self.metric, "queries")
        condition = self._filter(where)
        if k < 1 or self._dim is None:
            check_k(k, self.count(where), where)
        check_widths(rows, np.empty((0, self._dim or 0)))
        answers = self._answers(rows, k, condition)
        if any(len(answer.points) < k for answer in answers):
            check_k(k, self.count(where), where)
            answers = self._answers(rows, k, condition, exact=True)
        ids = np.array([[p.payload["id"] for p in a.points] for a in answers], dtype=object)
        scores = np.array([[p.score for p in a.points] for a in answers], np.float32)
        ids, scores = ids.reshape(len(rows), k), scores.reshape(len(rows), k)
        return ids, (1 - scores).clip(min=0) if self.metric == "cosine" else scores

    def _answers(self, rows: np.ndarray, k: int, condition: Any, exact: bool = False) -> list[Any]:
        models = qdrant_models()
        how = {
            "limit": k,
            "filter": condition,
            "params": models.SearchParams(exact=True) if exact else None,
            "with_payload": ["id"],
        }
        answers = []
        for at in range(0, len(rows), BATCH):
            part = rows[at : at + BATCH].tolist()
            requests = [models.QueryRequest(query=row, **how) for row in part]
            answers += self._at.ask("query_batch_points", requests=requests)
        return answers

    def _filter(self, where: Where | None) -> Any:
        return self._at.filter(where, look_up=self._dim is not None)

    def count(self, where: Where | None = None) -> int:
        """As `ExactIndex.count`."""
        condition = self._filter(where)
        if self._dim is None:
            return 0
        return self._at.ask("count", count_filter=condition, exact=True).count

    def about(self) -> int:
        """About how many pictures there are: an estimate of the server's, asked for once."""
        if self._dim is None:
            return 0
        return self._at.ask("count", again=False, exact=False).count

    def save(self, path: str | Path) -> None:
        """Write everything to one file, which `ExactIndex.load` and `QdrantIndex.load` read."""
        points = list(self._scroll(with_vectors=True))
        notes = {p.payload["id"]: p.payload["payload"] for p in points if "payload" in p.payload}
        about = {"metric": self.metric, "model": self.model, "payload": notes}
        vectors = np.array([p.vector for p in points], np.float32).reshape(
            len(points), self._dim or 0
        )
        write(path, about, [p.payload["id"] for p in points], vectors=vectors)

    @classmethod
    def load(
        cls,
        path: str | Path,
        model: str | None = None,
        place: str | Path | None = None,
        collection: str = "pictures",
    ) -> "QdrantIndex":
        """A new collection with what `QdrantIndex.save` or `ExactIndex.save` wrote.

        Raises
        ------
        FileNotFoundError, ValueError : as `ExactIndex.load`; the collection holds pictures already.
        """
        with reading(path, model, "vectors") as found:
            ids, vectors = found["ids"], found["vectors"]
            about, notes = found["about"], found["about"]["payload"]
        index = cls(place, collection, about["metric"], about["model"])
        if held := len(index):
            index.close()
            raise ValueError(
                f"The collection {collection!r} at {index._at.place} holds {held} pictures "
                "already; load into another name."
            )
        for noted in (False, True):
            rows = [i for i, id in enumerate(ids) if (id in notes) == noted]
            these = [ids[i] for i in rows]
            if rows:
                index.add(these, vectors[rows], [notes[id] for id in these] if noted else None)
        return index


class _Payloads(Mapping[str, Any]):
    def __init__(self, index: QdrantIndex) -> None:
        self._index = index

    def __getitem__(self, id: str) -> Any:
        for point in self._index._points([id], payload=True):
            if "payload" in point.payload:
                return point.payload["payload"]
        raise KeyError(id)

    def __iter__(self) -> Iterator[str]:
        return (p.payload["id"] for p in self._index._scroll() if "payload" in p.payload)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _key(id: str) -> str:
    """What Qdrant takes for an id, a UUID: always the same for the same text (RFC 4122, v5)."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, id))
