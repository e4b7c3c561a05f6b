"""The figures of the deck of lesson 00, and the README's."""

from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib import rc_context

from tools.figures.shared import save, searched, without_openmoji
from utils.course import measured
from utils.distances import nearest
from utils.embed import colour_histogram
from utils.images import ImageSet, load_images
from utils.plots import show_bars, show_images, show_neighbours
from utils.plots.style import DPI, INK, STYLE, Shown

QUERIES = ("noto/lion", "fluent/watermelon", "twemoji/owl")
ASKED = ("lion", "octopus")  # the things that the deck asks with
WRONG = ("twemoji/baby-chick", "twemoji/bat")  # a near miss and a miss
WAYS = {
    "pixels": "raw pixels",
    "colour histogram": "colours",
    "untrained": "network, random weights",
    "cnn-photos": "network, trained on photos",
    "cnn-scenes": "network, photos, then scenes",
}


def neighbours() -> None:
    """Three scenes and their seven nearest among the test scenes."""
    gallery, vectors = searched()
    asked = np.array([gallery.ids.index(id) for id in QUERIES])
    found, distances = nearest(vectors, vectors, 7, leave_one_out=True)
    figure = show_neighbours(gallery[asked], gallery, found[asked], distances[asked])
    save(figure, "neighbours", dpi=DPI)


def many_scenes() -> None:
    """The title's picture: as many scenes as fit, each of another thing."""
    gallery, _ = searched()
    _, first = np.unique(gallery.labels, return_index=True)
    chosen = np.random.default_rng(3).permutation(first)[:27]
    rows = gallery.images[chosen].reshape(3, 9, 64, 64, 3)
    sheet = np.pad(rows, ((0, 0), (0, 0), (2, 2), (2, 2), (0, 0)), constant_values=255)
    sheet = sheet.swapaxes(1, 2).reshape(3 * 68, 9 * 68, 3)
    figure = Shown(figsize=(9 * 68 / DPI, 3 * 68 / DPI))
    figure.figimage(np.kron(sheet, np.ones((2, 2, 1), np.uint8)))
    save(
        figure, "many_scenes", "27 small pictures, each a drawing of another thing on a background"
    )


def octopus_drawings() -> None:
    """One thing by every artist, as drawn."""
    octopuses = without_openmoji(load_images("emoji", "test")).by_label("octopus")
    artists = octopuses.relabel("artist")
    captions = [artists.label_of(i) for i in range(len(octopuses))]
    figure = show_images(octopuses, captions, columns=5)
    save(figure, "octopus_drawings", f"An octopus drawn by {', '.join(captions)}, on white")


def octopus_scenes() -> None:
    """The same drawings again, and below each the scene it stands in."""
    drawn, placed = (
        without_openmoji(load_images(name, "test")).by_label("octopus")
        for name in ("emoji", "scenes")
    )
    both = replace(
        drawn,
        images=np.concatenate([drawn.images, placed.images]),
        labels=np.concatenate([drawn.labels, placed.labels]),
        ids=[*drawn.ids, *placed.ids],
        masks=None,
    )
    figure = show_images(both, [""] * len(both), columns=len(drawn))
    told = "The octopuses as drawn, and below each its scene: another size, place, angle, light"
    save(figure, "octopus_scenes", told + " and background")


def embeddings() -> None:
    """Three scenes beside their embeddings, sorted by the first, and its distance to each."""
    gallery, vectors = searched()
    first, other = asked(gallery, vectors)
    near = (vectors @ vectors[first]) * (gallery.labels == gallery.labels[first])
    near[first] = 0
    rows = [first, near.argmax(), other]
    three, vectors = gallery[rows], vectors[rows]
    distances = 1 - vectors @ vectors[0]
    vectors = vectors[:, np.argsort(vectors[0])]
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 3.9), layout="tight")
        grid = figure.subplots(3, 2, width_ratios=[1, 6])
        for (left, right), image, vector, apart in zip(
            grid, three.images, vectors, distances, strict=True
        ):
            left.imshow(image, interpolation="nearest")
            right.imshow(vector[None], cmap="Blues", aspect="auto", vmin=vectors.min(),
                         vmax=vectors.max(), interpolation="nearest")  # fmt: skip
            right.set_title(f"distance to the first {max(apart, 0):.2f}", fontweight="normal")
            for axes in (left, right):
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
        grid[0, 1].set_title(f"{vectors.shape[1]} numbers", fontweight="normal")
    told = ", ".join(
        f"{id}: distance {max(d, 0):.2f}" for id, d in zip(three.ids, distances, strict=True)
    )
    save(figure, "embeddings", f"Three scenes beside their embeddings as strips; {told}")


