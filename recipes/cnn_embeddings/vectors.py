"""Ways to write pictures down, compared: what they find, their contrast, what they put in order."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.timing import seconds
from utils.distances import pairwise
from utils.embed import embed, load_embeddings
from utils.embedder import Embedder
from utils.images import ImageSet, load_images
from utils.metrics import mean_average_precision_at_r, recall_at_k
from utils.models import load_model

SEEDS, ROUNDS = range(3), 15
DIMENSIONS = [2**i for i in range(1, 14)]
MAMMALS = (
    "lion", "panda", "gorilla", "chipmunk", "rabbit", "cow", "monkey", "mouse", "rat", "ox"
)  # fmt: skip
VEHICLES = ("helicopter", "kick scooter")  # cars and trucks were among the photos


def over_seeds(measure: Callable[[int], Any]) -> dict[str, Any]:
    """Median, lowest and highest over the seeds of a number, or of each in a list of them."""
    runs = np.array([measure(seed) for seed in SEEDS])
    return {
        "median": np.median(runs, axis=0).tolist(),
        "low": runs.min(axis=0).tolist(),
        "high": runs.max(axis=0).tolist(),
    }


def scores(vectors: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How long the vectors are, and what they find, leave-one-out."""
    recall = recall_at_k(vectors, labels)
    return {
        "numbers": vectors.shape[1],
        "recall_at_1": float(recall),
        "recall_at_1_interval": recall.interval(),
        "map_at_r": float(mean_average_precision_at_r(vectors, labels)),
    }


def ways(gallery: ImageSet, vectors: np.ndarray) -> dict[str, Any]:
    """Pixels, one-hot and embedding; in one-hot all are equally near, so noise chooses."""
    pixels = gallery.images.reshape(len(gallery), -1)
    one_hot = np.eye(len(gallery), dtype=np.float32)

    def noisy(seed: int) -> np.ndarray:
        return one_hot + 1e-3 * np.random.default_rng(seed).normal(size=one_hot.shape)

    found = over_seeds(lambda seed: float(recall_at_k(noisy(seed), gallery.labels)))
    return {
        "queries": len(gallery),
        "pixels": scores(pixels, gallery.labels),
        "one-hot": scores(noisy(0), gallery.labels) | {"recall_at_1_seeds": found},
        "embedding": scores(vectors, gallery.labels),
    }


def contrast(points: np.ndarray) -> float:
    """(farthest − nearest) / nearest, the median over all points (Beyer et al. 1999)."""
    d = np.sort(pairwise(points, points, "euclidean"), axis=1)  # first comes the point itself
    return float(np.median(d[:, -1] / d[:, 1] - 1))


def contrasts(gallery: ImageSet, vectors: np.ndarray) -> dict[str, Any]:
    """Of 500 random points in more and more dimensions, and of 500 of our pictures."""

    def of_random(seed: int) -> list[float]:
        rng = np.random.default_rng(seed)
        return [contrast(rng.random((500, d))) for d in DIMENSIONS]

    random = over_seeds(of_random)
    return {
        "dimensions": DIMENSIONS,
        "random": random,
        "random_in_most": random["median"][-1],
        "pixels": contrast(gallery.images[:500].reshape(500, -1) / 1.0),
        "embedding": contrast(vectors[:500]),
    }


def in_order(
    vectors: np.ndarray, thing: np.ndarray, one: str, other: str | Sequence[str], odd: Any
) -> float:
    """Share of trios where `one` is nearer to `other` than to `odd`; by chance ½."""
    a, b, c = (vectors[np.isin(thing, name)] for name in (one, other, odd))
    return float(np.mean((a @ b.T)[:, :, None] > (a @ c.T)[:, None, :]))


def orders(model: Embedder) -> dict[str, Any]:
    """Cat–lion–car among all drawings, and mammals and vehicles that training never showed."""
    parts = [load_images("emoji", split) for split in ("train", "validation", "test")]
    thing = np.concatenate([[part.label_of(i) for i in range(len(part))] for part in parts])
    drawn = np.concatenate([embed(model, part, cache=False) for part in parts])
    untrained = load_model("cnn", trained=False)
    random = np.concatenate([embed(untrained, part, cache=False) for part in parts])

    def unseen(vectors: np.ndarray) -> float:
        others = {m: [other for other in MAMMALS if other != m] for m in MAMMALS}
        return float(np.mean([in_order(vectors, thing, m, others[m], VEHICLES) for m in MAMMALS]))

    return {
        "cat, lion, car": in_order(drawn, thing, "cat", "lion", "automobile"),
        "unseen mammals": unseen(drawn),
        "unseen mammals, random weights": unseen(random),
    }


def photo_orders() -> dict[str, Any]:
    """Cat, another animal, automobile: trios of the first 200 photos of each class."""
    vectors, labels = load_embeddings("cifar10-test")
    thing = np.array(labels.classes)[labels.labels]
    few = np.concatenate([np.flatnonzero(thing == name)[:200] for name in labels.classes])
    return {
        animal: in_order(vectors[few], thing[few], "cat", animal, "automobile")
        for animal in ("dog", "deer", "bird", "frog")
    }


def photo_means() -> dict[str, Any]:
    """Cosines among the mean embeddings of the ten classes, of all test photos."""
    vectors, labels = load_embeddings("cifar10-test")
    names = list(labels.classes)
    means = np.stack([vectors[labels.labels == label].mean(0) for label in range(len(names))])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    cosines = means @ means.T
    of_cat = dict(zip(names, cosines[names.index("cat")].tolist(), strict=True))
    del of_cat["cat"]
    pairs = np.sort(cosines[np.triu_indices(len(names), 1)])
    return {
        "equally_far": -1 / (len(names) - 1),
        "of_cat": of_cat,
        "highest": float(pairs[-1]),
        "second": float(pairs[-2]),
        "lowest": float(pairs[0]),
    }


def product(gallery: ImageSet, vectors: np.ndarray) -> dict[str, Any]:
    """A search by a loop over a dictionary, over the same by one product of a matrix."""
    matrix = torch.from_numpy(vectors)
    database = dict(zip(gallery.ids, matrix, strict=True))
    query, cosine = database["noto/lion"], nn.CosineSimilarity(dim=0)

    def loop() -> list[str]:
        similarity = {name: cosine(query, kept).item() for name, kept in database.items()}
        return sorted(similarity, key=similarity.__getitem__, reverse=True)[:10]

    def fast() -> list[str]:
        return [gallery.ids[i] for i in (matrix @ query).topk(10).indices.tolist()]

    assert loop() == fast()
    times = seconds({"loop": loop, "products": lambda: [fast() for _ in range(20)]}, ROUNDS)
    each = [20 * a / b for a, b in zip(times["loop"], times["products"], strict=True)]
    return {"times_faster": statistics.median(each), "low": min(each), "high": max(each)}
