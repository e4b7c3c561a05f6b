"""The figures of the deck of lesson 01 that are made of results/."""

import numpy as np
from matplotlib import rc_context

from tools.figures.shared import BIG, larger, save
from utils.course import measured
from utils.plots import show_bars, show_curve
from utils.plots.style import COLOURS, INK, Shown

HALVINGS = {
    "stride": "stride 2",
    "max": "max pooling",
    "max, shifted": "max pooling, shifts in training",
    "average": "average pooling",
    "none": "no halving at all",
}


def one_hot() -> None:
    """Weights of a layer behind one-hot vectors, beside what exponential growth would be."""
    items = np.arange(1_000, 6_000, 1_000)
    counted = 64 * items
    doubling = counted[0] * 2 ** np.arange(len(items))  # through the first two points
    figure = show_curve(
        items,
        {"counted": counted, "exponential, through the first two points": doubling},
        xlabel="items, so length of a one-hot vector",
        ylabel="weights to 64 outputs",
    )
    larger(figure, 1.1)
    save(figure, "one_hot", figure.alt)


def contrast() -> None:
    """Contrast of random points by dimension, and where our pictures lie."""
    found = measured("cnn_embeddings")["contrast"]
    numbers = {name: way["numbers"] for name, way in measured("cnn_embeddings")["ways"].items()
               if name in found}  # fmt: skip
    figure = show_curve(
        found["dimensions"],
        found["random"]["median"],
        xlabel="dimensions",
        ylabel="(farthest − nearest) / nearest",
        log="xy",
        levels={f"our {name}, {n:,} numbers": found[name] for name, n in numbers.items()},
    )
    axes = figure.axes[0]
    axes.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    axes.annotate("random points", (found["dimensions"][8], found["random"]["median"][8]),
                  (10, 12), textcoords="offset points", color=COLOURS[0], fontsize=13)  # fmt: skip
    larger(figure, 1.1)
    save(figure, "contrast", figure.alt)


def shift() -> None:
    """How far a slide moves averaged and flattened maps."""
    found = measured("cnn_embeddings")["shift"]
    figure = show_curve(
        found["pixels"],
        {
            "maps, flattened": found["flattened"]["moved"],
            "maps, averaged: the embedding": found["averaged"]["moved"],
        },
        xlabel="slid by … of 64 pixels",
        ylabel="cosine distance to where it was",
        levels={"to the nearest other picture": found["averaged"]["nearest"]},
    )
    larger(figure, 1.1)
    save(figure, "shift", figure.alt)


def pooling() -> None:
    """How far one pixel moves an embedding, by how the network halves its maps."""
    found = measured("pooling")
    at = found["shifts"].index(1)
    moved = {text: found[name]["mean"] for name, text in HALVINGS.items()}
    figure = show_bars(
        {text: move["mean"][at] for text, move in moved.items()},
        intervals={text: (move["low"][at], move["high"][at]) for text, move in moved.items()},
        unit="how far one pixel moves it (1: to the nearest other)",
    )
    larger(figure, 1.1)
    save(figure, "pooling", figure.alt)


