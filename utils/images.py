"""The course's pictures: `load_images` brings any of the four sources as one `ImageSet`."""

import base64
import difflib
import html
import io
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from utils import ROOT
from utils.cifar10 import CLASSES, read_cifar10
from utils.cifar10 import DatasetUnavailable as DatasetUnavailable  # offered from here
from utils.emoji import read_emoji, read_textures
from utils.folder import counted, read_folder, told_of_skipped
from utils.scenes import compose, random_backgrounds, random_placements, seed_of

CACHE = ROOT / "data" / "cache"
SPLITS = {
    "emoji": ("train", "validation", "test", "ood"),
    "scenes": ("train", "validation", "test", "ood"),
    "cifar10": ("train", "test"),
}


def check_pixels(images: np.ndarray) -> None:
    """Raise ValueError unless `images` are uint8, N×H×W×3."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        hint = "; for one picture write picture[None]" if images.ndim == 3 else ""
        raise ValueError(
            f"Pictures must be uint8 of shape N×H×W×3, but are {images.dtype} of shape "
            f"{images.shape}{hint}."
        )


class Labeling(NamedTuple):
    """One way to name every picture: `classes[labels[i]]`; a label of −1 is "none"."""

    labels: np.ndarray
    classes: Sequence[str]


@dataclass(frozen=True)
class ImageSet:
    """Pictures of one size with what is known of them.

    Attributes
    ----------
    images : uint8, N×H×W×3. labels : int64, N; −1 where a picture has none.
    classes : names; picture i shows `classes[labels[i]]`. ids : N strings, each once.
    masks : uint8, N×H×W, 0 background to 255 object, or None.
    others : further labelings by name, for `relabel`. labeling : the name of the one in `labels`.
    name, note : what this is, and in a sentence where it came from.
    """

    images: np.ndarray
    labels: np.ndarray
    classes: Sequence[str]
    ids: Sequence[str]
    masks: np.ndarray | None = None
    others: dict[str, Labeling] = field(default_factory=dict)
    name: str = "pictures"
    note: str = ""
    labeling: str = "class"

    def __post_init__(self) -> None:
        n = len(self.images)
        check_pixels(self.images)
        if not len(self.labels) == len(self.ids) == n:
            raise ValueError(
                f"{n} images need as many labels and ids, but there are {len(self.labels)} and "
                f"{len(self.ids)}."
            )
        if self.masks is not None and self.masks.shape != self.images.shape[:3]:
            raise ValueError(
                f"masks must have the images' N×H×W {self.images.shape[:3]}, but have "
                f"{self.masks.shape}."
            )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: int | slice | np.ndarray | Sequence[int]) -> "ImageSet":
        """One picture, a range, a boolean mask or a list of positions: again an ImageSet."""
        at = np.arange(len(self))[key]
        if np.ndim(at) == 0:
            at = np.array([at])
        return replace(
            self,
            images=self.images[at],
            labels=self.labels[at],
            ids=[self.ids[i] for i in at],
            masks=None if self.masks is None else self.masks[at],
            others={k: Labeling(v.labels[at], v.classes) for k, v in self.others.items()},
        )

    def by_label(self, name: str) -> "ImageSet":
        """The pictures of one class, by its name. Raises KeyError, with near names, if unknown."""
        if name not in self.classes:
            near = difflib.get_close_matches(name, self.classes, 3) or list(self.classes[:3])
            raise KeyError(
                f"{self.name} has no {self.labeling} {name!r}; did you mean {', '.join(near)}?"
            )
        return self[self.labels == list(self.classes).index(name)]

    def relabel(self, labeling: str) -> "ImageSet":
        """The same pictures under another labeling, such as "category" or "artist"."""
        if labeling == self.labeling:
            return self
        if labeling not in self.others:
            known = ", ".join([self.labeling, *self.others])
            raise KeyError(f"{self.name} has no labeling {labeling!r}; it has: {known}.")
        others = {k: v for k, v in self.others.items() if k != labeling}
        others[self.labeling] = Labeling(self.labels, self.classes)
        labels, classes = self.others[labeling]
        return replace(self, labels=labels, classes=classes, others=others, labeling=labeling)

    def label_of(self, i: int) -> str:
        """The class name of picture `i`, or "" where it has none."""
        return self.classes[self.labels[i]] if self.labels[i] >= 0 else ""

    def __repr__(self) -> str:
        height, width = self.images.shape[1:3]
        named = len(np.unique(self.labels[self.labels >= 0]))
        kinds = {"category": "categories", "class": "classes", "family": "families"}.get(
            self.labeling, self.labeling + "s"
        )
        many = f"{len(self):,} picture{'s' * (len(self) != 1)} of {height}×{width}"
        return f"{self.name}: {many}, {named} {kinds if named != 1 else self.labeling}"

    def _repr_html_(self) -> str:
        shown = range(0, len(self), max(1, len(self) // 12))[:12]
        cells = ""
        for i in shown:
            alt, title = html.escape(self.label_of(i) or self.ids[i]), html.escape(self.ids[i])
            cells += (
                f'<img src="{data_url(self.images[i])}" alt="{alt}" title="{title}" width="64" '
                'height="64" style="margin:2px;display:inline">'
            )
        return (
            f"<div><p><b>{html.escape(repr(self))}</b><br>{html.escape(self.note)}</p>{cells}</div>"
        )


def data_url(image: np.ndarray) -> str:
    """uint8, H×W×3 or H×W, as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


