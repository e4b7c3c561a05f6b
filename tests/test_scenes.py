"""Scenes: the same seed gives the same bytes, and a drawing lands where its placement says."""

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils import ROOT
from utils.emoji import read_emoji, read_textures
from utils.images import load_images
from utils.scenes import Placement, compose, random_backgrounds, random_placements, seed_of

RNG = np.random.default_rng(0)
SEEDS = [seed_of(f"scene {i}") for i in range(300)]  # more than are worked on at a time
TEXTURES = [
    RNG.integers(0, 256, (150, 140, 3), np.uint8),
    RNG.integers(0, 256, (128, 200), np.uint8),
]
SEED = st.integers(0, 2**64 - 1)


def placed(n=1, **changes):
    """A placement that leaves a drawing as it is, but for the changes."""
    fields = {"scale": 1, "x": 0.5, "y": 0.5, "angle": 0, "shade": 0, "light": 0}
    fields = {key: np.full(n, value, np.float32) for key, value in (fields | changes).items()}
    return Placement(gain=np.ones((n, 3), np.float32), **fields)


def drawings(n=1, side=16):
    pixels = RNG.integers(0, 256, (n, side, side, 4), np.uint8)
    return pixels, RNG.integers(0, 256, (n, side, side, 3), np.uint8)


