"""The figures of the deck of lesson 07 that are drawn: trees, cells, walks, codes, copies."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path
from sklearn.cluster import KMeans
from sklearn.neighbors import KDTree

from tools.figures.growing_index_charts import (
    billion,
    bytes_each,
    changes,
    copies_found,
    exact_line,
    frontier_hundred_thousand,
    frontier_million,
    tree_lost,
)
from tools.figures.maps_and_clusters import DEFAULT
from tools.figures.shared import BIG, LION, bare, larger, save, without_openmoji
from utils.duplicates import dhash, groups, make_copies, pairs_within
from utils.embed import load_embeddings
from utils.images import load_images
from utils.index.walk import link_graph, walk
from utils.maps import cluster, load_maps
from utils.plots import show_bars, show_grid, show_walk
from utils.plots.style import COLOURS, GREY, HALO, INK, PAPER, WRONG, Shown

QUERY = np.array([0.85, 0.2])


@cache
def plane() -> np.ndarray:
    return np.random.default_rng(0).random((400, 2))


@cache
def linked() -> list[list[int]]:
    return link_graph(plane(), m=4)


def corner() -> int:
    """The point at the top left, where the walks begin."""
    return int(((plane() - [0.05, 0.95]) ** 2).sum(axis=1).argmin())


def spaced(xy: np.ndarray, apart: float) -> list[int]:
    """As many points as fit, none nearer to another than that."""
    kept = [0]
    for i in range(1, len(xy)):
        if (np.abs(xy[kept] - xy[i]).max(axis=1) > apart).all():
            kept.append(i)
    return kept


def walk_to_lion() -> None:
    """Drawings on the map by UMAP, linked, and a walk over them to the lion."""
    every = load_images("emoji", "test")
    pictures = without_openmoji(every)
    xy = load_maps()[DEFAULT][[every.ids.index(id) for id in pictures.ids]]
    xy = (xy - xy.min(axis=0)) / np.ptp(xy, axis=0) * [1.9, 1]
    lion = pictures.ids.index(LION)
    order = [lion, *np.delete(np.arange(len(xy)), lion)]
    some = np.array(order)[spaced(xy[order], 0.064)]
    xy, links = xy[some], link_graph(xy[some], m=3)
    start = int(((xy - xy[0]) ** 2).sum(axis=1).argmax())
    path = walk(xy[0], xy, links, start, ef=1)[1]
    with rc_context(BIG):
        figure = Shown(figsize=(11.4, 6), layout="constrained")
        axes = figure.subplots()
        lines = [xy[[i, j]] for i, near in enumerate(links) for j in near if i < j]
        axes.add_collection(LineCollection(lines, colors=GREY, linewidths=0.8, alpha=0.6))
        axes.plot(*xy[path].T, color=COLOURS[0], linewidth=5, path_effects=[HALO])
        for i, (x, y) in enumerate(xy):
            half = 0.045 if i in path else 0.03
            box = (x - half, x + half, y - half, y + half)
            axes.imshow(pictures.images[some[i]], extent=box, zorder=3 + (i in path))
            if i in path:
                frame = Rectangle((x - half, y - half), 2 * half, 2 * half, zorder=5)
                frame.set(fill=False, edgecolor=COLOURS[0], linewidth=2.5)
                axes.add_patch(frame)
        axes.set(xlim=(-0.04, 1.94), ylim=(-0.04, 1.04), aspect="equal")
        bare(axes)
    told = f"{len(some)} drawings on a map, linked to near ones, and a walk of "
    save(figure, "walk_to_lion", f"{told}{len(path) - 1} steps to a lion", dpi=110)


def dotted(title: str, near: np.ndarray) -> tuple[Shown, Axes]:
    """The points of the plane, those that are compared in blue, and the query."""
    figure = Shown(figsize=(9.6, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.scatter(*plane()[~near].T, s=22, color=GREY, linewidth=0, zorder=3)
    axes.scatter(*plane()[near].T, s=48, color=COLOURS[0], linewidth=0, zorder=3)
    axes.scatter(*QUERY, s=420, marker="*", color=WRONG, edgecolor=PAPER, zorder=4)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_title(title, fontsize=18)
    bare(axes)
    return figure, axes


def tree_plane() -> None:
    """The leaves of a k-d tree over the plane, and those that a query has to open."""
    points = plane()
    _, order, nodes, bounds = KDTree(points, leaf_size=12).get_arrays()
    tenth = np.sort(np.linalg.norm(points - QUERY, axis=1))[9]
    away = np.maximum(np.maximum(bounds[0] - QUERY, QUERY - bounds[1]), 0)
    leaves = np.flatnonzero([node["is_leaf"] for node in nodes])
    opened = [i for i in leaves if np.linalg.norm(away[i]) <= tenth]
    near = np.zeros(len(points), bool)
    for i in opened:
        near[order[nodes[i]["idx_start"] : nodes[i]["idx_end"]]] = True
    title = f"Ten neighbours: {len(opened)} of {len(leaves)} boxes, {near.sum()} of 400 points"
    with rc_context(BIG):
        figure, axes = dotted(title, near)
        for i in leaves:
            low, high = bounds[:, i]
            axes.add_patch(Rectangle(low, *(high - low), zorder=1, edgecolor=INK, linewidth=1,
                                     facecolor="#cfe3f0" if i in opened else PAPER))  # fmt: skip
    save(figure, "tree_plane", f"A k-d tree's boxes on a plane. {title}")


def cells() -> None:
    """The plane in the cells of K-Means, and those that a query looks into."""
    points, nprobe = plane(), 3
    means = KMeans(25, n_init=4, random_state=0).fit(points)
    centres = means.cluster_centers_
    probed = ((centres - QUERY) ** 2).sum(axis=1).argsort()[:nprobe]
    near = np.isin(means.labels_, probed)
    title = f"nprobe = {nprobe}: {nprobe} of 25 lists, {near.sum()} of 400 points compared"
    side = np.linspace(-0.01, 1.01, 900)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    owner = means.predict(grid).reshape(900, 900)
    with rc_context(BIG):
        figure, axes = dotted(title, near)
        axes.contourf(side, side, np.isin(owner, probed), [0.5, 1.5], colors=["#cfe3f0"], zorder=0)
        for i in range(25):
            axes.contour(side, side, owner == i, [0.5], colors=INK, linewidths=0.8, zorder=1)
        axes.scatter(*centres.T, s=90, marker="X", color=INK, edgecolor=PAPER, zorder=4)
    save(figure, "cells", f"Cells of K-Means on a plane. {title}")


def graph_walk() -> None:
    path = walk(QUERY, plane(), linked(), corner(), ef=1)[1]
    compared = len({near for at in path for near in [at, *linked()[at]]})
    title = f"{len(path) - 1} steps through 400 points, {compared} of them compared"
    figure = show_walk(plane(), linked(), path, QUERY, title=title)
    larger(figure, 1.3)
    save(figure, "graph_walk", figure.alt, dpi=120)  # a thousand lines weigh a lot


def arrived() -> None:
    """How many walks end at the nearest point, by how many best points they keep."""
    asked = np.random.default_rng(1).random((200, 2))
    truth = ((asked[:, None] - plane()) ** 2).sum(axis=2).argmin(axis=1)
    shares = {}
    for ef in (1, 2, 4, 8):
        ends = [walk(query, plane(), linked(), corner(), ef)[0][0] for query in asked]
        shares[f"ef = {ef}"] = float(np.mean(ends == truth))
    unit = "share of 200 walks that end at the nearest point"
    figure = show_bars(shares, unit=unit)
    larger(figure, 1.2)
    save(figure, "arrived", figure.alt)


def strip(axes: Axes, values: Sequence[float], scale: float) -> None:
    """64 numbers as one row of colours, cut into parts of four."""
    axes.imshow(np.reshape(values, (1, -1)), aspect="auto", cmap="cividis", vmin=-scale, vmax=scale)
    for cut in range(4, 64, 4):
        axes.axvline(cut - 0.5, color=PAPER, linewidth=5)
    bare(axes)


def codes() -> None:
    """One photo's embedding, its sixteen codes, and what they say."""
    vectors, _ = load_embeddings("cifar10-test")
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    photo, told, decoded = vectors[5000], [], []
    for part in np.split(np.arange(64), 16):
        words, centres = cluster(vectors[:, part], 256)
        told.append(words[5000])
        decoded.extend(centres[words[5000]])
    scale = np.abs(photo).max()
    with rc_context(BIG):
        figure = Shown(figsize=(12.5, 5.4), layout="constrained")
        rows = figure.subplots(3, 1, height_ratios=(1, 0.7, 1))
        strip(rows[0], photo, scale)
        strip(rows[2], decoded, scale)
        for at, word in enumerate(told):
            rows[1].text(at, 0, str(word), ha="center", va="center", fontsize=22)
        rows[1].set(xlim=(-0.5, 15.5), ylim=(-1, 1))
        bare(rows[1])
        names = (
            "64 numbers of four bytes each: 256 bytes",
            "the nearest word in each of 16 books: 16 bytes",
            "what the words say: nearly the same 64 numbers",
        )
        for axes, name in zip(rows, names, strict=True):
            axes.set_title(name, fontweight="normal", fontsize=18, pad=10)
    alt = f"An embedding cut into 16 parts, written as the words {', '.join(map(str, told))}"
    save(figure, "codes", alt)


