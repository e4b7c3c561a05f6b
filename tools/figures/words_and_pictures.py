"""The pictures and drawings of the deck of lesson 09; its charts are beside this file."""

import tempfile
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from tools.figures.shared import BIG, bare, larger, save, save_page, searched, without_openmoji
from tools.figures.words_and_pictures_charts import CHARTS
from tools.serving import app_served
from tools.slides import browser
from utils.app.screen import WORDS
from utils.embed import embed
from utils.images import ImageSet, load_images
from utils.photos import load_photos
from utils.plots import show_grid
from utils.plots.style import COLOURS, INK, RIGHT, WRONG, Shown
from utils.recommend import mmr, taste
from utils.words import DualEncoder, embed_text, grams_of, load_dual_encoder, read_things

ASKED = ("red apple", "maçã vermelha", "train", "um tigre")
NEW = {"cooked rice": "cooked rice", "carro de corrida": "racing car", "banana": "banana"}
SEVEN = {"cat": "en", "bus": "pt", "pig": "en", "rose": "pt", "bell": "en", "bear": "pt",
         "sun": "en"}  # fmt: skip
CUT = (("camelo", "camelos"), ("camelo", "camel"), ("gato", "cat"))
LIKED = ("noto/owl", "twemoji/octopus", "fluent/lion")


@cache
def pair() -> DualEncoder:
    return load_dual_encoder()


def found(scenes: ImageSet, texts: list[str], k: int) -> np.ndarray:
    """The k nearest scenes of each text, best first."""
    scores = embed_text(pair(), texts) @ embed(pair().images, scenes).T
    return np.argsort(-scores, axis=1)[:, :k]


def asked_in_words() -> None:
    scenes = without_openmoji(load_images("scenes"))
    best = found(scenes, list(ASKED), 7)
    rows = {f"“{text}”": scenes.images[i] for text, i in zip(ASKED, best, strict=True)}
    figure = show_grid(rows)
    larger(figure, 1.5)
    save(figure, "asked_in_words", f"Texts and the scenes nearest to them: {', '.join(ASKED)}")


def box(axes: Axes, x: float, y: float, told: str, colour: str) -> None:
    place = {"facecolor": colour, "alpha": 0.18, "edgecolor": colour, "linewidth": 2}
    axes.add_patch(plt.Rectangle((x, y), 2.6, 1.3, **place))
    axes.text(x + 1.3, y + 0.65, told, ha="center", va="center", fontsize=19)


def two_towers() -> None:
    """From a picture and from a text into one space."""
    apple = load_images("emoji", "train")
    apple = apple[[apple.ids.index("noto/red-apple")]].images[0]
    with rc_context(BIG):
        figure = Shown(figsize=(12, 4.9), layout="constrained")
        axes = figure.subplots()
        axes.imshow(apple, extent=(0.5, 2.1, 3, 4.6), interpolation="nearest")
        axes.text(1.3, 0.8, "“maçã\nvermelha”", ha="center", va="center", fontsize=21)
        towers = (
            (3.8, "cnn, frozen:\n192 numbers", COLOURS[0]),
            (0.8, "mean of its\nn-grams", COLOURS[1]),
        )
        arrow = {"arrowstyle": "-|>", "linewidth": 2.5, "color": INK}
        for y, told, colour in towers:
            box(axes, 3.1, y - 0.65, told, colour)
            box(axes, 6.5, y - 0.65, "linear map,\nlearned", colour)
            axes.annotate("", (3.05, y), (2.35, y), arrowprops=arrow)
            axes.annotate("", (6.45, y), (5.75, y), arrowprops=arrow)
            axes.annotate("", (10, 2.3 + (y - 2.3) / 3.5), (9.15, y), arrowprops=arrow)
        axes.add_patch(plt.Circle((11.2, 2.3), 1.35, fill=False, edgecolor=INK, linewidth=2))
        for x, y in ((11.7, 2.75), (10.75, 1.55), (10.7, 2.95)):  # pairs: a picture and its text
            axes.plot(x, y, "o", color=COLOURS[0], markersize=14)
            axes.plot(x + 0.22, y - 0.22, "s", color=COLOURS[1], markersize=13, markeredgecolor=INK)
        axes.text(11.2, 0.5, "one space", ha="center", va="center", fontsize=21)
        axes.set(xlim=(0, 12.7), ylim=(-0.1, 4.8), aspect="equal")
        bare(axes)
    save(figure, "two_towers", "A picture and a text each go through a tower into one space, where "
         "each picture lies beside its text")  # fmt: skip


