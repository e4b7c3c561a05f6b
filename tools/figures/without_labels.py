"""The figures of the deck of lesson 08."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import rc_context
from matplotlib.axes import Axes

from tools.figures.shared import BIG, bare, larger, save, without_openmoji
from utils.contrast import Views
from utils.course import measured
from utils.embed import embed
from utils.emoji import read_emoji, read_textures
from utils.images import ImageSet, load_images
from utils.models import load_model
from utils.photos import load_photos
from utils.plots import show_bars, show_curve, show_grid, show_matrix
from utils.plots.style import COLOURS, INK, Shown
from utils.scenes import compose, random_backgrounds, random_placements
from utils.triplet import shuffled

OFF = {"crop": None, "flip": False, "colour": 0, "blur": 0}
TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0)
DRAWINGS = "recall@1, drawings of unseen things; lines: lowest to highest seed"


@cache
def results() -> dict:
    return measured("without_labels")


@cache
def scenes() -> ImageSet:
    return without_openmoji(load_images("scenes", "train"))


def painted(x: torch.Tensor) -> np.ndarray:
    """Views as pictures: float N×3×h×w in 0..1 → uint8 N×h×w×3."""
    return (x.clamp(0, 1).permute(0, 2, 3, 1) * 255).byte().numpy()


def recorded(group: str, score: str = "drawings") -> tuple[dict, dict]:
    """Means over seeds by setting, and their lowest and highest."""
    runs = {name.replace("_", "."): run["test"][score] for name, run in results()[group].items()}
    means = {name: run["mean"] for name, run in runs.items()}
    return means, {name: (run["low"], run["high"]) for name, run in runs.items()}


def bars(name: str, values: dict, unit: str, title: str, spread: dict | None = None) -> None:
    figure = show_bars(values, unit=unit, intervals=spread, title=title)
    larger(figure, 1.15)
    save(figure, name, figure.alt)


def two_views() -> None:
    torch.manual_seed(3)
    chosen = [*scenes().images[[40, 400, 900, 1200]], *load_photos().images]
    rows = {"picture": chosen}
    for name in ("a view", "another"):
        rows[name] = [painted(Views().pixels(torch.from_numpy(p)[None]))[0] for p in chosen]
    figure = show_grid(rows)
    larger(figure, 1.3)
    save(figure, "two_views", "Four scenes and four photographs, and two random views of each")


def view_parts() -> None:
    """Each part of a view alone."""
    torch.manual_seed(1)
    photo = torch.from_numpy(load_photos().images[:1]).expand(7, -1, -1, -1)
    rows = {
        f"only {part}": painted(Views(**{k: v for k, v in OFF.items() if k != part}).pixels(photo))
        for part in OFF
    }
    figure = show_grid(rows)
    larger(figure, 1.3)
    save(figure, "view_parts", "One photograph, cropped, mirrored, in other colours, and blurred")


@cache
def cosines() -> np.ndarray:
    """Cosines of two views each of six scenes, by the network that learned without labels."""
    model, views = load_model("cnn-simclr", device="cpu"), Views()
    six = torch.from_numpy(scenes().images[[40, 300, 500, 700, 900, 1200]])
    torch.manual_seed(5)
    with torch.inference_mode():
        z = model.module(torch.cat([views(six), views(six)]))
    return (z @ z.T).numpy()


def other_half() -> None:
    nearest = np.where(np.eye(12), -1, cosines()).argmax(1)
    right = (nearest == np.roll(np.arange(12), 6)).sum()
    names = [f"{letter}{view}" for view in "12" for letter in "abcdef"]
    title = f"{right} of 12 views find their other half"
    figure = show_matrix({"cosine": cosines()}, names, unit="cosine", title=title)
    larger(figure, 1.05)
    save(figure, "other_half", f"Cosines of two views of six scenes: {title}")


def aims() -> None:
    """How much of the push away from the wrong answers the nearest of them gets."""
    right, shares = torch.from_numpy(np.roll(np.arange(12), 6)), {}
    for temperature in TEMPERATURES:
        scores = torch.from_numpy(cosines()).clone().fill_diagonal_(-torch.inf)
        scores.requires_grad_()
        F.cross_entropy(scores / temperature, right).backward()
        push = scores.grad.clamp(min=0)
        shares[f"τ = {temperature}"] = (push.max(1).values / push.sum(1)).mean().item()
    first, last = shares["τ = 0.05"], shares["τ = 1.0"]
    title = f"The nearest wrong answer gets {first:.0%} of the push at τ = 0.05, {last:.0%} at 1"
    bars("aims", shares, "share of the push that the nearest wrong answer gets", title)


def carries() -> None:
    means, spread = recorded("augmentation")
    names = ["none", "only crop", "only flip", "only colour", "only blur", "all"]
    plain = results()["baselines"]["untrained"]["drawings"]
    values = {"untrained": plain["mean"], **{name: means[name] for name in names}}
    spread = {"untrained": (plain["low"], plain["high"]), **{n: spread[n] for n in names}}
    singles = {name: values[name] for name in names[1:5]}
    most, least = max(singles, key=singles.get), min(singles, key=singles.get)
    title = f"{most.capitalize()} finds {singles[most]:.2f}, {least} {singles[least]:.2f}"
    bars("carries", values, DRAWINGS, title, spread)


def shortcut() -> None:
    """A scene, the same thing elsewhere, another thing before the same background."""
    drawings, rows = read_emoji(["validation"])
    numbers, half = range(len(drawings)), len(drawings) // 2
    places = random_placements(numbers)
    behind = random_backgrounds(numbers, read_textures("validation"))
    here, moved = (compose(drawings, places, b)[0] for b in (behind, np.roll(behind, half, axis=0)))
    # A moved drawing i stands where i - half stood: rows i - 1 mostly show the same thing.
    wins = {}
    for name in ("cnn-simclr", "cnn"):
        u, v = (embed(load_model(name), images) for images in (here, moved))
        wins[name] = ((u * v).sum(1) > (np.roll(u, half, axis=0) * v).sum(1)).mean()
    free = [row["artist"] != "openmoji" for row in rows]
    usable = np.array([i for i in range(len(rows)) if free[i] and free[i - half]])
    some = usable[np.linspace(10, len(usable) - 10, 6).astype(int)]
    title = f"With the thing go {wins['cnn-simclr']:.0%} without labels, {wins['cnn']:.0%} with"
    shown = {"a scene": moved[some], "same thing": here[some], "same background": here[some - half]}
    figure = show_grid(shown, title=title)
    larger(figure, 1.3)
    told = "Scenes, the same things elsewhere, and other things before the same background"
    save(figure, "shortcut", f"{told}. {title}")


def new_background() -> None:
    runs = {"usual views": "all", "another background": "and new background"}
    values, spread = {}, {}
    for kind in ("scenes", "drawings"):
        for told, key in runs.items():
            run = results()["augmentation"][key]["test"][kind]
            values[f"{kind}: {told}"] = run["mean"]
            spread[f"{kind}: {told}"] = run["low"], run["high"]
    times = values["scenes: another background"] / values["scenes: usual views"]
    title = f"On scenes it finds {times:.1f} times as much"
    unit = "recall@1, unseen things; lines: lowest to highest seed"
    bars("new_background", values, unit, title, spread)


def box(axes: Axes, x: float, y: float, told: str, colour: str, width: float = 2.3) -> None:
    place = {"facecolor": colour, "alpha": 0.18, "edgecolor": colour, "linewidth": 2}
    axes.add_patch(plt.Rectangle((x, y), width, 1.2, **place))
    axes.text(x + width / 2, y + 0.6, told, ha="center", va="center", fontsize=19)


def arrows(axes: Axes) -> None:
    arrow = {"arrowstyle": "-|>", "linewidth": 2.5, "color": INK}
    for y in (3.4, 0.6):
        for x in (2.35, 5.55):
            axes.annotate("", (x + 0.8, y), (x, y), arrowprops=arrow)
    axes.annotate("", (9.55, 3.4), (8.75, 3.4), arrowprops=arrow)
    axes.annotate("", (4.35, 1.25), (4.35, 2.75), arrowprops=arrow | {"linestyle": "--"})
    axes.annotate("", (10, 2.75), (8.3, 1.25), arrowprops=arrow)
    axes.annotate("", (11.6, 2.75), (11.6, 1.25), arrowprops=arrow)


def two_networks() -> None:
    """MoCo: a learner, its follower, and a queue of keys with the pictures that they show."""
    with rc_context(BIG):
        figure = Shown(figsize=(13, 6.4), layout="constrained")
        axes = figure.subplots()
        boxes = ((0, 2.8, "a view", 0), (3.2, 2.8, "learner θ", 0), (6.4, 2.8, "query", 0),
                 (0, 0, "another view", 1), (3.2, 0, "follower θ′", 1),
                 (6.4, 0, "its own key", 1))  # fmt: skip
        for x, y, told, colour in boxes:
            box(axes, x, y, told, COLOURS[colour])
        box(axes, 9.6, 0, "queue of old keys", COLOURS[2], 3.2)
        box(axes, 9.6, 2.8, "which key is mine?", INK, 3.2)
        arrows(axes)
        axes.text(4.5, 2, "θ′ ← m θ′ + (1 − m) θ", va="center", fontsize=17)
        axes.text(9.35, 2.35, "right", ha="right", va="bottom", fontsize=17)
        axes.text(11.75, 2, "wrong", va="center", fontsize=17)
        draw = shuffled(len(scenes()), 12, seed=1)(0)
        for i, picture in enumerate(scenes().images[np.asarray(draw)]):
            left = 0.2 + 1.06 * i
            axes.imshow(picture, extent=(left, left + 0.96, -1.5, -0.54), zorder=3)
        axes.text(6.4, -1.6, "a piece of the queue", ha="center", va="top", fontsize=17)
        axes.set(xlim=(-0.1, 12.95), ylim=(-2.1, 4.1), aspect="equal")
        bare(axes)
    told = "A query of the learner is compared with its own key, made by the follower, and a queue"
    save(figure, "two_networks", f"{told} of keys of many things")


def queue_or_batch() -> None:
    """What every batch and queue finds, over the memory of one step."""
    with rc_context(BIG):
        figure = Shown(figsize=(11, 5), layout="constrained")
        axes = figure.subplots()
        ways = {"batch": "SimCLR: a larger batch", "queue": "MoCo: batch 128, a longer queue"}
        for i, (group, told) in enumerate(ways.items()):
            runs = results()[group]
            found = [run["test"]["drawings"]["mean"] for run in runs.values()]
            needs = [sum(run["memory"].values()) for run in runs.values()]
            axes.plot(needs, found, "os"[i], color=COLOURS[i], markersize=13, label=told)
            for j, (name, x, y) in enumerate(zip(runs, needs, found, strict=True)):
                size = f"{int(name.split()[-1]):,}"
                aside = 11, (0, 11, -11)[j] if group == "queue" else 0  # they lie close together
                axes.annotate(size, (x, y), aside, textcoords="offset points", va="center")
        axes.set(xscale="log", xlabel="memory of a step, MiB", ylabel="recall@1, drawings")
        axes.set_xticks(ticks := [100, 200, 500, 1000], [f"{t:,}" for t in ticks])
        axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
        axes.legend(loc="lower right")
    told = "recall@1 over the memory of a step, for batches and queues of several sizes"
    save(figure, "queue_or_batch", told)


def head_dropped() -> None:
    head = results()["head"]
    runs = {
        "with a head, before it": head["with head"]["test"]["drawings"],
        "with a head, after it": head["with head"]["after the head"]["test"]["drawings"],
        "trained without a head": head["no head"]["test"]["drawings"],
    }
    values = {name: run["mean"] for name, run in runs.items()}
    spread = {name: (run["low"], run["high"]) for name, run in runs.items()}
    first, second, _ = values.values()
    title = f"Before the head {first:.2f}, after it {second:.2f}"
    bars("head_dropped", values, DRAWINGS, title, spread)


def one_point() -> None:
    runs = {"attraction only": "attraction only", "with wrong answers": "with repulsion"}
    lines = {told: results()["collapse"][key]["curve"] for told, key in runs.items()}
    last = lines["attraction only"]["cosine"][-1]
    steps = lines["attraction only"]["step"]
    curves = {told: line["cosine"] for told, line in lines.items()}
    axis = {"xlabel": "step", "ylabel": "mean cosine of all pairs"}
    title = f"Without wrong answers the mean cosine of all pairs ends at {last:.2f}"
    figure = show_curve(steps, curves, **axis, title=title)
    larger(figure, 1.15)
    save(figure, "one_point", figure.alt)


def against_labels() -> None:
    """On our drawings and on photographs: without training, without labels, with them."""
    plain, cifar = results()["baselines"], measured("without_labels_cifar10")
    taught, steps = measured("cnn_photos"), results()["longer"]["simclr"]["steps"]
    means, ranges = recorded("longer")
    values = {"drawings: pixels": plain["pixels"]["drawings"]}
    values["drawings: untrained"] = plain["untrained"]["drawings"]["mean"]
    told = {"simclr": "SimCLR", "moco": "MoCo", "supervised": "with labels"}
    values |= {f"drawings: {name}": means[key] for key, name in told.items()}
    spread = {f"drawings: {name}": ranges[key] for key, name in told.items()}
    values |= {
        "photographs: pixels": taught["pixels"]["recall_at_1"],
        "photographs: untrained": cifar["untrained"]["recall_at_1"],
        "photographs: SimCLR": cifar["neighbours"]["recall_at_1"],
        "photographs: with labels": taught["cnn-photos"]["recall_at_1"],
    }
    unit = f"recall@1: drawings of unseen things after {steps:,} steps; CIFAR-10 (JPEG)"
    found = (values[f"{kind}: SimCLR"] for kind in ("drawings", "photographs"))
    title = "SimCLR, without a label: {:.2f} on drawings, {:.2f} on photographs".format(*found)
    bars("against_labels", values, unit, title, spread)


DRAWN = (
    two_views,
    view_parts,
    other_half,
    aims,
    carries,
    shortcut,
    new_background,
    two_networks,
    queue_or_batch,
    head_dropped,
    one_point,
    against_labels,
)
