"""The figures of the deck of lesson 04."""

import numpy as np
from matplotlib import rc_context

from tools.figures.shared import BIG, LION, larger, rows_of, save, searched, without_openmoji
from utils.course import measured
from utils.distances import METRICS, nearest, pairwise
from utils.embed import colour_histogram, pixel_vectors
from utils.images import load_images
from utils.plots import (
    show_bars,
    show_curve,
    show_grid,
    show_images,
    show_matrix,
    show_neighbours,
)
from utils.plots.style import COLOURS, INK, Shown

FOUR = METRICS[:4]
SHORT = {"cosine": "cosine", "euclidean": "Eucl.", "manhattan": "Manh.", "chebyshev": "Cheby."}


def four_distances() -> None:
    gallery, vectors = searched()
    at = rows_of((LION,))
    rows = {m: gallery.images[nearest(vectors[at], vectors, 7, m)[0][0]] for m in FOUR}
    figure = show_grid(rows, columns=["query", *map(str, range(1, 7))])
    larger(figure, 1.2)
    save(figure, "four_distances", "A lion and its six nearest scenes under four distances")


def stripes(metric: str, covariance: np.ndarray | None = None) -> np.ndarray:
    """The plane in stripes of equal distance from one point: numbers H×W, 0 or 1."""
    side = np.linspace(-2, 2, 240)
    plane = np.stack(np.meshgrid(side, -side), axis=-1).reshape(-1, 2)
    d = pairwise([[0.7, 0.5]], plane, metric, covariance=covariance)[0]
    return ((4 * d).astype(int) % 2).reshape(240, 240).astype(float)


def equally_far() -> None:
    figure = show_grid({"": [stripes(metric) for metric in FOUR]}, columns=["1", "2", "3", "4"])
    larger(figure, 1.2)
    told = "Where it is equally far from a point: on rays, circles, diamonds, squares"
    save(figure, "equally_far", told, dpi=300)


def ellipse() -> None:
    covariance = np.array([[1.9, 0.5], [0.5, 0.6]])
    pictures = [stripes("euclidean"), stripes("mahalanobis", covariance)]
    figure = show_grid({"": pictures}, columns=["Euclid", "Mahalanobis"])
    larger(figure, 1.1)
    told = "Equally far by Euclid: on circles; by Mahalanobis: on ellipses of one shape"
    save(figure, "ellipse", told, dpi=300)


def shared_tens() -> None:
    kept = measured("distances")["raw"]
    names = [SHORT.get(way, "dot") for way in kept["ways"]]
    matrices = {f"vectors {n}" if n == "as given" else n: np.array(kept[n]["shared"])
                for n in ("as given", "unit vectors")}  # fmt: skip
    figure = show_matrix(matrices, names, unit="share of ten in common")
    larger(figure, 1.05)
    save(figure, "shared_tens", figure.alt)


def long_ones() -> None:
    kept = measured("distances")["raw"]
    shares = dict(zip(kept["ways"], kept["as given"]["longest"], strict=True))
    shown = {way: shares[way] for way in ("dot product", "cosine", "euclidean")}
    unit = "share of first answers that are among the longest tenth"
    figure = show_bars(shown, unit=unit)
    larger(figure, 1.15)
    save(figure, "long_ones", figure.alt)


def fooled() -> None:
    kept = measured("distances")["fooled"]
    shown = {"on the pictures it came from": kept["itself"], "on others": kept["others"]}
    figure = show_bars(shown, unit="recall@1 of drawings")
    larger(figure, 1.15)
    save(figure, "fooled", figure.alt)


def whitening() -> None:
    kept = {row["metric"]: row for row in measured("distances")["table"]
            if row["data"] == "cnn-photos (maps), drawings"}  # fmt: skip
    names = {
        "cosine": "as it is", "mahalanobis": "Mahalanobis",
        "whitened, then cosine": "whitened, then the angle",
    }  # fmt: skip
    values = {name: kept[key]["recall_at_1"] for key, name in names.items()}
    whiskers = {name: kept[key]["interval"] for key, name in names.items()}
    unit = "recall@1 on drawings of unseen things, network of photos"
    figure = show_bars(values, intervals=whiskers, unit=unit)
    larger(figure, 1.15)
    save(figure, "whitening", figure.alt)


def learned() -> None:
    kept = measured("distances")["learned"]["things"]
    shown = {
        f"{split}ing things, {when}" if split == "train" else f"{split} things, {when}": kept[
            f"{split}, {when}"
        ]
        for split in ("train", "test")
        for when in ("before", "learned")
    }
    figure = show_bars(shown, unit="recall@1 of drawings, 64 numbers")
    larger(figure, 1.15)
    save(figure, "learned", figure.alt)


