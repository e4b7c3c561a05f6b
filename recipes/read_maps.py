"""What can be read from maps and directions: the scale of a map, groups found on it, baselines.

    python -m recipes.read_maps                         (two minutes on 2 cores)

On the shipped maps of the test drawings: how many of the k nearest a map keeps, by the number of
neighbours it was drawn with; and whether K-Means on a map follows the things and the categories as
it does in the space. And directions for "animal" and "warm", fitted on the training drawings and
asked of the test drawings, in the space of each network, of untrained ones, and of bare pixels.
Writes results/read_maps.json, which lesson 05 and its deck quote.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.metrics import adjusted_rand_score, roc_auc_score, silhouette_score

from recipes.maps import NEIGHBOURS, are_animals
from tools.record import provenance, write_json
from utils import ROOT
from utils.embed import embed, pixel_vectors
from utils.images import ImageSet, load_images
from utils.maps import cluster, load_maps, neighbours_kept
from utils.models import load_model

KS, SETTINGS = (10, 100), ((5, 0.0), (15, 0.0), (200, 0.99))
SEEN_BY = {
    "cnn": ("cnn", True),
    "photos": ("cnn-photos", True),
    "untrained": ("cnn", False),
    "photos_untrained": ("cnn-photos", False),
}


def groups(vectors: np.ndarray, space: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """K-Means of some points with as many groups as labels: do they agree, are they groups?"""
    found, _ = cluster(vectors, len(np.unique(labels)))
    return {
        "ari": float(adjusted_rand_score(labels, found)),
        "silhouette": float(silhouette_score(vectors, found)),
        "silhouette_in_space": float(silhouette_score(space, found)),
    }


def warmth(pictures: ImageSet) -> np.ndarray:
    """Red less blue, mean over the drawing: N."""
    pixels, inside = pictures.images.astype(float), np.asarray(pictures.masks) > 127
    return ((pixels[..., 0] - pixels[..., 2]) * inside).sum((1, 2)) / inside.sum((1, 2))


def pixels_of(pictures: ImageSet) -> np.ndarray:
    vectors = pixel_vectors(pictures)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def directions() -> dict[str, dict[str, float]]:
    """Area under the curve for animals, correlation with warmth; by who looks."""
    sets = [load_images("emoji", split) for split in ("train", "test")]
    beasts, warm = [are_animals(s) for s in ("train", "test")], [warmth(p) for p in sets]
    seen = {"pixels": [pixels_of(pictures) for pictures in sets]}
    for name, (model, trained) in SEEN_BY.items():
        seen[name] = [embed(load_model(model, trained=trained), pictures) for pictures in sets]
    told = {}
    for name, (known, asked) in seen.items():
        way = known[beasts[0]].mean(0) - known[~beasts[0]].mean(0)
        guessed = Ridge(0.1).fit(known, warm[0]).predict(asked)
        told[name] = {
            "animals": float(roc_auc_score(beasts[1], asked @ way)),
            "warmth": float(np.corrcoef(guessed, warm[1])[0, 1]),
        }
    return told


def main() -> None:
    record = provenance()
    pictures, maps = load_images("emoji", "test"), load_maps()
    vectors = embed(load_model("cnn"), pictures)
    kept = {
        str(k): {str(n): neighbours_kept(vectors, maps[n, 0.0], k) for n in NEIGHBOURS} for k in KS
    }
    found: dict[str, Any] = {}
    for kind in ("thing", "category"):
        labels = pictures.labels if kind == "thing" else pictures.relabel(kind).labels
        found[kind] = {"space": groups(vectors, vectors, labels)} | {
            f"{n}_{100 * distance:.0f}": groups(maps[n, distance], vectors, labels)
            for n, distance in SETTINGS
        }
    record |= {
        "what": "neighbours kept and groups found on shipped maps; directions and baselines",
        "data": "drawings of the test things; directions are fitted on training things",
        "command": "python -m recipes.read_maps",
        "spread": "one run; the maps are those that ship, n_neighbors and hundredths of min_dist",
        "kept": kept,
        "groups": found,
        "directions": directions(),
    }
    write_json(ROOT / "results/read_maps.json", record)


if __name__ == "__main__":
    main()