def asked(gallery: ImageSet, vectors: np.ndarray) -> np.ndarray:
    """Of each thing in ASKED the scene whose search goes best, as the speaker notes admit."""
    best = []
    for thing in ASKED:
        rows = np.flatnonzero(gallery.labels == list(gallery.classes).index(thing))
        found, _ = nearest(vectors[rows], vectors, 6)  # the nearest of all is the query itself
        best.append(rows[(gallery.labels[found] == gallery.labels[rows[0]]).sum(1).argmax()])
    return np.array(best)


def _answers(name: str, vectors: np.ndarray, metric: str) -> None:
    """The five nearest of both queries, the score in the title."""
    gallery, embedded = searched()
    queries = asked(gallery, embedded)
    found, distances = nearest(vectors[queries], vectors, 6, metric)
    found, distances = found[:, 1:], distances[:, 1:]
    right = int((gallery.labels[found] == gallery.labels[queries][:, None]).sum())
    possible = int(sum((gallery.labels == gallery.labels[i]).sum() - 1 for i in queries))
    title = f"{right} of the {possible} others are among the five nearest"
    save(show_neighbours(gallery[queries], gallery, found, distances, title=title), name)


def asked_network() -> None:
    """What the network answers."""
    _answers("asked_network", searched()[1], "cosine")


def asked_colours() -> None:
    """What the colour histogram answers to the same queries."""
    _answers("asked_colours", colour_histogram(searched()[0]), "manhattan")


def histogram() -> None:
    """A scene beside its colours, counted: the 64 boxes that hold any, biggest first."""
    scene = searched()[0].by_label("octopus")[3]
    share = 100 * colour_histogram(scene)[0]
    boxes = np.argsort(-share)[: np.count_nonzero(share)][:24]
    paint = (np.stack([boxes // 16, boxes // 4 % 4, boxes % 4], 1) + 0.5) / 4
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 3.8), layout="tight")
        left, right = figure.subplots(1, 2, width_ratios=[1, 1.7])
        left.imshow(scene.images[0], interpolation="nearest")
        left.axis("off")
        right.bar(range(len(boxes)), share[boxes], color=paint, edgecolor=INK, width=0.8)
        right.set(xticks=[], ylabel="% of the pixels", xlabel="colour box, fullest first")
    told = f"A scene of an octopus and the {len(boxes)} fullest of its 64 colour boxes as bars"
    save(figure, "histogram", told + f", the fullest with {share.max():.0f} % of the pixels")


def _recall(name: str, table: dict[str, Any], what: str) -> None:
    """recall@1 with its intervals, a bar a way to embed."""
    ways = {key: text for key, text in WAYS.items() if key in table}
    values = {text: table[key]["recall_at_1"] for key, text in ways.items()}
    whiskers = {text: table[key]["recall_at_1_interval"] for key, text in ways.items()}
    figure = show_bars(values, intervals=whiskers, unit=f"recall@1 on {what}, with 95 % interval")
    save(figure, name, figure.alt)


def recall_scenes() -> None:
    """Five ways to embed the test scenes."""
    table = measured("cnn_scenes")["scenes"]
    _recall("recall_scenes", table, f"{table['pixels']['queries']:,} scenes")


def recall_photos() -> None:
    """Four ways to embed real photos."""
    table = measured("cnn_photos")
    _recall("recall_photos", table, f"{table['pixels']['queries']:,} photos, CIFAR-10 (JPEG)")


def failures() -> None:
    """Queries whose nearest answer is wrong."""
    gallery, vectors = searched()
    found, distances = nearest(vectors, vectors, 5, leave_one_out=True)
    wrong = gallery.labels[found[:, 0]] != gallery.labels
    asked = np.array([gallery.ids.index(id) for id in WRONG])
    assert wrong[asked].all(), f"of {WRONG}, one is found by now: choose others"
    save(show_neighbours(gallery[asked], gallery, found[asked], distances[asked]), "failures")


def three_alikes() -> None:
    """A picture, and what shares its thing, its category, its artist."""
    drawings = without_openmoji(load_images("emoji", "test"))
    captions = {
        "twemoji/octopus": "the question",
        "noto/octopus": "same thing",
        "fluent/owl": "same category",
        "twemoji/trumpet": "same artist",
    }
    chosen = drawings[[drawings.ids.index(id) for id in captions]]
    told = ", ".join(f"{text}: {id}" for id, text in captions.items())
    save(show_images(chosen, list(captions.values()), columns=4), "three_alikes", told)


DRAWN = (
    neighbours, many_scenes, octopus_drawings, octopus_scenes, embeddings, asked_network,
    histogram, asked_colours, recall_scenes, failures, three_alikes, recall_photos,
)  # fmt: skip
