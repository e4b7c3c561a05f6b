"""The exact index: a query is compared with every vector."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.distances import Gallery
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


class ExactIndex:
    """Compares a query with every vector of the gallery: never wrong, memory N×D.

    Parameters
    ----------
    metric : any of `utils.distances.METRICS` but mahalanobis, for which the vectors are whitened.
    model : names the weights the vectors come from (`Embedder.digest`), so that an index and a
        model that do not belong together are not used together; "" for none.
    """

    def __init__(self, metric: str = "cosine", model: str = "") -> None:
        check_index_metric(metric)
        self.metric, self.model = metric, model
        self.payload: dict[str, Any] = {}
        self._ids: list[str] = []
        self._known: set[str] = set()
        self._store = np.empty((0, 0), np.float32)  # rows beyond len(self) are room to grow
        self._gallery: Gallery | None = None  # made on the first search after a change

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, id: object) -> bool:
        return id in self._known

    @property
    def ids(self) -> list[str]:
        """All ids, in the order they were added."""
        return list(self._ids)

    @property
    def vectors(self) -> np.ndarray:
        """float32 N×D, row i belonging to ids[i]; a read-only view."""
        view = self._store[: len(self)]
        view.flags.writeable = False
        return view

    @property
    def nbytes(self) -> int:
        """Bytes of the vectors; ids and payload come on top, as in every index."""
        return self.vectors.nbytes

    def add(self, ids: Sequence[str], vectors: Any, payload: Sequence[Any] | None = None) -> None:
        """Add vectors (float, N×D) under new ids; all are added, or with an error none.

        payload : anything JSON can hold, one a vector, kept in `.payload[id]`.

        Raises
        ------
        ValueError : an id that is there already or given twice, shapes or lengths that do not
            fit, NaN, a zero row under cosine.
        """
        ids, vectors = check_new(ids, vectors, payload)
        dim = self._store.shape[1] if len(self) else None
        check_room(ids, vectors, self.metric, self._known, dim)
        needed = len(self) + len(ids)
        if not len(self):  # an emptied index may start again with vectors of another length
            self._store = np.empty((0, vectors.shape[1]), np.float32)
        if needed > len(self._store):  # doubling: a gallery built one by one stays linear
            grown = np.empty((max(needed, 2 * len(self)), vectors.shape[1]), np.float32)
            grown[: len(self)] = self._store[: len(self)]
            self._store = grown
        self._store[len(self) : needed] = vectors
        self._ids += ids
        self._known.update(ids)
        self._gallery = None
        if payload is not None:
            self.payload.update(zip(ids, payload, strict=True))

    def remove(self, ids: Sequence[str]) -> None:
        """Remove vectors by id; all are removed, or with a KeyError (an unknown id) none."""
        gone = check_known(ids, self._known)
        stay = [i for i, id in enumerate(self._ids) if id not in gone]
        self._store = self._store[stay]
        self._ids = [self._ids[i] for i in stay]
        self._known -= gone
        self._gallery = None
        for id in gone:
            self.payload.pop(id, None)

    def search(
        self, queries: Any, k: int = 10, where: Where | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest for each query (float, Q×D).

        where : only among the pictures whose payload is a dict that has these values:
            {"category": "animals", "artist": ["noto", "fxemoji"]} is every animal by either artist.

        Returns
        -------
        ids : str objects, Q×k, nearest first. distances : float32, Q×k.

        Raises
        ------
        ValueError : k below 1 or larger than the gallery (with `where`, than what matches), shapes
            that do not fit, NaN.
        """
        among = None if where is None else matching(self._ids, self.payload, where)
        check_k(k, len(self) if among is None else len(among), where)
        positions, distances = self._gallery_of(among).nearest(queries, k)
        if among is not None:
            positions = among[positions]
        ids = np.array([self._ids[i] for i in positions.flat], dtype=object)
        return ids.reshape(positions.shape), distances

    def _gallery_of(self, among: np.ndarray | None) -> Gallery:
        if among is not None:
            return Gallery(self._store[among], self.metric)
        if self._gallery is None:
            self._gallery = Gallery(self._store[: len(self)], self.metric)
        return self._gallery

    def count(self, where: Where | None = None) -> int:
        """How many pictures there are, or how many match `where` (see `search`)."""
        return len(self) if where is None else len(matching(self._ids, self.payload, where))

    def save(self, path: str | Path) -> None:
        """Write the index to one file; a file already there is replaced only by a complete one."""
        about = {"metric": self.metric, "model": self.model, "payload": self.payload}
        write(path, about, self._ids, vectors=self.vectors)

    @classmethod
    def load(cls, path: str | Path, model: str | None = None) -> "ExactIndex":
        """Read an index; with `model` (an `Embedder.digest`), only one made by that model.

        Raises
        ------
        FileNotFoundError : no such file. ValueError : not a whole index, or another engine's or
            model's.
        """
        with reading(path, model, "vectors") as found:
            about = found["about"]
            index = cls(about["metric"], about["model"])
            if found["ids"] or len(found["vectors"]):
                index.add(found["ids"], found["vectors"])
            index.payload = dict(about["payload"])
        return index