def copies() -> None:
    gallery = without_openmoji(load_images("scenes", "test"))
    at = [gallery.ids.index(id) for id in (LION, "twemoji/pizza", "fluent/owl")]
    images = gallery.images[at]
    kinds = {"original": images} | make_copies(images)
    rows = {gallery.label_of(i): [kinds[kind][n] for kind in kinds] for n, i in enumerate(at)}
    figure = show_grid(rows, columns=list(kinds))
    larger(figure, 1.15)
    save(figure, "copies", f"Three scenes, each with four copies: {', '.join(kinds)}")


def longest_chain(graph: csr_array, group: np.ndarray) -> list[int]:
    """The way between the two of a group that are the most steps apart."""
    steps, before = shortest_path(graph, indices=group, unweighted=True, return_predecessors=True)
    first, last = np.unravel_index(np.where(np.isinf(steps), -1, steps).argmax(), steps.shape)
    path = [int(last)]
    while path[-1] != group[first]:
        path.append(int(before[first, path[-1]]))
    return path


def chain() -> None:
    """Drawings, each with a hash like the next one's: the longest ways of three groups."""
    pictures, limit = without_openmoji(load_images("emoji", "test")), 6
    bits, n = dhash(pictures), len(pictures)
    pairs, _ = pairs_within(bits, limit, "hamming")
    both = np.concatenate([pairs, pairs[:, ::-1]])
    graph = csr_array((np.ones(len(both)), tuple(both.T)), (n, n))
    ways = [longest_chain(graph, group) for group in groups(pairs, n)]
    ways = sorted(ways, key=len, reverse=True)[:3]
    rows = {f"{(bits[way[0]] != bits[way[-1]]).sum()} bits": pictures.images[way] for way in ways}
    title = f"At most {limit} of 64 bits from one to the next; from first to last:"
    figure = show_grid(rows, title=title)
    larger(figure, 1.2)
    named = "; ".join(", ".join(pictures.label_of(i) for i in way) for way in ways)
    save(figure, "chain", f"{title} {', '.join(rows)}. {named}")


DRAWN = (
    walk_to_lion, exact_line, tree_plane, tree_lost, cells, graph_walk, arrived, codes,
    frontier_hundred_thousand, frontier_million, bytes_each, changes, copies, copies_found, chain,
    billion,
)  # fmt: skip
