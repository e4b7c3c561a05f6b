"""Maps: pictures or points in two dimensions, still, under the mouse, and on sliders."""

import base64
import html
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import numpy as np
from matplotlib import rc_context
from PIL import Image

from utils.images import ImageSet
from utils.plots.style import (
    COLOURS,
    GREY,
    INK,
    PAPER,
    STYLE,
    Shown,
    display_html,
    put_title,
    show,
)
from utils.progress import in_notebook

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
CANVAS = (900, 640)  # of a map made of pictures: width, height in pixels


def show_map(
    xy: np.ndarray,
    labels: Sequence[Any] | None = None,
    *,
    only: Sequence[Any] | None = None,
    title: str = "",
) -> Shown:
    """A map of points, coloured and shaped by their labels.

    Parameters
    ----------
    xy : float, N×2. labels : N names, at most 8 different ones, or all points are alike.
    only : those labels to colour, in this order; all other points are grey.

    Raises
    ------
    ValueError : xy not N×2, labels of another number, or more than 8 to tell apart.
    """
    xy = _checked(xy)
    names = np.asarray(["" for _ in xy] if labels is None else labels)
    if len(names) != len(xy):
        raise ValueError(f"{len(xy)} points need as many labels, not {len(names)}.")
    shown = list(dict.fromkeys(names.tolist())) if only is None else list(only)
    if len(shown) > len(MARKERS):
        raise ValueError(
            f"A map can tell {len(MARKERS)} labels apart, but there are {len(shown)}: choose some "
            "with only=[…]."
        )
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 6.2), layout="constrained")
        axes = figure.subplots()
        rest = ~np.isin(names, shown)
        axes.scatter(xy[rest, 0], xy[rest, 1], s=10, color=GREY, alpha=0.35, linewidth=0)
        for i, name in enumerate(shown):
            here = names == name
            few = only is not None and here.sum() <= 30  # some that are to be found among many
            axes.scatter(
                xy[here, 0], xy[here, 1], s=70 if few else 24, color=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i], label=None if name == "" else name, alpha=1 if few else 0.75,
                linewidth=0.8 if few else 0, edgecolor=PAPER,
            )  # fmt: skip
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
        named = any(name != "" for name in shown)
        if named:
            axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), markerscale=1.6)
        put_title(figure, title)
    told = f", {len(shown)} labels: {', '.join(map(str, shown))}" if named else ""
    return show(figure, f"{title or 'Map'}: {len(xy)} points{told}")


def show_picture_map(
    xy: np.ndarray, pictures: ImageSet, *, size: int = 26, title: str = ""
) -> Shown:
    """A map whose points are the pictures themselves, `size` pixels each.

    Raises ValueError where xy is not N×2 for N pictures.
    """
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 6.6), layout="constrained")
        axes = figure.subplots()
        axes.imshow(painted(xy, pictures, size), interpolation="antialiased")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        put_title(figure, title)
    return show(figure, f"{title or 'Map'}: {len(pictures)} pictures of {pictures.name}")


def painted(xy: np.ndarray, pictures: ImageSet, size: int = 26) -> np.ndarray:
    """The pictures at their places on white: uint8 H×W×3; masked ones without their ground."""
    xy = _checked(xy, pictures)
    width, height = 2 * CANVAS[0], 2 * CANVAS[1]  # twice as fine as it is shown
    size *= 2
    canvas = np.full((height, width, 3), 255, np.uint8)
    corner = (_places(xy) * (width - size, height - size)).astype(int)
    for i, (x, y) in enumerate(corner):
        small = Image.fromarray(pictures.images[i]).resize((size, size), Image.Resampling.BOX)
        part = canvas[y : y + size, x : x + size]
        if pictures.masks is None:
            part[:] = np.asarray(small)
        else:
            mask = Image.fromarray(pictures.masks[i]).resize((size, size), Image.Resampling.BOX)
            there = np.asarray(mask) > 127
            part[there] = np.asarray(small)[there]
    return canvas