def flatten_average() -> None:
    """What a probe reads of the place from three readouts, and what each finds."""
    found = measured("cnn_embeddings")["readouts"]
    names = {name: f"{name}\n{found[name]['numbers']:,} numbers"
             for name in ("flattened", "averaged", "maximum")}  # fmt: skip
    with rc_context(BIG):
        figure = Shown(figsize=(10.2, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        off = {"a guess:\nalways the middle": found["guess"]["pixels_off"]}
        off |= {text: found[name]["pixels_off"] for name, text in names.items()}
        recall = {text: found[name]["recall_at_1"] for name, text in names.items()}
        whiskers = {text: found[name]["recall_at_1_interval"] for name, text in names.items()}
        for axes, values, form in ((left, off, ".1f"), (right, recall, ".0%")):
            axes.barh(list(values), list(values.values()), color=COLOURS[0], height=0.6)
            for name, value in values.items():
                low, high = whiskers[name] if axes is right else (value, value)
                axes.plot([low, high], [name, name], color=INK, linewidth=2)
                axes.annotate(f"{value:{form}}", (high, name), (6, 0), textcoords="offset points",
                              va="center")  # fmt: skip
            axes.set(xlim=(0, 1.18 * max(values.values())), xticks=[])
            axes.spines["bottom"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        left.invert_yaxis()
        left.set_title("Where is it? pixels off", fontweight="normal")
        right.set_title("What is it? recall@1", fontweight="normal")
    told = "Pixels that a probe of the place is off: " + _listed(off, ".1f")
    save(figure, "flatten_average", told + "; recall@1: " + _listed(recall, ".0%"))


def _listed(values: dict[str, float], form: str) -> str:
    return ", ".join(f"{name} {value:{form}}" for name, value in values.items()).replace("\n", " ")


def depth() -> None:
    """The gradient that reaches the first layer, and what 24 layers learn."""
    found = measured("cnn_embeddings")["depth"]
    strokes = dict(zip(found["gradient"], ("-", "--", "-.", ":"), strict=True))
    with rc_context(BIG):
        figure = Shown(figsize=(11.4, 4.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        for colour, (name, band) in zip(COLOURS, found["gradient"].items(), strict=False):
            left.plot(found["layers"], band["median"], color=colour, linestyle=strokes[name],
                      linewidth=2.5, marker="o", label=name)  # fmt: skip
            left.fill_between(found["layers"], band["low"], band["high"], color=colour, alpha=0.25)
        left.set_xscale("log", base=2)
        left.set_yscale("log")
        left.xaxis.set_major_formatter("{x:.0f}")
        left.set(xlabel="layers")
        left.set_title("gradient at the first layer", fontweight="normal")
        left.legend(frameon=False)
        shown = [name for name in found["accuracy"] if name[0] != "1"] + ["1 layer, with both"]
        learned = {name.replace("s, ", "s,\n").replace("r, ", "r,\n"): found["accuracy"][name]
                   for name in shown}  # fmt: skip
        for row, value in enumerate(learned.values()):
            right.barh(row, value["median"], color=COLOURS[0], height=0.6)
            right.plot([value["low"], value["high"]], [row] * 2, color=INK, linewidth=2)
            right.annotate(f"{value['median']:.0%}", (value["high"], row), (6, 0),
                           textcoords="offset points", va="center")  # fmt: skip
        right.set_yticks(range(len(learned)), list(learned))
        right.set(xlim=(0, 1.12), xticks=[])
        right.spines["bottom"].set_visible(False)
        right.tick_params(axis="y", length=0)
        right.invert_yaxis()
        right.set_title("unseen digits read after 80 steps", fontweight="normal")
    deepest = {name: band["deepest"] for name, band in found["gradient"].items()}
    told = f"Gradient at the first of {found['layers'][-1]} layers: {_listed(deepest, '.2g')}"
    read = {name: found["accuracy"][name]["median"] for name in shown}
    save(figure, "depth", f"{told}; unseen digits read: {_listed(read, '.0%')}")


def trios() -> None:
    """In how many trios the expected two are the nearer ones, for both networks."""
    found = measured("cnn_embeddings")
    drawn, photos = found["orders"], found["photo_orders"]
    values = {
        "cat, lion – car": drawn["cat, lion, car"],
        "two unseen mammals – vehicle": drawn["unseen mammals"],
        "the same, random weights": drawn["unseen mammals, random weights"],
        "cat, dog – car": photos["dog"],
        "cat, deer – car": photos["deer"],
        "cat, frog – car": photos["frog"],
    }
    figure = show_bars(values, unit="share of trios in the expected order")
    axes = figure.axes[0]
    for bar in axes.patches[3:]:
        bar.set(facecolor=COLOURS[1], hatch="//", edgecolor="white")
    axes.axvline(0.5, color=INK, linestyle=":", linewidth=2)
    axes.annotate("chance", (0.5, -0.5), (4, 0), textcoords="offset points", fontsize=13)
    for text in axes.texts:
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    larger(figure, 1.1)
    save(figure, "trios", figure.alt + "; chance 0.5")


CHARTS = (one_hot, contrast, shift, pooling, flatten_average, depth, trios)
