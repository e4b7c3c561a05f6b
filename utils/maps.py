"""The space seen from outside: maps of two numbers a picture, and clusters of pictures."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils import writing
from utils.distances import check_vectors, nearest
from utils.embedder import MODELS, ModelUnavailable

METHODS = ("pca", "tsne", "umap")
MANY = 20_000  # from here on K-Means looks at batches
SAMPLE = 3000  # trustworthiness compares all pairs of so many points


def project(vectors: Any, method: str = "umap", seed: int = 0, **options: Any) -> np.ndarray:
    """A map of vectors: two numbers for each.

    Parameters
    ----------
    vectors : float, N×D. method : "pca" (Pearson 1901), "tsne" (van der Maaten & Hinton 2008) or
        "umap" (McInnes et al. 2018).
    options : the library's own, such as perplexity= or n_neighbors=, min_dist=.

    Returns
    -------
    float32, N×2, centred.

    Raises
    ------
    ValueError : an unknown method, NaN, or fewer than 4 vectors.
    """
    vectors = check_vectors(vectors)
    if method not in METHODS:
        raise ValueError(f"There is no map {method!r}; choose one of: {', '.join(METHODS)}.")
    if len(vectors) < 4:
        raise ValueError(f"A map needs at least 4 pictures, but there are {len(vectors)}.")
    if method == "pca":
        from sklearn.decomposition import PCA

        xy = PCA(2, svd_solver="full", **options).fit_transform(vectors)
    elif method == "tsne":
        from sklearn.manifold import TSNE

        if not np.ptp(vectors, axis=0).any():  # its start would be NaN, on which it crashes
            raise ValueError("All vectors are the same, so there is no map of them.")
        given = {"perplexity": min(30, (len(vectors) - 1) / 3)} | options
        xy = TSNE(2, init="pca", random_state=seed, **given).fit_transform(vectors)
    else:
        xy = new_umap(len(vectors), seed, **options).fit_transform(vectors)
    return (xy - xy.mean(axis=0)).astype(np.float32)


def new_umap(n: int, seed: int = 0, **options: Any) -> Any:
    """umap-learn's UMAP for n vectors, not fitted yet; the same seed gives the same map."""
    from umap import UMAP  # takes seconds to import

    given = {"n_neighbors": min(15, n - 1)} | options
    return UMAP(random_state=seed, n_jobs=1, **given)  # a seed allows one job, and UMAP would warn


def trustworthiness(vectors: Any, xy: np.ndarray, k: int = 10) -> float:
    """How far a map can be trusted, 0 to 1: are those who are near on it near in truth?

    Venna & Kaski 2001; scikit-learn's, on at most 3,000 of the points.

    Raises ValueError where the map is not of these vectors, or k is not below half of them.
    """
    from sklearn import manifold

    vectors = _of_one_set(vectors, xy)
    rows = np.random.default_rng(0).permutation(len(vectors))[:SAMPLE]
    if k >= len(rows) / 2:
        raise ValueError(f"k must be below half of the {len(rows)} points, but is {k}.")
    return float(manifold.trustworthiness(vectors[rows], xy[rows], n_neighbors=k))


def neighbours_kept(vectors: Any, xy: np.ndarray, k: int = 10) -> float:
    """Share of the k nearest of each vector (Euclidean) that are its k nearest on the map, too."""
    vectors = _of_one_set(vectors, xy)
    before, after = (nearest(v, v, k, "euclidean", leave_one_out=True)[0] for v in (vectors, xy))
    return float((before[:, :, None] == after[:, None, :]).any(axis=2).mean())


def moved(first: np.ndarray, second: np.ndarray) -> float:
    """How far half of the points move from one map to another of the same vectors, at least.

    The maps, float N×2, are turned, mirrored and stretched to lie on each other as well as can be
    (Procrustes; Gower 1975). Returns the median move, in mean distances to the centre.

    Raises ValueError for maps of different shapes, or one whose points all lie in one place.
    """
    from scipy.spatial import procrustes

    a, b, _ = procrustes(first, second)
    return float(np.median(np.linalg.norm(a - b, axis=1)) / np.linalg.norm(a, axis=1).mean())


def _of_one_set(vectors: Any, xy: np.ndarray) -> np.ndarray:
    vectors = check_vectors(vectors)
    if np.shape(xy) != (len(vectors), 2):
        raise ValueError(
            f"A map of {len(vectors)} vectors has shape ({len(vectors)}, 2), not {np.shape(xy)}."
        )
    return vectors


