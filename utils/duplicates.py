"""Near-duplicates: pictures that are the same but for a new file, size, frame or brightness."""

import io
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from utils.distances import check_vectors
from utils.distances.formulas import BLOCK_BYTES, check_widths, ready
from utils.images import ImageSet, check_pixels, pixels_of

METRICS = ("cosine", "euclidean", "hamming")
MAX_PAIRS = 10_000_000


def pairs_within(
    a: Any, threshold: float, metric: str = "cosine", *, b: Any = None, max_pairs: int = MAX_PAIRS
) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of rows at most `threshold` apart, in blocks: memory grows with what is found.

    Parameters
    ----------
    a : float, N×D; bool for hamming. threshold : the largest distance that still counts.
    metric : "cosine", "euclidean", or "hamming": in how many places two rows differ.
    b : M×D to find pairs of a row of `a` and a row of `b`; by default pairs within `a`.

    Returns
    -------
    pairs : int64, P×2, i before j, in their order; within `a` each pair once, i < j.
    distances : float32, P.

    Raises
    ------
    ValueError : shapes that do not fit, NaN, a threshold below 0, an unknown metric.
    MemoryError : more than `max_pairs` are that near.
    """
    import torch  # takes seconds to import

    if not threshold >= 0:
        raise ValueError(f"A threshold is a distance, at least 0, but is {threshold}.")
    rows = torch.from_numpy(_rows(a, metric, "a"))
    columns = rows if b is None else torch.from_numpy(_rows(b, metric, "b"))
    check_widths(rows, columns)
    # ‖x−y‖²/2 is the cosine distance of unit rows, and half of how many bits differ
    limit = {"cosine": threshold, "euclidean": threshold**2 / 2, "hamming": threshold / 2}[metric]
    found, apart, many = [np.empty((0, 2), np.int64)], [np.empty(0, np.float32)], 0
    block = max(1, BLOCK_BYTES // (4 * max(1, len(columns))))
    for start in range(0, len(rows), block):
        first = start if b is None else 0  # what is further left was compared already
        near = _near(rows[start : start + block], columns[first:], limit)
        if b is None:
            near[:, :block].triu_(1)
        many += int(near.count_nonzero())
        if many > max_pairs:
            raise MemoryError(
                f"More than {max_pairs:,} pairs are within {threshold:g} of each other; choose a "
                "smaller threshold, such as choose_threshold finds."
            )
        i, j = (near.nonzero() + torch.tensor([start, first])).unbind(1)
        half = _half_squares(rows, columns, i, j)  # from differences: a copy is at exactly 0
        stay = half <= limit
        found.append(torch.stack([i[stay], j[stay]], 1).numpy())
        apart.append(half[stay].numpy())
    halves = np.concatenate(apart)
    distances = {"cosine": halves, "euclidean": np.sqrt(2 * halves), "hamming": 2 * halves}[metric]
    return np.concatenate(found), distances


def _near(x: Any, y: Any, limit: float) -> Any:
    """Which rows may have ‖x−y‖²/2 ≤ limit, by the faster ‖x‖²/2 + ‖y‖²/2 − x·y: bool, N×M."""
    import torch

    half_x, half_y = x.square().sum(1) / 2, y.square().sum(1) / 2
    # A sum of D products is off by at most D·ε·‖x‖‖y‖ (Higham 2002, section 3.1).
    longest = torch.cat([half_x, half_y]).max()
    spare = 8 * x.shape[1] * float(np.finfo(np.float32).eps) * longest
    return torch.addmm(half_y, x, y.T, beta=-1) >= (half_x - limit - spare)[:, None]


def _rows(vectors: Any, metric: str, what: str) -> np.ndarray:
    """Rows ready for a product: of unit length for cosine, of zeros and ones for hamming."""
    if metric not in METRICS:
        raise ValueError(f"Pairs have no metric {metric!r}; choose one of: {', '.join(METRICS)}.")
    if metric == "hamming":
        bits = np.asarray(vectors)
        if bits.dtype != bool:
            raise ValueError(f"hamming compares bits, bool N×D, but {what} is {bits.dtype}.")
        return check_vectors(bits.astype(np.float32), what)
    return np.ascontiguousarray(ready(vectors, metric, what))


def _half_squares(rows: Any, columns: Any, i: Any, j: Any) -> Any:
    """‖x−y‖²/2 for row i and column j of each pair, a block of pairs at a time."""
    out = rows.new_empty(len(i))
    step = max(1, BLOCK_BYTES // (4 * rows.shape[1]))
    for at in range(0, len(i), step):
        some = slice(at, at + step)
        out[some] = (rows[i[some]] - columns[j[some]]).square_().sum(1) / 2
    return out


def groups(pairs: np.ndarray, n: int) -> list[np.ndarray]:
    """Pictures that hang together by pairs, if only through others: int64 positions, rising.

    Largest group first, then by its first picture; a picture without a pair is in none.

    Parameters
    ----------
    pairs : int, P×2, positions below `n`, as `pairs_within` gives them. n : how many pictures.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.asarray(pairs, np.int64).reshape(-1, 2)
    if len(pairs) and not 0 <= pairs.min() <= pairs.max() < n:
        raise ValueError(
            f"Pairs must hold positions from 0 to {n - 1}, but hold {pairs.min()} to {pairs.max()}."
        )
    graph = coo_array((np.ones(len(pairs), bool), tuple(pairs.T)), (n, n))
    _, group = connected_components(graph, directed=False)
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    return sorted((part for part in parts if len(part) > 1), key=lambda part: (-len(part), part[0]))


