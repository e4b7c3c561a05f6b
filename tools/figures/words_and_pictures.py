"""The figures of the deck of lesson 09."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.axes import Axes

from tools.figures.shared import BIG, bare, larger, save, without_openmoji
from utils.course import measured
from utils.embed import embed
from utils.images import ImageSet, load_images
from utils.photos import load_photos
from utils.plots import show_bars, show_curve, show_grid, show_matrix
from utils.plots.style import COLOURS, INK, Shown
from utils.words import (
    DualEncoder,
    clip_loss,
    embed_text,
    grams_of,
    load_dual_encoder,
    read_things,
    words_of,
)

ASKED = ("red apple", "maçã vermelha", "train", "um tigre")
EIGHT = ("cat", "bus", "pig", "rose", "bell", "moon", "bear", "sun", "tent", "egg")
SCALES = (1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 100)


@cache
def pair() -> DualEncoder:
    return load_dual_encoder()


@cache
def results() -> dict:
    return measured("words_and_pictures")


@cache
def placed() -> tuple[ImageSet, np.ndarray]:
    """The scenes that figures may show, in the shared space."""
    scenes = without_openmoji(load_images("scenes"))
    return scenes, embed(pair().images, scenes)


def asked() -> None:
    scenes, vectors = placed()
    rows = {}
    for text in ASKED:
        order = np.argsort(-(vectors @ embed_text(pair(), text)[0]))[:6]
        rows[f"“{text}”"] = scenes.images[order]
    figure = show_grid(rows)
    larger(figure, 1.3)
    save(figure, "asked_in_words", f"Texts and the scenes nearest to them: {', '.join(ASKED)}")


def box(axes: Axes, x: float, y: float, width: float, told: str, colour: str) -> None:
    place = {"facecolor": colour, "alpha": 0.18, "edgecolor": colour, "linewidth": 2}
    axes.add_patch(plt.Rectangle((x, y), width, 1.2, **place))
    axes.text(x + width / 2, y + 0.6, told, ha="center", va="center", fontsize=19)


def two_towers() -> None:
    """From a picture and from a text into one space."""
    with rc_context(BIG):
        figure = Shown(figsize=(12, 4.6), layout="constrained")
        axes = figure.subplots()
        box(axes, 0, 2.6, 2.2, "a picture", COLOURS[0])
        box(axes, 3, 2.6, 2.2, "cnn, frozen", COLOURS[0])
        box(axes, 6, 2.6, 2.2, "linear map", COLOURS[0])
        box(axes, 0, 0, 2.2, "“maçã vermelha”", COLOURS[1])
        box(axes, 3, 0, 2.2, "n-grams, mean", COLOURS[1])
        box(axes, 6, 0, 2.2, "linear map", COLOURS[1])
        arrow = {"arrowstyle": "-|>", "linewidth": 2.5, "color": INK}
        for y in (3.2, 0.6):
            for x in (2.25, 5.25):
                axes.annotate("", (x + 0.7, y), (x, y), arrowprops=arrow)
            axes.annotate("", (9.3, 1.9 + (y - 1.9) / 3), (8.25, y), arrowprops=arrow)
        axes.add_patch(plt.Circle((10.3, 1.9), 1.05, fill=False, edgecolor=INK, linewidth=2))
        for (dx, dy), colour in (((0.3, 0.3), COLOURS[0]), ((0.45, 0.05), COLOURS[1])):
            axes.plot(10.3 + dx, 1.9 + dy, "o", color=colour, markersize=15)
        axes.text(10.3, 0.45, "one space", ha="center", fontsize=19)
        axes.set(xlim=(-0.1, 11.5), ylim=(-0.1, 4.0), aspect="equal")
        bare(axes)
    save(figure, "two_towers", "A picture and a text each go through a tower into one space")


def who_belongs() -> None:
    things = read_things("train")
    names = [name for name in EIGHT if name in things][:7]
    drawings = without_openmoji(load_images("emoji", "train"))
    first = [int(np.flatnonzero(drawings.labels == drawings.classes.index(n))[0]) for n in names]
    scores = embed_text(pair(), names) @ embed(pair().images, drawings[first]).T
    figure = show_matrix({"text (row) and picture (column)": scores}, names, unit="cosine")
    larger(figure, 1.1)
    save(figure, "who_belongs", f"Cosines of {len(names)} names and their drawings: {figure.alt}")


def temperature() -> None:
    right = torch.eye(128)
    wrong = torch.roll(right, 1, 0)
    curves = {
        "all right": [clip_loss(right, right, s).item() for s in SCALES],
        "all wrong": [clip_loss(right, wrong, s).item() for s in SCALES],
    }
    axis = {"xlabel": "scale, one over the temperature", "ylabel": "loss, batch of 128"}
    figure = show_curve(SCALES, curves, **axis, log="x")
    larger(figure, 1.15)
    save(figure, "temperature", figure.alt)


def bars(name: str, values: dict[str, float], unit: str, spread: dict | None = None) -> None:
    figure = show_bars(values, unit=unit, intervals=spread)
    larger(figure, 1.15)
    save(figure, name, figure.alt)


def never_seen() -> None:
    chance = results()["chance"]["text_to_picture"]["recall_at_10"]
    values = {"chance": chance}
    for asked, told in (("name", "by name"), ("name_and_keywords", "with keywords")):
        for way, table in (("word overlap", results()["overlap"]), ("the pair", results())):
            found = table["test"] if way == "word overlap" else table["test"]["retrieval"]
            cells = [found[s][lang][asked]["text_to_picture"]["recall_at_10"]
                     for s in ("emoji", "scenes") for lang in ("en", "pt")]  # fmt: skip
            values[f"{told}: {way}"] = float(np.mean(cells))
    bars("never_seen", values, "recall@10, drawings and scenes, both languages, three seeds")


def what_helps() -> None:
    tried = results()["ablations"]
    told = {"as shipped": "as_shipped", "one reader, not four": "one_alone",
            "whole words alone": "words_alone", "n-grams alone": "ngrams_alone",
            "no loss between languages": "not_between_languages",
            "English texts alone": "english_alone"}  # fmt: skip
    tests = {name: tried[key]["test"] for name, key in told.items()}
    spread = {n: (t["all"] - t["all_sd"], t["all"] + t["all_sd"]) for n, t in tests.items()}
    unit = "mean recall on unseen things, ± one standard deviation"
    bars("what_helps", {name: t["all"] for name, t in tests.items()}, unit, spread)


def reading() -> None:
    """By name alone: our n-grams, and an encoder that has read English."""
    ours, read = results()["test"]["retrieval"], measured("sentences")["test"]
    values = {"chance": results()["chance"]["text_to_picture"]["recall_at_10"]}
    for language, told in (("en", "English"), ("pt", "Portuguese")):
        ways = {"the pair": ours, "sentence encoder": read}
        for way, table in ways.items():
            cell = table["emoji"][language]["name"]["text_to_picture"]
            values[f"{told}: {way}"] = cell["recall_at_10"]
    bars("reading", values, "recall@10 by name alone, unseen drawings, three seeds")


def no_common_ngram() -> None:
    """Names that share no n-gram with their translation, against the others."""
    names = [thing.names for _, thing in sorted(read_things("test").items())]
    english, portuguese = (embed_text(pair(), [n[lang] for n in names]) for lang in ("en", "pt"))
    hit = (english @ portuguese.T).argmax(1) == np.arange(len(names))

    def letters(name: str) -> set[str]:
        return {gram for word in words_of(name) for gram in grams_of(word)}

    far = np.array([not letters(n["en"]) & letters(n["pt"]) for n in names])
    values = {
        "chance": 1 / len(hit),
        f"{far.sum()} names that share no n-gram": hit[far].mean(),
        f"{(~far).sum()} names that share some": hit[~far].mean(),
    }
    bars("no_common_ngram", values, "recall@1 from English to Portuguese, unseen things")


def prompts() -> None:
    shot = results()["test"]["zero_shot"]["emoji"]
    values = {
        "always the commonest": shot["commonest"],
        "prompts in English": shot["en"],
        "prompts in Portuguese": shot["pt"],
        "means of labelled pictures": shot["class_means"],
    }
    bars("prompts", values, "share of unseen drawings in the right one of five categories")


def photographs() -> None:
    photos = load_photos()
    words = sorted({*photos.classes, *read_things("train"), *read_things("test")})
    scores = embed(pair().images, photos) @ embed_text(pair(), words).T
    guesses = [f"{words[row.argmax()]}?" for row in scores]
    figure = show_grid({"": photos.images}, columns=guesses)
    larger(figure, 1.3)
    told = ", ".join(f"{n}: {g}" for n, g in zip(photos.classes, guesses, strict=True))
    save(figure, "photographs", f"Four photographs and what they are taken for: {told}")


def sums() -> None:
    found = results()["test"]["arithmetic"]
    told = {"the picture alone": "picture_alone", "the other name alone": "text_alone",
            "picture + other name": "picture_plus_text",
            "picture − its name + other name": "picture_minus_plus"}  # fmt: skip
    values = {name: found[key]["recall_at_10"] for name, key in told.items()}
    bars("sums", values, "recall@10 of the other thing, three seeds")


def variety() -> None:
    worth = measured("variety")["test"]
    steps = (100, 90, 80, 70, 60, 50, 30, 0)
    told = {"of the right category": "right", "different things": "different",
            "different and right": "different_right"}  # fmt: skip
    curves = {n: [10 * worth[f"mmr_{b}"][key] for b in steps] for n, key in told.items()}
    axis = {"xlabel": "λ: 1 is relevance alone, 0 variety alone", "ylabel": "among ten answers"}
    figure = show_curve([b / 100 for b in steps], curves, **axis)
    larger(figure, 1.15)
    save(figure, "variety", figure.alt)


DRAWN = (
    asked,
    two_towers,
    who_belongs,
    temperature,
    never_seen,
    what_helps,
    reading,
    no_common_ngram,
    prompts,
    photographs,
    sums,
    variety,
)
