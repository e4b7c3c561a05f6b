"""Graders of lesson 05."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from utils.embed import embed
from utils.images import load_images
from utils.models import load_model


def grade_1(kept: Callable[..., Any]) -> str | None:
    """The share of near neighbours that a map keeps."""
    rng = np.random.default_rng(0)
    vectors, xy = rng.normal(size=(40, 6)), rng.normal(size=(40, 2))
    used = vectors.copy(), xy.copy()
    given = kept(*used, 5)
    if not (np.array_equal(used[0], vectors) and np.array_equal(used[1], xy)):
        return "Your function changes the vectors or the map it is given."
    if not np.isscalar(given) and np.ndim(given) != 0:
        return f"One number is asked for, but yours has shape {np.shape(given)}. Take the mean."
    found, expected, itself = float(given), _kept(vectors, xy, 5), _kept(vectors, xy, 5, True)
    if np.isclose(found, expected):
        if not np.isclose(float(kept(vectors, xy, 9)), _kept(vectors, xy, 9)):
            return "For k = 5 it is right, but not for k = 9: use k."
        return None if np.isclose(float(kept(xy, xy, 5)), 1) else "A map of itself should keep all."
    if any(np.isclose(found, way) for way in (itself, expected + 0.2, (5 * expected + 1) / 6)):
        return "A point is among its own nearest in yours: ask with leave_one_out=True."
    if np.isclose(found, 5 * expected) or np.isclose(found, 40 * 5 * expected):
        return "That is a number of neighbours, not a share: divide by k."
    if np.isclose(found, _same_place(vectors, xy, 5)):
        return (
            "You compare place by place: the third nearest with the third nearest. It is enough "
            "that a neighbour is among the k, wherever."
        )
    by_angle = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (vectors, xy)]
    if any(np.isclose(found, _kept(by_angle[0], other, 5)) for other in (xy, by_angle[1])):
        return 'You compare angles: `nearest` takes the cosine unless it is told "euclidean".'
    return f"Here the share should be {expected:.3f}, but yours is {found:.3f}."


def _nearest(points: np.ndarray, k: int, itself: bool = False) -> np.ndarray:
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    if not itself:
        np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1)[:, :k]


def _kept(vectors: np.ndarray, xy: np.ndarray, k: int, itself: bool = False) -> float:
    before, after = _nearest(vectors, k, itself), _nearest(xy, k, itself)
    return float((before[:, :, None] == after[:, None]).any(2).mean())


def _same_place(vectors: np.ndarray, xy: np.ndarray, k: int) -> float:
    return float((_nearest(vectors, k) == _nearest(xy, k)).mean())


def grade_2(direction: Callable[..., Any]) -> str | None:
    """From the others to the chosen, of unit vectors, of length 1."""
    rng = np.random.default_rng(0)
    vectors, chosen = rng.normal(size=(30, 4)), np.arange(30) % 5 == 0
    vectors[3] *= 100
    kept = vectors.copy()
    found = np.asarray(direction(vectors, chosen), float)
    if not np.array_equal(kept, vectors):
        return "Your function changes the vectors it is given."
    if found.shape != (4,):
        return f"A direction among vectors of 4 numbers has shape (4,), not {found.shape}."
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    way = unit[chosen].mean(0) - unit[~chosen].mean(0)
    expected = way / np.linalg.norm(way)
    if np.allclose(found, expected, atol=1e-3):
        return None
    length = np.linalg.norm(found)
    if not 0 < length < np.inf:
        return f"Your direction is {found.tolist()}, which points nowhere."
    if np.allclose(found, -expected):
        return "Yours leads from the chosen to the others: the other way round, please."
    if np.allclose(found / length, expected):
        return f"The direction is right, but its length is {length:.2f}: divide by it."
    long = vectors[chosen].mean(0) - vectors[~chosen].mean(0)
    if np.allclose(found / length, long / np.linalg.norm(long)):
        return "One vector is a hundred times as long as the others and decides: give all length 1."
    return f"Its cosine with the direction asked for is {found @ expected / length:.2f}."


def grade_3(sort_photos: Callable[..., Any]) -> str | None:
    """A folder of three kinds of pictures, nine, six and three of them, in subfolders too."""
    with tempfile.TemporaryDirectory() as place:
        sizes, model = _three_kinds(Path(place)), load_model("cnn-photos")
        given, two = sort_photos(place, 3, model), sort_photos(place, 2, model)
        pictures = load_images(place)
    if not isinstance(given, list) or any(not isinstance(ids, list) for ids in given):
        inside = f" of {type(given[0]).__name__}" if isinstance(given, list) and given else ""
        return f"Return a list of lists of ids, not {type(given).__name__}{inside}."
    if len(given) != 3:
        return f"Three clusters were asked for, but you return {len(given)} lists."
    flat = [id for ids in given for id in ids]
    if not all(isinstance(id, str) for id in flat):
        return "Give the pictures' ids, not their positions: pictures.ids[i]."
    if strange := set(flat) - set(sizes):
        return f"{min(strange)} is no picture's id; pictures.ids holds them, sub-folder included."
    if len(set(flat)) < len(flat):
        return f"{max(flat, key=flat.count)} is in your lists twice; each picture belongs into one."
    if sorted(flat) != sorted(sizes):
        return (
            f"Each of the {len(sizes)} pictures belongs into one list, but yours hold {len(flat)}."
        )
    if [len(ids) for ids in given] != sorted((len(ids) for ids in given), reverse=True):
        return "The largest cluster should come first."
    if [len(ids) for ids in given] != [9, 6, 3]:
        return (
            "There are nine, six and three pictures of a kind, but your clusters hold "
            f"{[len(ids) for ids in given]}. Do you cluster the embeddings?"
        )
    vectors = dict(zip(pictures.ids, embed(model, pictures, cache=False), strict=True))
    if not all(sizes[ids[-1]] and _typical_first([vectors[id] for id in ids]) for ids in given):
        return "In each list the picture nearest to the centre comes first, the odd ones last."
    if len(two) != 2:
        return f"For k = 3 it is right, but for k = 2 you return {len(two)} lists: use `k`."
    return None


def _typical_first(rows: list[np.ndarray]) -> bool:
    """Whether the first is among the nearer half; read at another size another may be nearest."""
    vectors = np.stack(rows)
    far = np.linalg.norm(vectors - vectors.mean(axis=0), axis=1)
    return bool(far[0] <= np.median(far))


def _three_kinds(folder: Path) -> dict[str, int]:
    """Squares on three grounds, written as files: by id, how odd a picture is among its kind."""
    rng, odd = np.random.default_rng(0), {}
    grounds = ((200, 30, 30), (30, 60, 200), (240, 240, 240))
    for kind, (n, ground) in enumerate(zip((9, 6, 3), grounds, strict=True)):
        for i in range(n):
            picture = np.full((64, 64, 3), ground, np.uint8)  # read at 32, it is the same
            picture[16:48, 16:48] = 255 - np.array(ground)
            last = i == 0  # not the last by name
            noise = rng.normal(0, 12 if last else 2, picture.shape)
            picture = (picture + noise).clip(0, 255).astype(np.uint8)
            id = f"{rng.integers(10**6):06d}.png" if i % 2 else f"more/{kind}{i}.png"
            (folder / id).parent.mkdir(exist_ok=True)
            Image.fromarray(picture).save(folder / id)
            odd[id] = int(last)
    return odd
