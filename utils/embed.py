"""From pictures to embeddings: `embed(model, images)`."""

import hashlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from utils import ROOT, writing
from utils.embedder import MODELS, Embedder, ModelUnavailable
from utils.images import ImageSet, Labeling, pixels_of
from utils.progress import progress

CACHE = ROOT / "data" / "cache" / "embeddings"
BLOCK = 32  # pictures whose colours are counted at a time


def embed(
    model: Embedder, images: ImageSet | np.ndarray, batch_size: int = 256, *, cache: bool = True
) -> np.ndarray:
    """One embedding a picture.

    The same weights on the same pixels are computed once: the answer is kept in
    data/cache/embeddings, with a warning where that cannot be written.

    Parameters
    ----------
    images : an ImageSet, or uint8 N×H×W×3. batch_size : pictures in the network at a time.
    cache : False to compute anew and keep nothing.

    Returns
    -------
    float32, N×model.dim, L2-normalised rows.

    Raises
    ------
    ValueError : not uint8 N×H×W×3, or the network answered with NaN.
    """
    pixels = pixels_of(images)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, but is {batch_size}.")
    if not cache:
        return _run(model, pixels, batch_size)
    path = CACHE / f"{_key(model, pixels)}.npy"
    kept = _kept(path, (len(pixels), model.dim))
    if kept is None:
        kept = _run(model, pixels, batch_size)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with writing(path) as file:
                np.save(file, kept)
        except OSError as error:  # a full disk, or one that is read-only
            told = f"The embeddings cannot be kept in {CACHE} ({error})"
            warnings.warn(f"{told}; next time they are computed again.", stacklevel=2)
    return kept


def _key(model: Embedder, pixels: np.ndarray) -> str:
    hasher = hashlib.blake2b(f"{model.digest} {model.preprocess} {pixels.shape}".encode())
    hasher.update(np.ascontiguousarray(pixels).data)
    return hasher.hexdigest()[:32]


def _kept(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """What an earlier call wrote, or None: a damaged file is only a reason to compute again."""
    try:
        kept = np.load(path)
    except Exception:  # which may raise almost any type
        return None
    return kept if kept.shape == shape and kept.dtype == np.float32 else None


def _run(model: Embedder, pixels: np.ndarray, batch_size: int) -> np.ndarray:
    import torch
    import torch.nn.functional as F

    out = np.empty((len(pixels), model.dim), np.float32)
    starts = range(0, len(pixels), batch_size)
    told = progress(starts, "embedding", unit="batch")
    with torch.inference_mode():
        for start, x in zip(told, model.inputs(pixels, batch_size), strict=True):
            vectors = F.normalize(model.module(x).float(), dim=1)
            out[start : start + batch_size] = vectors.cpu().numpy()
    bad = ~np.isfinite(out).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{model.name} answered with NaN for {bad.sum()} of {len(out)} pictures, the first "
            f"being {bad.argmax()}; its weights are damaged: load it again."
        )
    return out


def pixel_vectors(pictures: ImageSet | np.ndarray, size: int = 32) -> np.ndarray:
    """The pixels themselves, averaged down to size×size: float32, N×(3·size²), 0 to 1.

    pictures : an ImageSet, or uint8 N×H×W×3.

    Raises ValueError where `size` does not divide the pictures' sides.
    """
    pixels = pixels_of(pictures)
    n, height, width, _ = pixels.shape
    if height % size or width % size:
        raise ValueError(f"{size} must divide the pictures' sides, {height} and {width}.")
    blocks = pixels.reshape(n, size, height // size, size, width // size, 3)
    return blocks.mean((2, 4), dtype=np.float32).reshape(n, -1) / 255


def colour_histogram(pictures: ImageSet | np.ndarray, bins: int = 4) -> np.ndarray:
    """Share of a picture's pixels in each of bins³ boxes of RGB: float32, N×bins³, rows sum to 1.

    The oldest embedding (Swain & Ballard 1991, "Color Indexing"): what colours, not where.

    pictures : an ImageSet, or uint8 N×H×W×3.
    """
    pixels = pixels_of(pictures)
    level = np.arange(256) * bins // 256
    counts = np.empty((len(pixels), bins**3))
    for start in range(0, len(pixels), BLOCK):  # NumPy counts in int64
        red, green, blue = np.moveaxis(level[pixels[start : start + BLOCK]], -1, 0)
        box = ((red * bins + green) * bins + blue).reshape(len(red), -1)
        box += np.arange(len(box))[:, None] * bins**3
        found = np.bincount(box.ravel(), minlength=len(box) * bins**3)
        counts[start : start + BLOCK] = found.reshape(len(box), -1)
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def load_embeddings(name: str = "cifar10-test") -> tuple[np.ndarray, Labeling]:
    """Embeddings that ship with the course, of photos that do not.

    "cifar10-test": what `cnn-photos` makes of the 10,000 test photos of CIFAR-10 (JPEG), in the
    order of `load_images("cifar10", "test")` from class folders.

    Returns
    -------
    vectors : float32, N×64, L2-normalised (stored as float16). labels : `.labels`, `.classes`.
    """
    path = MODELS / f"{name}.npz"
    try:
        with np.load(path) as file:
            vectors = file["vectors"].astype(np.float32)
            labeling = Labeling(file["labels"].astype(np.int64), file["classes"].tolist())
    except Exception as error:  # what a damaged file makes of zip and NumPy is any type
        raise ModelUnavailable(
            f"The embeddings {path} are missing or damaged ({error}); restore them with git."
        ) from error
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labeling


def save_embeddings(path: Path, vectors: np.ndarray, labels: Any, classes: Any) -> None:
    """Write what `load_embeddings` reads: float16 vectors, int64 labels, class names."""
    with writing(path) as file:
        np.savez_compressed(
            file,
            vectors=vectors.astype(np.float16),
            labels=np.asarray(labels, np.int64),
            classes=np.asarray(classes),
        )
