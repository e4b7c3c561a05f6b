"""The figures of the deck of lesson 01 that are made of pictures."""

from functools import cache

import numpy as np
from matplotlib import rc_context
from matplotlib.patches import ConnectionPatch, Rectangle

from recipes.cnn_embeddings.network import LAST, LAYERS, decoded
from tools.figures.cnn_embeddings_charts import CHARTS
from tools.figures.shared import LION, bare, larger, save, searched, without_openmoji
from utils.course import measured
from utils.distances import nearest, pairwise
from utils.embed import pixel_vectors
from utils.embedder import feature_maps
from utils.images import load_images
from utils.models import load_model
from utils.plots import show_grid, show_images, show_matrix, show_neighbours
from utils.plots.style import INK, STYLE, Shown

THINGS = ("lion", "pizza", "panda")
EYE = (20, 35, 8, 10)  # top, left, rows, columns of the pixels that the title shows as numbers
NAMES = ("first layer", "stage 1", "stage 2", "stage 3")  # what the room calls LAYERS
EXCITED = (6, 37, 44, 60)  # a channel of each
REBUILT = (LION, "fluent/watermelon", "twemoji/owl", "noto/octopus", "twemoji/pizza", "noto/shark")


def the_lion() -> int:
    return searched()[0].ids.index(LION)


@cache
def maps() -> dict[str, np.ndarray]:
    """What each layer answers to the gallery."""
    return feature_maps(load_model("cnn"), searched()[0], LAYERS)


def chosen() -> np.ndarray:
    """Where lions, pizzas and pandas stand in the gallery."""
    gallery, _ = searched()
    names = list(gallery.classes)
    return np.concatenate([np.flatnonzero(gallery.labels == names.index(n)) for n in THINGS])


def picture_numbers() -> None:
    """The title's picture: a lion, and the red of some of its pixels as numbers."""
    lion = searched()[0].images[the_lion()]
    top, left, rows, columns = EYE
    patch = lion[top : top + rows, left : left + columns]
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 3.6), layout="constrained")
        whole, part = figure.subplots(1, 2, width_ratios=[1, columns / rows])
        whole.imshow(lion, interpolation="nearest")
        part.imshow(patch, interpolation="nearest")
        for axes in (whole, part):
            bare(axes)
        frame = (left - 0.5, top - 0.5)
        whole.add_patch(Rectangle(frame, columns, rows, fill=False, color=INK, linewidth=2.5))
        for corner in (-0.5, rows - 0.5):
            line = ConnectionPatch(
                (left + columns - 0.5, top + corner), (-0.5, corner), "data", "data",
                axesA=whole, axesB=part, color=INK, linewidth=1.2)  # fmt: skip
            figure.add_artist(line)
        light = patch @ [0.3, 0.59, 0.11]
        for (y, x), red in np.ndenumerate(patch[..., 0]):
            ink = INK if light[y, x] > 115 else "white"
            part.text(x, y, str(red), ha="center", va="center", color=ink, fontsize=12)
    told = f"A lion, and {rows} × {columns} pixels around its eye enlarged, each with its red as a "
    save(figure, "picture_numbers", told + "number from 0 to 255")


def three_things() -> None:
    """The pictures whose distances the next figure shows."""
    gallery, _ = searched()
    with rc_context(STYLE):
        figure = Shown(figsize=(12.4, 1.5))
        groups = [np.flatnonzero(gallery.labels[chosen()] == label) for label in
                  dict.fromkeys(gallery.labels[chosen()])]  # fmt: skip
        start = 0.0
        for name, group in zip(THINGS, groups, strict=True):
            for i in chosen()[group]:
                axes = figure.add_axes((start / 12.4, 0, 1 / 12.4, 1 / 1.5))
                axes.imshow(gallery.images[i], interpolation="nearest")
                bare(axes)
                start += 1.02
            middle = (start - len(group) * 0.51) / 12.4
            figure.text(middle, 0.78, f"{len(group)} {name}s", ha="center", fontsize=19)
            start += 0.16
    told = ", ".join(f"{len(g)} {name}s" for name, g in zip(THINGS, groups, strict=True))
    save(figure, "three_things", f"Scenes: {told}, each with its own background", dpi=150)


def three_ways() -> None:
    """Distances among lions, pizzas and pandas by pixels, one-hot, embedding."""
    gallery, vectors = searched()
    pixels = gallery.images.reshape(len(gallery), -1)
    one_hot = np.eye(len(gallery), dtype=np.float32)
    ways = {"pixels": pixels, "one-hot": one_hot, "embedding": vectors}
    rows = chosen()
    apart = {name: pairwise(way[rows], way[rows]) for name, way in ways.items()}
    names = [f"{gallery.label_of(i)}s" for i in rows]
    figure = show_matrix(apart, names, unit="cosine distance: dark is near")
    larger(figure, 1.35)
    save(figure, "three_ways", figure.alt, dpi=150)