def png(image: np.ndarray) -> bytes:
    """uint8, H×W×3 or H×W, as the bytes of a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def check_labelled(labels: np.ndarray, why: str, which: str = "pictures") -> None:
    """Raise ValueError where a label is missing; `why` says what then is not known."""
    if (labels < 0).any():
        raise ValueError(
            f"{(labels < 0).sum()} of {len(labels)} {which} have no label (−1), and {why}; sort "
            "them into sub-folders, one a class."
        )


def pixels_of(pictures: ImageSet | np.ndarray) -> np.ndarray:
    """The pixels of an ImageSet, or those given themselves: uint8, N×H×W×3, else ValueError."""
    pixels = pictures.images if isinstance(pictures, ImageSet) else np.asarray(pictures)
    check_pixels(pixels)
    return pixels


def load_images(
    source: str | Path = "scenes",
    split: str | None = None,
    *,
    size: int = 64,
    download: bool = False,
) -> ImageSet:
    """Load pictures.

    Parameters
    ----------
    source : "emoji" (drawings on white), "scenes" (the same drawings placed on backgrounds),
        "cifar10" (small photos), or the path of a folder of pictures.
    split : "train", "validation", "test" or, for emoji and scenes, "ood"; None for all of the
        first three. A folder has no splits.
    size : side in pixels for a folder's pictures (their middle square); the others have their own.
    download : for "cifar10", fetch it with torchvision where it is missing.

    Raises
    ------
    ValueError : an unknown split. FileNotFoundError : no such folder, or no picture in it.
    DatasetUnavailable : CIFAR-10 is not on this machine.
    """
    source = str(source)
    if source not in SPLITS:
        if size < 1:
            raise ValueError(f"size is a side in pixels, at least 1, but is {size}.")
        if split is not None:
            raise ValueError(
                f"A folder of pictures has no split {split!r}; leave split out, or name one of "
                f"the course's sets: {', '.join(SPLITS)}."
            )
        return _load_folder(Path(os.path.expanduser(source)), size)
    splits = SPLITS[source]
    if split is not None and split not in splits:
        raise ValueError(
            f"{source} has no split {split!r}; choose {', '.join(splits)} or leave it out."
        )
    if source == "cifar10":
        return _load_cifar10(split, download)
    return _emoji_set("emoji", split)[2] if source == "emoji" else _load_scenes(split)


def _emoji_set(source: str, split: str | None) -> tuple[np.ndarray, np.ndarray, ImageSet]:
    """The drawings as RGBA, the split of each, and the drawings on white as an ImageSet."""
    splits = (split,) if split else SPLITS[source][:3]
    drawings, rows = read_emoji(splits)
    alpha = drawings[..., 3:].astype(np.uint16)
    on_white = (drawings[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255

    def labeling(column: str) -> Labeling:
        classes, labels = np.unique([row[column] for row in rows], return_inverse=True)
        return Labeling(labels.astype(np.int64), classes.tolist())

    pictures = ImageSet(
        on_white.astype(np.uint8),
        *labeling("name_en"),
        ids=[row["id"] for row in rows],
        masks=drawings[..., 3],
        others={name: labeling(name) for name in ("category", "artist", "family")},
        name=f"{source} ({', '.join(splits)})",
        note="Emoji by six artists (licences in data/LICENSES.md).",
        labeling="thing",
    )
    return drawings, np.array([row["split"] for row in rows]), pictures


def _load_scenes(split: str | None) -> ImageSet:
    drawings, splits, pictures = _emoji_set("scenes", split)
    seeds = [seed_of(id) for id in pictures.ids]
    backgrounds = np.empty_like(pictures.images)
    for name in np.unique(splits):  # each split has textures of its own
        rows = np.flatnonzero(splits == name)
        backgrounds[rows] = random_backgrounds([seeds[i] for i in rows], read_textures(name))
    images, masks = compose(drawings, random_placements(seeds), backgrounds)
    note = "Each drawing at a random size, place, angle and light on a background. " + pictures.note
    return replace(pictures, images=images, masks=masks, note=note)


def _load_folder(folder: Path, size: int) -> ImageSet:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {str(folder)!r}; give the path of a folder of pictures, or one "
            f"of the names {', '.join(SPLITS)}."
        )
    images, ids, skipped = read_folder(folder, size)
    if skipped:
        warnings.warn(told_of_skipped(skipped), stacklevel=3)
    if not ids:
        raise FileNotFoundError(
            f"No picture was found in {str(folder)!r} or its sub-folders, among "
            f"{counted(len(skipped))}; JPEG, PNG, WebP, GIF, TIFF and whatever else Pillow opens "
            "would do."
        )
    tops = [id.split("/")[0] if "/" in id else "" for id in ids]
    classes = sorted(set(tops) - {""})
    number = {"": -1} | {name: i for i, name in enumerate(classes)}
    labels = np.array([number[top] for top in tops], np.int64)
    note = f"{len(ids):,} pictures from {folder}, {counted(len(skipped))} skipped."
    return ImageSet(images, labels, classes, ids, name=folder.resolve().name, note=note)


def _load_cifar10(split: str | None, download: bool) -> ImageSet:
    wanted = (split,) if split else SPLITS["cifar10"]
    parts = [read_cifar10(name, CACHE, download) for name in wanted]
    images, labels = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    ids = [id for part in parts for id in part[2]]
    note = f"{parts[0][3]}, {' and '.join(wanted)} (Krizhevsky 2009)."
    return ImageSet(images, labels, CLASSES, ids, name=parts[0][3], note=note)
