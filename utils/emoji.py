"""Reading the embedded drawings: one sheet an artist, one table for all."""

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from utils import ROOT

TABLE, SHEETS = ROOT / "data" / "emoji.csv", ROOT / "data" / "emoji"
SIDE = 64  # pixels of a drawing
# The textures of a split's scenes are used in no other split, so that "unseen" is true of
# backgrounds too. All of them ship inside scikit-image.
TEXTURES = {
    "train": ("brick", "grass", "ihc", "moon", "retina", "motorcycle_left"),
    "validation": ("coins", "page"),
    "test": ("gravel", "hubble_deep_field"),
    "ood": ("gravel", "hubble_deep_field"),
}


@cache
def _table() -> list[dict[str, str]]:
    with open(TABLE, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _sheet(artist: str) -> np.ndarray:
    """All drawings of an artist, uint8, rows×columns×64×64×4."""
    with Image.open(SHEETS / f"{artist}.webp") as file:
        pixels = np.asarray(file.convert("RGBA"))
    rows, columns = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
    return pixels.reshape(rows, SIDE, columns, SIDE, 4).swapaxes(1, 2)


def read_rows(splits: Sequence[str]) -> list[dict[str, str]]:
    """The table's rows of some splits, one a drawing."""
    return [row for row in _table() if row["split"] in splits]


def read_emoji(splits: Sequence[str]) -> tuple[np.ndarray, list[dict[str, str]]]:
    """The drawings of some splits, uint8 RGBA N×64×64×4 with straight alpha, and their rows."""
    rows = read_rows(splits)
    drawings = [_sheet(row["artist"])[int(row["row"]), int(row["column"])] for row in rows]
    return np.stack(drawings), rows


@cache
def read_textures(split: str) -> list[np.ndarray]:
    """The textures on which a split's scenes stand, uint8, H×W or H×W×3, sides from 128."""
    from skimage import data

    folder = Path(data.__file__).parent
    paths = [next(folder.glob(f"{name}.*")) for name in TEXTURES[split]]
    return [np.asarray(Image.open(path)) for path in paths]


@cache
def _names() -> dict[str, str]:
    """English name by emoji."""
    return {chr(int(row["codepoint"], 16)): row["name_en"] for row in _table()}


def name_of(sign: str) -> str | None:
    """The English name of an emoji of the set, or None."""
    return _names().get(sign)