def asked_lion() -> None:
    """What a lion finds by its pixels, and by its embedding."""
    gallery, vectors = searched()
    lion = the_lion()
    pixels = gallery.images.reshape(len(gallery), -1)
    answers = [nearest(way[[lion]], way, 6) for way in (pixels, vectors)]
    found, distances = (np.concatenate([a[part][:, 1:] for a in answers]) for part in (0, 1))
    right = (gallery.labels[found] == gallery.labels[lion]).sum(1)
    title = f"{right[0]} of 5 are lions by pixels (above), {right[1]} by embedding (below)"
    assert right[1] > right[0], "the deck says that the embedding finds more lions"
    figure = show_neighbours(gallery[[lion, lion]], gallery, found, distances, title=title)
    save(figure, "asked_lion", dpi=150)


def slid() -> None:
    """A lion, and the same picture slid to the right."""
    gallery, _ = searched()
    pair = gallery[[the_lion(), the_lion()]]
    pair.images[1] = np.roll(pair.images[1], 8, axis=1)
    figure = show_images(pair, ["the lion", "slid by 8 pixels"], columns=2)
    save(figure, "slid", "A lion, and the same picture slid by 8 pixels to the right")


def feature_map() -> None:
    """A lion and three maps of each layer, those that differ most from place to place."""
    lion = the_lion()
    columns = [[searched()[0].images[lion]]]
    for layer in LAYERS:
        some = maps()[layer][lion]
        columns.append(list(some[np.argsort(-some.std((1, 2)), kind="stable")[:5:2]]))
    shapes = [maps()[layer].shape[1:] for layer in LAYERS]
    captions = ["picture\n3 of 64 × 64"]
    captions += [f"{name}\n{c} of {h} × {w}" for name, (c, h, w) in zip(NAMES, shapes, strict=True)]
    with rc_context(STYLE):
        figure = Shown(figsize=(11.6, 5), layout="constrained")
        cells = figure.add_gridspec(3, 5, width_ratios=[1.9, 1, 1, 1, 1])
        for at, (caption, pictures) in enumerate(zip(captions, columns, strict=True)):
            for row, picture in enumerate(pictures):
                axes = figure.add_subplot(cells[row, at] if at else cells[:, 0])
                axes.imshow(picture, cmap="gray", interpolation="nearest")
                bare(axes)
                if row == 0:
                    axes.set_title(caption, fontsize=16, fontweight="normal", loc="center")
    told = "A lion, and three maps of each layer in grey: outlines first, coarse places last; "
    save(figure, "feature_map", told + "; ".join(c.replace("\n", ", ") for c in captions), dpi=150)


def exciting(layer: str, channel: int, field: int, n: int = 8) -> list[np.ndarray]:
    """The patches of the n pictures that excite a channel most, the strongest first."""
    images, found = searched()[0].images, maps()[layer][:, channel]
    side = measured("cnn_embeddings")["layers"]["input"]
    patches, half = [], max(1, round(field * 64 / side / 2))
    for picture in np.argsort(-found.max((1, 2)))[:n]:
        place = np.array(np.unravel_index(found[picture].argmax(), found[picture].shape))
        centre = (place + 0.5) * 64 // len(found[picture])
        top, left = np.clip(centre - half, 0, 64 - 2 * half).astype(int)
        patches.append(images[picture][top : top + 2 * half, left : left + 2 * half])
    return patches


def patches() -> None:
    """What excites one channel of each layer most."""
    known = measured("cnn_embeddings")["layers"]
    fields = [known[layer.replace(".", " ")]["receptive_field"] for layer in LAYERS]
    rows = {
        f"{name}\nsees {field} × {field}": exciting(layer, channel, field)
        for name, layer, channel, field in zip(NAMES, LAYERS, EXCITED, fields, strict=True)
    }
    figure = show_grid(rows)
    larger(figure, 1.3)
    told = "Eight patches that excite one channel of each layer most: corners light and dark, then "
    save(figure, "patches", told + "slanted stripes, then arcs and spirals, then trucks", dpi=150)


def rebuilt() -> None:
    """Pictures, and what linear decoders make of PCA, of flattened maps, of embeddings."""
    gallery, _ = searched()
    training = without_openmoji(load_images("scenes", "train"))
    taught = feature_maps(load_model("cnn"), training, [LAST])[LAST]
    wanted = pixel_vectors(gallery)
    pictures = {"picture": wanted} | decoded(taught, maps()[LAST], training, wanted)
    channels, size = maps()[LAST].shape[1], maps()[LAST][0].size
    names = {"picture": "picture", "pca": f"PCA\n{channels} numbers",
             "flattened": f"flattened\n{size:,} numbers",
             "averaged": f"embedding\n{channels} numbers"}  # fmt: skip
    some = [gallery.ids.index(id) for id in REBUILT]
    rows = {names[name]: row[some].reshape(-1, 32, 32, 3).clip(0, 1)
            for name, row in pictures.items()}  # fmt: skip
    figure = show_grid(rows)
    larger(figure, 1.3)
    told = "Six scenes, and what linear decoders give back: from PCA blurred but clear pictures, "
    save(figure, "rebuilt", told + "from flattened maps blots, from the embedding a tint", dpi=150)


DRAWN = (
    picture_numbers, three_things, three_ways, asked_lion, slid, feature_map, patches, rebuilt,
    *CHARTS,
)  # fmt: skip
