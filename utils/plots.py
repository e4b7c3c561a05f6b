"""The course's figures: one style, titles that state the finding, readable in greyscale.

Every `show_…` shows its figure at once, with alt text, and returns it for `savefig`.
"""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utils.images import ImageSet

INK, PAPER, GREY = "#1b1b1b", "#ffffff", "#8a8a8a"
# Okabe & Ito 2008, dark and light in turn, so that greyscale keeps neighbours apart
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
RIGHT, WRONG = "#0072b2", "#d55e00"
STYLE: dict[Any, Any] = {
    "font.size": 13,
    "axes.titlesize": 15,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "figure.facecolor": PAPER,
}
DPI = 100


class Shown(Figure):
    """A figure that has been shown: as the last line of a cell it is not shown a second time."""

    alt: str

    def _ipython_display_(self) -> None:
        pass


def _show(figure: Shown, alt: str) -> Shown:
    """Show the figure with its alt text where there is a notebook; elsewhere only keep that."""
    figure.alt = alt
    from IPython.core.getipython import get_ipython  # what a notebook runs in

    if get_ipython() is not None:
        from IPython.display import HTML, display

        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
        data = base64.b64encode(buffer.getvalue()).decode()
        picture = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{data}">'
        display(HTML(picture))
    return figure


def _title(figure: Shown, title: str) -> None:
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=15, fontweight="bold")


def _tile(axes: Axes, image: np.ndarray) -> None:
    axes.imshow(image, interpolation="nearest" if image.shape[0] < 128 else "antialiased")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _short(text: str, most: int = 16) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def show_images(
    pictures: ImageSet,
    captions: Sequence[str] | None = None,
    *,
    columns: int = 8,
    title: str = "",
) -> Shown:
    """A contact sheet of an ImageSet, at most 64 pictures, captioned with their labels.

    Raises ValueError for no picture or more than 64, or captions of another number.
    """
    n = len(pictures)
    if not 1 <= n <= 64:
        raise ValueError(f"A contact sheet holds 1 to 64 pictures, not {n}; choose some: set[:64].")
    if captions is None:
        captions = [pictures.label_of(i) for i in range(n)]
    elif len(captions) != n:
        raise ValueError(f"{n} pictures need as many captions, not {len(captions)}.")
    columns = min(columns, n)
    rows = -(-n // columns)
    with rc_context(STYLE):
        figure = Shown(figsize=(1.45 * columns, 1.75 * rows + 0.5 * bool(title)), layout="tight")
        grid = figure.subplots(rows, columns, squeeze=False)
        for i, axes in enumerate(grid.flat):
            if i < n:
                _tile(axes, pictures.images[i])
                axes.set_title(_short(captions[i]), fontsize=11, fontweight="normal", loc="center")
            else:
                axes.axis("off")
        _title(figure, title)
    named = [caption for caption in captions if caption]
    return _show(figure, f"{title or pictures.name}: {', '.join(named) or f'{n} pictures'}")


def show_neighbours(
    queries: ImageSet,
    gallery: ImageSet,
    answers: np.ndarray,
    distances: np.ndarray | None = None,
    *,
    title: str = "",
) -> Shown:
    """Each query with its answers, nearest first: a row a query, at most 8.

    An answer with the query's own label is framed solid and marked ✓, another is framed dashed
    and marked ✗; where either has no label there is no verdict.

    Parameters
    ----------
    answers : Q×k, positions in the gallery (int) or its ids (str). distances : float, Q×k,
        written under the answers.

    Raises
    ------
    ValueError : no query or more than 8, arrays whose rows are not the queries, an unknown id.
    """
    positions = _positions(answers, gallery)
    if not 1 <= len(queries) <= 8 or positions.ndim != 2 or len(positions) != len(queries):
        raise ValueError(
            f"1 to 8 queries need one row of answers each, but there are {len(queries)} queries "
            f"and answers of shape {positions.shape}."
        )
    rows, k = positions.shape
    truth = [[_verdict(queries, q, gallery, i) for i in positions[q]] for q in range(rows)]
    with rc_context(STYLE):
        figure = Shown(figsize=(1.3 * (k + 1.2), 1.85 * rows + 0.5 * bool(title)), layout="tight")
        grid = figure.subplots(
            rows, k + 2, squeeze=False, width_ratios=[1, 0.12] + [1] * k, gridspec_kw={"wspace": 0}
        )
        for q in range(rows):
            _tile(grid[q, 0], queries.images[q])
            grid[q, 0].set_title(_short(queries.label_of(q) or "query"), fontsize=11, loc="center")
            grid[q, 1].axis("off")
            grid[q, 1].axvline(0.5, color=INK, linewidth=1.5)
            for axes, i, right in zip(grid[q, 2:], positions[q], truth[q], strict=True):
                _answer(axes, gallery.images[i], _short(gallery.label_of(i), 13), right)
            if distances is not None:
                for axes, distance in zip(grid[q, 2:], distances[q], strict=True):
                    axes.set_xlabel(f"{distance:.2f}", fontsize=11, labelpad=5)
        _title(figure, title)
    counted = [right for row in truth for right in row if right is not None]
    told = f"; {sum(counted)} of {len(counted)} have the query's label" if counted else ""
    names = ", ".join(queries.label_of(q) or queries.ids[q] for q in range(rows))
    return _show(figure, f"{title or 'Neighbours'}: the {k} nearest answers to {names}{told}")


def _positions(answers: Any, gallery: ImageSet) -> np.ndarray:
    """Where in the gallery the answers stand, whether they came as positions or as ids."""
    answers = np.asarray(answers)
    if answers.dtype.kind in "iu":
        return answers
    at = {id: i for i, id in enumerate(gallery.ids)}
    unknown = [id for id in answers.flat if id not in at]
    if unknown:
        raise ValueError(f"{gallery.name} has no picture with the id {unknown[0]!r}.")
    return np.array([at[id] for id in answers.flat], np.int64).reshape(answers.shape)


def _verdict(queries: ImageSet, q: int, gallery: ImageSet, i: int) -> bool | None:
    asked, answered = queries.label_of(q), gallery.label_of(i)
    return asked == answered if asked and answered else None


def _answer(axes: Axes, image: np.ndarray, label: str, right: bool | None) -> None:
    _tile(axes, image)
    mark = {True: "✓ ", False: "✗ ", None: ""}[right]
    colour = {True: RIGHT, False: WRONG, None: INK}[right]
    axes.set_title(mark + label, fontsize=10, fontweight="normal", loc="center")
    if right is not None:
        axes.spines[:].set(
            visible=True, color=colour, linewidth=3, linestyle="-" if right else (0, (2, 1.2))
        )


def show_bars(
    values: Mapping[str, float],
    *,
    unit: str,
    title: str = "",
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> Shown:
    """Horizontal bars, one a name, in the order given, each with its number.

    intervals : (low, high) by name, drawn as a whisker; a name may have none.
    """
    names, numbers = list(values), [float(value) for value in values.values()]
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 0.62 * len(names) + 1.5), layout="tight")
        axes = figure.subplots()
        bars = axes.barh(names, numbers, color=COLOURS[0], height=0.62)
        intervals = intervals or {}
        for name, interval in intervals.items():
            axes.plot(interval, [names.index(name)] * 2, color=INK, linewidth=2)
        ends = [max(intervals.get(n, (0, v))[1], v) for n, v in values.items()]
        for bar, number, end in zip(bars, numbers, ends, strict=True):
            middle = bar.get_y() + bar.get_height() / 2
            axes.annotate(f"{number:.3g}", (end, middle), (6, 0), textcoords="offset points",
                          va="center")  # fmt: skip
        axes.invert_yaxis()
        axes.set(xlabel=unit, xlim=(min(0, *numbers), max(0, *ends) * 1.12))
        axes.tick_params(axis="y", length=0)
        _title(figure, title)
    told = ", ".join(f"{name} {number:.3g}" for name, number in zip(names, numbers, strict=True))
    return _show(figure, f"{title}: {unit}: {told}")