def explore_map(
    xy: np.ndarray, pictures: ImageSet, captions: Sequence[str] | None = None, *, title: str = ""
) -> str:
    """A map to move the mouse over: the picture under it grows and says what it is.

    It needs no network and no kernel once it is shown.

    Returns
    -------
    The page's HTML, which is shown where there is a notebook.

    Raises ValueError where xy is not N×2 for N pictures, or captions are of another number.
    """
    xy = _checked(xy, pictures)
    captions = (
        [pictures.label_of(i) for i in range(len(pictures))] if captions is None else captions
    )
    if len(captions) != len(pictures):
        raise ValueError(f"{len(pictures)} pictures need as many captions, not {len(captions)}.")
    name, side = f"m{uuid4().hex[:8]}", 48
    across = max(40, math.isqrt(len(pictures)) + 1)  # a WebP has at most 16,383 pixels a side
    sheet = _sheet(pictures, side, across)
    dots = []
    for i, ((x, y), caption) in enumerate(zip(_places(xy), captions, strict=True)):
        row, column = divmod(i, across)
        dots.append(
            f'<i style="left:{97 * x:.2f}%;top:{96 * y:.2f}%;'
            f'background-position:-{column * side // 2}px -{row * side // 2}px" '
            f'title="{html.escape(caption)}"></i>'
        )
    told = html.escape(f"{title or 'Map'}: {len(pictures)} pictures; the mouse names each")
    page = f"""<style>
#{name} {{position:relative;width:100%;max-width:{CANVAS[0]}px;height:{CANVAS[1]}px;
background:{PAPER};color:{INK};font-family:sans-serif;overflow:hidden}}
#{name} i {{position:absolute;width:{side // 2}px;height:{side // 2}px;
background-image:url(data:image/webp;base64,{sheet});background-size:{across * side // 2}px auto}}
#{name} i:hover {{transform:scale(4);z-index:9;outline:1px solid {INK};
background-color:{PAPER}}}
#{name} i:hover::after {{content:attr(title);position:absolute;left:0;top:100%;font:5px sans-serif;
background:{PAPER};color:{INK};white-space:nowrap;padding:0 1px}}
</style><b style="font-size:1.1em">{html.escape(title)}</b>
<div id="{name}" role="img" aria-label="{told}">{"".join(dots)}</div>"""
    if in_notebook():
        display_html(page)
    return page


def _sheet(pictures: ImageSet, side: int, across: int) -> str:
    """All pictures on one WebP, `across` in a row, without what their masks leave out; base64."""
    rows = -(-len(pictures) // across)
    sheet = Image.new("RGBA", (across * side, rows * side))
    for i, image in enumerate(pictures.images):
        row, column = divmod(i, across)
        small = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
        if pictures.masks is not None:
            mask = Image.fromarray(pictures.masks[i]).resize((side, side), Image.Resampling.BOX)
            small.putalpha(mask)
        sheet.paste(small, (column * side, row * side))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()


def map_sliders(
    maps: Mapping[tuple[Any, Any], np.ndarray], pictures: ImageSet, names: tuple[str, str]
) -> Any:
    """Two sliders that choose among maps made before; the picture follows at once.

    maps : by the two settings, float N×2, one map for every pair of them. names : of the settings.

    Returns the widget (ipywidgets), which a notebook shows as the last line of a cell.
    """
    import ipywidgets

    first, second = (sorted({pair[i] for pair in maps}) for i in (0, 1))
    wide = {"style": {"description_width": "110px"}, "layout": {"width": "420px"}}
    sliders = [
        ipywidgets.SelectionSlider(options=values, value=values[len(values) // 2],
                                   description=name, **wide)
        for values, name in zip((first, second), names, strict=True)
    ]  # fmt: skip
    picture = ipywidgets.Image(format="png", width=CANVAS[0], height=CANVAS[1])

    def follow(*_: Any) -> None:
        pair = sliders[0].value, sliders[1].value
        small = Image.fromarray(painted(maps[pair], pictures)).resize(CANVAS, Image.Resampling.BOX)
        buffer = io.BytesIO()
        small.save(buffer, "PNG", compress_level=1)
        picture.value = buffer.getvalue()

    for slider in sliders:
        slider.observe(follow, "value")
    follow()
    return ipywidgets.VBox([*sliders, picture])


def _places(xy: np.ndarray) -> np.ndarray:
    """Where points lie between the map's borders, 0 to 1 from the left and from the top."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    at = (xy - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
    return np.stack([at[:, 0], 1 - at[:, 1]], axis=1)


def _checked(xy: np.ndarray, pictures: ImageSet | None = None) -> np.ndarray:
    xy = np.asarray(xy, np.float64)
    n = len(xy) if pictures is None else len(pictures)
    if xy.ndim != 2 or xy.shape != (n, 2) or not np.isfinite(xy).all():
        raise ValueError(f"A map of {n} needs finite numbers of shape ({n}, 2), not {xy.shape}.")
    return xy
