"""An index whose every change is on the disk before anybody is told of it."""

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.distances import check_vectors
from utils.index import ExactIndex, Where
from utils.index.protocol import check_k, check_known

# What SQLite says of a file that is another's, damaged, or without our tables.
NO_INDEX = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


class SqliteIndex(ExactIndex):
    """Euclidean distances of unit vectors, kept in an SQLite file, searched in memory by NumPy.

    Any number of threads may use it; one process may change it.

    Parameters
    ----------
    path : the file; made where there is none. model : names the weights the vectors come from.
    read_only : for a file system that cannot be written; the file has to be there.
    any_model : take an index of another model too; `.model` then names that one.

    Raises
    ------
    ValueError : another model's index, or a file that is none. OSError : it is not there, is locked
        by another process, or cannot be written.
    """

    def __init__(
        self, path: Path, model: str = "", read_only: bool = False, any_model: bool = False
    ) -> None:
        super().__init__("euclidean", model)
        self._lock = threading.Lock()
        address = path.absolute().as_uri() + ("?mode=ro" if read_only else "")
        try:
            self._file = sqlite3.connect(address, uri=True, check_same_thread=False)
            if not read_only:
                self._prepare()
            kept = self._file.execute("SELECT model FROM about").fetchone()[0]
            rows = self._file.execute("SELECT id, vector FROM pictures ORDER BY place").fetchall()
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if read_only and not path.exists():
                raise FileNotFoundError(
                    f"There is no index at {path}; make it with `python -m service.ingest`, or set "
                    "QDRANT_URL to where it is."
                ) from error
            if code not in NO_INDEX:
                raise OSError(
                    f"{path} cannot be opened for this ({error}); with LOOKALIKE_TOKEN it has to "
                    "be writable, no other process may be changing it, and after a crash "
                    "`python -m service.ingest` has to run once."
                ) from error
            notes = path.parent / "sources*.json"  # by which all files would pass for known
            raise ValueError(
                f"{path} is not an index ({error}); delete it and {notes}, and make the gallery "
                "again, to which what was added over HTTP has to be added again."
            ) from error
        if kept != model and not any_model:
            raise ValueError(
                f"{path} was made by the model {kept!r}, not by {model!r}, and their vectors "
                "cannot be compared; run `python -m service.ingest` again, which embeds all anew."
            )
        self.model = kept
        if rows:
            vectors = np.frombuffer(b"".join(vector for _, vector in rows), np.float32)
            super().add([id for id, _ in rows], vectors.reshape(len(rows), -1))

    def _prepare(self) -> None:
        # a commit returns when the disk has it, the end of its journal included
        self._file.execute("PRAGMA synchronous = EXTRA")
        # else the vector of a removed picture stays in the file until its place is needed
        self._file.execute("PRAGMA secure_delete = ON")
        with self._file:
            self._file.execute("CREATE TABLE IF NOT EXISTS about (model TEXT NOT NULL)")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS pictures (place INTEGER PRIMARY KEY, "
                "id TEXT NOT NULL UNIQUE, vector BLOB NOT NULL)"
            )
            self._file.execute(
                "INSERT INTO about SELECT ? WHERE NOT EXISTS (SELECT * FROM about)", (self.model,)
            )

    def add(self, ids: Sequence[str], vectors: Any, payload: Sequence[Any] | None = None) -> None:
        """As `ExactIndex.add`; it returns when the disk has them. There is no payload."""
        if payload is not None:
            raise ValueError("This index keeps no payload; leave it out.")
        vectors = check_vectors(vectors)
        with self._lock:
            super().add(ids, vectors)
            rows = [(id, vector.tobytes()) for id, vector in zip(ids, vectors, strict=True)]
            try:
                with self._file:
                    self._file.executemany("INSERT INTO pictures (id, vector) VALUES (?, ?)", rows)
            except sqlite3.Error:  # such as a full disk
                super().remove(ids)
                raise

    def remove(self, ids: Sequence[str]) -> None:
        """As `ExactIndex.remove`; it returns when the disk has forgotten them."""
        with self._lock:
            gone = check_known(ids, self._known)
            with self._file:
                rows = [(id,) for id in gone]
                self._file.executemany("DELETE FROM pictures WHERE id = ?", rows)
            super().remove(ids)

    def renew(self, vectors: Any, model: str) -> None:
        """Other vectors, by another model, for the same ids in their order; all or none."""
        vectors = check_vectors(vectors)
        with self._lock:
            ids = self.ids
            rows = [(vector.tobytes(), id) for id, vector in zip(ids, vectors, strict=True)]
            with self._file:
                self._file.executemany("UPDATE pictures SET vector = ? WHERE id = ?", rows)
                self._file.execute("UPDATE about SET model = ?", (model,))
            super().remove(ids)
            super().add(ids, vectors)
            self.model = model

    def search(
        self, queries: Any, k: int = 10, where: Where | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `ExactIndex.search`, without torch; there is no payload to filter by."""
        if where is not None:
            raise ValueError("This index keeps no payload to filter by; leave where out.")
        queries = check_vectors(queries, "queries")
        with self._lock:
            check_k(k, len(self), where)
            found = [self._nearest(query, k) for query in queries]
            ids = [[self._ids[i] for i in places] for places, _ in found]
        distances = np.array([apart for _, apart in found], np.float32).reshape(len(queries), k)
        return np.array(ids, dtype=object).reshape(len(queries), k), distances

    def _nearest(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        close = self.vectors @ query
        # Products of D numbers are rounded; what they cannot tell apart, differences can.
        slack = 2 * len(query) * np.finfo(np.float32).eps
        near = np.flatnonzero(close >= np.partition(close, -k)[-k] - slack)
        apart = np.linalg.norm(self.vectors[near] - query, axis=1)
        best = np.lexsort((near, apart))[:k]
        return near[best], apart[best]

    @classmethod
    def load(cls, path: str | Path, model: str | None = None) -> ExactIndex:
        """What `save` wrote, as an `ExactIndex`; this class opens its own file by its name."""
        return ExactIndex.load(path, model)

    def close(self) -> None:
        self._file.close()
