"""The figures of the deck of lesson 05."""

from functools import cache

import numpy as np
from matplotlib import rc_context

from tools.figures.shared import BIG, bare, larger, save, without_openmoji
from utils.course import measured
from utils.embed import embed
from utils.emoji import read_emoji
from utils.images import ImageSet, load_images
from utils.maps import cluster, load_maps, odd_ones, project
from utils.models import load_model
from utils.plots import show_bars, show_curve, show_grid, show_map, show_picture_map
from utils.plots.maps import painted
from utils.plots.style import COLOURS, Shown

NAMES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}
KNOBS = ((2, 0.0), (15, 0.1), (15, 0.99), (200, 0.25))
DEFAULT = (15, 0.1)


@cache
def drawn() -> tuple[ImageSet, np.ndarray, np.ndarray]:
    """The drawings that figures may show, their embeddings, where they stand among all."""
    every = load_images("emoji", "test")
    some = without_openmoji(every)
    at = {id: i for i, id in enumerate(every.ids)}
    return some, embed(load_model("cnn"), some), np.array([at[id] for id in some.ids])


def picture_map(name: str, xy: np.ndarray, told: str) -> None:
    figure = show_picture_map(xy, drawn()[0])
    alt = f"{told}: {len(xy)} drawings of unseen things, each at its place"
    save(figure, name, alt, dpi=98)  # a thousand small pictures weigh more than a chart


def map_pca() -> None:
    picture_map("map_pca", project(drawn()[1], "pca"), "Map by PCA")


def map_tsne() -> None:
    picture_map("map_tsne", project(drawn()[1], "tsne"), "Map by t-SNE")


def map_umap() -> None:
    picture_map("map_umap", load_maps()[DEFAULT][drawn()[2]], "Map by UMAP")


def by_method(name: str, what: str, unit: str) -> None:
    """One measured number of each kind of map."""
    kept = measured("maps")["trust"]
    figure = show_bars({told: kept[key][what] for key, told in NAMES.items()}, unit=unit)
    larger(figure, 1.15)
    save(figure, name, figure.alt)


def trust() -> None:
    unit = "share of the ten nearest that are kept, mean of three seeds"
    by_method("trust", "mean_neighbours_kept", unit)


def coloured(name: str, labeling: str) -> None:
    pictures, _, rows = drawn()
    labels = pictures.relabel(labeling)
    figure = show_map(load_maps()[DEFAULT][rows], [labels.label_of(i) for i in range(len(labels))])
    larger(figure, 1.15)
    save(figure, name, f"The map by UMAP, coloured by {labeling}")


def map_categories() -> None:
    coloured("map_categories", "category")


def map_artists() -> None:
    coloured("map_artists", "artist")


def knobs() -> None:
    pictures, _, rows = drawn()
    grid = load_maps()
    with rc_context(BIG):
        figure = Shown(figsize=(12, 8), layout="constrained")
        for axes, (n, distance) in zip(figure.subplots(2, 2).flat, KNOBS, strict=True):
            axes.imshow(painted(grid[n, distance][rows], pictures, 22))
            axes.set_title(f"n_neighbors {n}, min_dist {distance}", fontweight="normal")
            bare(axes)
    told = "; ".join(f"n_neighbors {n}, min_dist {distance}" for n, distance in KNOBS)
    save(figure, "knobs", f"Four maps of the same vectors: {told}", dpi=72)


def noise() -> None:
    points = np.random.default_rng(0).normal(size=(500, 64))
    figure = show_map(project(points, "umap", n_neighbors=3, min_dist=0.0))
    save(figure, "noise", "A map of pure noise with three neighbours: it falls into islands")


def far_order() -> None:
    unit = "rank correlation of distances between things, map and space"
    by_method("far_order", "mean_far_order", unit)


def animals() -> None:
    known = embed(load_model("cnn"), load_images("emoji", "train"))
    at = np.array([row["subgroup"].startswith("animal") for row in read_emoji(["train"])[1]])
    pictures, vectors, _ = drawn()
    order = np.argsort(vectors @ (known[at].mean(0) - known[~at].mean(0)))
    half = len(order) // 2
    rows = {"least": order[:10], "middle": order[half : half + 10], "most": order[::-1][:10]}
    figure = show_grid({name: pictures.images[rows[name]] for name in rows})
    larger(figure, 1.2)
    save(figure, "animals", "Drawings that go least, middling and farthest along animal-ness")


def directions() -> None:
    """Two directions, asked of unseen things, by who looks."""
    kept = measured("read_maps")["directions"]
    by = {"pixels": "pixels", "untrained network": "untrained", "network of photos": "photos",
          "network of things": "cnn"}  # fmt: skip
    told = []
    with rc_context(BIG):
        figure = Shown(figsize=(12, 4.4), layout="constrained")
        for axes, what in zip(
            figure.subplots(1, 2, sharey=True), ("animals", "warmth"), strict=True
        ):
            numbers = [kept[key][what] for key in by.values()]
            axes.barh(list(by), numbers, color=COLOURS[0], height=0.62)
            axes.bar_label(axes.containers[0], fmt="%.2f", padding=6)
            axes.set(title=what, xlim=(0, 1.12), xticks=(0, 0.5, 1))
            axes.tick_params(axis="y", length=0)
            told.append(
                f"{what}: " + ", ".join(f"{n} {v:.2f}" for n, v in zip(by, numbers, strict=True))
            )
        axes.invert_yaxis()
    save(figure, "directions", f"Directions asked of unseen things: {'; '.join(told)}")


def how_many() -> None:
    kept = measured("maps")["clusters"]
    figure = show_curve(
        kept["k"], kept["silhouette"], xlabel="clusters k", ylabel="silhouette", log="x"
    )
    larger(figure, 1.15)
    save(figure, "how_many", figure.alt)


def follow() -> None:
    kept = measured("maps")["clusters"]["labels"]
    figure = show_bars(
        {f"the {name}": scores["ari"] for name, scores in kept.items()},
        unit="adjusted Rand index of K-Means with that many clusters",
    )
    larger(figure, 1.15)
    save(figure, "follow", figure.alt)


def sheets() -> None:
    """Five of twenty clusters: the eight nearest to the centre, and the two farthest."""
    pictures, vectors, _ = drawn()
    groups, centres = cluster(vectors, 20)
    apart, rows = odd_ones(vectors, groups, centres), {}
    for c in (0, 4, 8, 12, 16):
        members = np.flatnonzero(groups == c)
        members = members[np.argsort(apart[members])]
        words = list(dict.fromkeys(pictures.label_of(i) for i in members[:8]))[:2]
        rows["\n".join(words)] = pictures.images[np.concatenate([members[:8], members[-2:]])]
    figure = show_grid(rows, columns=[*map(str, range(1, 9)), "odd", "odder"])
    larger(figure, 1.3)
    save(figure, "sheets", "Five clusters: eight typical pictures and two odd ones each")


DRAWN = (
    map_pca, map_tsne, map_umap, trust, map_categories, map_artists, knobs, noise, far_order,
    animals, directions, how_many, follow, sheets,
)  # fmt: skip