class Threshold(NamedTuple):
    """A distance, and what calling all pairs within it duplicates is worth.

    precision : share of those pairs that are copies. recall : share of the copies among them.
    """

    distance: float
    precision: float
    recall: float


def choose_threshold(
    distances: Any, is_copy: Any, copies: int | None = None, precision: float = 0.95
) -> Threshold:
    """The largest distance within which at least `precision` of the pairs are copies.

    Choose it on validation pictures and their `make_copies`: `distances` of pairs as near as any
    threshold could be. Pairs of different pictures grow with the square of their number, so the
    validation gallery must be as large as the one it is for.

    Parameters
    ----------
    distances : float, P. is_copy : bool, P. copies : how many copies there are in all, should
        some not be among the pairs. precision : above 0, to 1.

    Raises
    ------
    ValueError : lengths that do not fit, no copy, or no threshold is that precise.
    """
    distances, is_copy = np.asarray(distances), np.asarray(is_copy, bool)
    copies = int(is_copy.sum()) if copies is None else copies
    if distances.shape != is_copy.shape or distances.ndim != 1:
        raise ValueError(
            f"Each pair needs a distance and whether it is a copy, but these have shapes "
            f"{distances.shape} and {is_copy.shape}."
        )
    if not is_copy.any() or copies < is_copy.sum() or not 0 < precision <= 1:
        raise ValueError(
            f"A threshold needs copies to find ({is_copy.sum()} of {copies} are among the pairs) "
            f"and a precision above 0 and at most 1, not {precision}."
        )
    order = np.argsort(distances, kind="stable")
    right, many = is_copy[order].cumsum(), np.arange(1, len(order) + 1)
    last = np.append(np.diff(distances[order]) > 0, True)  # pairs equally far go together
    good = np.flatnonzero(last & (right >= precision * many))
    if not len(good):
        raise ValueError(
            f"At no distance are {precision:.0%} of the pairs copies; ask for less precision, or "
            "use an embedding that tells these pictures apart."
        )
    at = good[-1]
    share = float(right[at] / many[at])
    return Threshold(float(distances[order[at]]), share, float(right[at] / copies))


def dhash(images: ImageSet | np.ndarray) -> np.ndarray:
    """Difference hash (Krawetz 2013, "Kind of Like That"): 64 bits a picture, bool N×64.

    The picture in grey, averaged down to 8 rows of 9: is each of them brighter than the next?
    Compare them with `pairs_within(…, metric="hamming")`. images : an ImageSet, or uint8 N×H×W×3.
    """
    import torch
    import torch.nn.functional as F

    pixels = pixels_of(images)
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow's "L"
    small = F.adaptive_avg_pool2d(torch.from_numpy(grey)[:, None], (8, 9))[:, 0].numpy()
    return (small[:, :, :-1] > small[:, :, 1:]).reshape(len(pixels), 64)


def make_copies(images: np.ndarray) -> dict[str, np.ndarray]:
    """What becomes of pictures on their way through the world: four copies of each, by kind.

    re-encoded : as JPEG of quality 50. rescaled : to three quarters of its size and back.
    cropped : a sixteenth off each side, then enlarged. brighter : each value × 1.25.

    Parameters
    ----------
    images : uint8, N×H×W×3; so is each copy.
    """
    import torch
    import torch.nn.functional as F

    check_pixels(images)
    height, width = images.shape[1:3]
    x = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float()

    def resized(x: Any, height: int, width: int) -> Any:
        return F.interpolate(x, (height, width), mode="bilinear", antialias=True)

    def pixels(x: Any) -> np.ndarray:
        rounded: np.ndarray = x.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
        return np.ascontiguousarray(rounded)

    top, left = max(1, height // 16), max(1, width // 16)
    smaller = resized(x, max(1, height * 3 // 4), max(1, width * 3 // 4))
    return {
        "re-encoded": np.stack([_as_jpeg(image) for image in images]),
        "rescaled": pixels(resized(smaller, height, width)),
        "cropped": pixels(resized(x[:, :, top:-top, left:-left], height, width)),
        "brighter": pixels(x * 1.25),
    }


def _as_jpeg(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "jpeg", quality=50)
    return np.asarray(Image.open(file))
