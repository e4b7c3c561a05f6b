"""Finding and reading CIFAR-10 (Krizhevsky 2009), however the student has it."""

import os
import pickle
from pathlib import Path

import numpy as np

from utils.folder import read_folder

CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())
BATCHES = {"train": [f"data_batch_{i}" for i in range(1, 6)], "test": ["test_batch"]}


class DatasetUnavailable(RuntimeError):
    """A picture set is not on this machine; the message names the ways to provide it."""


def read_cifar10(
    split: str, cache: Path, download: bool = False
) -> tuple[np.ndarray, np.ndarray, list[str], str]:
    """Read one split, "train" or "test", from `$CIFAR10_DIR` or else from `cache`.

    Either holds torchvision's `cifar-10-batches-py/` or `train|test/<class>/` folders of files.

    Returns
    -------
    images uint8 N×32×32×3, labels int64 N, ids, and what to call it: "CIFAR-10", or
    "CIFAR-10 (JPEG)" where the files are JPEGs, whose pixels are not the original ones.

    Raises
    ------
    DatasetUnavailable : nothing there, a file is damaged, or the download failed.
    """
    named = os.environ.get("CIFAR10_DIR")
    root = Path(named) if named else cache
    if download and not named and not (root / "cifar-10-batches-py").is_dir():
        _download(root)
    if (root / "cifar-10-batches-py").is_dir():
        return _read_batches(root / "cifar-10-batches-py", split)
    if (root / split).is_dir():
        return _read_class_folders(root / split, split)
    where = f"$CIFAR10_DIR ({root}) holds neither" if named else "This machine holds neither"
    raise DatasetUnavailable(
        f"{where} cifar-10-batches-py/ nor {split}/<class>/ folders. Either set CIFAR10_DIR to a "
        f"folder that holds one of them, or put cifar-10-batches-py/ into {cache}, or let "
        'load_images("cifar10", download=True) fetch it (170 MB, with CIFAR10_DIR unset).'
    )


def _download(root: Path) -> None:
    from torchvision.datasets import CIFAR10

    try:
        CIFAR10(str(root), download=True)
    except (OSError, RuntimeError) as error:  # no network; a wrong checksum
        raise DatasetUnavailable(
            f"CIFAR-10 could not be downloaded ({error}); connect to the internet, or set "
            "CIFAR10_DIR to a folder that holds cifar-10-batches-py/ or train|test/<class>/."
        ) from error


def _read_batches(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray, list[str], str]:
    images: list[np.ndarray] = []
    labels: list[int] = []
    ids: list[str] = []
    for name in BATCHES[split]:
        try:
            with open(folder / name, "rb") as file:
                batch = pickle.load(file, encoding="latin1")
            images.append(np.asarray(batch["data"], np.uint8).reshape(-1, 3, 32, 32))
            labels += batch["labels"]
            if len(batch["labels"]) != len(images[-1]):
                raise ValueError(f"{len(batch['labels'])} labels for {len(images[-1])} pictures")
        except Exception as error:  # a damaged pickle raises almost any type
            raise DatasetUnavailable(
                f"CIFAR-10's file {folder / name} is missing or damaged ({error!r}); delete the "
                "folder and download it again."
            ) from error
        ids += batch.get("filenames") or [f"{name}/{i:05d}" for i in range(len(batch["labels"]))]
    pixels = np.concatenate(images).transpose(0, 2, 3, 1).copy()
    return pixels, np.array(labels, np.int64), ids, "CIFAR-10"


def _read_class_folders(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray, list[str], str]:
    pixels, ids, skipped = read_folder(folder, 32)
    named = [id.split("/")[0] for id in ids]
    strange = sorted(set(named) - set(CLASSES))
    if skipped or strange or not ids:
        raise DatasetUnavailable(
            f"{folder} is not CIFAR-10: expected pictures in folders named {', '.join(CLASSES)}, "
            f"found {len(ids)} pictures, unknown folders {strange[:5]}, unreadable {skipped[:5]}."
        )
    number = {name: i for i, name in enumerate(CLASSES)}
    labels = np.array([number[name] for name in named], np.int64)
    jpeg = any(id.lower().endswith((".jpg", ".jpeg")) for id in ids)
    return pixels, labels, [f"{split}/{id}" for id in ids], f"CIFAR-10{' (JPEG)' * jpeg}"