def cluster(vectors: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """K-Means (Lloyd 1957; scikit-learn's, the best of four starts; in batches from 20,000 on).

    Returns
    -------
    clusters : int64 N, 0 to k − 1, the largest cluster first. centres : float32, k×D.

    Raises
    ------
    ValueError : k below 1 or above the number of different vectors, NaN.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans

    vectors = check_vectors(vectors)
    different = len(np.unique(vectors, axis=0))
    if not 1 <= k <= different:
        raise ValueError(f"k must be from 1 to {different}, the different vectors, but is {k}.")
    kind = KMeans if len(vectors) < MANY else MiniBatchKMeans
    found = kind(k, n_init=4, random_state=0).fit(vectors)
    order = np.argsort(-np.bincount(found.labels_, minlength=k), kind="stable")
    place = np.argsort(order)
    return place[found.labels_].astype(np.int64), found.cluster_centers_[order].astype(np.float32)


def odd_ones(vectors: np.ndarray, clusters: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Distance of each vector to the centre of its own cluster: float32 N; the largest are odd."""
    return np.linalg.norm(vectors - centres[clusters], axis=1).astype(np.float32)


def organise(
    folder: str | Path,
    ids: Sequence[str],
    clusters: np.ndarray,
    into: str | Path,
    names: Sequence[str] | None = None,
) -> list[Path]:
    """Copy pictures into one folder for each cluster; the originals stay as they are.

    Parameters
    ----------
    folder, ids : where the pictures lie, and their paths in there: the ids of
        `load_images(folder)`.
    clusters : int, N. into : a folder that is not there yet, outside `folder`.
    names : of the clusters' folders, by default "cluster 00", "cluster 01", …

    Returns
    -------
    The copies, one a picture. They appear all at once or, if something fails, not at all.

    Raises
    ------
    FileExistsError : `into` is there already. ValueError : lengths that do not fit, names that
        are no folder's or not different, or `into` inside `folder`.
    """
    source, goal = Path(folder).resolve(), Path(into).resolve()
    count = int(np.max(clusters)) + 1 if len(clusters) else 0
    names = [f"cluster {i:02d}" for i in range(count)] if names is None else list(names)
    if len(ids) != len(clusters) or len(names) < count:
        raise ValueError(
            f"{len(ids)} pictures need as many clusters and these {count} names, but there are "
            f"{len(clusters)} and {len(names)}."
        )
    if len(clusters) and np.min(clusters) < 0:
        raise ValueError("A cluster of −1 has no folder; leave its pictures out, or number it.")
    plain = all(name == Path(name).name and name not in ("", "..") for name in names)
    if len(set(names)) < len(names) or not plain:
        raise ValueError("The clusters' names must be different, and plain names of folders.")
    if goal.exists():
        raise FileExistsError(f"{goal} is there already; nothing was copied. Name a new folder.")
    if goal.is_relative_to(source):
        raise ValueError(f"{goal} lies inside {source}, among the originals; name another place.")
    partial = goal.with_name(f".{goal.name} (being copied)")
    shutil.rmtree(partial, ignore_errors=True)
    paths: list[Path] = []
    try:
        partial.mkdir(parents=True)
        for id, number in zip(ids, clusters, strict=True):
            copy = Path(names[number], id.replace("/", " · "))  # two folders may hold one name
            (partial / copy).parent.mkdir(exist_ok=True)
            if (partial / copy).exists():  # "a/b" and "a · b"
                copy = copy.with_name(f"{len(paths)} · {copy.name}")
            shutil.copy2(source / id, partial / copy)
            paths.append(goal / copy)
        partial.rename(goal)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return paths


def load_maps(name: str = "umap-grid") -> dict[tuple[int, float], np.ndarray]:
    """Maps that ship with the course, by their two settings: float32, N×2 each.

    "umap-grid": the test drawings under `cnn`, by UMAP's n_neighbors and min_dist.

    Raises ModelUnavailable where the file is missing or damaged.
    """
    path = MODELS / f"{name}.npz"
    try:
        with np.load(path) as file:
            settings, maps = file["settings"], file["maps"].astype(np.float32)
        return {(int(n), float(d)): xy for (n, d), xy in zip(settings, maps, strict=True)}
    except Exception as error:  # what a damaged file makes of zip and NumPy is any type
        raise ModelUnavailable(
            f"The maps {path} are missing or damaged ({error}); restore them with git, or run "
            "`python -m recipes.maps` to draw them again."
        ) from error


def save_maps(path: Path, maps: dict[tuple[int, float], np.ndarray]) -> None:
    """Write what `load_maps` reads, in float16."""
    with writing(path) as file:
        np.savez_compressed(
            file,
            settings=np.array(list(maps), np.float64),
            maps=np.stack(list(maps.values())).astype(np.float16),
        )
