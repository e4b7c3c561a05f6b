"""The figures of the deck of lesson 02 that are made of pictures, and those of patches."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from recipes.vit_background.pairs import swapped
from recipes.vit_background.tokens import (
    NEAR,
    SIDE,
    all_matches,
    patch_centres,
    shuffled,
    two_scenes,
)
from tools.figures.shared import BIG, LION, bare, larger, rows_of, save, searched
from tools.figures.vit_background_charts import CHARTS
from tools.figures.vit_background_masks import MASKS
from utils.course import measured
from utils.emoji import read_emoji
from utils.models import load_model
from utils.plots import show_grid, show_images
from utils.plots.style import COLOURS, INK, PAPER, RIGHT, WRONG, Shown
from utils.vit import look

SOME = (LION, "fluent/watermelon", "twemoji/owl", "noto/octopus", "twemoji/pizza", "emojione/shark")
KINDS = ("a scene", "the thing elsewhere", "another thing there")
SHOWN = "emojione/postbox"  # whose shares come near to those of all
WAYS = {"pixels": "pixels", "vit tokens": "transformer tokens", "cnn maps, stage 2": "CNN maps"}
GAP = 16  # pixels between the two scenes


def lion() -> np.ndarray:
    return searched()[0].images[rows_of((LION,))[0]]


def three_kinds(ids: tuple[str, ...]) -> list[np.ndarray]:
    """Scenes, the same things elsewhere, other things there: each N×64×64×3."""
    kinds = swapped()
    return [kind.images[[kinds[0].ids.index(id) for id in ids]] for kind in kinds]


def lion_robbed() -> None:
    """The title's picture: a lion, the lion elsewhere, another thing on the lion's ground."""
    scene = searched()[0][rows_of((LION,)) * 3]
    scene.images[:] = np.concatenate(three_kinds((LION,)))
    figure = show_images(scene, ["a scene", "its thing", "its background"], columns=3)
    told = "A lion on a background; the same lion on another; another thing on the lion's"
    save(figure, "lion_robbed", told)


def which_follows() -> None:
    """Scenes, below each the same thing elsewhere and another thing on the same ground."""
    figure = show_grid(dict(zip(KINDS, three_kinds(SOME), strict=True)))
    larger(figure, 1.25)
    told = f"{len(SOME)} scenes; below each the same thing before another background; below that "
    save(figure, "which_follows", told + "another thing before the scene's own background")


def words() -> None:
    """A scene, cut into patches, and the patches in a row behind [CLS]."""
    cut = shuffled(lion()[None], np.arange(SIDE**2))[0].reshape(SIDE, 8, SIDE, 8, 3).swapaxes(1, 2)
    shown = 13
    with rc_context(BIG):
        figure = Shown(figsize=(11.6, 5.2))
        whole = figure.add_axes((0.14, 0.36, 0.287, 0.64))
        whole.imshow(lion(), interpolation="nearest")
        bare(whole)
        figure.text(0.485, 0.68, "→", ha="center", va="center", fontsize=44)
        corner, side = np.array([0.545, 0.36]), np.array([0.287, 0.64]) / SIDE
        places = [
            (*(corner + side * [x, SIDE - 1 - y]), *(0.88 * side))
            for y in range(SIDE)
            for x in range(SIDE)
        ]
        step = 0.9 / (shown + 1.6)
        places += [(0.01 + step * (i + 1.35), 0.07, 0.9 * step, 0.16) for i in range(shown)]
        patches = list(cut.reshape(-1, 8, 8, 3))
        for place, patch in zip(places, patches + patches[:shown], strict=True):
            axes = figure.add_axes(place)
            axes.imshow(patch, interpolation="nearest")
            bare(axes)
        at = 0.01 + step * 0.55, 0.15
        box = {"boxstyle": "square,pad=0.55", "facecolor": COLOURS[0], "edgecolor": INK}
        figure.text(*at, "[CLS]", ha="center", va="center", color="white", bbox=box,
                    fontsize=16, fontweight="bold")  # fmt: skip
        figure.text(0.905, 0.15, f"… {SIDE**2 - shown} more", ha="left", va="center", fontsize=16)
    told = f"A lion; the same cut into {SIDE} times {SIDE} patches; and the patches in a row, row "
    save(figure, "words", told + "by row, behind a token [CLS] that belongs to none", dpi=150)


def patches_shuffled() -> None:
    """A scene, and the same with its patches shuffled."""
    order = np.random.default_rng(0).permutation(SIDE**2)
    pair = searched()[0][rows_of((LION,)) * 2]
    pair.images[1] = shuffled(lion()[None], order)[0]
    figure = show_images(pair, ["the lion", "shuffled"], columns=2)
    told = f"A lion, and the same with its {SIDE**2} patches shuffled"
    save(figure, "patches_shuffled", told, dpi=300)


def where_cls_looks() -> None:
    """Scenes, where [CLS] looks in one layer, true masks; beside them the share by layer."""
    gallery, _ = searched()
    found, some = measured("vit_background")["attention"], rows_of(SOME[:5])
    best = int(np.argmax(found["by_layer"]))
    maps = look(load_model("vit"), gallery[some]).attention[:, best, :, 1:].mean(1)
    lines = {"scene": gallery.images[some], f"layer {best + 1}": maps.reshape(-1, SIDE, SIDE),
             "true mask": gallery.masks[some]}  # fmt: skip
    with rc_context(BIG):
        figure = Shown(figsize=(12.4, 4.9), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.75, 1])
        grid = left.subplots(3, len(some))
        for line, (name, pictures) in zip(grid, lines.items(), strict=True):
            for axes, picture in zip(line, pictures, strict=True):
                axes.imshow(picture, cmap="gray", interpolation="nearest")
                bare(axes)
            line[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        axes = right.subplots()
        shares, layers = found["by_layer"], range(1, len(found["by_layer"]) + 1)
        axes.barh(layers, shares, color=COLOURS[0], height=0.62)
        for layer, share in zip(layers, shares, strict=True):
            axes.annotate(f"{share:.0%}", (share, layer), (6, 0), textcoords="offset points",
                          va="center")  # fmt: skip
        axes.axvline(found["area"], color=INK, linestyle=":", linewidth=2.5)
        axes.annotate(f"its area {found['area']:.0%}", (found["area"], 0.35), (6, 0),
                      textcoords="offset points", va="center")  # fmt: skip
        axes.set(xlim=(0, 0.85), ylim=(len(shares) + 0.5, 0), xticks=[])
        axes.set_yticks(layers, [f"layer {layer}" for layer in layers])
        axes.tick_params(axis="y", length=0)
        axes.spines["bottom"].set_visible(False)
        axes.set_title("taken from patches of the thing", fontweight="normal", fontsize=15)
    told = f"Scenes, maps of where [CLS] looks in layer {best + 1}, bright on the thing, and true "
    told += "masks; of what it takes from patches, the thing has in each layer "
    told += ", ".join(f"{share:.0%}" for share in shares) + f", of the area {found['area']:.0%}"
    save(figure, "where_cls_looks", told, dpi=150)


def part_matches() -> None:
    """One drawing in two scenes, and its mutual matches by pixels, tokens and the CNN's maps."""
    kept = measured("vit_background")["matches"]
    (one, *_), (two, *_) = two_scenes()
    at = [row["id"] for row in read_emoji(["test"])[1]][::5].index(SHOWN)  # as two_scenes does
    places, found, told = patch_centres(), all_matches(), []
    with rc_context(BIG):
        figure = Shown(figsize=(9.6, 5.2), layout="constrained")
        for axes, (way, name) in zip(figure.subplots(1, 3), WAYS.items(), strict=True):
            mutual, to, off = (part[at] for part in found[way])
            begin, end, right = places[mutual], places[to[mutual]], off[mutual] <= NEAR
            _lines(axes, one[at], two[at], 64 * begin - 0.5, 64 * end - 0.5, right)
            axes.set_title(f"{name}\n{kept[way]['right']:.0%} right", loc="center",
                           fontweight="normal")  # fmt: skip
            told.append(
                f"{name} {right.sum()} of {len(right)} right, of all {kept[way]['right']:.0%}"
            )
    text = f"A {SHOWN.partition('/')[2]} in two scenes, lines between patches that match, by "
    save(figure, "part_matches", text + "; ".join(told), dpi=150)


def _lines(
    axes: Axes,
    one: np.ndarray,
    two: np.ndarray,
    begin: np.ndarray,
    end: np.ndarray,
    right: np.ndarray,
) -> None:
    """One scene above the other, and lines between them: solid where right, else dashed."""
    between = np.full((GAP, one.shape[1], 3), 255, np.uint8)
    axes.imshow(np.concatenate([one, between, two]), interpolation="nearest")
    bare(axes)
    for (y, x), (to_y, to_x), good in zip(begin, end, right, strict=True):
        along = ([x, to_x], [y, to_y + len(one) + GAP])
        axes.plot(*along, color=PAPER, linewidth=4)
        axes.plot(*along, color=RIGHT if good else WRONG, linewidth=2.4, marker="o", markersize=5,
                  linestyle="-" if good else (0, (2, 1.2)), markeredgecolor=INK)  # fmt: skip


DRAWN = (
    lion_robbed, which_follows, words, patches_shuffled, where_cls_looks, part_matches,
    *MASKS, *CHARTS,
)  # fmt: skip
