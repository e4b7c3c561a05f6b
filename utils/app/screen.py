"""The app as one sees it: ipywidgets and two widgets of our own, not yet listening to anyone."""

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np

from utils.app.query import Query
from utils.app.widgets import DropBox, Tiles, WordBox
from utils.distances import METRICS, OF_DISTRIBUTIONS
from utils.embedder import Embedder
from utils.explain import Why, spotlight
from utils.images import data_url

MODELS = ("cnn", "cnn-photos", "vit", "efficientnet", "resnet50", "vit-base")
TOOLS = [
    ["like", "+", "more like this"],
    ["dislike", "−", "less like this"],
    ["why", "?", "why this one"],
    ["remove", "×", "remove it from the gallery"],
]
LEGEND = "Click a picture to search from it. " + " · ".join(f"{g} {what}" for _, g, what in TOOLS)
WORDS = "Search by words (English or Portuguese)"
MOST_BYTES = 10_000_000  # of an upload: Jupyter takes messages of 10 MiB, and hangs up on more
CHOICE, TRAIL = 9, 8  # pictures to choose from, and of the way back
EVERYTHING: tuple[str, dict[str, str]] = ("everything", {})
UNEXPLAINED = '<div class="la-why"><p>? below an answer shows here what makes it similar.</p></div>'


class Screen(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """All that is on the screen, by the names the app knows it by."""

    def __init__(
        self, model: str | Embedder, metric: str, labelings: Sequence[str], room: int
    ) -> None:
        own = [] if model in MODELS else [(getattr(model, "name", model), model)]
        metrics = [name for name in METRICS if name not in ("mahalanobis", *OF_DISTRIBUTIONS)]
        names = ["everything", *labelings]
        self.words = WordBox(hint=WORDS)
        self.drop = DropBox(most_bytes=MOST_BYTES)
        self.path = _text("or the path of a file")
        self.find = _text("find by name, such as cat")
        self.choice = Tiles(side=62, room=CHOICE)
        self.others = _button("other pictures")
        self.model = _dropdown("Model", [*own, *((m, m) for m in MODELS)], model)
        self.metric = _dropdown("Distance", metrics, metric)
        self.plain = widgets.Checkbox(
            description="without background", indent=False, layout={"width": "auto"}
        )
        self.among = _dropdown("Among", names, "everything")
        self.label = _dropdown("that is", [EVERYTHING], {})
        self.shown = widgets.HTML()
        self.trail = Tiles(side=44, room=TRAIL)
        self.back = _button("← back")
        self.name = _text("its label, if you know it")
        self.add = _button("add to the gallery")
        self.undo = _button("undo")
        self.recommend = _button("recommend")
        self.clear = _button("forget likes")
        self.grid = Tiles(side=136, room=room, tools=TOOLS)
        self.why = widgets.HTML(UNEXPLAINED)
        super().__init__([self.words, self._lay_out()])
        self.add_class("la-app")

    def _lay_out(self) -> widgets.Widget:
        side = _box(
            "la-side",
            [
                *(self.drop, self.path, _title("or one of the gallery"), self.find, self.choice),
                *(self.others, _title("How to compare"), self.model, self.metric, self.plain),
                *(self.among, self.label),
            ],
        )
        bars = [
            _box("la-bar", [self.back, self.trail]),
            _box("la-bar", [self.name, self.add, self.undo]),
            _box("la-bar", [self.recommend, self.clear]),
        ]
        top = _box("la-top", [self.shown, _box("la-bars", bars)])
        legend = widgets.HTML(f'<p class="la-legend">{LEGEND}</p>')
        return _box("la-body", [side, _box("la-main", [top, self.grid, legend, self.why])])


def explained(query: Query, other: Query, why: Why) -> str:
    """Two pictures lit by what each place gives to their score, and a sentence on it."""
    pair = ((query, why.first), (other, why.second))
    figures = "".join(figure(spotlight(q.image, shares), q.name, 150) for q, shares in pair)
    shares = np.sort(why.first, axis=None)[::-1]
    most, rest = (part.sum() for part in np.split(shares, [len(shares) // 4]))
    told = (
        f"Bright places give most to their cosine of {shares.sum():z.2f}: a quarter of the "
        f"{len(shares)} places in {query.name} gives {most:z.2f} of it, the rest {rest:z.2f}."
        if why.exact
        else "A transformer has no shares of places; bright are the patches with a close match in "
        f"the other picture. On average the best match has a cosine of {shares.mean():.2f}."
    )
    return f'<div class="la-why">{figures}<p>{html.escape(told)}</p></div>'


def explained_words(query: Query, other: Query, shares: np.ndarray) -> str:
    """The words, and an answer lit by what each place of it gives to its score."""
    figures = figure(query.image, query.name, 150)
    figures += figure(spotlight(other.image, shares), other.name, 150)
    told = f"Bright places give most to its cosine of {shares.sum():.2f} with {query.name}."
    return f'<div class="la-why">{figures}<p>{html.escape(told)}</p></div>'


def figure(image: np.ndarray, name: str, side: int) -> str:
    name = html.escape(name)
    return (
        f'<figure class="la-figure" style="width:{side}px"><img src="{data_url(image)}" '
        f'alt="{name}" width="{side}" height="{side}"><figcaption>{name}</figcaption></figure>'
    )


def _box(name: str, children: Sequence[widgets.Widget]) -> widgets.Box:
    box = widgets.Box(children)
    box.add_class(name)
    return box


def _title(text: str) -> widgets.HTML:
    return widgets.HTML(f"<h4>{text}</h4>")


def _text(hint: str) -> widgets.Text:
    return widgets.Text(placeholder=hint, continuous_update=False, layout={"width": "auto"})


def _button(text: str) -> widgets.Button:
    return widgets.Button(description=text, layout={"width": "auto"})


def _dropdown(name: str, options: Sequence[Any], value: Any) -> widgets.Dropdown:
    style, layout = {"description_width": "64px"}, {"width": "auto"}
    return widgets.Dropdown(
        description=name, options=options, value=value, style=style, layout=layout
    )
