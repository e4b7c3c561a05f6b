"""Vectors of any length, hubs, palettes, learned distances: what lesson 04 shows in the open."""

from typing import Any

import numpy as np
import torch
from scipy.stats import skew
from sklearn.decomposition import PCA
from sklearn.neighbors import NeighborhoodComponentsAnalysis

from recipes.distances.table import PLAIN, Data, chosen, straightened
from utils.digits import read_digits
from utils.distances import nearest, pairwise, within_class_covariance
from utils.embed import colour_histogram, embed, pixel_vectors
from utils.images import ImageSet, load_images
from utils.metrics import recall_at_k
from utils.models import load_model

NEAREST = 10
OF_PALETTES = ("chebyshev", "cosine", "euclidean", "manhattan", "matusita", "bhattacharyya", "kl")


def raw(scenes: ImageSet) -> np.ndarray:
    """The transformer's embeddings of any length, as it gives them."""
    model = load_model("vit", device="cpu")
    with torch.inference_mode():
        parts = [model.module(x).numpy() for x in model.inputs(scenes.images, 256)]
    return np.concatenate(parts)


def on_raw() -> dict[str, Any]:
    """How many of ten neighbours two ways share, recall, and who is answered with long vectors."""
    scenes = load_images("scenes", "test")
    vectors = raw(scenes)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    longest = length[:, 0] >= np.quantile(length, 0.9)
    record: dict[str, Any] = {"ways": [*PLAIN, "dot product"]}
    for name, v in (("as given", vectors), ("unit vectors", vectors / length)):
        tens = [nearest(v, v, NEAREST, metric, leave_one_out=True)[0] for metric in PLAIN]
        products = v @ v.T
        np.fill_diagonal(products, -np.inf)
        tens.append(np.argsort(-products, axis=1)[:, :NEAREST])
        shared = [[(a[:, :, None] == b[:, None]).any(2).mean() for b in tens] for a in tens]
        first = [ten[:, 0] for ten in tens]
        record[name] = {
            "shared": np.array(shared).tolist(),
            "recall_at_1": [float((scenes.labels[f] == scenes.labels).mean()) for f in first],
            "longest": [float(longest[f].mean()) for f in first],
        }
    return record


def fooled(data: Data) -> dict[str, float]:
    """A covariance of the validation pictures, on those and on others."""
    vectors, labels = data.validation
    covariance = within_class_covariance(vectors, labels) + 1e-6 * np.eye(vectors.shape[1])
    found = {}
    for name, (v, truth) in (("itself", data.validation), ("others", data.test)):
        found[name] = recall_at_k(v, truth, metric="mahalanobis", covariance=covariance)
    return {name: float(score) for name, score in found.items()}


def learned(data: Data) -> dict[str, Any]:
    """Neighbourhood components, where classes come again and where they do not."""
    learn, ask = read_digits("train"), read_digits("test")
    known, asked = (d.images[..., 0].reshape(len(d), -1) / 64 for d in (learn, ask))
    main = PCA(2, random_state=0).fit(known)
    nca = NeighborhoodComponentsAnalysis(2, init="pca", max_iter=60, random_state=0)
    nca.fit(known, learn.labels)
    digits = {
        name: float(recall_at_k(way.transform(asked), ask.labels, metric="euclidean"))
        for name, way in (("main directions", main), ("learned", nca))
    }
    return {"digits": digits, "things": learned_things(data)}


def learned_things(data: Data) -> dict[str, float]:
    (train, labels), (test, asked) = data.train, data.test
    s = chosen(data, "cosine")
    straight = [straightened(data, v, s) for v in (train, test)]
    straight = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in straight]
    low = PCA(64, random_state=0).fit(straight[0])
    before = [4 * low.transform(v) for v in straight]  # the scale that its softmax needs
    nca = NeighborhoodComponentsAnalysis(64, init="identity", max_iter=15, random_state=0)
    after = [nca.fit(before[0], labels).transform(v) for v in before]
    found = {
        f"{split}, {name}": recall_at_k(v, truth, metric="euclidean")
        for name, pair in (("before", before), ("learned", after))
        for split, v, truth in zip(("train", "test"), pair, (labels, asked), strict=True)
    }
    return {name: float(score) for name, score in found.items()}


def hubs(data: Data) -> dict[str, Any]:
    """How often the most frequent answers come, and what local scaling does about it."""
    scenes = load_images("scenes", "test")
    sets = {
        "pixels": (pixel_vectors(scenes, 16), scenes.labels),
        "transformer, as given": (raw(scenes), scenes.labels),
        "transformer, unit vectors": (embed(load_model("vit"), scenes), scenes.labels),
        "CNN": (embed(load_model("cnn"), scenes), scenes.labels),
        "borrowed CNN, drawings": data.test,
    }
    record = {}
    for name, (v, labels) in sets.items():
        tens, _ = nearest(v, v, NEAREST, "euclidean", leave_one_out=True)
        count = np.bincount(tens.ravel(), minlength=len(v))
        d = pairwise(v, v, "euclidean")
        np.fill_diagonal(d, np.inf)
        usual = np.sort(d, axis=1)[:, :NEAREST].mean(axis=1)
        d /= np.sqrt(usual[:, None] * usual)
        scaled = np.bincount(np.argsort(d, axis=1)[:, :NEAREST].ravel(), minlength=len(v))
        record[name] = {
            "most": np.sort(count)[::-1][:100].tolist(),
            "hub": int(count.max()),
            "skewness": float(skew(count)),
            "recall_at_1": float((labels[tens[:, 0]] == labels).mean()),
            "scaled_skewness": float(skew(scaled)),
            "scaled_recall_at_1": float((labels[d.argmin(axis=1)] == labels).mean()),
        }
    return record


def palettes() -> dict[str, Any]:
    """Artists told apart by the colours of their drawings, by distance."""
    artists = load_images("emoji", "test").relabel("artist")
    colours = colour_histogram(artists, bins=8)
    scores = {m: recall_at_k(colours, artists.labels, metric=m) for m in OF_PALETTES}
    return {
        metric: {"recall_at_1": float(score), "interval": score.interval()}
        for metric, score in scores.items()
    }
