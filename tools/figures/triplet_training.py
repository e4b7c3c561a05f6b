"""The figures of the deck of lesson 03."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib import rc_context

from tools.figures.shared import BIG, LION, larger, rows_of, save, searched, without_openmoji
from utils import ROOT
from utils.course import measured
from utils.distances import nearest
from utils.embed import embed
from utils.images import load_images
from utils.models import TASKS, load_model
from utils.plots import show_bars, show_curve, show_grid, show_images, show_neighbours
from utils.plots.style import COLOURS, INK, Shown
from utils.triplet import batch_hard, random_triplets, semi_hard

MINERS = {"random": random_triplets, "semi-hard": semi_hard, "batch-hard": batch_hard}
ASKED = (LION, "twemoji/lion", "fluent/lion", "emojione/lion")


def percent(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.0%}" for name, value in values.items())


def triplet() -> None:
    """The title's picture: two lions, a ball, and how far apart the photo network sees them."""
    gallery, _ = searched()
    rows = rows_of((LION, "fluent/lion", "noto/volleyball"))
    vectors = embed(load_model("cnn-photos"), gallery)[rows]
    apart = np.linalg.norm(vectors - vectors[0], axis=1)
    captions = ["anchor", f"positive: {apart[1]:.2f}", f"negative: {apart[2]:.2f}"]
    figure = show_images(gallery[rows], captions, columns=3)
    save(
        figure,
        "triplet",
        "A lion; another lion; a volleyball; distances from the first: " + ", ".join(captions[1:]),
        dpi=300,
    )


def contrastive() -> None:
    d = np.linspace(0, 2, 81)
    curves = {"one label: d²": d**2, "two labels: max(0, 1 − d)²": np.maximum(0, 1 - d) ** 2}
    figure = show_curve(d, curves, xlabel="distance d of the pair", ylabel="loss")
    larger(figure, 1.15)
    save(figure, "contrastive", "The contrastive loss over distance: " + figure.alt)


def triplet_cost() -> None:
    d = np.linspace(0, 2, 81)
    curves = {f"positive at {near}": np.maximum(0, near - d + 0.2) for near in (0.2, 0.6, 1.0)}
    figure = show_curve(d, curves, xlabel="distance of the negative", ylabel="loss, margin 0.2")
    larger(figure, 1.15)
    save(figure, "triplet_cost", "The triplet loss: " + figure.alt)


def descend(clip: bool, steps: int = 200) -> np.ndarray:
    """The loss of three points in the plane that slide down it, in powers of ten with its sign."""
    points, values = torch.tensor([[0.0, 0.0], [1.0, 0.3], [0.5, -0.4]]), []
    for _ in range(steps):
        a, p, n = points.requires_grad_()
        value = (a - p).square().sum() - (a - n).square().sum() + 0.2
        value = value.relu() if clip else value
        (slope,) = torch.autograd.grad(value, points)
        points = (points - 0.02 * slope).detach()
        values.append(value.item())
    return np.sign(values) * np.log10(1 + np.abs(values))


def no_floor() -> None:
    curves = {"as printed": descend(False), "with max(0, ·)": descend(True)}
    figure = show_curve(range(200), curves, xlabel="step", ylabel="loss")
    axes = figure.axes[0]
    axes.yaxis.set_major_formatter(lambda y, _: "0" if not y else f"$-10^{{{-y:.0f}}}$")
    larger(figure, 1.15)
    told = "As printed the loss falls below minus ten to the power ten; with max it stays at 0"
    save(figure, "no_floor", told)


def miners() -> None:
    """What each miner takes for one lion among scenes of five artists."""
    gallery, _ = searched()
    vectors = torch.from_numpy(embed(load_model("cnn-photos"), gallery))
    rng = np.random.default_rng(0)
    batch = np.unique([*rows_of(ASKED), *rng.choice(len(gallery), 150, replace=False)])
    at = list(batch).index(rows_of((LION,))[0])
    d = torch.cdist(vectors[batch], vectors[batch])
    torch.manual_seed(0)
    rows = {}
    for name, mine in MINERS.items():
        a, p, n = mine(d, torch.from_numpy(gallery.labels[batch]))
        one = int((a == at).nonzero())
        rows[name] = gallery.images[batch[[at, int(p[one]), int(n[one])]]]
    figure = show_grid(rows, columns=["anchor", "positive", "negative"])
    larger(figure, 1.2)
    save(figure, "miners", "For one lion: the positive and negative that each miner takes")


