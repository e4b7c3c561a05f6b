"""The charts of the deck of lesson 09."""

from functools import cache
from typing import Any

import numpy as np
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure

from tools.figures.shared import BIG, save
from utils.course import measured
from utils.plots.style import COLOURS, GREY, INK, Shown
from utils.words import (
    clip_loss,
    embed_text,
    grams_of,
    load_dual_encoder,
    plain,
    read_things,
    words_of,
)

SCALES = (1, 2, 3, 5, 7, 10, 14, 20, 30)
LOOKS = (("the pair", COLOURS[0], "o-"), ("words alone", COLOURS[1], "s--"), ("chance", GREY, ":"))


@cache
def results() -> dict[str, Any]:
    return measured("words_and_pictures")


def canvas(high: float = 4.9) -> Figure:
    return Shown(figsize=(12, high), layout="constrained")


def learned_scale() -> None:
    """What being right or wrong costs at each scale; the loss and the scale while learning."""
    right = torch.eye(128)
    cost = {"all right": right, "all wrong": torch.roll(right, 1, 0)}
    runs = results()["training"].values()
    seconds = results()["size"]["members"] * float(np.mean([run["seconds"] for run in runs]))
    last = float(np.mean([run["scale"][-1] for run in runs]))
    with rc_context(BIG):
        figure = canvas()
        before, loss, scale = figure.subplots(1, 3)
        for (name, texts), colour, stroke in zip(
            cost.items(), COLOURS, ("o-", "s--"), strict=False
        ):
            before.plot(SCALES, [clip_loss(right, texts, s).item() for s in SCALES], stroke,
                        color=colour, label=name, linewidth=2.5)  # fmt: skip
        before.set(xlabel="scale", title="loss of a batch")
        before.legend(frameon=False)
        for run, stroke in zip(runs, ("-", "--", ":"), strict=True):
            loss.plot(run["step"], run["loss"], stroke, color=COLOURS[0], linewidth=2.5)
            scale.plot(run["step"], run["scale"], stroke, color=COLOURS[0], linewidth=2.5)
        loss.axhline(1.5 * np.log(128), color=GREY, linestyle=":", linewidth=2)
        loss.text(199, 1.5 * np.log(128) - 0.12, "a guess", ha="right", va="top")
        loss.set(xlabel="step", title="loss, three seeds", ylim=(0, 8.2))
        scale.set(xlabel="step", title="scale, three seeds")
    told = f"the loss of a reader falls to {np.mean([r['loss'][-1] for r in runs]):.2f}"
    save(figure, "learned_scale", f"What a batch costs by scale; {told}, the scale ends at "
         f"{last:.0f}; four readers took {seconds:.0f} seconds")  # fmt: skip


def recalls() -> None:
    """recall@1, 5, 10 of unseen things by name and keywords, both ways, both languages."""
    report, ks = results(), (1, 5, 10)
    ways = {"text_to_picture": "text → pictures", "picture_to_text": "picture → texts"}
    told = []
    with rc_context(BIG):
        figure = canvas()
        grid = figure.subplots(1, 4, sharey=True)
        places = [(way, language) for way in ways for language in ("en", "pt")]
        for axes, (way, language) in zip(grid, places, strict=True):
            asked = [report["test"]["retrieval"], report["overlap"]["test"]]
            lines = [
                [np.mean([table[s][language]["name_and_keywords"][way][f"recall_at_{k}"]
                          for s in ("emoji", "scenes")]) for k in ks]
                for table in asked
            ]  # fmt: skip
            lines.append([report["chance"][way][f"recall_at_{k}"] for k in ks])
            for (name, colour, stroke), line in zip(LOOKS, lines, strict=True):
                axes.plot(ks, line, stroke, color=colour, label=name, linewidth=2.5, markersize=8)
                axes.annotate(f"{line[-1]:.0%}", (10, line[-1]), (7, 0), va="center",
                              textcoords="offset points", color=INK, fontsize=14)  # fmt: skip
            in_words = {"en": "English", "pt": "Portuguese"}[language]
            axes.set(xlabel="k", xticks=ks, xlim=(0.5, 12.6), title=f"{ways[way]}\n{in_words}")
            told.append(f"{ways[way]}, {in_words}: {lines[0][-1]:.0%} against {lines[1][-1]:.0%}")
        grid[0].yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
        grid[0].set(ylabel="recall@k", ylim=(0, 0.29))
        grid[0].legend(frameon=False, loc="upper left", fontsize=14, borderpad=0)
    save(figure, "recalls", f"recall@10 of the pair and of words alone: {'; '.join(told)}")


