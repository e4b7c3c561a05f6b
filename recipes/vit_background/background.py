"""How much a search depends on the background, and what removing it brings."""

from collections.abc import Callable
from typing import Any

import numpy as np
from tqdm import tqdm

from recipes.evaluate import retrieval
from recipes.vit_background.pairs import by_another_artist, others, swapped
from utils.background import find_masks, remove_background
from utils.embed import colour_histogram, embed, pixel_vectors
from utils.images import ImageSet
from utils.metrics import Score, gain, recall_at_k
from utils.models import load_model

BEHIND = ("white", "mean", "blur")
COLOURS = {"grey": 3 * (128,), "black": 3 * (0,), "green": (96, 160, 96), "red": (160, 96, 96),
           "blue": (96, 96, 160)}  # fmt: skip
COLOURED = ("pixels", "vit", "cnn")  # who is asked about other colours than white
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
    """How often a scene is more like another thing before its background than like its own thing.

    Its own thing is the same drawing at the same place before another background; or, as a search
    has it, another artist's drawing in a scene of its own. The control for that: how often the
    other thing wins from its own scene, without the shared background.
    """
    scenes, moved, replaced = swapped()
    artist, other = by_another_artist(scenes.labels), others(len(scenes))
    told: dict[str, Any] = {}
    for name, way in tqdm(ways().items(), "swapping backgrounds"):
        asked, thing, ground = way(scenes), way(moved), way(replaced)
        of_thing, of_ground = (asked * thing).sum(1), (asked * ground).sum(1)
        told[name] = {
            "background_wins": float((of_ground > of_thing).mean()),
            "same_thing": float(of_thing.mean()),
            "same_background": float(of_ground.mean()),
        }
        of_artist, of_other = ((asked * asked[to]).sum(1) for to in (artist, other))
        shared, unrelated = ((of > of_artist).astype(float) for of in (of_ground, of_other))
        added = Score(shared - unrelated, np.arange(len(scenes)), 0)
        told[name]["another_artist"] = {
            "background_wins": float(shared.mean()),
            "other_ground_wins": float(unrelated.mean()),
            "added": float(added),
            "added_interval": added.interval(groups=scenes.labels),
        }
    return told


def told_of(brought: Score) -> dict[str, Any]:
    return {"gain": float(brought), "gain_interval": brought.interval()}


def one_colour(
    way: Callable[[ImageSet], np.ndarray], scenes: ImageSet, recall: dict[str, Score]
) -> dict[str, Any]:
    """By colour, what it brings over the background, each picture's own mean, and white."""
    colours = COLOURS | {"mean of all": scenes.images.mean((0, 1, 2))}
    found = {
        name: recall_at_k(
            way(remove_background(scenes, masks=scenes.masks, behind=colour)), scenes.labels
        )
        for name, colour in colours.items()
    }
    return {
        name: told_of(gain(recall["with background"], score))
        | {"over_own_mean": told_of(gain(recall["true, mean"], score))}
        | {"over_white": told_of(gain(recall["true, white"], score))}
        for name, score in (found | {"white": recall["true, white"]}).items()
    }


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
        recall = {"with background": before}
        told[name] = {"with background": retrieval(vectors, scenes.labels)}
        for kind, mask in masks.items():
            for behind in BEHIND:
                clean = way(remove_background(scenes, masks=mask, behind=behind))
                recall[f"{kind}, {behind}"] = recall_at_k(clean, scenes.labels)
                brought = gain(before, recall[f"{kind}, {behind}"])
                told[name][f"{kind}, {behind}"] = retrieval(clean, scenes.labels) | {
                    **told_of(brought),
                    "found_now": int((brought.per_query > 0).sum()),
                    "lost_now": int((brought.per_query < 0).sum()),
                }
        for kind in ("found", "found, alpha matting"):
            more = gain(recall[f"{kind}, white"], recall["true, white"])
            told[name][f"true over {kind}"] = told_of(more)
        if name in COLOURED:
            told[name]["one colour"] = one_colour(way, scenes, recall)
    return told