def run_dry() -> None:
    table = measured("triplet_training")["active"]
    told = []
    with rc_context(BIG):
        figure = Shown(figsize=(10.6, 4.4), layout="constrained")
        axes = figure.subplots()
        for side, (key, name) in enumerate(
            {"cnn-photos": "photo network", "cnn": "trained for things"}.items()
        ):
            shares = [table[mine.__name__][key] for mine in MINERS.values()]
            rows, hatch = np.arange(3) + 0.37 * side, {"hatch": "//", "edgecolor": "white"}
            axes.barh(rows, shares, height=0.35, color=COLOURS[side], label=name,
                      **(hatch if side else {}))  # fmt: skip
            for row, share in zip(rows, shares, strict=True):
                axes.annotate(f"{share:.0%}", (share, row), (6, 0), textcoords="offset points",
                              va="center")  # fmt: skip
            told.append(f"{name}: {percent(dict(zip(MINERS, shares, strict=True)))}")
        axes.set_yticks(np.arange(3) + 0.185, list(MINERS))
        axes.invert_yaxis()
        axes.set(xlabel="share of active triplets, margin 0.2, training scenes", xlim=(0, 1.35))
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
        axes.tick_params(axis="y", length=0)
        axes.legend(frameon=False, loc="upper right")
    save(figure, "run_dry", "Share of active triplets, " + "; ".join(told))


def collapse() -> None:
    """Mean cosine over steps, each seed a thin line, their mean a thick one."""
    kept = measured("collapse")
    shown = {
        "batch-hard, squared": "batch-hard, squared: stays",
        "batch-hard, plain": "batch-hard, plain: comes out",
        "batch-hard, plain, rate cut early": "the same, rate cut at 30: stays",
        "batch-hard, squared, with cross-entropy": "squared + cross-entropy: mostly later",
        "semi-hard, squared": "semi-hard, squared: never falls in",
    }
    strokes = ("-", "--", ":", "-.", (0, (1, 2)))
    with rc_context(BIG):
        figure = Shown(figsize=(12, 5.2), layout="constrained")
        axes = figure.subplots()
        for i, (key, name) in enumerate(shown.items()):
            cosine = np.array(kept["runs"][key]["cosine"])
            axes.plot(kept["steps"], cosine.T, color=COLOURS[i], linewidth=0.8, alpha=0.5)
            axes.plot(kept["steps"], cosine.mean(0), color=COLOURS[i], linestyle=strokes[i],
                      linewidth=3.2, label=name)  # fmt: skip
        axes.set(xlabel="step", ylabel="mean cosine of all pairs", ylim=(-0.05, 1.05))
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    ends = ", ".join(
        f"{name} {np.mean(kept['runs'][key]['cosine'], 0)[-1]:.2f}" for key, name in shown.items()
    )
    save(figure, "collapse", f"Mean cosine after {kept['steps'][-1]} steps: {ends}")


def stops_pulling() -> None:
    d = np.geomspace(1e-3, 1, 25)
    figure = show_curve(
        d, {"d": np.ones(25), "d²": 2 * d}, xlabel="distance d of two embeddings",
        ylabel="length of the gradient", log="xy",
    )  # fmt: skip
    larger(figure, 1.15)
    save(figure, "stops_pulling", "The gradient of d has length 1, that of d squared 2 d")


def taught() -> None:
    kept = measured("triplet_training")["live"]
    values = {
        "photo network": kept["before"],
        "after the lesson's training": kept["mean_after"],
        "shipped weights": kept["shipped"],
    }
    ends = {"after the lesson's training": (min(kept["after"]), max(kept["after"]))}
    unit = "recall@1 on scenes of unseen things; range of three seeds"
    figure = show_bars(values, intervals=ends, unit=unit)
    larger(figure, 1.15)
    save(figure, "taught", f"{unit}: {percent(values)}")


def starts() -> None:
    kept, begun = measured("triplet_losses")["starts"], measured("efficientnet")["runs"]
    steps = begun["imagenet"]["0"]["training"]["step"]
    taught = {
        name: np.mean([run["training"]["recall"] for run in runs.values()], 0)
        for name, runs in begun.items()
    }
    panels = {
        "our CNN": {
            "from CIFAR-10's photos": (kept["steps"], np.mean(kept["from photos"], 0)),
            "from random weights": (kept["steps"], np.mean(kept["from scratch"], 0)),
        },
        "EfficientNet-Lite0": {
            "from ImageNet": (steps, taught["imagenet"]),
            "from random weights": (steps, taught["random"]),
        },
    }
    with rc_context(BIG):
        figure = Shown(figsize=(13, 5.5), layout="constrained")
        for axes, (title, curves) in zip(
            figure.subplots(1, 2, sharey=True), panels.items(), strict=True
        ):
            for style, (name, (steps, recall)) in zip("-:", curves.items(), strict=True):
                axes.plot(steps, recall, style, linewidth=4, label=f"{name}: {recall[-1]:.2f}")
            axes.set(title=title, xlabel="step", xlim=0)
            axes.legend(frameon=False)
    figure.axes[0].set(ylabel="recall@1, validation things", ylim=0)
    told = "; ".join(
        f"{title} {name} {recall[-1]:.2f}"
        for title, curves in panels.items()
        for name, (_, recall) in curves.items()
    )
    save(figure, "starts", f"recall@1 on scenes of validation things, at the end: {told}")


