"""The figures of the deck of lesson 06."""

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from matplotlib import rc_context
from matplotlib.axes import Axes
from PIL import Image, ImageDraw

from tools.figures.shared import BIG, bare, larger, rows_of, save, save_page, searched
from tools.serving import app_served
from tools.slides import browser
from utils.app import Search
from utils.course import measured
from utils.explain import similarity_maps, spotlight
from utils.images import ImageSet
from utils.models import load_model
from utils.plots import show_bars, show_curve, show_grid, show_neighbours
from utils.plots.style import COLOURS, INK, Shown

PANDA = "noto/panda"
LIKES = (1, 2, 3, 5, 8)
WEIGHTS = (0, 10, 20, 30, 50, 100)
TRUSTED = (1, 2, 4, 8, 16)


@cache
def search() -> Search:
    return Search(searched()[0])


def panda() -> None:
    gallery, found = searched()[0], search().ask(search().query(PANDA), 5)
    figure = show_neighbours(
        gallery[rows_of([PANDA])], gallery, np.array([found.ids]), np.array([found.distances])
    )
    larger(figure, 1.2)
    save(figure, "panda", figure.alt)


def box(axes: Axes, x: float, title: str, lines: list[str], colour: str) -> None:
    axes.add_patch(plt.Rectangle((x, 0), 3.6, 3, facecolor=colour, alpha=0.15, edgecolor=colour))
    axes.text(x + 1.8, 2.65, title, ha="center", va="center", fontsize=19, weight="bold")
    for i, line in enumerate(lines):
        axes.text(x + 0.2, 1.95 - 0.62 * i, line, va="center", fontsize=16)


def two_halves() -> None:
    """A widget: what one sees, and the Python object behind it."""
    with rc_context(BIG):
        figure = Shown(figsize=(12, 4.6), layout="constrained")
        axes = figure.subplots()
        seen = ["a menu, a button, ten pictures", "hears the click", "draws what it is told"]
        kept = ["the menu's value", "calls our function", "search, embed, compare"]
        box(axes, 0, "browser", seen, COLOURS[0])
        box(axes, 6.4, "kernel", kept, COLOURS[4])
        arrow = {"arrowstyle": "-|>", "linewidth": 2.5, "color": INK}
        axes.annotate("", (6.3, 2), (3.7, 2), arrowprops=arrow)
        axes.annotate("", (3.7, 0.8), (6.3, 0.8), arrowprops=arrow)
        axes.text(5, 2.2, "“pizza”", ha="center", fontsize=17)
        axes.text(5, 1.0, "ten pictures", ha="center", fontsize=17)
        axes.set(xlim=(-0.1, 10.1), ylim=(-0.1, 3.1))
        bare(axes)
    told = "The browser shows and hears, the kernel holds the value and calls our function"
    save(figure, "two_halves", f"Two halves of a widget. {told}")


def uploads() -> None:
    cat = Image.fromarray(skimage.data.chelsea())
    turned, clear = Image.Exif(), cat.copy()
    turned[0x0112] = 6
    oval = Image.new("L", cat.size)
    ImageDraw.Draw(oval).ellipse((75, 0, 375, 300), fill=255)
    clear.putalpha(oval)
    files: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "as it is": (cat, {"format": "JPEG", "quality": 95}),
        "on its side": (
            cat.rotate(90, expand=True),
            {"format": "JPEG", "quality": 95, "exif": turned},
        ),
        "transparent": (clear, {"format": "PNG"}),
    }
    asked = []
    for name, (picture, how) in files.items():
        file = io.BytesIO()
        picture.save(file, **how)
        asked.append(search().outside(file.getvalue(), name))
    queries = ImageSet(np.stack([query.image for query in asked]), np.full(3, -1), [], list(files))
    found = np.array([search().ask(query, 6).ids for query in asked])
    figure = show_neighbours(queries, searched()[0], found)
    larger(figure, 1.2)
    save(figure, "uploads", "Three files of one cat and their answers")


