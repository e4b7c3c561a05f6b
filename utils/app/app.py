"""The app: what happens at each click, upload and choice."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.app.query import Answers, Query
from utils.app.screen import (
    CHOICE,
    EVERYTHING,
    MOST_BYTES,
    TRAIL,
    UNEXPLAINED,
    Screen,
    explained,
    explained_words,
)
from utils.app.search import Search
from utils.app.told import frame, question, summary
from utils.app.widgets import tile
from utils.embedder import Embedder, ModelUnavailable
from utils.folder import UnreadablePicture
from utils.images import ImageSet
from utils.words import DualEncoder


class SearchApp(Screen):
    """Choose or drop a picture, or write words, and see the pictures of a gallery most like it.

    Parameters
    ----------
    pictures : the gallery, such as `load_images("scenes")` or `load_images("my/photos")`.
    model : a name for `load_model`, such as "cnn-photos" for photos, or an Embedder.
    metric : "cosine", "euclidean", "manhattan" or "chebyshev". k : the number of answers.
    pair : what finds pictures by words, a name for `load_dual_encoder` or a DualEncoder.

    Attributes
    ----------
    search : the gallery, the model and the index behind the screen. answers : what is shown.
    """

    def __init__(
        self, pictures: ImageSet, model: str | Embedder = "cnn", metric: str = "cosine",
        k: int = 10, pair: str | DualEncoder = "pair",
    ) -> None:  # fmt: skip
        self.search = Search(pictures, model, metric, pair=pair)
        self.k, self.answers = k, Answers([], [], 0.0)
        self._query: Query | None = None  # None while wishes are answered
        self._trail: list[Query] = []
        self._wishes: dict[str, str] = {}  # id: "like" or "dislike"
        self._offset = 0  # into what may be chosen
        super().__init__(model, metric, list(self.search.labelings()), k)
        self._chosen = self.model.value, self.metric.value, self.plain.value
        self._listen()
        self._offer()
        self.ask(self.search.first())

    def _listen(self) -> None:
        self.words.on(self._said)
        self.drop.on(self._dropped)
        self.choice.on(lambda _, id: self.ask(self.search.query(id)))
        self.trail.on(lambda _, place: self._return(int(place)))
        self.grid.on(self._tool)
        for button, do in (
            (self.others, self._offer_others),
            (self.back, lambda: self._return(len(self._trail) - 1)),
            (self.add, self._add),
            (self.undo, self._undo),
            (self.recommend, self._recommend),
            (self.clear, self._forget),
        ):
            # of a double click the second half comes when the first has disabled the button
            button.on_click(lambda it, do=do: None if it.disabled else do())
        for widget, do in (
            (self.path, self._typed),
            (self.find, self._found),
            (self.model, self._change),
            (self.metric, self._change),
            (self.plain, self._change),
            (self.among, self._narrow),
            (self.label, self._answer),
        ):
            widget.observe(lambda _, do=do: do(), "value")

    @contextmanager
    def _trying(self) -> Iterator[None]:
        """What goes wrong with a picture or a model is said above the answers, which stay."""
        try:
            yield
        except (UnreadablePicture, ModelUnavailable, ValueError, OSError) as error:
            self.grid.say(str(error), problem=True)

    # -- what it is asked with ---------------------------------------------------------------

    def ask(self, query: Query) -> None:
        """Search with this picture or these words; what was asked before goes to the trail."""
        again = self._query and query.words and query.words == self._query.words
        if self._query is not None and not again:
            self._trail = [*self._trail, self._query][-TRAIL:]
        self._query = query
        self._answer()

    def _return(self, place: int) -> None:
        if place >= len(self._trail):
            return  # the second half of a double click
        self._query, self._trail = self._trail[place], self._trail[:place]
        self._answer()

    def _said(self, text: str) -> None:
        with self._trying():
            query = self.search.words(text)
            self.grid.say(f"Looking for {query.name} in {len(self.search):,} pictures …")
            self.ask(query)

    def _dropped(self, name: str, data: bytes | None) -> None:
        with self._trying():
            if data is None:
                raise UnreadablePicture(
                    f"{name} is larger than {MOST_BYTES // 10**6} MB; make it smaller first."
                )
            self._open_file(data, name)

    def _typed(self) -> None:
        text = self.path.value.strip().strip("\"'")
        if text:
            with self._trying():
                path = Path(os.path.expanduser(text))
                if not path.is_file():
                    raise FileNotFoundError(
                        f"There is no file {text}; paste the path of a picture."
                    )
                self._open_file(path, path.name)

    def _open_file(self, source: Path | bytes, name: str) -> None:
        try:
            self.ask(self.search.outside(source, name))
        except UnreadablePicture as error:
            raise UnreadablePicture(
                f"{name} cannot be read: {error}. Choose a JPEG, PNG, WebP or GIF picture."
            ) from error

    def _offer_others(self) -> None:
        self._offset += CHOICE
        self._offer()

    def _found(self) -> None:
        self._offset = 0
        self._offer()

    def _offer(self) -> None:
        ids = self.search.named(self.find.value.strip())
        start = self._offset % max(1, len(ids))
        queries = [self.search.query(id) for id in ids[start : start + CHOICE]]
        self.choice.tiles = [tile(q.id, q.image, q.name) for q in queries]
        empty = "No picture has such a name." if len(self.search) else "The gallery is empty."
        self.choice.message = "" if ids else empty

    # -- how it is compared ------------------------------------------------------------------

    def _change(self) -> None:
        chosen = self.model.value, self.metric.value, self.plain.value
        self.grid.say(f"Embedding {len(self.search):,} pictures …")
        try:
            self.search.use(*chosen)
        except (ModelUnavailable, ValueError, OSError) as error:
            # back to what works, which answers anew; only then what went wrong
            self.model.value, self.metric.value, self.plain.value = self._chosen
            self.grid.say(str(error), problem=True)
        else:
            self._chosen = chosen
            self._answer()

    def _narrow(self) -> None:
        among = self.among.value
        labels = self.search.labelings().get(among, [])
        self.label.options = [(name, {among: name}) for name in labels] or [EVERYTHING]

    # -- what is answered --------------------------------------------------------------------

    def _answer(self) -> None:
        where = self.label.value or None
        if self._query is None:
            wished = self._liked("like"), self._liked("dislike")
            self.answers = self.search.recommend(*wished, self.k, where)
        else:
            self.answers = self.search.ask(self._query, self.k, where)
        self._show()
        among = self.label.label if self.label.value else ""
        self.grid.say(summary(self.search, self._query, self.answers, among))

    def _liked(self, which: str) -> list[str]:
        return [id for id, wish in self._wishes.items() if wish == which]

    def _show(self) -> None:
        query = self._query
        self.shown.value = question(self.search, query, self._wishes)
        self.words.text = query.words if query else ""
        self.trail.tiles = [
            tile(str(place), q.image, "", said=f"back to {q.name}")
            for place, q in reversed(list(enumerate(self._trail)))
        ]
        self.why.value = UNEXPLAINED
        likes = len(self._liked("like"))
        self.recommend.description = f"recommend from {likes} like{'s' * (likes != 1)}"
        self.recommend.disabled, self.clear.disabled = not likes, not self._wishes
        self.back.disabled = not self._trail
        self.add.disabled = self.name.disabled = not query or bool(query.id or query.words)
        self.undo.disabled = not self.search.done
        self._show_answers()

    def _show_answers(self) -> None:
        ids, distances, _ = self.answers
        queries = [self.search.query(id) for id in ids]
        frames = [frame(self.search, self._query, id) for id in ids]
        self.grid.tiles = [
            tile(q.id, q.image, q.name, f"{distance:.3f}", framed, self._wishes.get(q.id, ""),
                 f"{q.name} {framed}")
            for q, distance, framed in zip(queries, distances, frames, strict=True)
        ]  # fmt: skip

    # -- what is done to the answers ---------------------------------------------------------

    def _tool(self, event: str, id: str) -> None:
        with self._trying():
            if event == "open":
                self.ask(self.search.query(id))
            elif event == "why":
                self._explain(id)
            elif event == "remove" and id not in self.search.index:
                pass  # a second click that came before the first was answered
            elif event == "remove":
                self.search.remove(id)
                self._wishes.pop(id, None)
                self._changed(f"{id} is out of the gallery; undo brings it back.")
            else:
                if self._wishes.get(id) == event:  # a second click takes it back
                    del self._wishes[id]
                else:
                    self._wishes[id] = event
                self._wished()

    def _changed(self, sentence: str) -> None:
        if self._query is None and not self._liked("like"):
            self._query = self.search.first()
        self._answer()
        self._offer()
        self.grid.say(f"{sentence} {self.grid.message}")

    def _add(self) -> None:
        if self._query is not None:
            id = self.search.add(self._query, self.name.value.strip())
            self._query, self.name.value = self.search.query(id), ""
            self._changed(f"{id} is in the gallery.")

    def _undo(self) -> None:
        with self._trying():
            self._changed(self.search.undo())

    def _recommend(self) -> None:
        if self._query is not None:
            self._trail = [*self._trail, self._query][-TRAIL:]
        self._query = None
        self._answer()

    def _forget(self) -> None:
        self._wishes = {}
        self._wished()

    def _wished(self) -> None:
        """After other wishes; with its last like a recommendation ends."""
        if self._query is None and not self._liked("like"):
            return self._return(len(self._trail) - 1)
        self._show()

    def _explain(self, id: str) -> None:
        query = self._query or self.search.query(self._liked("like")[0])
        other = self.search.query(id)
        if query.words:
            self.why.value = explained_words(query, other, self.search.why_words(query, id))
        else:
            self.why.value = explained(query, other, self.search.why(query, id))