def contrast_manhattan() -> None:
    rng, dims = np.random.default_rng(0), [2, 4, 8, 16, 32, 64, 128, 256, 512]
    curves: dict[str, list[float]] = {m: [] for m in ("manhattan", "euclidean", "chebyshev")}
    for dim in dims:
        points = rng.random((1000, dim))
        for metric, values in curves.items():
            d = np.sort(pairwise(points[:200], points, metric), axis=1)
            values.append(float(np.median(d[:, -1] / d[:, 1] - 1)))
    figure = show_curve(dims, curves, xlabel="dimensions, random points",
                        ylabel="(farthest − nearest) / nearest", log="xy")  # fmt: skip
    larger(figure, 1.15)
    save(figure, "contrast_manhattan", figure.alt)


def manhattan_or_cosine() -> None:
    """Recall under both, data by data, with intervals."""
    kept = measured("distances")["table"]
    names = list(dict.fromkeys(row["data"] for row in kept))
    with rc_context(BIG):
        figure = Shown(figsize=(11, 5), layout="constrained")
        axes = figure.subplots()
        for side, metric in enumerate(("cosine", "manhattan")):
            rows = [row for row in kept if row["metric"] == metric]
            at = np.arange(len(names)) + 0.37 * side
            hatch = {"hatch": "//", "edgecolor": "white"} if side else {}
            axes.barh(at, [row["recall_at_1"] for row in rows], height=0.35, label=metric,
                      color=COLOURS[side], **hatch)  # fmt: skip
            for y, row in zip(at, rows, strict=True):
                axes.plot(row["interval"], [y, y], color=INK, linewidth=2)
        axes.set_yticks(np.arange(len(names)) + 0.185, names)
        axes.invert_yaxis()
        axes.set(xlabel="recall@1, unit vectors", xlim=(0, 1))
        axes.tick_params(axis="y", length=0)
        axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.25))
    told = "; ".join(
        f"{row['data']}, {row['metric']} {row['recall_at_1']:.3f}"
        for row in kept
        if row["metric"] in ("cosine", "manhattan")
    )
    save(figure, "manhattan_or_cosine", f"recall@1: {told}")


def hubs() -> None:
    kept = measured("distances")["hubs"]
    names = ("pixels", "transformer, as given", "transformer, unit vectors", "CNN")
    figure = show_curve(
        np.arange(1, 101), {name: kept[name]["most"] for name in names}, log="x",
        xlabel="pictures, the most frequent answers first", ylabel="times among the ten nearest",
    )  # fmt: skip
    larger(figure, 1.15)
    save(figure, "hubs", figure.alt)


def hub_pictures() -> None:
    gallery, _ = searched()
    pixels = pixel_vectors(gallery, 16)
    tens, _ = nearest(pixels, pixels, 10, "euclidean", leave_one_out=True)
    count = np.bincount(tens.ravel(), minlength=len(gallery))
    most = np.argsort(-count)[:8]
    figure = show_images(gallery[most], [f"{count[i]} times" for i in most], columns=4)
    larger(figure, 1.2)
    save(figure, "hub_pictures", "The eight scenes that are most often among the ten nearest")


def palettes() -> None:
    kept = measured("distances")["palettes"]
    figure = show_bars(
        {metric: row["recall_at_1"] for metric, row in kept.items()},
        intervals={metric: row["interval"] for metric, row in kept.items()},
        unit="recall@1 of the artist, by the colours of a drawing",
    )
    larger(figure, 1.1)
    save(figure, "palettes", figure.alt)


def same_hand() -> None:
    artists = without_openmoji(load_images("emoji", "test").relabel("artist"))
    colours = colour_histogram(artists, bins=8)
    asked = [artists.ids.index(id) for id in (LION, "twemoji/pizza", "fluent/owl")]
    found, apart = nearest(colours[asked], colours, 7, "kl")
    figure = show_neighbours(artists[asked], artists, found[:, 1:], apart[:, 1:])
    larger(figure, 1.1)
    save(figure, "same_hand", figure.alt)


DRAWN = (
    four_distances, equally_far, ellipse, shared_tens, long_ones, fooled, whitening, learned,
    contrast_manhattan, manhattan_or_cosine, hubs, hub_pictures, palettes, same_hand,
)  # fmt: skip