def disc(grey=100, side=64):
    """A grey disc of half the frame's width, alone on clear ground."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    drawing = np.zeros((1, side, side, 4), np.uint8)
    drawing[0, np.hypot(x, y) < side / 4] = (grey, grey, grey, 255)
    return drawing, np.zeros((1, side, side, 3), np.uint8)


def over(rgba, background):
    """`rgba` on `background` by the definition of straight alpha."""
    cover = rgba[..., 3:] / 255
    return np.round(rgba[..., :3] * cover + background * (1 - cover)).astype(int)


def digest(count=60):
    """One digest over `count` whole scenes; also run in another process."""
    shapes = np.zeros((count, 64, 64, 4), np.uint8)
    shapes[:, 16:48, 16:48] = (0, 50, 100, 200)
    textures = [np.arange(128 * 128, dtype=np.uint32).reshape(128, 128).astype(np.uint8)]
    backgrounds = random_backgrounds(SEEDS[:count], textures)
    images, masks = compose(shapes, random_placements(SEEDS[:count]), backgrounds)
    return hashlib.sha256(images.tobytes() + masks.tobytes()).hexdigest()


@pytest.mark.parametrize("processor", [None, "Nehalem"])
def test_another_process_makes_the_same_bytes_and_so_does_an_older_processor(processor):
    code = "from tests.test_scenes import digest; print(digest())"
    command = [sys.executable, "-W", "ignore", "-c", code]
    older = {"OPENBLAS_CORETYPE": processor} if processor else {}
    answer = subprocess.run(
        command, cwd=ROOT, env=os.environ | older, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == digest()


def test_a_seed_is_the_texts_own_on_every_machine():
    assert seed_of("") == int.from_bytes(hashlib.blake2b(b"", digest_size=8).digest(), "little")
    assert seed_of("noto/tiger") != seed_of("noto/lion")
    assert all(0 <= seed < 2**64 for seed in SEEDS) and len(set(SEEDS)) == len(SEEDS)


def test_a_background_does_not_depend_on_what_else_is_made_with_it():
    together = random_backgrounds(SEEDS, TEXTURES)
    alone = np.concatenate([random_backgrounds([seed], TEXTURES) for seed in SEEDS])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(random_backgrounds(SEEDS[::-1], TEXTURES), together[::-1])


@given(st.lists(SEED, max_size=8), st.data())
def test_a_placement_does_not_depend_on_what_else_is_placed(seeds, data):
    together = random_placements(seeds)
    order = data.draw(st.permutations(range(len(seeds))))
    again = random_placements([seeds[i] for i in order])
    for one, other in zip(together, again, strict=True):
        np.testing.assert_array_equal(one[list(order)], other)


def test_a_composed_scene_does_not_depend_on_what_else_is_composed():
    shapes, backgrounds = drawings(300)
    placements = random_placements(SEEDS)
    images, masks = compose(shapes, placements, backgrounds)
    for i in (0, 7, 255, 256, 299):
        own = Placement(*(values[[i]] for values in placements))
        image, mask = compose(shapes[[i]], own, backgrounds[[i]])
        np.testing.assert_array_equal(image[0], images[i])
        np.testing.assert_array_equal(mask[0], masks[i])


@pytest.mark.parametrize("split", ["validation", "ood"])
def test_a_loaded_scene_is_the_one_its_id_alone_makes(split):
    scenes = load_images("scenes", split)
    shapes, rows = read_emoji((split,))
    assert list(scenes.ids) == [row["id"] for row in rows]
    for i in range(0, len(scenes), 4):
        seed = [seed_of(scenes.ids[i])]
        background = random_backgrounds(seed, read_textures(split))
        image, mask = compose(shapes[[i]], random_placements(seed), background)
        np.testing.assert_array_equal(image[0], scenes.images[i], err_msg=scenes.ids[i])
        np.testing.assert_array_equal(mask[0], scenes.masks[i], err_msg=scenes.ids[i])


def test_scenes_and_drawings_are_the_same_things_in_the_same_order():
    scenes, flat = load_images("scenes", "validation"), load_images("emoji", "validation")
    assert list(scenes.ids) == list(flat.ids) and scenes.classes == flat.classes
    np.testing.assert_array_equal(scenes.labels, flat.labels)
    assert scenes.labeling == "thing" and set(scenes.others) == {"category", "artist", "family"}
    assert scenes.images.shape == flat.images.shape and "scenes" in scenes.name


def test_where_the_mask_is_zero_a_scene_shows_its_background_and_elsewhere_the_drawing():
    scenes = load_images("scenes", "validation")
    seeds = [seed_of(id) for id in scenes.ids]
    backgrounds = random_backgrounds(seeds, read_textures("validation"))
    clear = scenes.masks == 0
    np.testing.assert_array_equal(scenes.images[clear], backgrounds[clear])
    solid = scenes.masks == 255
    assert (scenes.images[solid] != backgrounds[solid]).any(-1).mean() > 0.95
    assert 0.03 < clear.mean() < 0.97


@given(st.lists(SEED, min_size=1, max_size=20))
def test_placements_stay_within_what_is_promised(seeds):
    p = random_placements(seeds)
    assert ((p.scale >= 0.6) & (p.scale <= 0.95 + 1e-6)).all()
    for centre in (p.x, p.y):
        assert (centre - p.scale / 2 >= -1e-6).all() and (centre + p.scale / 2 <= 1 + 1e-6).all()
    assert (np.abs(p.angle) <= math.radians(15) + 1e-6).all()
    assert ((p.shade >= 0) & (p.shade <= 1)).all() and p.gain.shape == (len(seeds), 3)


def test_placements_use_the_whole_of_their_range():
    p = random_placements(SEEDS)
    for values, low, high in ((p.scale, 0.6, 0.95), (np.degrees(p.angle), -15, 15)):
        assert values.min() < low + 0.1 * (high - low) and values.max() > high - 0.1 * (high - low)


def test_a_third_of_the_backgrounds_is_cut_from_the_textures_given():
    black = random_backgrounds(SEEDS, [np.zeros((128, 128), np.uint8)])
    share = (black == 0).all((1, 2, 3)).mean()
    assert 0.25 < share < 0.42
    assert random_backgrounds(SEEDS, TEXTURES)[(black == 0).all((1, 2, 3))].any((1, 2, 3)).all()


def test_every_texture_given_is_used():
    primary = [np.zeros((128, 128, 3), np.uint8) for _ in range(3)]
    for channel, texture in enumerate(primary):
        texture[..., channel] = 255
    made = random_backgrounds(SEEDS, primary)
    for channel in range(3):
        only = (np.delete(made, channel, axis=3) == 0).all((1, 2, 3)) & made.any((1, 2, 3))
        assert only.sum() > 10


@pytest.mark.parametrize("size", [16, 64])
def test_backgrounds_have_the_size_asked_for_and_differ(size):
    made = random_backgrounds(SEEDS[:50], TEXTURES, size)
    assert made.shape == (50, size, size, 3) and made.dtype == np.uint8
    assert len({picture.tobytes() for picture in made}) == 50


def test_no_seeds_make_no_scenes():
    backgrounds = random_backgrounds([], TEXTURES)
    images, masks = compose(np.zeros((0, 64, 64, 4), np.uint8), random_placements([]), backgrounds)
    assert images.shape == (0, 64, 64, 3) and masks.shape == (0, 64, 64)


def test_a_drawing_left_as_it_is_is_composited_by_its_alpha_and_its_mask_is_its_alpha():
    shapes, backgrounds = drawings(5)
    images, masks = compose(shapes, placed(5), backgrounds)
    np.testing.assert_allclose(images.astype(int), over(shapes, backgrounds), atol=1)
    np.testing.assert_array_equal(masks, shapes[..., 3])
    assert images.dtype == masks.dtype == np.uint8


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_an_angle_turns_the_drawing_clockwise(quarters):
    shapes, backgrounds = drawings()
    images, masks = compose(shapes, placed(angle=quarters * math.pi / 2), backgrounds)
    turned = np.rot90(shapes, -quarters, axes=(1, 2))
    np.testing.assert_allclose(masks.astype(int), turned[..., 3], atol=1)
    np.testing.assert_allclose(images.astype(int), over(turned, backgrounds), atol=1)


@pytest.mark.parametrize("right, down", [(3, 0), (0, 5), (-4, 2)])
def test_a_place_moves_the_drawing_right_and_down_and_leaves_background_behind(right, down):
    shapes, backgrounds = drawings(side=16)
    images, masks = compose(shapes, placed(x=0.5 + right / 16, y=0.5 + down / 16), backgrounds)
    moved = np.zeros_like(shapes)
    ys, xs = slice(max(0, down), 16 + min(0, down)), slice(max(0, right), 16 + min(0, right))
    inside = np.roll(shapes, (down, right), axis=(1, 2))
    moved[:, ys, xs] = inside[:, ys, xs]
    np.testing.assert_allclose(masks.astype(int), moved[..., 3], atol=1)
    np.testing.assert_allclose(images.astype(int), over(moved, backgrounds), atol=1)


@given(st.floats(0.5, 1), st.floats(0.4, 0.6), st.floats(0.4, 0.6), st.floats(-3, 3))
def test_a_mask_has_the_size_and_the_centre_of_its_placement(scale, x, y, angle):
    shape, ground = disc()
    mask = compose(shape, placed(scale=scale, x=x, y=y, angle=angle), ground)[1][0] / 255
    assert mask.sum() == pytest.approx(scale**2 * shape[..., 3].sum() / 255, rel=0.04)
    centre = np.arange(64) + 0.5
    assert (mask.sum(0) * centre).sum() / mask.sum() == pytest.approx(64 * x, abs=0.5)
    assert (mask.sum(1) * centre).sum() / mask.sum() == pytest.approx(64 * y, abs=0.5)


def test_gain_multiplies_the_colours_of_the_drawing_and_never_the_background():
    shape, ground = disc(grey=100)
    ground[:] = 60
    gain = np.array([[0.5, 1.0, 3.0]], np.float32)
    images, masks = compose(shape, placed()._replace(gain=gain), ground)
    np.testing.assert_array_equal(images[0, 32, 32], (50, 100, 255))
    assert (images[masks == 0] == 60).all()


@pytest.mark.parametrize(
    "light, bright, dark", [(0, (32, 44), (32, 20)), (math.pi / 2, (44, 32), (20, 32))]
)
def test_the_side_towards_the_light_is_brighter(light, bright, dark):
    shape, ground = disc(grey=100)
    image = compose(shape, placed(shade=0.5, light=light), ground)[0][0]
    assert image[bright][0] > 105 and image[dark][0] < 95


def test_the_hidden_colour_of_clear_pixels_does_not_leak_into_edges():
    shape, ground = disc(grey=0)
    shape[shape[..., 3] == 0] = (255, 255, 255, 0)
    image = compose(shape, placed(scale=0.77, angle=0.2), ground)[0]
    assert image.max() == 0


@pytest.mark.parametrize(
    "shape, ground, says",
    [
        ((2, 8, 8, 3), (2, 8, 8, 3), r"RGBA.*\(2, 8, 8, 3\)"),
        ((2, 8, 9, 4), (2, 8, 8, 3), r"RGBA.*\(2, 8, 9, 4\)"),
        ((8, 8, 4), (8, 8, 3), r"RGBA.*\(8, 8, 4\)"),
        ((2, 8, 8, 4), (3, 8, 8, 3), "2 drawings need backgrounds"),
        ((2, 8, 8, 4), (2, 8, 9, 3), "2 drawings need backgrounds"),
        ((2, 8, 8, 4), (2, 8, 8, 4), "2 drawings need backgrounds"),
        ((2, 8, 8, 4), (2, 8), "2 drawings need backgrounds"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(shape, ground, says):
    with pytest.raises(ValueError, match=says):
        compose(np.zeros(shape, np.uint8), placed(2), np.zeros(ground, np.uint8))
