"""Metric × network × data, and what whitening brings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.covariance import shrunk_covariance

from recipes.cnn_photos import split_photos
from utils.distances import whiten, within_class_covariance
from utils.embed import embed, load_embeddings, pixel_vectors
from utils.embedder import Embedder
from utils.images import load_images
from utils.metrics import Score, gain, mean_average_precision_at_r, recall_at_k
from utils.models import load_model, without_head

PLAIN = ("cosine", "euclidean", "manhattan", "chebyshev")
SHRINKAGES = (0.01, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
WAYS = {"mahalanobis": "euclidean", "whitened, then cosine": "cosine"}


@dataclass
class Data:
    """Vectors and labels of three splits under a name."""

    name: str
    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def of_things(name: str, kind: str, model: Embedder | None) -> Data:
    """Drawings or scenes of the three splits, under a network or (None) as unit pixels."""
    splits = []
    for split in ("train", "validation", "test"):
        pictures = load_images(kind, split)
        vectors = pixel_vectors(pictures, 16) if model is None else embed(model, pictures)
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        splits.append((vectors, pictures.labels))
    return Data(name, *splits)


def of_photos() -> Data:
    """The shipped test embeddings of CIFAR-10 (JPEG); training photos as the network knows them."""
    vectors, told = load_embeddings("cifar10-test")
    known, held_out = split_photos(load_images("cifar10", "train"))
    model = load_model("cnn-photos")
    train, validation = ((embed(model, p), p.labels) for p in (known[::4], held_out))
    return Data("cnn-photos, CIFAR-10 (JPEG)", train, validation, (vectors, told.labels))


def straightened(
    data: Data, vectors: np.ndarray, shrinkage: float, total: bool = False
) -> np.ndarray:
    """Whitened by the training pictures' covariance, within classes or in total."""
    train, labels = data.train
    covariance = np.cov(train.T) if total else within_class_covariance(train, labels)
    covariance = shrunk_covariance(covariance, shrinkage)
    return whiten(vectors - train.mean(axis=0), covariance)


def chosen(data: Data, metric: str) -> float:
    """The shrinkage under which the validation pictures find most."""
    vectors, labels = data.validation
    found = [recall_at_k(straightened(data, vectors, s), labels, metric=metric) for s in SHRINKAGES]
    return SHRINKAGES[int(np.argmax(found))]


def row(data: Data, name: str, metric: str, shrinkage: float | None = None) -> dict[str, Any]:
    vectors, labels = data.test
    if shrinkage is not None:
        vectors = straightened(data, vectors, shrinkage)
    first = recall_at_k(vectors, labels, metric=metric)
    deep = mean_average_precision_at_r(vectors, labels, metric)
    told = {"data": data.name, "metric": name, "shrinkage": shrinkage}
    return told | {
        "recall_at_1": float(first),
        "interval": first.interval(),
        "map_at_r": float(deep),
        "map_interval": deep.interval(),
    }


def whitening(data: Data) -> dict[str, Any]:
    """What whitening and then the angle bring, and which share of it the mean alone."""
    vectors, labels = data.test
    s = chosen(data, "cosine")
    ways: dict[str, Score] = {
        "before": recall_at_k(vectors, labels),
        "centred": recall_at_k(vectors - data.train[0].mean(axis=0), labels),
        "after": recall_at_k(straightened(data, vectors, s), labels),
        "total": recall_at_k(straightened(data, vectors, s, total=True), labels),
    }
    table: dict[str, Any] = {name: float(score) for name, score in ways.items()}
    table["gain_interval"] = gain(ways["before"], ways["after"]).interval()
    return table | {"gained": ways["after"] / ways["before"] - 1, "shrinkage": s}


def borrowed() -> Data:
    """Drawings under the photo network without its last layer: it never saw one."""
    photos = without_head(load_model("cnn-photos"), 32)
    return of_things("cnn-photos (maps), drawings", "emoji", photos)


def table(drawings: Data) -> list[dict[str, Any]]:
    sets = [
        of_things("cnn, scenes", "scenes", load_model("cnn")),
        of_things("vit, scenes", "scenes", load_model("vit")),
        of_things("pixels, scenes", "scenes", None),
        drawings,
        of_photos(),
    ]
    rows = []
    for data in sets:
        rows += [row(data, metric, metric) for metric in PLAIN]
        rows += [row(data, way, metric, chosen(data, metric)) for way, metric in WAYS.items()]
        print(*rows[-6:], sep="\n", flush=True)
    return rows
