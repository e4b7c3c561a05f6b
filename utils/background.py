"""Removing backgrounds through rembg, and measuring how well."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from utils import replacing
from utils.embedder import IMAGENET_MEAN, IMAGENET_STD, MODELS, ModelUnavailable, first_line
from utils.folder import UnreadablePicture, files_below, open_picture, to_rgb
from utils.images import ImageSet

if TYPE_CHECKING:
    from rembg.sessions.base import BaseSession

SIDE = 64  # pixels; what the shipped network looks at


def load_session(name: str = "background", path: Path | None = None) -> "BaseSession":
    """A rembg session: what finds the foreground.

    Parameters
    ----------
    name : "background", the network that ships with the course; or one of rembg's own, such as
        "u2net" (176 MB) or "u2netp", which rembg downloads into its own folder on first use.
    path : another ONNX file for "background", 1×3×64×64 → probabilities 1×1×64×64.

    Raises
    ------
    ModelUnavailable : the file is missing or damaged, or cannot be downloaded now.
    """
    import onnxruntime
    from rembg import new_session

    try:
        if name != "background":
            return new_session(name)
        options = onnxruntime.SessionOptions()
        return _small_session(path or MODELS / "background.onnx")(name, options)
    except Exception as error:  # onnxruntime, pooch and requests each have their own
        remedy = "connect to the internet once, or use load_session(), which ships with the course"
        if name == "background":
            remedy = "restore it with git, or run `python -m recipes.background` to train it again"
        raise ModelUnavailable(
            f"The background network {name!r} cannot be loaded ({first_line(error)}); {remedy}."
        ) from error


def _small_session(path: Path) -> type["BaseSession"]:
    """rembg's way to bring a network of one's own: where it is, and what goes in and comes out."""
    from rembg.sessions.base import BaseSession

    class SmallSession(BaseSession):  # type: ignore[misc]
        @classmethod
        def download_models(cls, *_: Any, **__: Any) -> str:
            return str(path)

        @classmethod
        def name(cls, *_: Any, **__: Any) -> str:
            return "background"

        def predict(self, img: Image.Image, *_: Any, **__: Any) -> list[Image.Image]:
            inputs = self.normalize(img, IMAGENET_MEAN, IMAGENET_STD, (SIDE, SIDE))
            mask = self.inner_session.run(None, inputs)[0][0, 0]
            found = Image.fromarray((255 * mask).round().astype(np.uint8))
            return [found.resize(img.size, Image.Resampling.LANCZOS)]

    return SmallSession


def find_masks(pictures: ImageSet, session: "BaseSession | None" = None) -> np.ndarray:
    """Where the foreground is, by rembg: uint8 N×H×W, 0 for background to 255."""
    from rembg import remove

    session = session or load_session()
    found = np.empty(pictures.images.shape[:3], np.uint8)
    for i, picture in enumerate(tqdm(pictures.images, "finding masks", delay=1, leave=False)):
        found[i] = remove(Image.fromarray(picture), session=session, only_mask=True)
    return found


def remove_background(
    pictures: ImageSet,
    session: "BaseSession | None" = None,
    *,
    masks: np.ndarray | None = None,
    behind: str = "white",
) -> ImageSet:
    """The pictures with something plain behind what stands in them.

    Parameters
    ----------
    session : what finds the foreground; the shipped network by default.
    masks : uint8 N×H×W, to be used instead of what the session would find.
    behind : "white"; "mean", each picture's mean colour; or "blur", the picture itself, blurred.

    Returns
    -------
    The same set with other pixels, and with the masks that were used.

    Raises
    ------
    ValueError : masks of another shape, an unknown `behind`.
    """
    if masks is None:
        masks = find_masks(pictures, session)
    if masks.shape != pictures.images.shape[:3] or masks.dtype != np.uint8:
        raise ValueError(
            f"Pictures of shape {pictures.images.shape} need uint8 masks of "
            f"{pictures.images.shape[:3]}, but these are {masks.dtype} of {masks.shape}."
        )
    cover = masks[..., None].astype(np.float32) / 255
    plain = _plain(pictures.images, behind)
    images = (cover * pictures.images + (1 - cover) * plain).round().astype(np.uint8)
    return replace(pictures, images=images, masks=masks, name=f"{pictures.name} on {behind}")


def _plain(images: np.ndarray, behind: str) -> np.ndarray:
    """What is pasted behind each picture: float32, N×H×W×3 or what broadcasts to it."""
    if behind == "white":
        return np.full((1, 1, 1, 3), 255, np.float32)
    if behind == "mean":
        return images.mean((1, 2), keepdims=True, dtype=np.float32)
    if behind == "blur":
        from scipy.ndimage import gaussian_filter

        sigma = images.shape[1] / 8
        return gaussian_filter(images.astype(np.float32), (0, sigma, sigma, 0))
    raise ValueError(f"Behind can be white, mean or blur, but not {behind!r}.")


def cut_out(picture: Image.Image, session: "BaseSession | None" = None) -> Image.Image:
    """A picture of any size with its background transparent, RGBA.

    One that has transparent parts already keeps those and no others.
    """
    from rembg import remove

    if picture.has_transparency_data:
        given = picture.convert("RGBA")
        if np.asarray(given)[..., 3].min() < 255:
            return given
    return remove(to_rgb(picture), session=session or load_session())


def cut_out_folder(
    source: str | Path, target: str | Path, session: "BaseSession | None" = None
) -> list[str]:
    """Cut out every picture below `source` into a PNG at the same place below `target`.

    What is there already is left alone, so a run that was interrupted can be run again. The
    originals are only read.

    Returns
    -------
    "path (reason)" of every file that could not be read.

    Raises
    ------
    FileNotFoundError : no such folder. ValueError : `target` lies within `source`.
    """
    source, target = Path(source).resolve(), Path(target).resolve()
    if not source.is_dir():
        raise FileNotFoundError(f"There is no folder {str(source)!r} to take pictures from.")
    if source == target or source in target.parents:
        raise ValueError(
            f"The cut-outs would land among the originals in {str(source)!r}; give a folder "
            "outside it."
        )
    session, skipped = session or load_session(), []
    for path in tqdm(files_below(source), "cutting out", delay=1, unit="picture", leave=False):
        place = path.relative_to(source)
        out = target / place.parent / f"{place.name.removesuffix('.png')}.png"
        if out.exists():
            continue
        try:
            picture = open_picture(path)
        except UnreadablePicture as error:
            skipped.append(f"{place.as_posix()} ({error})")
            continue
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as partial:
            cut_out(picture, session).save(partial, "PNG")
    return skipped


def iou(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Intersection over union of masks, each cut at the middle of its range: float64, N.

    1 where both are empty.
    """
    a, b = _shares(found) >= 0.5, _shares(truth) >= 0.5
    union = (a | b).sum((1, 2))
    return np.where(union == 0, 1.0, (a & b).sum((1, 2)) / np.maximum(union, 1))


