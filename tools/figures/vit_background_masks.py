"""The figures of the deck of lesson 02 that are made of masks."""

from functools import cache

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import SubFigure
from PIL import Image

from tools.figures.shared import BIG, LION, bare, larger, rows_of, save, searched
from utils import ROOT
from utils.background import find_masks, grab_cut_masks, remove_background
from utils.course import measured
from utils.distances import nearest
from utils.embed import embed
from utils.images import ImageSet
from utils.masks import iou
from utils.models import load_model
from utils.photos import load_photos
from utils.plots import show_grid
from utils.plots.style import INK, RIGHT, WRONG, Shown

PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 2}
WON, LOST = "noto/monkey", "emojione/pizza"  # of those with short names the plainest


@cache
def found_masks() -> np.ndarray:
    return find_masks(searched()[0])


def mask_paste() -> None:
    """A scene, its mask, and what we can paste behind."""
    gallery, at = searched()[0], rows_of((LION,))
    one, mask = gallery[at], found_masks()[at]
    pasted = [
        remove_background(one, masks=mask, behind=b).images[0] for b in ("white", "mean", "blur")
    ]
    names = ["scene", "mask", "on white", "on its mean", "on its blur"]
    figure = show_grid({"": [one.images[0], mask[0], *pasted]}, columns=names)
    larger(figure, 1.15)
    told = "A lion; its mask; the lion on white, on the scene's mean colour, on the scene blurred"
    save(figure, "mask_paste", told)


def masks_ranked() -> None:
    """Scenes with their masks from the worst to the best."""
    gallery, masks = searched()[0], found_masks()
    quality = iou(masks, gallery.masks)
    ranked, n = np.argsort(quality), len(quality)
    shown = ranked[[0, 1, 2, n // 10, n // 4, n // 2, -n // 4, -1]]
    names = ["worst", "2nd", "3rd", "10 %", "25 %", "50 %", "75 %", "best"]
    columns = [f"{name}\nIoU {quality[i]:.2f}" for name, i in zip(names, shown, strict=True)]
    lines = {"scene": gallery.images[shown], "found": masks[shown], "truth": gallery.masks[shown]}
    figure = show_grid(lines, columns=columns)
    larger(figure, 1.3)
    told = "Scenes with the masks found and the true ones, from the worst to the best: IoU "
    save(figure, "masks_ranked", told + ", ".join(f"{quality[i]:.2f}" for i in shown), dpi=150)


def photo_masks() -> None:
    """Four photographs, and the masks of three methods below the outline drawn by hand."""
    photos, kept = load_photos(), measured("masks")["photos"]
    theirs = np.asarray(Image.open(ROOT / "results/u2netp_masks.png")).reshape(4, 128, 128)
    lines = {
        "our network": (find_masks(photos), "network"),
        "u2netp": (theirs, "u2netp"),
        "GrabCut": (grab_cut_masks(photos, photos.images.shape[1] // 32), "GrabCut"),
    }
    columns = [photos.images, photos.masks, *(masks for masks, _ in lines.values())]
    with rc_context(BIG):
        figure = Shown(figsize=(8.2, 6.1), layout="constrained")
        grid = figure.subplots(4, 5)
        for line, pictures, id in zip(grid, zip(*columns, strict=True), photos.ids, strict=True):
            for axes, picture, of in zip(line, pictures, ["", "", "network", "u2netp", "GrabCut"],
                                         strict=True):  # fmt: skip
                axes.imshow(picture, cmap="gray", interpolation="antialiased")
                bare(axes)
                if of:
                    axes.text(0.96, 0.95, f"{kept[of][id]:.2f}", ha="right", va="top", color=INK,
                              transform=axes.transAxes, bbox=PLATE)  # fmt: skip
        for axes, name in zip(grid[0], ("photograph", "by hand", *lines), strict=True):
            axes.set_title(name, fontsize=15, fontweight="normal", loc="center")
    told = "Four photographs, outlines drawn by hand, and three methods' masks with their IoU: "
    told += "; ".join(f"{name} " + ", ".join(f"{id} {kept[of][id]:.2f}" for id in photos.ids)
                      for name, (_, of) in lines.items())  # fmt: skip
    save(figure, "photo_masks", told, dpi=125)


def _answers(
    part: SubFigure, pictures: list[ImageSet], query: int, found: list[np.ndarray]
) -> None:
    """One query above with its background, below without, and what each finds."""
    grid = part.subplots(2, 1 + found[0].shape[1])
    for line, name, gallery, answers in zip(
        grid, ("with", "without"), pictures, found, strict=True
    ):
        line[0].set_ylabel(name, fontsize=15)
        for axes, i in zip(line, [query, *answers[query]], strict=True):
            axes.imshow(gallery.images[i], interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            right = gallery.labels[i] == gallery.labels[query]
            name, asked = gallery.label_of(i), axes is line[0]
            text = name if asked else f"{'✓' if right else '✗'} {name}"
            weight = "bold" if asked else "normal"
            axes.set_title(text, fontsize=15, loc="center", fontweight=weight)
            axes.spines[:].set(visible=not asked, linewidth=3.5, color=RIGHT if right else WRONG,
                               linestyle="-" if right else (0, (2, 1.2)))  # fmt: skip


def won_lost() -> None:
    """A query that finds its thing only without the background, and one only with it."""
    gallery, before = searched()
    clean = remove_background(gallery, masks=found_masks())
    after = embed(load_model("cnn"), clean)
    ranks = [nearest(v, v, 3, leave_one_out=True)[0] for v in (before, after)]
    chosen = rows_of((WON, LOST))
    right = [[(gallery.labels[r[i]] == gallery.labels[i]).sum() for r in ranks] for i in chosen]
    assert right[0][0] == 0 == right[1][1], f"of {WON} and {LOST} one is another case by now"
    with rc_context(BIG):
        figure = Shown(figsize=(13.4, 4.7), layout="constrained")
        for part, query in zip(figure.subfigures(1, 2, wspace=0.08), chosen, strict=True):
            _answers(part, [gallery, clean], query, ranks)
    told = "; ".join(
        f"a query for a {gallery.label_of(i)}: with its background {a} of 3 answers are right, "
        f"without {b}"
        for i, (a, b) in zip(chosen, right, strict=True)
    )
    save(figure, "won_lost", told[0].upper() + told[1:], dpi=150)


MASKS = (mask_paste, masks_ranked, photo_masks, won_lost)
