"""What the app does, without a screen: a gallery, a question, its answers, and the way back."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.app.known import Known
from utils.app.query import Answers, Query, in_words, single
from utils.background import remove_background
from utils.embed import embed
from utils.embedder import Embedder
from utils.explain import Why, similarity_maps
from utils.folder import read_picture
from utils.images import ImageSet
from utils.index import ExactIndex
from utils.models import load_model
from utils.recommend import taste
from utils.words import DualEncoder, embed_text, load_dual_encoder, word_map

DISLIKE = 0.2  # how much a dislike weighs against a like: chosen by recipes.recommendation


class Search:
    """A gallery that is asked by pictures, under one model and one distance at a time, or by words.

    Words are compared by their cosine in the space of the dual encoder, whatever the model and the
    distance. Pictures may be added and removed, and each of both undone. A picture that was removed
    is known still, so that an undo costs nothing.

    Parameters
    ----------
    pictures : the gallery. model : a name for `load_model`, or an Embedder. metric : one of
        "cosine", "euclidean", "manhattan", "chebyshev". pair : a name for `load_dual_encoder`, or a
        DualEncoder; it is loaded when words are asked.
    """

    def __init__(
        self,
        pictures: ImageSet,
        model: str | Embedder = "cnn",
        metric: str = "cosine",
        pair: str | DualEncoder = "pair",
    ) -> None:
        if not len(pictures):
            raise ValueError("An empty gallery cannot be searched; load at least one picture.")
        self._known = Known(pictures)
        self._models: dict[str, Embedder] = {}
        self.done: list[tuple[str, str]] = []  # what can be undone: ("add" or "remove", id)
        self.index = ExactIndex()
        self._pair = pair
        self._by_words: ExactIndex | None = None  # made when words are asked of what is here now
        self._fill(model, metric, False, list(pictures.ids))

    def use(
        self,
        model: str | Embedder | None = None,
        metric: str | None = None,
        plain: bool | None = None,
    ) -> None:
        """Change the model, the distance, or whether backgrounds are taken away; None keeps it."""
        self._fill(
            self.model if model is None else model,
            self.index.metric if metric is None else metric,
            self.plain if plain is None else plain,
            self.index.ids,
        )

    def _fill(self, model: str | Embedder, metric: str, plain: bool, ids: Sequence[str]) -> None:
        """Make the index anew; nothing has changed if the model cannot be had."""
        if isinstance(model, str):
            if model not in self._models:
                self._models[model] = load_model(model)
            model = self._models[model]
        index = self._indexed(model, plain, metric, ids)
        self.model, self.plain, self.index, self._by_words = model, plain, index, None

    def _indexed(self, model: Embedder, plain: bool, metric: str, ids: Sequence[str]) -> ExactIndex:
        index = ExactIndex(metric, model.digest)
        if ids:
            vectors = self._known.vectors(ids, model, index.model, plain)
            index.add(ids, vectors, [self._known.payload(id) for id in ids])
        return index

    def _vectors(self, ids: Sequence[str]) -> np.ndarray:
        """Of known pictures, as they are compared now: float32 N×D."""
        return self._known.vectors(ids, self.model, self.index.model, self.plain)

    def __len__(self) -> int:
        return len(self.index)

    def labelings(self) -> dict[str, list[str]]:
        """What can be filtered by: the labels that occur, by labeling, each in order."""
        told = self.index.payload.values()
        return {name: sorted({p[name] for p in told} - {""}) for name in self._known.labelings}

    def query(self, id: str) -> Query:
        """A picture of the gallery as a query. Raises KeyError for an unknown id."""
        return self._known.query(id)

    def first(self) -> Query:
        """A picture to begin with: of the gallery, or of what was in it before it was emptied."""
        return self.query(next(iter(self.index.ids or self._known)))

    def outside(self, source: Path | bytes, name: str) -> Query:
        """A picture from a file or its bytes as a query.

        Raises UnreadablePicture for what is not a picture.
        """
        return Query("", read_picture(source, self._known.side), name)

    def words(self, text: str) -> Query:
        """Words, in English or Portuguese, as a query.

        Raises TextError for what cannot be read, ModelUnavailable without a dual encoder.
        """
        embed_text(self.pair, text)
        return in_words(text)

    @property
    def pair(self) -> DualEncoder:
        """The dual encoder, loaded when it is asked for first."""
        if isinstance(self._pair, str):
            self._pair = load_dual_encoder(self._pair)
        return self._pair

    def named(self, text: str) -> list[str]:
        """Ids of the pictures whose label or id holds the text, one of each label first."""
        ids = [id for id in self.index.ids if text.lower() in f"{self.label(id)} {id}".lower()]
        first = {self.label(id) or id: id for id in reversed(ids)}.values()
        return list(dict.fromkeys([*reversed(first), *ids]))

    def label(self, id: str) -> str:
        """The label of a known picture, "" where it has none."""
        return self._known.label(id)

    def ask(self, query: Query, k: int = 10, where: Mapping[str, Any] | None = None) -> Answers:
        """The k nearest pictures, fewer where there are not so many; never the query itself."""
        index = self._index_of_words() if query.words else self.index
        started = time.perf_counter()
        return self._nearest(index, self._vector(query), {query.id}, k, where, started)

    def recommend(
        self,
        likes: Sequence[str],
        dislikes: Sequence[str] = (),
        k: int = 10,
        where: Mapping[str, Any] | None = None,
    ) -> Answers:
        """What lies near the mean of what is liked and away from what is not.

        After Rocchio 1971, "Relevance feedback in information retrieval": the query is the mean
        of the liked vectors less DISLIKE, which is 1 in the paper, times that of the disliked.
        Unlike there, both means are made unit vectors first: that of many is shorter.

        Raises ValueError without a like, or where pictures cancel each other out.
        """
        if not likes:
            raise ValueError("Like at least one picture, and others like it can be found.")
        started = time.perf_counter()
        wish = taste(self._vectors(likes))
        if dislikes:
            wish = wish - DISLIKE * taste(self._vectors(dislikes))
        return self._nearest(self.index, wish, {*likes, *dislikes}, k, where, started)

    def _index_of_words(self) -> ExactIndex:
        if self._by_words is None:
            images = self.pair.images
            self._by_words = self._indexed(images, self.plain, "cosine", self.index.ids)
        return self._by_words

    def _vector(self, query: Query) -> np.ndarray:
        if query.words:
            return embed_text(self.pair, query.words)[0]
        if query.id:
            return self._vectors([query.id])[0]
        return embed(self.model, self._seen(query)[None], cache=False)[0]

    def _nearest(
        self, index: ExactIndex, vector: np.ndarray, but: set[str], k: int, where: Any,
        started: float,
    ) -> Answers:  # fmt: skip
        most = min(k + len(but), index.count(where))
        near: list[tuple[str, float]] = []
        if most:
            ids, distances = index.search(vector[None], most, where)
            near = list(zip(ids[0].tolist(), distances[0].tolist(), strict=True))
        near = [(id, distance) for id, distance in near if id not in but][:k]
        seconds = time.perf_counter() - started
        return Answers([id for id, _ in near], [distance for _, distance in near], seconds)

    def without_background(self, query: Query) -> tuple[np.ndarray, np.ndarray]:
        """The query's picture on white, and the mask that was found: uint8 H×W×3 and H×W."""
        mask = self._known.mask(query)
        plain = remove_background(single(query), masks=mask[None])
        return plain.images[0], mask

    def why(self, query: Query, id: str) -> Why:
        """What each place of the query and of an answer gives to their likeness."""
        return similarity_maps(self.model, self._seen(query), self._seen(self.query(id)))

    def why_words(self, query: Query, id: str) -> np.ndarray:
        """What each place of an answer gives to its likeness to the words: float32 h×w."""
        return word_map(self.pair, query.words, self._seen(self.query(id)))

    def _seen(self, query: Query) -> np.ndarray:
        return self.without_background(query)[0] if self.plain else query.image

    def add(self, query: Query, label: str = "") -> str:
        """Put a picture from outside into the gallery, perhaps with a label; the id it got.

        Its id is its name, with a number where that is taken. Raises ValueError for words.
        """
        if query.words:
            raise ValueError("Words are no picture; only a picture can be added to the gallery.")
        id = self._known.add(query, label)
        self._put(id)
        self.done.append(("add", id))
        return id

    def remove(self, id: str) -> None:
        """Take a picture out of the gallery. Raises KeyError for an unknown id."""
        self._take_out(id)
        self.done.append(("remove", id))

    def undo(self) -> str:
        """Take back the last add or remove; a sentence on what it was.

        Raises ValueError where nothing was done.
        """
        if not self.done:
            raise ValueError("There is nothing to undo: no picture was added or removed.")
        what, id = self.done.pop()
        if what == "add":
            self._take_out(id)
            return f"{id} is out of the gallery again."
        self._put(id)
        return f"{id} is in the gallery again."

    def _put(self, id: str) -> None:
        self.index.add([id], self._vectors([id]), [self._known.payload(id)])
        self._by_words = None

    def _take_out(self, id: str) -> None:
        self.index.remove([id])
        self._by_words = None
