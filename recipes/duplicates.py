"""How well are copies of pictures found, and how many photos does CIFAR-10 hold twice?

    CIFAR10_DIR=… python -m recipes.duplicates          (about six minutes on 2 cores)

Three ways to compare: an embedding, a hash of 64 bits, and the pixels themselves. Each way's
threshold is chosen on copies of some pictures, looked for among many; what it finds is then
reported on copies of others. For photos the first are 2,000 of the training split among all of it
(there is no validation split, and the network has seen them, which flatters the embedding), the
others 2,000 of the test split among all 60,000. For drawings and scenes they are those of the
validation things among training and validation, and those of the test things. A real duplicate
counts as a wrong pair, so precision is a lower bound. Writes results/duplicates.json.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tools.record import provenance, write_json
from utils import ROOT
from utils.distances import nearest
from utils.duplicates import choose_threshold, dhash, groups, make_copies, pairs_within
from utils.embed import embed, pixel_vectors
from utils.images import load_images
from utils.models import load_model

SOME, PART, K, PRECISION, SIDE = 2000, 10_000, 100, 0.95, 16
Way = tuple[Callable[[np.ndarray], np.ndarray], str]


def pixels(images: np.ndarray) -> np.ndarray:
    """16×16 pixels less the picture's mean colour: their cosine does not see brightness."""
    values = pixel_vectors(images, SIDE).reshape(len(images), -1, 3)
    return (values - values.mean(1, keepdims=True)).reshape(len(images), -1)


def ways(model: str) -> dict[str, Way]:
    network = load_model(model)

    def embedded(images: np.ndarray) -> np.ndarray:
        starts = range(0, len(images), PART)  # so that the cache serves train, and train with test
        return np.concatenate([embed(network, images[at : at + PART]) for at in starts])

    return {
        "embedding": (embedded, "cosine"),
        "hash": (dhash, "hamming"),
        "pixels": (pixels, "cosine"),
    }


def chosen(way: Way, gallery: np.ndarray, at: np.ndarray) -> float:
    """The threshold for copies of the pictures at some positions, among the whole gallery."""
    to_rows, metric = way
    rows = to_rows(gallery)
    apart, right = [], []
    for copies in make_copies(gallery[at]).values():
        asked = to_rows(copies)
        if metric == "hamming":  # the square of what is euclidean between bits
            found, distances = nearest(asked * 1.0, rows * 1.0, K, "euclidean")
            distances = np.round(distances**2)
        else:
            found, distances = nearest(asked, rows, K, metric)
        apart.append(distances.ravel())
        right.append((found == at[:, None]).ravel())
    distances, is_copy = np.concatenate(apart), np.concatenate(right)
    return choose_threshold(distances, is_copy, len(apart) * len(at), PRECISION).distance


def found(way: Way, gallery: np.ndarray, at: np.ndarray, threshold: float) -> dict[str, Any]:
    """Precision and recall of that threshold, recall also by kind of copy."""
    to_rows, metric = way
    rows, right, many, recall = to_rows(gallery), 0, 0, {}
    for kind, copies in make_copies(gallery[at]).items():
        pairs, _ = pairs_within(to_rows(copies), threshold, metric, b=rows)
        hits = int((at[pairs[:, 0]] == pairs[:, 1]).sum())
        right, many, recall[kind] = right + hits, many + len(pairs), hits / len(at)
    mean = float(np.mean(list(recall.values())))
    return {"precision": right / max(1, many), "recall": mean, "recall_by_kind": recall}


def measure(
    model: str, known: tuple[np.ndarray, np.ndarray], asked: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any]:
    """By way: its threshold from copies in the known gallery, its worth there and on the asked."""
    record: dict[str, Any] = {"model": model, "known": len(known[0]), "asked": len(asked[0])}
    for name, way in ways(model).items():
        threshold = chosen(way, *known)
        record[name] = {
            "threshold": threshold,
            "where_chosen": found(way, *known, threshold),
            **found(way, *asked, threshold),
        }
        print(model, name, record[name])
    return record


def drawn(source: str) -> dict[str, Any]:
    train, validation, test = (
        load_images(source, split).images for split in ("train", "validation", "test")
    )
    known = np.concatenate([train, validation]), np.arange(len(train), len(train) + len(validation))
    return measure("cnn", known, (test, np.arange(len(test))))


def twice(train: np.ndarray, test: np.ndarray, record: dict[str, Any]) -> dict[str, Any]:
    """Pairs of a test and a training photo within each way's threshold, and where ways agree."""
    by_way = {}
    for name, (to_rows, metric) in ways("cnn-photos").items():
        threshold = record[name]["threshold"]
        by_way[name], _ = pairs_within(to_rows(test), threshold, metric, b=to_rows(train))
    keys = {name: pairs @ [len(train), 1] for name, pairs in by_way.items()}
    by_way["hash_and_pixels"] = by_way["hash"][np.isin(keys["hash"], keys["pixels"])]
    counted = {
        name: {"pairs": len(pairs), "test_photos": len(np.unique(pairs[:, 0]))}
        for name, pairs in by_way.items()
    }
    for name in ("embedding", "pixels"):
        both = np.isin(keys["hash"], keys[name]).sum()
        counted[name]["share_of_the_hash_pairs"] = float(both / max(1, len(keys["hash"])))
    return counted


def within(images: np.ndarray, record: dict[str, Any]) -> dict[str, Any]:
    """Groups among all photos by the hash alone, and by those of its pairs that pixels confirm."""
    pairs, _ = pairs_within(dhash(images), record["hash"]["threshold"], "hamming")
    at, place = np.unique(pairs, return_inverse=True)
    rows = pixels(images[at])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    i, j = place.reshape(pairs.shape).T
    confirmed = 1 - (rows[i] * rows[j]).sum(1) <= record["pixels"]["threshold"]
    counted = {}
    for name, some in (("hash", pairs), ("hash_and_pixels", pairs[confirmed])):
        parts = groups(some, len(images))
        counted[name] = {
            "pairs": len(some),
            "groups": len(parts),
            "photos": sum(len(part) for part in parts),
            "largest": len(parts[0]),
        }
    return counted


def main() -> None:
    record, begin = provenance(), time.perf_counter()
    train, test = (load_images("cifar10", split) for split in ("train", "test"))
    whole, rng = np.concatenate([train.images, test.images]), np.random.default_rng(0)
    some = [np.sort(rng.choice(len(part), SOME, replace=False)) for part in (train, test)]
    photos = measure("cnn-photos", (train.images, some[0]), (whole, len(train) + some[1]))
    record |= {
        "what": "copies of pictures found by an embedding, a hash and the pixels: thresholds "
        f"chosen for a precision of {PRECISION}, and their worth on other pictures",
        "data": f"{train.name}, 2,000 photos of either split, four copies of each; the drawings "
        "and scenes of the validation and test things",
        "command": "python -m recipes.duplicates",
        "spread": "one seed; shares of 8,000 copies of photos",
        "photos": photos,
        "drawings": drawn("emoji"),
        "scenes": drawn("scenes"),
        "train_and_test": twice(train.images, test.images, photos),
        "groups": within(whole, photos),
    }
    record["seconds"] = time.perf_counter() - begin
    write_json(ROOT / "results/duplicates.json", record)


if __name__ == "__main__":
    main()
