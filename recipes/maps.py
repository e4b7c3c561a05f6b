"""Maps of the test drawings by every setting of UMAP's two knobs, and what such maps invent.

    python -m recipes.maps                              (about six minutes on 2 cores)

Each map is turned and shifted to lie on its neighbour in the grid as well as can be, so that it
does not jump under the sliders. Writes models/umap-grid.npz with its card, and results/maps.json,
which the deck of lesson 05 quotes.
"""

import itertools
import time
from typing import Any

import numpy as np
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.cluster import DBSCAN
from sklearn.metrics import (
    adjusted_rand_score,
    normalized_mutual_info_score,
    roc_auc_score,
    silhouette_score,
)
from tqdm import tqdm

from tools.record import provenance, write_json
from utils import ROOT
from utils.embed import embed, load_embeddings
from utils.embedder import MODELS
from utils.emoji import read_emoji
from utils.images import load_images
from utils.maps import cluster, moved, neighbours_kept, project, save_maps, trustworthiness
from utils.models import load_model

NEIGHBOURS, DISTANCES = (2, 5, 15, 50, 200), (0.0, 0.1, 0.25, 0.5, 0.99)
CLUSTERS = (2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 400)
SEEDS = 3


def drawings() -> tuple[Any, np.ndarray]:
    pictures = load_images("emoji", "test")
    return pictures, embed(load_model("cnn"), pictures)


def grid(vectors: np.ndarray) -> dict[tuple[int, float], np.ndarray]:
    maps: dict[tuple[int, float], np.ndarray] = {}
    beside = None
    for n, distance in tqdm(list(itertools.product(NEIGHBOURS, DISTANCES)), "maps"):
        xy = project(vectors, "umap", n_neighbors=n, min_dist=distance)
        if beside is not None:
            xy = xy @ orthogonal_procrustes(xy, beside)[0]
        maps[n, distance] = beside = xy
    return maps


def trust(vectors: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Each method's map: neighbours kept, trustworthiness, order of far distances; by seed."""

    def means(points: np.ndarray) -> np.ndarray:
        return pdist(np.stack([points[labels == y].mean(0) for y in np.unique(labels)]))

    table: dict[str, Any] = {}
    for method in ("pca", "tsne", "umap"):
        maps = [project(vectors, method, seed=seed) for seed in range(SEEDS)]
        table[method] = {
            "neighbours_kept": [neighbours_kept(vectors, xy) for xy in maps],
            "trustworthiness": [trustworthiness(vectors, xy) for xy in maps],
            "far_order": [float(spearmanr(means(vectors), means(xy))[0]) for xy in maps],
        }
        table[method] |= {f"mean_{name}": float(np.mean(v)) for name, v in table[method].items()}
        table[method]["lost"] = 1 - table[method]["mean_neighbours_kept"]
        moves = [moved(*two) for two in itertools.combinations(maps, 2)]
        table[method] |= {"moved": moves, "mean_moved": float(np.mean(moves))}
    return table


def noise() -> dict[str, Any]:
    """Islands on maps of pure noise, and their silhouette there and in the space."""
    points = np.random.default_rng(0).normal(size=(500, 64))
    record = {}
    for n in (3, 30):
        xy = project(points, "umap", n_neighbors=n, min_dist=0.0)
        near = np.ptp(xy, axis=0).max() / 50
        island = DBSCAN(eps=near, min_samples=5).fit_predict(xy)
        record[str(n)] = found = {"islands": int(island.max() + 1)}
        if island.max() > 0:
            there = island >= 0
            found |= {
                "silhouette_on_map": float(silhouette_score(xy[there], island[there])),
                "silhouette_in_space": float(silhouette_score(points[there], island[there])),
            }
    return record


def are_animals(split: str) -> np.ndarray:
    return np.array([row["subgroup"].startswith("animal") for row in read_emoji([split])[1]])


def animals(vectors: np.ndarray) -> dict[str, float]:
    """The direction of the training animals, asked of the test things; the best of 192 others."""
    known, at = embed(load_model("cnn"), load_images("emoji", "train")), are_animals("train")
    asked, rng = are_animals("test"), np.random.default_rng(0)

    def best_of(directions: np.ndarray) -> float:
        areas = [roc_auc_score(asked, vectors @ way) for way in directions]
        return float(max(max(a, 1 - a) for a in areas))

    way, dim = known[at].mean(0) - known[~at].mean(0), vectors.shape[1]
    return {
        "direction": float(roc_auc_score(asked, vectors @ way)),
        "best_axis": best_of(np.eye(dim)),
        "best_at_random": best_of(rng.normal(size=(dim, dim))),
    }


def clusters(vectors: np.ndarray, pictures: Any) -> dict[str, Any]:
    found = {k: cluster(vectors, k) for k in CLUSTERS}
    spread = [float(((vectors - at[c]) ** 2).sum() / len(vectors)) for c, at in found.values()]
    record: dict[str, Any] = {
        "k": list(CLUSTERS),
        "spread": spread,
        "silhouette": [float(silhouette_score(vectors, c)) for c, _ in found.values()],
        "labels": {},
    }
    record["best_k"] = CLUSTERS[int(np.argmax(record["silhouette"]))]
    rng = np.random.default_rng(0)
    for name in ("thing", "category", "artist"):
        labels = pictures.labels if name == "thing" else pictures.relabel(name).labels
        groups, _ = cluster(vectors, len(np.unique(labels)))
        shuffled = rng.permutation(groups)
        record["labels"][name] = {
            "ari": float(adjusted_rand_score(labels, groups)),
            "nmi": float(normalized_mutual_info_score(labels, groups)),
            "nmi_shuffled": float(normalized_mutual_info_score(labels, shuffled)),
        }
    photos, told = load_embeddings("cifar10-test")
    record["photos_ari"] = float(adjusted_rand_score(told.labels, cluster(photos, 10)[0]))
    return record


def main() -> None:
    record, begin = provenance(), time.perf_counter()
    pictures, vectors = drawings()
    maps = grid(vectors)
    save_maps(MODELS / "umap-grid.npz", maps)
    record |= {
        "what": "maps of the drawings of the test things, and clusters of them",
        "data": "drawings of the test things under cnn; CIFAR-10 (JPEG) test embeddings",
        "recipe": "python -m recipes.maps",
        "spread": f"{SEEDS} seeds of each map, all listed",
        "grid": {f"{n}, {d}": neighbours_kept(vectors, xy) for (n, d), xy in maps.items()},
    }
    card = record | {
        "seconds": time.perf_counter() - begin,
        "metrics": {"neighbours_kept": record["grid"]},
        "licence": "Apache-2.0",
    }
    card.pop("grid")
    write_json(MODELS / "umap-grid.json", card)
    record |= {
        "trust": trust(vectors, pictures.labels),
        "noise": noise(),
        "animals": animals(vectors),
        "clusters": clusters(vectors, pictures),
    }
    record["command"] = record.pop("recipe")
    record["seconds"] = time.perf_counter() - begin
    write_json(ROOT / "results/maps.json", record)


if __name__ == "__main__":
    main()
