"""Inside the network: what channels agree on, what a shift moves, what a readout keeps."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from torchvision.models.feature_extraction import create_feature_extractor

from recipes.cnn_embeddings.vectors import scores
from utils.distances import nearest
from utils.embed import embed, pixel_vectors
from utils.embedder import Embedder, feature_maps
from utils.images import ImageSet
from utils.metrics import Score

LAYERS = ("whiten", "stages.0", "stages.1", "stages.2")
LAST = LAYERS[-1]
SHIFTS = range(13)  # of 64 pixels
READOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "flattened": lambda maps: maps.reshape(len(maps), -1),
    "averaged": lambda maps: maps.mean((2, 3)),
    "maximum": lambda maps: maps.max((2, 3)),
}


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def receptive_field(model: Embedder, layer: str) -> int:
    """Side, in pixels of the network's input, of the square that the middle of a map sees."""
    side = model.module.size
    torch.manual_seed(0)
    x = torch.rand(1, 3, side, side, device=model.device, requires_grad=True)
    answer = create_feature_extractor(model.module, [layer])(x)[layer]
    middle = answer.shape[-1] // 2
    answer[0, :, middle, middle].square().sum().backward()
    touched = x.grad.abs().sum((0, 1, 3)).nonzero()
    return int(touched.max() - touched.min() + 1)


def agreement(maps: np.ndarray, things: np.ndarray) -> float:
    """Of the nine pictures that excite a channel most: how many pairs show the same thing?"""
    best = np.argsort(-maps.max((2, 3)), axis=0)[:9].T
    same = things[best][:, :, None] == things[best][:, None, :]
    return float((same.sum((1, 2)) - 9).mean() / 72)


def layers(
    model: Embedder, gallery: ImageSet, taught: np.ndarray, training: ImageSet
) -> dict[str, Any]:
    """Shape, receptive field and agreement of each layer.

    taught : the last maps of the training scenes.
    """
    things, record = gallery.labels, {}
    for layer, maps in feature_maps(model, gallery, LAYERS).items():
        record[layer.replace(".", " ")] = {  # a mark cannot hold a dot
            "shape": maps.shape[1:],
            "receptive_field": receptive_field(model, layer),
            "agreement": agreement(maps, things),
        }
    chance = float(np.mean([(things == t).sum() - 1 for t in things]) / (len(things) - 1))
    last = record[LAST.replace(".", " ")]["agreement"]
    return record | {
        "input": model.module.size,
        "pictures": len(gallery),
        "chance": chance,
        "last_over_chance": last / chance,
        "last_on_training": agreement(taught, training.labels),
    }


def shifts(model: Embedder, gallery: ImageSet, tested: np.ndarray) -> dict[str, Any]:
    """Cosine distance that a sideways slide moves pictures, and that to the nearest other one.

    tested : the last maps of the whole gallery.
    """
    some = gallery.images[:100]
    slid = [feature_maps(model, np.roll(some, shift, axis=2), [LAST])[LAST] for shift in SHIFTS]
    record: dict[str, Any] = {"pixels": list(SHIFTS)}
    for name in ("flattened", "averaged"):
        still, read = unit(READOUTS[name](tested)), READOUTS[name]
        moved = [1 - float((unit(read(slid[0])) * unit(read(m))).sum(1).mean()) for m in slid]
        near = float(nearest(still, still, 1, leave_one_out=True)[1].mean())
        share = {str(shift): moved[shift] / near for shift in (1, 8, 12)}
        record[name] = {"moved": moved, "nearest": near, "share": share}
    return record


def places(pictures: ImageSet) -> np.ndarray:
    """The centre of each thing, in pixels: N×2."""
    weight = pictures.masks / pictures.masks.sum((1, 2), keepdims=True)
    along = np.arange(weight.shape[1])
    return np.stack([weight.sum(1) @ along, weight.sum(2) @ along], 1)


def readouts(
    taught: np.ndarray, tested: np.ndarray, training: ImageSet, gallery: ImageSet
) -> dict[str, Any]:
    """How far a linear probe is off that reads the place from a vector; what the vector finds."""
    known, truth = places(training), places(gallery)
    guess = float(np.abs(known.mean(0) - truth).mean())
    record: dict[str, Any] = {"guess": {"pixels_off": guess}}
    for name, read in READOUTS.items():
        vectors = unit(read(tested))
        told = Ridge(alpha=1).fit(unit(read(taught)), known).predict(vectors)
        off = float(np.abs(told - truth).mean())
        record[name] = {"pixels_off": off} | scores(vectors, gallery.labels)
    return record


def preparations(model: Embedder, gallery: ImageSet, vectors: np.ndarray) -> dict[str, Any]:
    """recall@1 of queries prepared as the gallery was, and with five mistakes that raise no error.

    vectors : unit rows of the gallery, rightly prepared. A query is never its own answer.
    """
    images, ready = gallery.images, model.preprocess
    rows, columns = images.shape[1:3]
    mixed = images.reshape(-1, 3, rows, columns).transpose(0, 2, 3, 1)
    unscaled = replace(
        ready, mean=tuple(m / 255 for m in ready.mean), std=tuple(s / 255 for s in ready.std)
    )
    queries = {
        "like the gallery": (ready, images),
        "blue, green, red": (ready, images[..., ::-1]),
        "columns before rows": (ready, images.swapaxes(1, 2)),
        "no mean, no std": (replace(ready, mean=(0, 0, 0), std=(1, 1, 1)), images),
        "from 0 to 255": (unscaled, images),
        "reshape for permute": (ready, mixed),
    }
    record = {}
    for name, (preprocess, pictures) in queries.items():
        asked = embed(replace(model, preprocess=preprocess), pictures, cache=False)
        similar = asked @ vectors.T
        np.fill_diagonal(similar, -1)
        hits = (gallery.labels[similar.argmax(1)] == gallery.labels).astype(np.float64)
        score = Score(hits, np.arange(len(hits)), 0)
        record[name] = {"recall_at_1": float(score), "interval": score.interval()}
    return record


def decoded(
    taught: np.ndarray, tested: np.ndarray, training: ImageSet, wanted: np.ndarray
) -> dict[str, np.ndarray]:
    """Pictures of 32×32×3 that linear decoders, learned from the training scenes, give back.

    PCA of the pixels has as many numbers as the averaged maps.
    """
    small = pixel_vectors(training)
    pca = PCA(tested.shape[1], random_state=0).fit(small)
    pictures = {"pca": pca.inverse_transform(pca.transform(wanted))}
    for name in ("flattened", "averaged"):
        decoder = Ridge(alpha=1).fit(unit(READOUTS[name](taught)), small)
        pictures[name] = decoder.predict(unit(READOUTS[name](tested)))
    return pictures


def rebuilt(
    taught: np.ndarray, tested: np.ndarray, training: ImageSet, gallery: ImageSet
) -> dict[str, Any]:
    """Mean error of a pixel, 0 to 1, of what decoders give back; and what PCA finds."""
    wanted, small = pixel_vectors(gallery), pixel_vectors(training)
    pictures = decoded(taught, tested, training, wanted)
    pictures = {"mean picture": small.mean(0)} | pictures
    error = {name: float(np.abs(picture - wanted).mean()) for name, picture in pictures.items()}
    components = PCA(tested.shape[1], random_state=0).fit(small).transform(wanted)
    return {"error": error, "pca": scores(components, gallery.labels)}