def pieces() -> None:
    """The n-grams of three words, those that another has too filled."""
    with rc_context(BIG):
        figure = Shown(figsize=(12, 4.9), layout="constrained")
        axes, told = figure.subplots(), []
        for row, (one, two) in enumerate(CUT):
            mine, other = dict.fromkeys(grams_of(one)), set(grams_of(two))
            near = float(np.prod(embed_text(pair(), [one, two]), axis=0).sum())
            shared = len(other & set(mine))
            told.append(f"{one} and {two} share {shared} of {len(other | set(mine))} n-grams")
            axes.text(0, -4 * row, f"{told[-1]}; cosine {near:.2f}", fontsize=19, weight="bold")
            x, y = 0.0, -4 * row - 1.1
            for gram in mine:
                long = 0.32 * len(gram) + 0.35
                if x + long > 21.5:
                    x, y = 0.0, y - 1.1
                same = gram in other
                look = {"facecolor": COLOURS[5] if same else "white", "edgecolor": INK,
                        "linewidth": 2.5 if same else 0.8}  # fmt: skip
                axes.add_patch(plt.Rectangle((x, y - 0.35), long - 0.12, 0.9, **look))
                axes.text(x + long / 2 - 0.06, y + 0.08, gram, ha="center", va="center",
                          fontsize=13.5, family="monospace")  # fmt: skip
                x += long
        axes.set(xlim=(-0.05, 21.6), ylim=(-11.2, 0.9))
        bare(axes)
    save(figure, "pieces", f"Words cut into n-grams: {'; '.join(told)}")


def who_belongs() -> None:
    """All cosines of seven texts and seven drawings that the pair was taught."""
    drawings, things = load_images("emoji", "train"), read_things("train")
    own = drawings[[drawings.ids.index(f"noto/{name}") for name in SEVEN]]
    texts = [things[name].names[language] for name, language in SEVEN.items()]
    scores = embed_text(pair(), texts) @ embed(pair().images, own).T
    same = np.eye(len(texts), dtype=bool)
    with rc_context(BIG):
        figure = Shown(figsize=(12, 6.1), layout="constrained")
        axes = figure.subplots()
        axes.imshow(scores, cmap="cividis", aspect=0.62)
        for (row, column), cosine in np.ndenumerate(scores):
            middle = (scores.max() + scores.min()) / 2
            axes.text(column, row, f"{cosine:.2f}", ha="center", va="center", fontsize=16,
                      color=INK if cosine > middle else "white")  # fmt: skip
            if row == column:
                edge = {"fill": False, "edgecolor": INK, "linewidth": 3.5}
                axes.add_patch(plt.Rectangle((row - 0.47, row - 0.47), 0.94, 0.94, **edge))
        for i, drawing in enumerate(own.images):
            axes.imshow(drawing, extent=(i - 0.31, i + 0.31, -0.6, -1.6), interpolation="nearest")
        axes.set_yticks(range(len(texts)), [f"“{text}”" for text in texts], fontsize=18)
        axes.set(
            xticks=[], xlim=(-0.5, len(texts) + 2.6), ylim=(len(texts) + 0.6, -1.7), aspect=0.62
        )
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        arrow = {"arrowstyle": "-|>", "linewidth": 2.5, "color": INK}
        axes.annotate("", (7.3, 2), (6.6, 2), arrowprops=arrow)
        axes.text(7.4, 2, "each row:\nwhich picture\nis mine?", va="center", fontsize=18)
        axes.annotate("", (4, 7.35), (4, 6.55), arrowprops=arrow)
        axes.text(4.3, 7.15, "each column: which text is mine?", va="center", fontsize=18)
    told = f"their own {scores[same].mean():.2f} in the mean, all others {scores[~same].mean():.2f}"
    save(figure, "who_belongs", f"Cosines of {len(texts)} texts and drawings: {told}")


