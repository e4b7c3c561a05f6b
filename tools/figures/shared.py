"""What the figures of all decks share: what they may show, how they are written."""

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page

from utils import ROOT
from utils.embed import embed
from utils.images import ImageSet, load_images
from utils.models import load_model
from utils.plots.style import DPI, STYLE, Shown

FIGURES = ROOT / "slides" / "figures"
BIG = {**STYLE, "font.size": 15}  # a slide shows a figure smaller than a notebook does
LION = "noto/lion"  # the scene that the decks ask about


def without_openmoji(pictures: ImageSet) -> ImageSet:
    artists = pictures.relabel("artist")
    return pictures[[i for i in range(len(pictures)) if artists.label_of(i) != "openmoji"]]


@cache
def searched() -> tuple[ImageSet, np.ndarray]:
    """The test scenes that figures may show, and their embeddings."""
    gallery = without_openmoji(load_images("scenes", "test"))
    return gallery, embed(load_model("cnn"), gallery)


def rows_of(ids: Sequence[str]) -> list[int]:
    """Where scenes stand among those that figures may show."""
    return [searched()[0].ids.index(id) for id in ids]


def bare(axes: Axes) -> None:
    """Nothing around a picture."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def larger(figure: Figure, by: float) -> None:
    """Make all text larger, for a figure that a slide shows smaller than a notebook does."""
    for text in figure.findobj(Text):
        text.set_fontsize(text.get_fontsize() * by)


def save_page(page: Page, name: str, alt: str) -> None:
    """Write what a browser shows as a figure, pixel for pixel."""
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    figure = Shown(figsize=(11, 11 * shot.height / shot.width))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(shot)
    bare(axes)
    save(figure, name, alt, dpi=round(shot.width / 11))


def save(figure: Figure, name: str, alt: str = "", dpi: int = 2 * DPI) -> None:
    """Write a figure as a PNG of 256 colours, a third of the size, with its alt text inside."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", pad_inches=0.05)
    colours = Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    told = PngInfo()
    told.add_itxt("Description", alt or figure.alt)
    path = FIGURES / f"{name}.png"
    colours.save(path, pnginfo=told, optimize=True)
    print(f"wrote {path.relative_to(ROOT)}, {path.stat().st_size / 1000:.0f} kB")
