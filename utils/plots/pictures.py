"""Figures made of pictures: contact sheets, queries with their answers, grids."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from utils.images import ImageSet
from utils.plots.style import (
    COLOURS,
    HALO,
    INK,
    PAPER,
    RIGHT,
    STYLE,
    WRONG,
    Shown,
    put_title,
    show,
)


def _tile(axes: Axes, image: np.ndarray) -> None:
    small = image.shape[0] < 128
    axes.imshow(image, cmap="gray", interpolation="nearest" if small else "antialiased")
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
        put_title(figure, title)
    named = [caption for caption in captions if caption]
    return show(figure, f"{title or pictures.name}: {', '.join(named) or f'{n} pictures'}")


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
        put_title(figure, title)
    counted = [right for row in truth for right in row if right is not None]
    told = f"; {sum(counted)} of {len(counted)} have the query's label" if counted else ""
    names = ", ".join(queries.label_of(q) or queries.ids[q] for q in range(rows))
    return show(figure, f"{title or 'Neighbours'}: the {k} nearest answers to {names}{told}")


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


def show_grid(
    rows: Mapping[str, Sequence[np.ndarray]], *, columns: Sequence[str] = (), title: str = ""
) -> Shown:
    """Pictures in named rows: at most 8 rows of at most 12.

    Parameters
    ----------
    rows : by name, pictures uint8 H×W×3, or numbers H×W, which are painted in grey, each from its
        lowest (black) to its highest (white). columns : a caption above each column.

    Raises ValueError for more rows or columns than a projector shows, or none.
    """
    longest = max((len(row) for row in rows.values()), default=0)
    if not (1 <= len(rows) <= 8 and 1 <= longest <= 12):
        raise ValueError(
            "A grid holds 1 to 8 rows of 1 to 12 pictures, but these are "
            f"{len(rows)} rows of up to {longest}."
        )
    with rc_context(STYLE):
        size = (1.35 * longest + 1.9, 1.42 * len(rows) + 0.3 * bool(columns) + 0.5 * bool(title))
        figure = Shown(figsize=size, layout="tight")
        grid = figure.subplots(len(rows), longest, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for line, (name, pictures) in zip(grid, rows.items(), strict=True):
            for axes, picture in zip(line, pictures, strict=False):
                axes.axis("on")
                _tile(axes, picture)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        for axes, caption in zip(grid[0], columns, strict=False):
            axes.set_title(caption, fontsize=11, fontweight="normal", loc="center")
        put_title(figure, title)
    across = f"; columns: {', '.join(columns)}" if columns else ""
    return show(figure, f"{title or 'Pictures'}: rows: {', '.join(rows)}{across}")


def show_matches(
    left: np.ndarray, right: np.ndarray, pairs: np.ndarray, *, title: str = ""
) -> Shown:
    """Two pictures side by side, and numbered lines from places of one to places of the other.

    Parameters
    ----------
    left, right : uint8 H×W×3, of one size. pairs : P×4, a line each: row and column in the left
        picture, row and column in the right one, in pixels; at most 40.

    Raises ValueError for pictures of different sizes, or pairs that are not P×4 or too many.
    """
    pairs = np.asarray(pairs, float)
    if left.shape != right.shape or pairs.ndim != 2 or pairs.shape[1] != 4 or len(pairs) > 40:
        raise ValueError(
            "Matches need two pictures of one size and up to 40 rows of 4 numbers, but these are "
            f"{left.shape}, {right.shape} and pairs of shape {pairs.shape}."
        )
    height, width = left.shape[:2]
    gap = np.full((height, width // 4, 3), 255, np.uint8)
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 4.2 + 0.4 * bool(title)), layout="tight")
        axes = figure.subplots()
        _tile(axes, np.concatenate([left, gap, right], axis=1))
        for number, (y, x, to_y, to_x) in enumerate(pairs, 1):
            along = ([x, to_x + width + width // 4], [y, to_y])
            axes.plot(*along, color=PAPER, linewidth=3.5)
            axes.plot(*along, color=COLOURS[number % 6], linewidth=1.8, marker="o", markersize=5)
            for at_x, at_y in zip(*along, strict=True):
                axes.annotate(str(number), (at_x, at_y), (3, 3), textcoords="offset points",
                              fontsize=9, color=INK, path_effects=[HALO])  # fmt: skip
        put_title(figure, title)
    return show(
        figure, f"{title or 'Matches'}: {len(pairs)} lines from the left picture to the right"
    )
