"""The gallery: a network, an index and a store that belong together."""

import re
import threading
from pathlib import Path

from PIL import Image

from service.encoder import Encoder
from service.index import SqliteIndex
from service.pictures import encode, name
from service.settings import Settings
from service.store import LocalStore, S3Store, Store
from utils.index import Index, QdrantIndex


class Gallery:
    """Searched by any number of threads at a time, changed by one after the other."""

    def __init__(self, encoder: Encoder, index: Index, store: Store) -> None:
        self.encoder, self.index, self.store = encoder, index, store
        self._changing = threading.Lock()

    def __len__(self) -> int:
        return len(self.index)

    def about(self) -> int:
        """About how many pictures there are, by what does not count them all one by one."""
        return self.index.about() if isinstance(self.index, QdrantIndex) else len(self)

    def search(self, picture: Image.Image, k: int) -> dict[str, float]:
        """The k nearest to a kept picture, nearest first: their addresses and distances.

        All of them where there are fewer than k.
        """
        vector = self.encoder(picture)
        while k:
            try:
                ids, distances = self.index.search(vector, k)
                break
            except ValueError:
                most = len(self)  # which may count them one by one, so only where there are fewer
                if k <= most:
                    raise
                k = most
        else:
            return {}
        urls = map(self.store.url, ids[0])
        return dict(zip(urls, distances[0].tolist(), strict=True))

    def add(self, picture: Image.Image, title: str = "") -> tuple[str, bool]:
        """Add a kept picture; its id, and whether it is new. It is there after a power cut."""
        id = name(picture, title)
        with self._changing:
            # In this order: what an accident leaves behind is a file that no search finds.
            self.store.put(id, encode(picture))
            new = id not in self.index
            if new:
                self.index.add([id], self.encoder(picture))
        return id, new

    def remove(self, id: str) -> None:
        """Remove a picture; KeyError where there is none. It is gone after a power cut."""
        with self._changing:
            missing = []  # an accident may have left one of the two
            for forget in (lambda: self.index.remove([id]), lambda: self.store.delete(id)):
                try:
                    forget()
                except KeyError as error:
                    missing.append(error)
            if len(missing) == 2:
                raise missing[0]


def open_gallery(folder: Path, settings: Settings, any_network: bool = False) -> Gallery:
    """The gallery in a folder that `service.ingest` made, as the settings want it.

    any_network : take an SQLite index of another network too, to embed its pictures anew.

    Raises FileNotFoundError where there is none, ValueError where its parts do not fit.
    """
    if not (folder / "model.onnx").exists():
        raise FileNotFoundError(
            f"There is no gallery in {str(folder)!r}; make one with `python -m service.ingest`."
        )
    encoder = Encoder(folder / "model.onnx")
    index = _index(folder, encoder.digest, settings, any_network)
    return Gallery(encoder, index, _store(folder, settings))


def _index(folder: Path, network: str, settings: Settings, any_network: bool) -> Index:
    if not settings.qdrant_url:
        return SqliteIndex(folder / "index.sqlite", network, not settings.token, any_network)
    name = collection_of(folder, settings)
    try:
        return QdrantIndex(settings.qdrant_url, name, "euclidean", network)
    except ValueError as error:  # workers may be searching it, so it is left as it is
        raise ValueError(
            f"{error} To fill another collection set LOOKALIKE_COLLECTION to a new name and run "
            "`python -m service.ingest` again; what was added over HTTP has to be added again."
        ) from error


def collection_of(folder: Path, settings: Settings) -> str:
    """What the gallery's collection of Qdrant is called: as its folder, unless it was told."""
    return settings.collection or re.sub(r"[^\w.-]", "-", folder.resolve().name)


def _store(folder: Path, settings: Settings) -> Store:
    if settings.bucket:
        return S3Store(settings.bucket, settings.pictures_address)
    return LocalStore(folder / "pictures")