def framed(rows: dict[str, np.ndarray], right: np.ndarray, by: float) -> Figure:
    """A grid of pictures; what is right has a thick blue frame, the rest a thin one."""
    figure = show_grid(rows)
    for axes, good in zip(figure.axes, right.flat, strict=True):
        axes.spines[:].set(visible=True, color=RIGHT if good else WRONG, linewidth=5 if good else 1)
    larger(figure, by)
    return figure


def never_seen() -> None:
    """Texts for things that were never seen: two that go well, one that does not."""
    scenes = searched()[0]
    best = found(scenes, list(NEW), 7)
    names = np.array(scenes.classes)[scenes.labels[best]]
    right = names == np.array(list(NEW.values()))[:, None]
    rows = {f"“{text}”": scenes.images[i] for text, i in zip(NEW, best, strict=True)}
    told = [f"{text}: {n} of 7 right" for text, n in zip(NEW, right.sum(axis=1), strict=True)]
    save(framed(rows, right, 1.5), "never_seen", f"Scenes nearest to {', '.join(told)}")


def photographs() -> None:
    photos = load_photos()
    words = sorted({*photos.classes, *read_things("train"), *read_things("test")})
    scores = embed(pair().images, photos) @ embed_text(pair(), words).T
    guesses = [f"“{words[row.argmax()]}”" for row in scores]
    figure = show_grid({"": photos.images}, columns=guesses)
    larger(figure, 1.6)
    told = ", ".join(f"{n}: {g}" for n, g in zip(photos.classes, guesses, strict=True))
    save(figure, "photographs", f"Four photographs and what they are taken for: {told}")


def text_box() -> None:
    """The app asked with two words."""
    scenes = without_openmoji(load_images("scenes", "train"))
    with tempfile.TemporaryDirectory() as folder:
        for i, image in enumerate(scenes.images):
            place = Path(folder) / scenes.label_of(i)
            place.mkdir(exist_ok=True)
            Image.fromarray(image).save(place / f"{scenes.ids[i].partition('/')[0]}.png")
        with app_served(folder, "--model=cnn") as url, browser() as chromium:
            window = {"width": 900, "height": 574}
            page = chromium.new_page(viewport=window, device_scale_factor=1.4)
            page.set_default_timeout(90_000)
            page.goto(url)
            tiles = page.locator(".la-main > .la-tiles .la-tile:not([hidden])")
            tiles.nth(9).wait_for()
            page.get_by_placeholder(WORDS).fill("maçã vermelha")
            page.get_by_placeholder(WORDS).press("Enter")
            page.locator('.la-main > .la-tiles .la-tile:has-text("red apple")').first.wait_for()
            page.wait_for_timeout(800)
            told = "The search app, asked in words for maçã vermelha, and its ten answers"
            save_page(page, "text_box", told)


def ten_for_a_user() -> None:
    """Ten answers near the mean of three likes, without and with maximal marginal relevance."""
    scenes, vectors = searched()
    kinds = scenes.relabel("category").labels
    liked = [scenes.ids.index(id) for id in LIKED]
    user = taste(vectors[liked])
    scores = vectors @ user
    scores[liked] = -np.inf
    near = np.argsort(-scores, kind="stable")[:50]
    shown = np.stack([near[mmr(user, vectors[near], 10, balance)] for balance in (1.0, 0.7)])
    different = [len({*scenes.labels[row]}) for row in shown]
    rows = {"liked": scenes.images[liked], "λ = 1": scenes.images[shown[0]],
            "λ = 0.7": scenes.images[shown[1]]}  # fmt: skip
    right = np.concatenate([np.zeros((1, 10), bool), kinds[shown] == kinds[liked[0]]])
    figure = framed(rows, right, 2)
    for axes in figure.axes[:10]:
        axes.spines[:].set_visible(False)
    told = f"Three likes, ten answers of {different[0]} things, and with variety of {different[1]}"
    save(figure, "ten_for_a_user", told)


DRAWN = (
    asked_in_words, two_towers, pieces, who_belongs, never_seen, photographs, text_box,
    ten_for_a_user, *CHARTS,
)  # fmt: skip
