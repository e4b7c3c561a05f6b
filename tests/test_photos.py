"""The photographs and their outlines, against scikit-image's files and what one sees in them."""

import os
import subprocess
import sys

import numpy as np
import pytest
from skimage import data

from utils import ROOT
from utils.photos import load_photos

SOURCES = {
    "cat": data.cat,
    "cup": data.coffee,
    "astronaut": data.astronaut,
    "rocket": data.rocket,
}
PHOTOS = pytest.mark.parametrize("name", SOURCES)


@pytest.fixture(scope="module")
def pictures():
    return load_photos()


@pytest.fixture
def photo_and_mask(pictures, name):
    one = pictures.by_label(name)
    return one.images[0], one.masks[0]


def test_there_are_four_photographs_each_a_class_of_its_own_with_its_mask(pictures):
    assert pictures.images.shape == (4, 256, 256, 3) and pictures.images.dtype == np.uint8
    assert pictures.masks.shape == (4, 256, 256) and pictures.masks.dtype == np.uint8
    assert list(pictures.ids) == [pictures.label_of(i) for i in range(4)] == list(SOURCES)


def test_they_come_with_scikit_image_and_nothing_is_downloaded(tmp_path):
    ours = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "no_network")])
    empty = {"SKIMAGE_DATADIR": str(tmp_path), "PYTHONPATH": ours}
    code = "from utils.photos import load_photos; print(len(load_photos()))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | empty, capture_output=True, text=True
    )
    assert done.stdout == "4\n", done.stderr


@PHOTOS
def test_a_photograph_is_the_middle_square_of_scikit_images(photo_and_mask, name):
    whole = SOURCES[name]()
    side = min(whole.shape[:2])
    top, left = (whole.shape[0] - side) // 2, (whole.shape[1] - side) // 2
    middle = whole[top : top + side, left : left + side]
    for theirs, ours in zip(quarters(middle), quarters(photo_and_mask[0]), strict=True):
        np.testing.assert_allclose(ours.mean((0, 1)), theirs.mean((0, 1)), atol=1.5)


def quarters(picture):
    half = len(picture) // 2
    rows = picture[:half], picture[half:]
    return [part for row in rows for part in (row[:, :half], row[:, half:])]


# What share of its photograph each thing covers, and places (row, column) on it and beside it.
COVERED = {
    "cat": (
        (0.8, 0.95),
        {"nose": (208, 160), "eye": (100, 82)},
        {"right of the cheek": (110, 252), "below": (250, 230)},
    ),
    "cup": (
        (0.6, 0.75),
        {"coffee": (95, 119), "saucer": (150, 15), "spoon": (180, 170), "handle": (175, 80)},
        {"table": (5, 5), "table on the right": (40, 235), "table below": (248, 250)},
    ),
    "astronaut": (
        (0.45, 0.6),
        {"face": (50, 113), "suit": (150, 60), "helmet": (225, 180)},
        {"flag": (60, 15), "model behind her": (60, 205), "wall": (20, 60)},
    ),
    "rocket": (
        (0.02, 0.04),
        {"tip": (90, 129), "body": (160, 129)},
        {"left tower": (140, 52), "right tower": (140, 204), "sky": (30, 129)},
    ),
}


@PHOTOS
def test_a_mask_covers_the_thing_and_not_what_stands_about(photo_and_mask, name):
    (least, most), on, beside = COVERED[name]
    mask = photo_and_mask[1]
    assert least < (mask / 255).mean() < most
    assert {place: mask[at] for place, at in on.items()} == dict.fromkeys(on, 255)
    assert {place: mask[at] for place, at in beside.items()} == dict.fromkeys(beside, 0)


@PHOTOS
def test_a_mask_is_0_or_255_but_for_a_soft_edge_a_pixel_wide(photo_and_mask):
    sure = np.pad((photo_and_mask[1] >= 128).astype(int), 1, mode="edge")
    centre, neighbours = sure[1:-1, 1:-1], (sure[2:, 1:-1], sure[:-2, 1:-1], sure[1:-1, 2:])
    on_the_edge = sum(near != centre for near in (*neighbours, sure[1:-1, :-2])) > 0
    soft = (photo_and_mask[1] > 0) & (photo_and_mask[1] < 255)
    assert soft.any() and (soft & ~on_the_edge).sum() < 0.01 * soft.sum()


@pytest.mark.parametrize("name", ["cup", "astronaut", "rocket"])  # the cat is soft where she ends
def test_an_outline_runs_along_the_photographs_edges_and_beside_them_it_would_not(
    photo_and_mask, name
):
    photo, mask = (pixels.astype(float) for pixels in photo_and_mask)
    edges = np.hypot(*np.gradient(photo.mean(2)))

    def met(outline):
        weight = np.hypot(*np.gradient(outline))
        return (weight * edges)[:, 10:-10].sum() / weight[:, 10:-10].sum()

    assert met(mask) > 2.5 * edges.mean()
    for aside in (-10, 10):
        assert met(np.roll(mask, aside, axis=1)) < 0.67 * met(mask)