def losses() -> None:
    kept = measured("triplet_losses")["losses"]
    values = {name: float(np.mean(runs["scenes"])) for name, runs in kept.items()}
    ends = {name: (min(runs["scenes"]), max(runs["scenes"])) for name, runs in kept.items()}
    unit = "recall@1 on scenes of unseen things; mean and range of three seeds"
    figure = show_bars(values, intervals=ends, unit=unit)
    larger(figure, 1.1)
    save(figure, "losses", f"{unit}: {percent(values)}")


def table_4_1() -> None:
    """The thesis's table as a heat map with its numbers."""
    table = pd.read_csv(ROOT / "data/thesis_table_4_1.csv")
    wide = table.pivot(index=["backbone", "dim"], columns="margin", values="top1")
    with rc_context(BIG):
        figure = Shown(figsize=(9, 6), layout="constrained")
        axes = figure.subplots()
        axes.imshow(wide, cmap="cividis", vmin=40, vmax=90, aspect="auto")
        for (row, column), value in np.ndenumerate(wide.to_numpy()):
            axes.text(column, row, f"{value:.2f}", ha="center", va="center",
                      color="white" if value < 70 else INK)  # fmt: skip
        axes.set_xticks(range(3), [f"margin {m}" for m in wide.columns])
        axes.set_yticks(range(9), [f"{name}, {dim}-d" for name, dim in wide.index])
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    told = "Table 4.1 of the thesis, leave-one-out top-1 in percent: between 79 and 87.5, but for "
    save(figure, "table_4_1", told + "two cells at margin .5 with 512 numbers: 46.88 and 44.93")


def duel() -> None:
    """Our recipe and the thesis's for about the same time, from both starts."""
    kept, again = measured("thesis"), measured("thesis_imagenet")
    cells = [cell["recall_at_1"] for cell in measured("thesis_grid")["cells"].values()][:9]
    ways = {
        "random weights, our recipe": kept["ours"],
        "ImageNet, our recipe": again["ours"]["metrics"],
        "ImageNet alone, 64×64": again["before"]["64"],
        "ImageNet alone, 32×32": again["before"]["32"],
        "… through its new last layer": again["before"]["32, new layer"],
        "ImageNet, its recipe": again["thesis"]["metrics"],
        "random weights, its recipe": kept["thesis"],
        "… its nine cells of ResNet-18": {
            "recall_at_1": sum(cells) / len(cells),
            "recall_at_1_interval": (min(cells), max(cells)),
        },
    }
    values = {name: way["recall_at_1"] for name, way in ways.items()}
    whiskers = {name: way["recall_at_1_interval"] for name, way in ways.items()}
    unit = "leave-one-out top-1, CIFAR-10 (JPEG)"
    figure = show_bars(values, intervals=whiskers, unit=unit)
    larger(figure, 1.25)
    save(figure, "duel", f"{unit}: {percent(values)}")


def three_ideas() -> None:
    drawings = without_openmoji(load_images("emoji", "test"))
    at, rows = drawings.ids.index(LION), {}
    for task in TASKS:
        vectors = embed(load_model("cnn", task=task), drawings)
        rows[f"same {task}"] = drawings.images[nearest(vectors[[at]], vectors, 7)[0][0]]
    figure = show_grid(rows, columns=["query", *[str(i) for i in range(1, 7)]])
    larger(figure, 1.2)
    save(figure, "three_ideas", "A lion and its six nearest by thing, by category, by artist")


def enrol() -> None:
    kept, names = measured("triplet_training")["enrol"], {
        "classifier": "classifier, trained again", "mean": "nearest mean",
        "vote": "vote of five", "nearest": "nearest picture",
    }  # fmt: skip
    curves = {name: [kept[k][way] for k in ("1", "2", "5")] for way, name in names.items()}
    figure = show_curve([1, 2, 5], curves, xlabel="pictures enrolled of each new thing",
                        ylabel="right answers")  # fmt: skip
    figure.axes[0].set_xticks([1, 2, 5])
    larger(figure, 1.15)
    save(figure, "enrol")


def donkey() -> None:
    gallery, vectors = searched()
    asked = without_openmoji(load_images("scenes", "ood"))
    found, apart = nearest(embed(load_model("cnn"), asked), vectors, 7)
    figure = show_neighbours(asked, gallery, found, apart)
    larger(figure, 1.1)
    save(figure, "donkey", "Donkeys by three artists and the seven nearest of the gallery")


DRAWN = (
    triplet, contrastive, triplet_cost, no_floor, miners, run_dry, collapse, stops_pulling, taught,
    starts, losses, table_4_1, duel, three_ideas, enrol, donkey,
)  # fmt: skip
