"""The figures of the deck of lesson 08."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib import rc_context
from matplotlib.axes import Axes

from tools.figures.shared import BIG, bare, larger, save, without_openmoji
from tools.figures.without_labels_charts import CHARTS, bars
from utils.contrast import Views, as_pictures
from utils.embed import embed
from utils.emoji import read_emoji, read_textures
from utils.images import ImageSet, load_images
from utils.models import load_model
from utils.photos import load_photos
from utils.plots import show_grid, show_matrix
from utils.plots.style import COLOURS, INK, Shown
from utils.scenes import compose, random_backgrounds, random_placements
from utils.triplet import shuffled

OFF = {"crop": None, "flip": False, "colour": 0, "blur": 0}
TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0)


@cache
def scenes() -> ImageSet:
    return without_openmoji(load_images("scenes", "train"))


def two_views() -> None:
    torch.manual_seed(3)
    chosen = [*scenes().images[[40, 400, 900, 1200]], *load_photos().images]
    rows = {"picture": chosen}
    for name in ("a view", "another"):
        rows[name] = [as_pictures(Views().pixels(torch.from_numpy(p)[None]))[0] for p in chosen]
    figure = show_grid(rows)
    larger(figure, 1.3)
    save(figure, "two_views", "Four scenes and four photographs, and two random views of each")


def view_parts() -> None:
    """Each part of a view alone."""
    torch.manual_seed(1)
    photo = torch.from_numpy(load_photos().images[:1]).expand(7, -1, -1, -1)
    rows = {
        f"only {part}": as_pictures(
            Views(**{k: v for k, v in OFF.items() if k != part}).pixels(photo)
        )
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


DRAWN = (two_views, view_parts, other_half, aims, shortcut, two_networks, *CHARTS)
