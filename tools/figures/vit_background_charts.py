"""The figures of the deck of lesson 02 that are made of results/."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from tools.figures.shared import BIG, larger, save
from utils.course import measured
from utils.plots import show_bars
from utils.plots.style import COLOURS, INK, Shown

WAYS = {
    "colour histogram": "colours",
    "cnn, random weights": "CNN, random weights",
    "pixels": "pixels",
    "cnn-photos": "CNN of photos",
    "cnn": "CNN of scenes",
    "vit": "transformer",
}


def found() -> dict[str, Any]:
    return measured("vit_background")


def in_percent(figure: Figure, values: Mapping[str, float], form: str = ".0%") -> str:
    """Rewrite the bars' numbers as percentages; returns them as a sentence."""
    for text, value in zip(figure.axes[0].texts, values.values(), strict=True):
        text.set_text(f"{value:{form}}")
    figure.axes[0].xaxis.set_major_formatter("{x:.0%}")
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items())


def who_follows() -> None:
    """How often the background wins, by way to embed, against an easy and a fair rival."""
    kept = found()["swap"]
    shared = {name: kept[name]["another_artist"]["background_wins"] for name in WAYS}
    control = {name: kept[name]["another_artist"]["other_ground_wins"] for name in WAYS}
    same = {name: kept[name]["background_wins"] for name in WAYS}
    with rc_context(BIG):
        figure = Shown(figsize=(12.4, 5.6), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        rows, names = np.arange(len(WAYS)), list(WAYS.values())
        bars = {
            "another thing on the same ground": (panels[0], same, 0.0, {}),
            "on the same ground": (panels[1], shared, -0.2, {}),
            "on an unrelated ground": (panels[1], control, 0.2, {"hatch": "//"}),
        }
        told = []
        for label, (axes, values, off, style) in bars.items():
            colour = COLOURS[1] if style else COLOURS[0]
            axes.barh(rows + off, list(values.values()), height=0.38 if off else 0.62, label=label,
                      color=colour, edgecolor="white", **style)  # fmt: skip
            for row, value in zip(rows, values.values(), strict=True):
                axes.annotate(f"{value:.1%}", (value, row + off), (6, 0), va="center",
                              textcoords="offset points")  # fmt: skip
            kind = "the very same drawing" if not off else "another artist's"
            shares = ", ".join(f"{n} {v:.1%}" for n, v in zip(names, values.values(), strict=True))
            told.append(f"against {kind}, {label}: {shares}")
        for axes, title in zip(panels, ("the very same drawing", "another artist's"), strict=True):
            axes.set_title(f"against {title}", fontweight="normal")
            axes.set(xlim=(0, 1.08), xticks=[])
            axes.spines["bottom"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        panels[0].set_yticks(rows, names)
        panels[0].invert_yaxis()
        panels[1].legend(title="another thing wins …", frameon=False, loc="lower right")
    text = "Share of scenes in which another thing wins "
    save(figure, "who_follows", text + "; ".join(told))


def student_teacher() -> None:
    """recall@1 of the transformer, its teacher, and what they are compared with."""
    kept = measured("cnn_scenes")["scenes"]
    ways = {
        "pixels": kept["pixels"],
        "CNN of photos": kept["cnn-photos"],
        "transformer, the student": measured("vit_scenes")["scenes"],
        "CNN of scenes, its teacher": kept["cnn-scenes"],
    }
    values = {name: way["recall_at_1"] for name, way in ways.items()}
    whiskers = {name: way["recall_at_1_interval"] for name, way in ways.items()}
    unit = f"recall@1 on {ways['pixels']['queries']:,} scenes, with 95 % interval"
    figure = show_bars(values, intervals=whiskers, unit=unit)
    told = in_percent(figure, values)
    larger(figure, 1.1)
    save(figure, "student_teacher", f"{unit}: {told}")


def above_08() -> None:
    """Share of pairs with a score above .8: of one thing, and of two."""
    ways = {"pixels": "pixels", "cnn, random weights": "CNN,\nrandom weights",
            "vit": "transformer", "cnn": "CNN of scenes"}  # fmt: skip
    kept = [found()["matcher"][way]["with background"] for way in ways]
    kinds = {"pairs of two things": "different_high", "pairs of one thing": "same_high"}
    told = []
    with rc_context(BIG):
        figure = Shown(figsize=(10.6, 4.9), layout="constrained")
        axes = figure.subplots()
        for side, (kind, key) in enumerate(kinds.items()):
            shares, rows = [of[key] for of in kept], np.arange(len(kept)) + 0.37 * side
            hatch = {"hatch": "//", "edgecolor": "white"} if side else {}
            axes.barh(rows, shares, height=0.35, color=COLOURS[1 - side], label=kind, **hatch)
            for row, share in zip(rows, shares, strict=True):
                text = f"{share:.0%}" if share > 0.1 else f"{100 * share:.2g}%"
                text = text if share > 1e-5 else f"{100 * share:.4f}%"
                axes.annotate(text, (share, row), (6, 0), textcoords="offset points", va="center")
                told.append(f"{kind} by {list(ways)[int(row)]} {text}")
        axes.set_yticks(np.arange(len(kept)) + 0.185, list(ways.values()))
        axes.invert_yaxis()
        axes.set(xlabel="share of pairs with a score above 0.8", xlim=(0, 0.75))
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.tick_params(axis="y", length=0)
        axes.legend(frameon=False, loc="lower right")
    save(figure, "above_08", "Share of pairs with a score above 0.8: " + ", ".join(told))


def gains() -> None:
    """Gain in recall@1 from removing the background, with masks found and with true ones."""
    ways = {"pixels": "pixels", "cnn-photos": "CNN of photos", "vit": "transformer",
            "cnn": "CNN of scenes"}  # fmt: skip
    kinds = {"masks found": ("found, white", "o"), "true masks": ("true, white", "D")}
    told = []
    with rc_context(BIG):
        figure = Shown(figsize=(10.6, 4.7), layout="constrained")
        axes = figure.subplots()
        for side, (kind, (key, marker)) in enumerate(kinds.items()):
            for row, way in enumerate(ways):
                result = found()["experiment"][way][key]
                low, high = (100 * end for end in result["gain_interval"])
                at, middle = row + 0.34 * side, 100 * result["gain"]
                axes.plot([low, high], [at, at], color=INK, linewidth=2.2)
                axes.plot(middle, at, marker=marker, markersize=13, color=COLOURS[1 - side],
                          markeredgecolor=INK, linestyle="none", zorder=3,
                          label="" if row else kind)  # fmt: skip
                axes.annotate(f"{middle:+.1f}", (high, at), (8, 0), textcoords="offset points",
                              va="center")  # fmt: skip
                told.append(f"{ways[way]} with {kind} {middle:+.1f} ({low:+.1f} to {high:+.1f})")
        axes.axvline(0, color=INK, linestyle=":", linewidth=2)
        axes.set_yticks(np.arange(len(ways)) + 0.17, list(ways.values()))
        axes.invert_yaxis()
        axes.set(xlabel="gain in recall@1, in points, with 95 % interval", xlim=(-1.5, 14))
        axes.tick_params(axis="y", length=0)
        axes.legend(frameon=False, loc="upper right")
    save(figure, "gains", "Gain in recall@1, in points: " + ", ".join(told))


def ten_thousand_pairs() -> None:
    """Of 10,000 pairs, how many are the same, and how many the matcher calls so."""
    kept, total = found()["matcher"], 10_000
    errors = kept["cnn"]["with background"]
    same = round(total * kept["positive_share"])
    hit = round(same * (1 - errors["missed"]))
    wrong = round((total - same) * errors["false_matches"])
    tall, gap, start = 58, 12, 0  # dots in a column, columns between, where a block begins
    blocks = {"same": (COLOURS[0], hit, COLOURS[1], wrong),
              "different": (INK, same - hit, "#d5d5d5", total - same - wrong)}  # fmt: skip
    with rc_context(BIG):
        figure = Shown(figsize=(12.4, 4.9), layout="constrained")
        axes = figure.subplots()
        for name, (colour, few, other, many) in blocks.items():
            x, y = np.divmod(np.arange(few + many), tall)
            for place, paint, size in ((slice(few, None), other, 7), (slice(few), colour, 20)):
                axes.scatter(start + x[place], -y[place], s=size, c=paint, marker="s", linewidths=0)
            told = f"called {name}: {few + many:,}\n{few} of them are the same"
            axes.text(start - 0.5, 2, told, fontsize=16, va="bottom")
            start += x.max() + gap
        axes.set(xlim=(-1.5, start - gap + 1.5), ylim=(-tall, 11), xticks=[], yticks=[])
        axes.set_aspect("equal")
        axes.spines[:].set_visible(False)
    told = f"{total:,} pairs as dots: {hit + wrong:,} are called the same, {hit} of them are; "
    told += f"{total - hit - wrong:,} are called different, {same - hit} of them are the same"
    save(figure, "ten_thousand_pairs", told, dpi=150)


def variations() -> None:
    """How the score with itself falls as a thing is turned, scaled, lit."""
    kept = found()["variations"]
    panels = {
        "angle": ("angles", "turned by, degrees"),
        "scale": ("scales", "size, in sides of the scene"),
        "light": ("lights", "every pixel times"),
    }
    strokes = {"cnn": ("CNN of scenes", COLOURS[0], "-"), "vit": ("transformer", COLOURS[1], "--")}
    told = []
    with rc_context(BIG):
        figure = Shown(figsize=(12.6, 4.5), layout="constrained")
        grid = figure.subplots(1, 3, sharey=True)
        for axes, (name, (key, label)) in zip(grid, panels.items(), strict=True):
            for way, (text, colour, stroke) in strokes.items():
                axes.plot(kept[key], kept[way][name], color=colour, linestyle=stroke, marker="o",
                          linewidth=2.5, label=text)  # fmt: skip
                told.append(f"{text} by {name} lowest {min(kept[way][name]):.2f}")
            level = found()["matcher"]["cnn"]["with background"]["threshold"]
            axes.axhline(level, color=INK, linestyle=":", linewidth=2)
            axes.set(xlabel=label, ylim=(-0.08, 1.05))
        grid[0].set_xticks([0, 45, 90, 135, 180])
        grid[0].set_ylabel("mean score with the original")
        grid[0].annotate("the CNN's threshold", (5, level), (0, -6), textcoords="offset points",
                         va="top", fontsize=14)  # fmt: skip
        grid[0].legend(frameon=False, loc="upper right")
    save(figure, "variations", "Mean score of a scene with itself changed: " + ", ".join(told))


CHARTS = (who_follows, student_teacher, above_08, gains, ten_thousand_pairs, variations)
