"""Scenes made in pairs: a drawing before another background, placed elsewhere, turned, lit."""

from dataclasses import replace
from functools import cache

import numpy as np

from utils.emoji import read_emoji, read_textures
from utils.images import ImageSet, load_images
from utils.scenes import Placement, compose, random_backgrounds, random_placements, seed_of


@cache
def parts() -> tuple[np.ndarray, Placement, np.ndarray]:
    """What the test scenes are composed of: drawings, placements, backgrounds."""
    drawings, rows = read_emoji(["test"])
    seeds = [seed_of(row["id"]) for row in rows]
    return drawings, random_placements(seeds), random_backgrounds(seeds, read_textures("test"))


def changed(placed: Placement, rows: np.ndarray, **fields: np.ndarray | float) -> Placement:
    """The placements of some rows, with other values in some fields."""
    some = {name: values[rows] for name, values in placed._asdict().items()}
    for name, value in fields.items():
        some[name] = np.broadcast_to(value, some[name].shape).astype(some[name].dtype)
    return Placement(**some)


def others(n: int) -> np.ndarray:
    """For each of n scenes the one half a set away, which shows another thing."""
    return np.roll(np.arange(n), n // 2)


def by_another_artist(labels: np.ndarray) -> np.ndarray:
    """For each picture the next that shows its thing, and for the last of a thing the first."""
    found = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        found[rows] = np.roll(rows, -1)
    return found


def swapped() -> tuple[ImageSet, ImageSet, ImageSet]:
    """The test scenes; the same drawings before others' backgrounds; others before their own."""
    drawings, placed, grounds = parts()
    other = others(len(drawings))
    scenes = load_images("scenes", "test")
    moved, _ = compose(drawings, placed, grounds[other])
    replaced, _ = compose(drawings[other], changed(placed, other), grounds)
    return scenes, replace(scenes, images=moved), replace(scenes, images=replaced)
