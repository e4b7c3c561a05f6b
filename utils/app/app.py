"""The app: what happens at each click, upload and choice."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.app.screen import (
    CHOICE,
    EVERYTHING,
    MOST_BYTES,
    TRAIL,
    UNEXPLAINED,
    Screen,
    explained,
    figure,
)
from utils.app.search import Answers, Query, Search
from utils.app.widgets import tile
from utils.embedder import Embedder, ModelUnavailable
from utils.folder import UnreadablePicture
from utils.images import ImageSet


class SearchApp(Screen):
    """Choose or drop a picture and see the pictures of a gallery that look most like it.

    Parameters
    ----------
    pictures : the gallery, such as `load_images("scenes")` or `load_images("my/photos")`.
    model : a name for `load_model`, or an Embedder. metric : one of METRICS but mahalanobis.
    k : the number of answers.

    Attributes
    ----------
    search : the gallery, the model and the index behind the screen. answers : what is shown.
    """

    def __init__(
        self, pictures: ImageSet, model: str | Embedder = "cnn", metric: str = "cosine", k: int = 10
    ) -> None:
        self.search = Search(pictures, model, metric)
        self.k, self.answers = k, Answers([], [], 0.0)
        self._query: Query | None = None  # None while wishes are answered
        self._trail: list[Query] = []
        self._wishes: dict[str, str] = {}  # id: "like" or "dislike"
        self._offset = 0  # into what may be chosen
        super().__init__(model, metric, list(self.search.labelings()), k)
        self._chosen = self.model.value, self.metric.value, self.plain.value
        self._listen()
        self._offer()
        self.ask(self.search.query(pictures.ids[0]))

    def _listen(self) -> None:
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
            button.on_click(lambda _, do=do: do())
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
        """Search with this picture; the one before goes to the trail."""
        if self._query is not None:
            self._trail = [*self._trail, self._query][-TRAIL:]
        self._query = query
        self._answer()

    def _return(self, place: int) -> None:
        self._query, self._trail = self._trail[place], self._trail[:place]
        self._answer()

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
                path = Path(text).expanduser()
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
        self.choice.message = "" if ids else "No picture has such a name."

    # -- how it is compared ------------------------------------------------------------------

    def _change(self) -> None:
        chosen = self.model.value, self.metric.value, self.plain.value
        self.grid.say(f"Embedding {len(self.search):,} pictures …")
        try:
            self.search.use(*chosen)
        except (ModelUnavailable, ValueError) as error:
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
        self.grid.say(self._summary())

    def _liked(self, which: str) -> list[str]:
        return [id for id, wish in self._wishes.items() if wish == which]

    def _summary(self) -> str:
        ids, _, seconds = self.answers
        if not ids:
            among = f" that is {self.label.label}" if self.label.value else ""
            return f"Nothing found: there is no other picture{among} in this gallery."
        told = f"{len(ids)} of {len(self.search):,} pictures, in {1000 * seconds:.0f} ms"
        if not self._asked:
            return f"{told}."
        right = [self._frame(id) for id in ids].count("right")
        return f"{told}; {right} of {len(ids)} have its label, {self._asked}."

    @property
    def _asked(self) -> str:
        """The label of what is asked with, "" where nothing can be right or wrong."""
        return self.search.label(self._query.id) if self._query else ""

    def _frame(self, id: str) -> str:
        label = self.search.label(id)
        if not self._asked or not label:
            return ""
        return "right" if label == self._asked else "wrong"

    def _show(self) -> None:
        self.shown.value = self._question()
        self.trail.tiles = [
            tile(str(place), q.image, "", said=f"back to {q.name}")
            for place, q in reversed(list(enumerate(self._trail)))
        ]
        self.why.value = UNEXPLAINED
        likes = len(self._liked("like"))
        self.recommend.description = f"recommend from {likes} like{'s' * (likes != 1)}"
        self.recommend.disabled, self.clear.disabled = not likes, not self._wishes
        self.back.disabled = not self._trail
        self.add.disabled = self.name.disabled = self._query is None or bool(self._query.id)
        self.undo.disabled = not self.search.done
        self._show_answers()

    def _show_answers(self) -> None:
        ids, distances, _ = self.answers
        queries = [self.search.query(id) for id in ids]
        self.grid.tiles = [
            tile(q.id, q.image, q.name, f"{distance:.3f}", self._frame(q.id),
                 self._wishes.get(q.id, ""), f"{q.name} {self._frame(q.id)}")
            for q, distance in zip(queries, distances, strict=True)
        ]  # fmt: skip

    def _question(self) -> str:
        query = self._query
        if query is None:
            signs = {"like": "+", "dislike": "−"}
            known = [(self.search.query(id), signs[w]) for id, w in self._wishes.items()]
            return "".join(figure(q.image, f"{sign} {q.name}", 64) for q, sign in known)
        figures = figure(query.image, query.name, 108)
        if self.plain.value:
            image, mask = self.search.without_background(query)
            figures += figure(mask, "what stands in it", 108) + figure(image, "asked with", 108)
        return figures

    # -- what is done to the answers ---------------------------------------------------------

    def _tool(self, event: str, id: str) -> None:
        with self._trying():
            if event == "open":
                self.ask(self.search.query(id))
            elif event == "why":
                self._explain(id)
            elif event == "remove":
                self.search.remove(id)
                self._wishes.pop(id, None)
                self._changed(f"{id} is out of the gallery; undo brings it back.")
            elif self._wishes.get(id) == event:  # a second click takes it back
                del self._wishes[id]
                self._show()
            else:
                self._wishes[id] = event
                self._show()

    def _changed(self, sentence: str) -> None:
        if self._query is None and not self._liked("like"):
            self._query = self.search.query(self.search.index.ids[0])
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
        if self._query is None and self._trail:
            return self._return(len(self._trail) - 1)
        self._show()

    def _explain(self, id: str) -> None:
        query = self._query or self.search.query(self._liked("like")[0])
        other, why = self.search.query(id), self.search.why(query, id)
        self.why.value = explained(query, other, why)