def app() -> None:
    """The app asked with a panda."""
    gallery = searched()[0]
    with tempfile.TemporaryDirectory() as folder:
        for i, image in enumerate(gallery.images):
            place = Path(folder) / gallery.label_of(i)
            place.mkdir(exist_ok=True)
            Image.fromarray(image).save(place / f"{gallery.ids[i].partition('/')[0]}.png")
        with app_served(folder, "--model=cnn") as url, browser() as chromium:
            window = {"width": 1080, "height": 680}
            page = chromium.new_page(viewport=window, device_scale_factor=1.15)
            page.set_default_timeout(90_000)
            page.goto(url)
            page.locator(".la-main > .la-tiles .la-tile:not([hidden])").nth(9).wait_for()
            find = page.get_by_placeholder("find by name")
            find.fill("panda")
            find.press("Enter")
            page.locator('.la-side [title="panda/noto.png"]').click()
            page.locator('.la-top .la-figure:has-text("panda")').wait_for()
            page.wait_for_timeout(500)
            told = "The search app: a panda, its ten answers, and all that can be set"
            save_page(page, "app", told)


def why() -> None:
    gallery, found = searched()[0], search().ask(search().query(PANDA), 6).ids
    query, lit = search().query(PANDA), {"query": [], "answer": []}
    for id in found:
        shares = search().why(query, id)
        lit["query"].append(spotlight(query.image, shares.first))
        lit["answer"].append(spotlight(gallery.images[rows_of([id])[0]], shares.second))
    figure = show_grid({name: np.stack(pictures) for name, pictures in lit.items()})
    larger(figure, 1.2)
    save(figure, "why", "A panda and six answers, bright where their scores come from")


def shares_within() -> None:
    """How much of the score comes from within the thing, over the test scenes figures may show."""
    gallery, vectors = searched()
    model, rng = load_model("cnn"), np.random.default_rng(0)
    covered, inside = [], []
    for i in rng.choice(len(gallery), 200, replace=False):
        close = vectors @ vectors[i]
        close[i] = -1
        shares = similarity_maps(model, gallery.images[i], gallery.images[close.argmax()]).first
        mask = Image.fromarray(gallery.masks[i]).resize(shares.shape, Image.Resampling.BOX)
        within = np.asarray(mask) / 255
        covered.append(within.mean())
        inside.append((shares * within).sum() / shares.sum())
    figure = show_bars(
        {"of the picture": float(np.mean(covered)), "of the score": float(np.mean(inside))},
        unit="share that lies within the thing, mean of 200 queries",
    )
    larger(figure, 1.2)
    save(figure, "shares_within", figure.alt)


def taste() -> None:
    kept = measured("recommendation")["test"]
    curves = {
        "near any like": [kept[str(n)]["nearest"] for n in LIKES],
        "near the mean": [kept[str(n)]["mean"] for n in LIKES],
        "any, new things": [kept[str(n)]["new_nearest"] for n in LIKES],
        "mean, new things": [kept[str(n)]["new_mean"] for n in LIKES],
    }
    figure = show_curve(
        LIKES, curves, xlabel="likes", ylabel="right ones among ten",
        levels={"chance": kept["chance"]["share"]},
    )  # fmt: skip
    larger(figure, 1.15)
    save(figure, "taste", figure.alt)


def dislikes() -> None:
    kept = measured("recommendation")["test"]["8"]
    curves = {
        "the means as they are": [kept[f"next_{w}"] for w in WEIGHTS],
        "both at length 1": [kept[f"scaled_{w}"] for w in WEIGHTS],
    }
    figure = show_curve(
        [w / 100 for w in WEIGHTS], curves,
        xlabel="weight of the dislikes, after eight likes", ylabel="right ones among the next ten",
        levels={"without dislikes": kept["next_0"]},
    )  # fmt: skip
    larger(figure, 1.15)
    save(figure, "dislikes", figure.alt)


def expansion() -> None:
    """What a query gains by taking in its own first answers, in points."""
    kept = measured("recommendation")["expansion"]
    names = {
        "categories": "scenes, by category",
        "photos": "photos, 500 a class",
        "things": "scenes, by thing",
        "few_photos": "photos, 6 a class",
    }
    curves = {name: [kept[key][f"gain_{k}"] for k in TRUSTED] for key, name in names.items()}
    figure = show_curve(
        TRUSTED, curves, xlabel="answers that the query takes in",
        ylabel="points more right answers", levels={"": 0},
    )  # fmt: skip
    larger(figure, 1.15)
    save(figure, "expansion", figure.alt)


DRAWN = (panda, two_halves, uploads, app, why, shares_within, taste, dislikes, expansion)
