"""A gallery that can be searched, grow, shrink, and be kept in a file."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from utils import replacing
from utils.distances import Gallery, check_metric, check_vectors, ready

Where = Mapping[str, Any]  # fields of the payload and what each must be: all of them, or not found


class Index(Protocol):
    """What every index of the course can do, whatever engine is inside."""

    def __len__(self) -> int: ...
    def add(
        self, ids: Sequence[str], vectors: Any, payload: Sequence[Any] | None = None
    ) -> None: ...
    def remove(self, ids: Sequence[str]) -> None: ...
    def search(
        self, queries: Any, k: int = 10, where: Where | None = None
    ) -> tuple[np.ndarray, np.ndarray]: ...
    def count(self, where: Where | None = None) -> int: ...
    def save(self, path: str | Path) -> None: ...


class ExactIndex:
    """Compares a query with every vector of the gallery: never wrong, memory N×D.

    Parameters
    ----------
    metric : any of `utils.distances.METRICS` but mahalanobis, for which the vectors are whitened.
    model : names the weights the vectors come from (`Embedder.digest`), so that an index and a
        model that do not belong together are not used together; "" for none.
    """

    def __init__(self, metric: str = "cosine", model: str = "") -> None:
        check_metric(metric)
        if metric == "mahalanobis":
            raise ValueError(
                "An index keeps no covariance; add whiten(vectors, covariance) under euclidean, "
                "which is the same."
            )
        self.metric, self.model = metric, model
        self.payload: dict[str, Any] = {}
        self._ids: list[str] = []
        self._known: set[str] = set()
        self._store = np.empty((0, 0), np.float32)  # rows beyond len(self) are room to grow
        self._gallery: Gallery | None = None  # made on the first search after a change

    def __len__(self) -> int:
        return len(self._ids)

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

    def add(self, ids: Sequence[str], vectors: Any, payload: Sequence[Any] | None = None) -> None:
        """Add vectors (float, N×D) under new ids; all are added, or with an error none.

        payload : anything JSON can hold, one a vector, kept in `.payload[id]`.

        Raises
        ------
        ValueError : an id that is there already or given twice, shapes or lengths that do not
            fit, NaN, a zero row under cosine.
        """
        ids, vectors = [str(id) for id in ids], check_vectors(vectors)
        self._check_new(ids, vectors, payload)
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

    def _check_new(self, ids: list[str], vectors: np.ndarray, payload: Any) -> None:
        if len(ids) != len(vectors) or (payload is not None and len(payload) != len(ids)):
            given = f"{len(ids)} ids, {len(vectors)} vectors"
            given += "" if payload is None else f", {len(payload)} payloads"
            raise ValueError(f"Each picture needs one id and one vector, but there are {given}.")
        twice = [id for id, times in Counter(ids).items() if times > 1]
        there = [id for id in ids if id in self._known]
        for found, why in ((twice, "given twice"), (there, "in the index already")):
            if found:
                raise ValueError(
                    f"{len(found)} ids are {why}, such as {found[0]!r}; nothing was added. Remove "
                    "them first, or leave them out."
                )
        if len(self) and vectors.shape[1] != self._store.shape[1]:
            raise ValueError(
                f"This index holds vectors of {self._store.shape[1]} numbers, not "
                f"{vectors.shape[1]}; embed with the same model."
            )
        ready(vectors, self.metric)  # refuses what the metric cannot compare

    def remove(self, ids: Sequence[str]) -> None:
        """Remove vectors by id; all are removed, or with a KeyError (an unknown id) none."""
        gone = {str(id) for id in ids}
        unknown = sorted(gone - self._known)
        if unknown:
            raise KeyError(
                f"{len(unknown)} ids are not in the index, such as {unknown[0]!r}; nothing was "
                "removed."
            )
        stay = [i for i, id in enumerate(self._ids) if id not in gone]
        self._store = self._store[stay]
        self._ids = [self._ids[i] for i in stay]
        self._known -= gone
        self._gallery = None
        for id in gone:
            self.payload.pop(id, None)

    def count(self, where: Where | None = None) -> int:
        """How many vectors have such a payload; all of them without `where`."""
        return len(self) if where is None else len(self._rows(where))

    def _rows(self, where: Where) -> list[int]:
        wanted = where.items()
        return [
            i
            for i, id in enumerate(self._ids)
            if wanted <= dict(self.payload.get(id) or {}).items()
        ]

    def search(
        self, queries: Any, k: int = 10, where: Where | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest for each query (float, Q×D), among those with such a payload.

        Returns
        -------
        ids : str objects, Q×k, nearest first. distances : float32, Q×k.

        Raises
        ------
        ValueError : k below 1 or larger than the gallery, shapes that do not fit, NaN.
        """
        rows: Sequence[int] = range(len(self)) if where is None else self._rows(where)
        most = len(rows)
        if not 1 <= k <= most:
            raise ValueError(
                f"k must be from 1 to {most}, the pictures in this index"
                f"{' of this kind' if where else ''}, but is {k}."
            )
        if self._gallery is None:
            self._gallery = Gallery(self._store[: len(self)], self.metric)
        gallery = self._gallery
        if where is not None:
            gallery = Gallery(self._store[rows], self.metric)
        positions, distances = gallery.nearest(queries, k)
        ids = np.array([self._ids[rows[i]] for i in positions.flat], dtype=object)
        return ids.reshape(positions.shape), distances

    def save(self, path: str | Path) -> None:
        """Write the index to one file; a file already there is replaced only by a complete one."""
        path = Path(path)
        about = {"metric": self.metric, "model": self.model, "payload": self.payload}
        about_bytes = np.frombuffer(json.dumps(about).encode(), np.uint8)
        ids = np.frombuffer(json.dumps(self._ids).encode(), np.uint8)
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez(file, about=about_bytes, ids=ids, vectors=self.vectors)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def load(cls, path: str | Path, model: str | None = None) -> "ExactIndex":
        """Read an index; with `model` (an `Embedder.digest`), only one made by that model.

        Raises
        ------
        FileNotFoundError : no such file. ValueError : not a whole index, or another model's.
        """
        try:
            with np.load(path) as file:
                about = json.loads(file["about"].tobytes())
                ids, vectors = json.loads(file["ids"].tobytes()), file["vectors"]
            index = cls(about["metric"], about["model"])
            if ids or len(vectors):
                index.add(ids, vectors)
            index.payload = dict(about["payload"])
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"There is no index at {str(path)!r}; save one first."
            ) from error
        except Exception as error:  # what a damaged file makes of zip, JSON and NumPy is any type
            raise ValueError(
                f"{str(path)!r} is not a whole index ({error}); it was cut short or is something "
                "else: build it again from the pictures."
            ) from error
        if model is not None and model != index.model:
            raise ValueError(
                f"{str(path)!r} was made by the model {index.model or 'of no name'!r}, not by "
                f"{model!r}, and their vectors cannot be compared; embed the pictures again."
            )
        return index