def mean_absolute_error(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Mean difference of mask values, 0 to 1 (Perazzi et al. 2012, eq. 11): float64, N."""
    return np.abs(_shares(found) - _shares(truth)).mean((1, 2))


def max_f_beta(found: np.ndarray, truth: np.ndarray, beta_squared: float = 0.3) -> float:
    """The best F-beta over all thresholds, precision and recall averaged over the pictures.

    F = (1 + β²)·P·R / (β²·P + R) (Achanta et al. 2009, eq. 6, with β² = 0.3).
    """
    a, b = _shares(found), _shares(truth) >= 0.5
    best = 0.0
    for threshold in np.arange(1, 256) / 255:
        cut = a >= threshold
        hit = (cut & b).sum((1, 2))
        precision = (hit / np.maximum(cut.sum((1, 2)), 1)).mean()
        recall = (hit / np.maximum(b.sum((1, 2)), 1)).mean()
        below = beta_squared * precision + recall
        best = max(best, float((1 + beta_squared) * precision * recall / max(below, 1e-12)))
    return best


def _shares(masks: np.ndarray) -> np.ndarray:
    """Masks as float64 from 0 to 1, whether they came as uint8 or so already."""
    if masks.ndim != 3:
        raise ValueError(f"Masks must be N×H×W, but have shape {masks.shape}.")
    return masks / 255 if masks.dtype == np.uint8 else masks.astype(np.float64)