def show_curve(
    x: Sequence[float],
    y: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    levels: Mapping[str, float] | None = None,
) -> Shown:
    """One curve, or several by name, over x; levels are named horizontal lines to compare with."""
    curves: Mapping[str, Any] = y if isinstance(y, Mapping) else {"": y}
    strokes = ("-", "--", "-.", ":", (0, (1, 2)), (0, (5, 1, 1, 1, 1, 1)))
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 4.6), layout="tight")
        axes = figure.subplots()
        for i, (name, values) in enumerate(curves.items()):
            axes.plot(x, values, color=COLOURS[i % 6], linestyle=strokes[i % 6], linewidth=2.5,
                      label=name, marker="o" if len(x) <= 20 else None)  # fmt: skip
        for name, level in (levels or {}).items():
            axes.axhline(level, color=GREY, linestyle=":", linewidth=1.5)
            axes.annotate(name, (1, level), xycoords=("axes fraction", "data"), ha="right",
                          va="bottom", color=INK, fontsize=11)  # fmt: skip
        if any(curves):
            axes.legend(frameon=False)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        _title(figure, title)
    told = "; ".join(
        f"{name or ylabel} from {float(values[0]):.3g} to {float(values[-1]):.3g}"
        for name, values in curves.items()
    )
    return _show(figure, f"{title}: {told} as {xlabel} goes from {x[0]} to {x[-1]}")
