"""Removing backgrounds through rembg."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from utils import replacing
from utils.embedder import IMAGENET_MEAN, IMAGENET_STD, MODELS, ModelUnavailable, first_line
from utils.folder import UnreadablePicture, files_below, open_picture, to_rgb
from utils.images import ImageSet
from utils.progress import progress

if TYPE_CHECKING:
    from rembg.sessions.base import BaseSession

SIDE = 64  # pixels; what the shipped network looks at
BLOCK = 64  # pictures that something is pasted behind at a time


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
    ValueError : an unknown name.
    """
    import onnxruntime
    from rembg import new_session
    from rembg.sessions import sessions_names
    from requests.exceptions import ConnectionError as Unreachable

    if name not in ("background", *sessions_names):
        raise ValueError(
            f"There is no background network {name!r}; choose 'background', which ships with the "
            "course, or one of rembg's: u2net, u2netp, isnet-general-use and others."
        )
    try:
        if name != "background":
            return new_session(name)
        options = onnxruntime.SessionOptions()
        return _small_session(path or MODELS / "background.onnx")(name, options)
    except Unreachable as error:
        raise ModelUnavailable(
            f"The background network {name!r} is not on this machine and github.com cannot be "
            "reached; connect to the internet once, or use load_session(), which ships with the "
            "course."
        ) from error
    except Exception as error:  # onnxruntime and pooch have their own
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


def find_masks(
    pictures: ImageSet, session: "BaseSession | None" = None, *, matting: bool = False
) -> np.ndarray:
    """Where the foreground is, by rembg: uint8 N×H×W, 0 for background to 255.

    matting : True to have each mask's edge drawn anew from the picture's colours, which takes
        several times as long (closed-form alpha matting, Levin et al. 2008).
    """
    from rembg import remove

    session = session or load_session()
    found = np.empty(pictures.images.shape[:3], np.uint8)
    edge = max(1, pictures.images.shape[1] // 32)  # how wide what is open to doubt is, in pixels
    how = {"alpha_matting": True, "alpha_matting_erode_size": edge} if matting else {}
    for i, picture in enumerate(progress(pictures.images, "finding masks")):
        image = Image.fromarray(picture)
        cut = remove(image, session=session, only_mask=not matting, **how)
        found[i] = np.asarray(cut.getchannel("A") if matting else cut)
    return found


def grab_cut_masks(pictures: ImageSet, border: int = 2) -> np.ndarray:
    """Where the foreground is, without any training: uint8 N×H×W, 0 or 255.

    GrabCut (Rother et al. 2004): what lies within `border` pixels of the frame is background; the
    rest goes to the one of two mixtures of colours that fits it, neighbours together where no
    edge parts them.

    Raises ValueError for a border that leaves nothing of the pictures.
    """
    import cv2

    n, height, width = pictures.images.shape[:3]
    inside = (border, border, width - 2 * border, height - 2 * border)
    if min(inside) < 1:
        most = (min(height, width) - 1) // 2
        raise ValueError(f"The border of {height}×{width} must be 1 to {most}, not {border}.")
    found = np.zeros((n, height, width), np.uint8)
    for mask, picture in zip(found, pictures.images, strict=True):
        cv2.setRNGSeed(0)
        rounds, models = 5, (np.zeros((1, 65)), np.zeros((1, 65)))
        cv2.grabCut(picture, mask, inside, *models, rounds, cv2.GC_INIT_WITH_RECT)
    return 255 * (found & 1)  # 1 and 3 are certain and probable foreground


def remove_background(
    pictures: ImageSet,
    session: "BaseSession | None" = None,
    *,
    masks: np.ndarray | None = None,
    behind: str | Sequence[float] | np.ndarray = "white",
) -> ImageSet:
    """The pictures with something plain behind what stands in them.

    Parameters
    ----------
    session : what finds the foreground; the shipped network by default.
    masks : uint8 N×H×W, to be used instead of what the session would find.
    behind : "white"; "mean", each picture's mean colour; "blur", the picture itself, blurred; or
        one colour for all, three numbers from 0 to 255.

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
    images = np.empty_like(pictures.images)
    for start in range(0, len(images), BLOCK):  # for in float32 all at once are large
        part = slice(start, start + BLOCK)
        cover, given = masks[part, ..., None].astype(np.float32) / 255, pictures.images[part]
        images[part] = (cover * given + (1 - cover) * _plain(given, behind)).round()
    return replace(pictures, images=images, masks=masks, name=f"{pictures.name} on {behind}")


def _plain(images: np.ndarray, behind: str | Sequence[float] | np.ndarray) -> np.ndarray:
    """What is pasted behind each picture: float32, N×H×W×3 or what broadcasts to it."""
    if not isinstance(behind, str):
        colour = np.asarray(behind, np.float32)
        if colour.shape != (3,) or not ((colour >= 0) & (colour <= 255)).all():
            raise ValueError(f"A colour is three numbers from 0 to 255, but not {behind!r}.")
        return colour
    if behind == "white":
        return np.full(3, 255, np.float32)
    if behind == "mean":
        return images.mean((1, 2), keepdims=True, dtype=np.float32)
    if behind == "blur":
        from scipy.ndimage import gaussian_filter

        sigma = images.shape[1] / 8
        return gaussian_filter(images.astype(np.float32), (0, sigma, sigma, 0))
    raise ValueError(f"Behind can be white, mean or blur, but not {behind!r}.")


def cut_out_picture(picture: Image.Image, session: "BaseSession | None" = None) -> Image.Image:
    """A picture of any size with its background transparent, RGBA.

    One that has transparent parts already keeps those and no others. Raises UnreadablePicture
    where Pillow cannot turn its mode into RGB.
    """
    from rembg import remove

    opaque = to_rgb(picture)
    if picture.has_transparency_data:
        given = picture.convert("RGBA")
        if np.asarray(given)[..., 3].min() < 255:
            return given
    return remove(opaque, session=session or load_session())


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
    paths = files_below(source)
    originals = set(paths)
    for path in progress(paths, "cutting out", unit="picture"):
        named = path
        while named.suffix != ".png" or (named != path and named in originals):  # a.jpg, a.jpg.png
            named = named.with_name(f"{named.name}.png")
        out = target / named.relative_to(source)
        if out.exists():
            continue
        try:
            with open_picture(path) as picture:
                alone = cut_out_picture(picture, session)
        except UnreadablePicture as error:
            skipped.append(f"{path.relative_to(source).as_posix()} ({error})")
            continue
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out) as partial:
            alone.save(partial, "PNG")
    return skipped
