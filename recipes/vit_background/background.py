"""How much a search depends on the background, and what removing it brings."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from recipes.evaluate import retrieval
from recipes.vit_background.pairs import swapped
from utils.background import find_masks, remove_background
from utils.embed import colour_histogram, embed, pixel_vectors
from utils.images import ImageSet
from utils.metrics import gain, recall_at_k
from utils.models import load_model

BEHIND = ("white", "mean", "blur")
NETWORKS = {
    "cnn, random weights": ("cnn", False),
    "cnn-photos": ("cnn-photos", True),
    "vit": ("vit", True),
    "cnn": ("cnn", True),
}


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def ways() -> dict[str, Callable[[ImageSet], np.ndarray]]:
    """By name, from pictures to unit vectors."""
    networks = {name: load_model(n, trained=trained) for name, (n, trained) in NETWORKS.items()}
    found: dict[str, Callable[[ImageSet], np.ndarray]] = {
        "pixels": lambda pictures: unit(pixel_vectors(pictures)),
        "colour histogram": lambda pictures: unit(colour_histogram(pictures)),
    }
    for name, network in networks.items():
        found[name] = lambda pictures, network=network: embed(network, pictures)
    return found


def swap() -> dict[str, Any]:
    """How often a scene is more like another thing before its background than like itself moved."""
    scenes, moved, replaced = swapped()
    told = {}
    for name, way in tqdm(ways().items(), "swapping backgrounds"):
        asked, thing, ground = way(scenes), way(moved), way(replaced)
        of_thing, of_ground = (asked * thing).sum(1), (asked * ground).sum(1)
        told[name] = {
            "background_wins": float((of_ground > of_thing).mean()),
            "same_thing": float(of_thing.mean()),
            "same_background": float(of_ground.mean()),
        }
    return told


def experiment(scenes: ImageSet) -> dict[str, Any]:
    """The same queries with their background, without it by several masks, and what changed."""
    masks = {
        "found": find_masks(scenes),
        "found, alpha matting": find_masks(scenes, matting=True),
        "true": scenes.masks,
    }
    told: dict[str, Any] = {}
    for name, way in tqdm(ways().items(), "removing backgrounds"):
        vectors = way(scenes)
        before = recall_at_k(vectors, scenes.labels)
        told[name] = {"with background": retrieval(vectors, scenes.labels)}
        for kind, mask in masks.items():
            for behind in BEHIND:
                clean = way(remove_background(scenes, masks=mask, behind=behind))
                brought = gain(before, recall_at_k(clean, scenes.labels))
                told[name][f"{kind}, {behind}"] = retrieval(clean, scenes.labels) | {
                    "gain": float(brought),
                    "gain_interval": brought.interval(),
                    "found_now": int((brought.per_query > 0).sum()),
                    "lost_now": int((brought.per_query < 0).sum()),
                }
    return told