def grouped(
    name: str,
    values: dict[str, list[float]],
    groups: tuple[str, ...],
    unit: str,
    spread: dict[str, list[float]] | None = None,
) -> None:
    """Horizontal bars side by side: by name, one for each group."""
    high = 0.8 / len(groups)
    with rc_context(BIG):
        figure = canvas(0.9 * len(values) + 1.3)
        axes = figure.subplots()
        for g, group in enumerate(groups):
            y = np.arange(len(values)) + (g - (len(groups) - 1) / 2) * high
            numbers = [value[g] for value in values.values()]
            errors = [(spread or {}).get(key, [0, 0, 0])[g] for key in values]
            axes.barh(y, numbers, high, xerr=errors if spread else None, color=COLOURS[g],
                      edgecolor=INK, hatch=("", "//", ".")[g], label=group,
                      error_kw={"elinewidth": 2.5})  # fmt: skip
            for at, number, error in zip(y, numbers, errors, strict=True):
                axes.annotate(f"{number:.1%}", (number + error, at), (7, 0), va="center",
                              textcoords="offset points")  # fmt: skip
        axes.set_yticks(range(len(values)), values, fontsize=17)
        axes.invert_yaxis()
        axes.margins(x=0.17)
        axes.set(xlabel=unit, xlim=(0, None))
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
        axes.tick_params(axis="y", length=0)
        if len(groups) > 1:
            axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    told = "; ".join(
        f"{key}: " + ", ".join(f"{g} {v:.1%}".strip() for g, v in zip(groups, row, strict=True))
        for key, row in values.items()
    ).replace("\n", " ")
    save(figure, name, f"{unit}: {told}")


def readers() -> None:
    """By language: one reader, four, English texts alone, and a sentence encoder."""
    tried, read = results()["ablations"], measured("sentences")["mean"]
    tables = {
        "one reader": tried["one_alone"]["test"],
        "four readers (ours)": tried["as_shipped"]["test"],
        "four, English texts alone": tried["english_alone"]["test"],
        "one sentence encoder": read,
    }
    both = ("en", "pt")
    grouped("readers", {n: [t[lang] for lang in both] for n, t in tables.items()},
            ("English", "Portuguese"), "mean recall on unseen things, ± one standard deviation",
            {n: [t[f"{lang}_sd"] for lang in both] for n, t in tables.items()})  # fmt: skip


def across_languages() -> None:
    """English to Portuguese names by n-grams and by the pair: do they share any, were they read?"""
    names = [thing.names for _, thing in sorted(read_things("test").items())]
    told = [[name[language] for name in names] for language in ("en", "pt")]
    pair = load_dual_encoder()
    english, portuguese = (embed_text(pair, texts) for texts in told)

    def letters(name: str) -> set[str]:
        return {gram for word in words_of(plain(name)) for gram in grams_of(word)}

    cut = [[letters(name) for name in texts] for texts in told]
    shared = np.array([[len(a & b) / len(a | b) for b in cut[1]] for a in cut[0]])
    same = np.arange(len(names))
    hits = {"by the pair": (english @ portuguese.T).argmax(1) == same,
            "by shared n-grams": (shared.argmax(1) == same) & (shared[same, same] > 0)}  # fmt: skip
    tower = pair.texts.members[0]
    rows = [
        [{r for w in words_of(name) for r in tower.rows_of(w)} for name in each] for each in told
    ]
    alike = shared[same, same] > 0
    mixed = np.array([bool(a & b) for a, b in zip(*rows, strict=True)]) & ~alike
    far = ~alike & ~mixed
    read = [
        {word for thing in read_things("train").values() for word in words_of(thing.text(language))}
        for language in ("en", "pt")
    ]
    known = np.array([
        all(read[i] & set(words_of(name)) for i, name in enumerate(both))
        for both in zip(*told, strict=True)
    ])  # fmt: skip
    parts = {
        f"{(far & known).sum()} share nothing,\nwords read before": far & known,
        f"{(far & ~known).sum()} share nothing,\nnot read in both": far & ~known,
        f"{mixed.sum()} share a row by accident": mixed,
        f"{alike.sum()} share some n-gram": alike,
    }
    table = {part: [hit[of].mean() for hit in hits.values()] for part, of in parts.items()}
    unit = f"recall@1 from English to Portuguese names; chance is {1 / len(names):.1%}"
    grouped("across_languages", table, tuple(hits), unit)


def prompts() -> None:
    shot = results()["test"]["zero_shot"]["emoji"]
    told = {"always the commonest": "commonest", "prompts in English": "en",
            "prompts in Portuguese": "pt", "means of labelled pictures": "class_means"}  # fmt: skip
    grouped("prompts", {name: [shot[key]] for name, key in told.items()}, ("",),
            "unseen drawings in the right one of five categories",
            {name: [shot[f"{key}_sd"]] for name, key in told.items()})  # fmt: skip


def sums() -> None:
    found = results()["test"]["arithmetic"]
    told = {"the picture alone": "picture_alone", "the other name alone": "text_alone",
            "picture + other name": "picture_plus_text",
            "picture − its name + other name": "picture_minus_plus"}  # fmt: skip
    grouped("sums", {name: [found[key]["recall_at_10"]] for name, key in told.items()}, ("",),
            "recall@10 of the other thing, ± one standard deviation",
            {name: [found[key]["recall_at_10_sd"]] for name, key in told.items()})  # fmt: skip


CHARTS = (learned_scale, recalls, readers, across_languages, prompts, sums)
