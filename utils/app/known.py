"""The pictures that the app has seen, and what was found out of each, once."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from utils.app.query import Query, single, with_one_more
from utils.background import find_masks, load_session, remove_background
from utils.embed import embed
from utils.embedder import Embedder
from utils.images import ImageSet


class Known:
    """Pictures by id, in the order they came; those taken out of the gallery are known still."""

    def __init__(self, pictures: ImageSet) -> None:
        self._pictures = pictures
        self._at = {id: i for i, id in enumerate(pictures.ids)}
        self._vectors: dict[tuple[object, ...], np.ndarray] = {}  # a row for each picture
        self._masks = np.empty((0, *pictures.images.shape[1:3]), np.uint8)
        self._session: Any = None

    def __contains__(self, id: object) -> bool:
        return id in self._at

    def __iter__(self) -> Iterator[str]:
        return iter(self._at)

    @property
    def side(self) -> int:
        """Of each picture, in pixels."""
        return self._pictures.images.shape[1]

    @property
    def labelings(self) -> list[str]:
        return [self._pictures.labeling, *self._pictures.others]

    def query(self, id: str) -> Query:
        """A known picture as a query. Raises KeyError for an unknown id."""
        if id not in self:
            raise KeyError(f"There is no picture {id!r} in this gallery.")
        i = self._at[id]
        return Query(id, self._pictures.images[i], self._pictures.label_of(i) or id)

    def label(self, id: str) -> str:
        """The label of a known picture, "" where it has none."""
        return self._pictures.label_of(self._at[id]) if id in self else ""

    def payload(self, id: str) -> dict[str, str]:
        """The label in each labeling, "" where it has none."""
        i, told = self._at[id], {self._pictures.labeling: self.label(id)}
        for name, (labels, classes) in self._pictures.others.items():
            told[name] = classes[labels[i]] if labels[i] >= 0 else ""
        return told

    def add(self, query: Query, label: str) -> str:
        """Know one more picture; its id is its name, with a number where that is taken."""
        id, times = query.name, 1
        while id in self:
            times += 1
            id = f"{query.name} ({times})"
        self._pictures = with_one_more(self._pictures, query.image, id, label)
        self._at[id] = len(self._pictures) - 1
        return id

    def vectors(self, ids: Sequence[str], model: Embedder, digest: str, plain: bool) -> np.ndarray:
        """One vector each, float32 N×D; plain : with the background taken away.

        By the digest, since other weights may have the same name, and it takes time to compute.
        """
        by = digest, model.preprocess, plain
        kept = self._vectors.get(by, np.empty((0, model.dim), np.float32))
        if len(kept) < len(self._pictures):
            new = self._pictures[len(kept) :]
            if plain:
                new = remove_background(new, masks=self._found_masks()[len(kept) :])
            kept = np.concatenate([kept, embed(model, new)])
            self._vectors[by] = kept
        return kept[[self._at[id] for id in ids]]

    def _found_masks(self) -> np.ndarray:
        missing = self._pictures[len(self._masks) :]
        if len(missing):
            self._masks = np.concatenate([self._masks, self._find(missing)])
        return self._masks

    def mask(self, query: Query) -> np.ndarray:
        """Where something stands in a picture, be it known or not: uint8 H×W."""
        if query.id:
            return self._found_masks()[self._at[query.id]]
        return self._find(single(query))[0]

    def _find(self, pictures: ImageSet) -> np.ndarray:
        self._session = self._session or load_session()
        return find_masks(pictures, self._session)
