"""The embedded drawings: what ships is what was built, and its splits keep their promises."""

import csv
import hashlib
import re
from collections import defaultdict

import numpy as np
import pytest
import skimage.data
from PIL import Image

from utils import ROOT
from utils.emoji import TEXTURES, read_emoji, read_textures
from utils.images import load_images

SPLITS = ("train", "validation", "test", "ood")
ARTISTS = {"emojione", "fluent", "fxemoji", "noto", "openmoji", "twemoji"}


@pytest.fixture(scope="module")
def table():
    with open(ROOT / "data/emoji.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def gather(table, key, value):
    """{key: the set of values that its rows have}."""
    found = defaultdict(set)
    for row in table:
        found[row[key]].add(row[value])
    return found


def test_the_sheets_and_the_table_are_the_ones_that_were_built():
    lines = (ROOT / "data/emoji.sha256").read_text().splitlines()
    digests = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert set(digests) == {"emoji.csv", *(f"emoji/{artist}.webp" for artist in ARTISTS)}
    for name, digest in digests.items():
        raw = (ROOT / "data" / name).read_bytes()
        if name.endswith(".webp"):  # the digest is of the pixels, not of how they are packed
            with Image.open(ROOT / "data" / name) as sheet:
                raw = sheet.convert("RGBA").tobytes()
        assert hashlib.sha256(raw).hexdigest() == digest, name


def test_every_shipped_sheet_has_its_licence():
    told = (ROOT / "data/LICENSES.md").read_text(encoding="utf-8")
    for sheet in (ROOT / "data/emoji").iterdir():
        assert re.search(rf"^\| {sheet.stem} \|", told, re.M), sheet.stem
        assert (ROOT / "data/licenses" / f"{sheet.stem}.txt").stat().st_size > 100


def test_the_splits_have_about_the_promised_sizes(table):
    sizes = {split: len(things) for split, things in gather(table, "split", "thing").items()}
    wanted = {"train": 364, "validation": 50, "test": 200, "ood": 1}
    assert set(sizes) == set(wanted)
    for split, want in wanted.items():
        assert abs(sizes[split] - want) <= 0.03 * want, split


@pytest.mark.parametrize("key", ["thing", "family", "codepoint", "name_en", "name_pt"])
def test_nothing_is_in_two_splits(table, key):
    assert [name for name, splits in gather(table, key, "split").items() if len(splits) > 1] == []


def test_near_twins_are_in_one_family(table):
    family = {row["thing"]: row["family"] for row in table}
    for twins in (("cat", "cat-face"), ("full-moon", "new-moon-face"), ("tiger", "tiger-face")):
        assert len({family[thing] for thing in twins}) == 1, twins


def test_each_thing_is_drawn_by_at_least_five_artists_and_the_donkey_is_the_exception(table):
    artists = gather(table, "thing", "artist")
    assert {thing for thing, drawn in artists.items() if len(drawn) < 5} == {"donkey"}
    assert set.union(*artists.values()) == ARTISTS


def test_the_donkey_is_in_no_split_but_its_own(table):
    assert gather(table, "thing", "split")["donkey"] == {"ood"}
    assert set(load_images("emoji", "ood").classes) == {"donkey"}
    everything = load_images("emoji")
    assert not [name for name in everything.classes if "donkey" in name]
    assert not [id for id in everything.ids if "donkey" in id]


def test_every_thing_has_names_in_both_languages_and_one_of_five_categories(table):
    assert all(row["name_en"] and row["name_pt"] for row in table)
    assert set(gather(table, "category", "thing")) == {
        "activities",
        "animals-nature",
        "food-drink",
        "objects",
        "travel-places",
    }
    assert all(len(names) == 1 for names in gather(table, "thing", "name_en").values())
    assert all(len(things) == 1 for things in gather(table, "name_en", "thing").values())


def test_the_three_splits_are_the_whole_set_and_ids_are_unique(table):
    everything = load_images("emoji")
    parts = [load_images("emoji", split) for split in SPLITS[:3]]
    assert len(everything) == sum(map(len, parts)) == sum(row["split"] != "ood" for row in table)
    assert len(set(everything.ids)) == len(everything)
    assert set(everything.ids) == {id for part in parts for id in part.ids}


def test_a_picture_carries_the_labels_of_its_row_in_the_table(table):
    drawings = load_images("emoji", "validation")
    rows = {row["id"]: row for row in table}
    for name, column in (("thing", "name_en"), ("category", "category"), ("artist", "artist")):
        labeled = drawings.relabel(name)
        assert labeled.labels.dtype == np.int64
        told = [labeled.label_of(i) for i in range(len(labeled))]
        assert told == [rows[id][column] for id in drawings.ids], name
        assert {rows[id]["split"] for id in drawings.ids} == {"validation"}


def test_a_picture_is_the_cell_of_its_artists_sheet_on_white_as_pillow_composites_it(table):
    drawings = load_images("emoji", "validation")
    rows = {row["id"]: row for row in table}
    sheets = {
        name: Image.open(ROOT / f"data/emoji/{name}.webp").convert("RGBA") for name in ARTISTS
    }
    for i, id in enumerate(drawings.ids):
        x, y = 64 * int(rows[id]["column"]), 64 * int(rows[id]["row"])
        cell = sheets[rows[id]["artist"]].crop((x, y, x + 64, y + 64))
        white = Image.alpha_composite(Image.new("RGBA", (64, 64), "white"), cell).convert("RGB")
        np.testing.assert_allclose(
            drawings.images[i].astype(int), np.asarray(white, int), atol=1, err_msg=id
        )
        np.testing.assert_array_equal(drawings.masks[i], np.asarray(cell)[..., 3], err_msg=id)


def test_the_ground_is_pure_white_and_solid_parts_keep_their_colour():
    pictures = load_images("emoji", "validation")
    drawings, _ = read_emoji(("validation",))
    assert (pictures.images[pictures.masks == 0] == 255).all()
    solid = pictures.masks == 255
    np.testing.assert_array_equal(pictures.images[solid], drawings[..., :3][solid])


def test_no_drawing_is_empty():
    for split in SPLITS:
        assert ((load_images("emoji", split).masks > 127).mean((1, 2)) > 0.03).all()


def test_the_tiger_comes_six_ways():
    tigers = load_images("emoji").by_label("tiger")
    assert set(tigers.ids) == {f"{artist}/tiger" for artist in ARTISTS}
    artists = tigers.relabel("artist")
    assert {artists.label_of(i) for i in range(6)} == ARTISTS
    assert len({image.tobytes() for image in tigers.images}) == 6


def test_the_drawings_arrive_with_straight_alpha():
    drawings, rows = read_emoji(("ood",))
    assert drawings.shape == (4, 64, 64, 4) and drawings.dtype == np.uint8 and len(rows) == 4
    edge = (drawings[..., 3] > 40) & (drawings[..., 3] < 160)
    assert (drawings[edge][:, :3].max(1) > drawings[edge][:, 3]).any()  # premultiplied never is


def test_train_validation_and_test_share_no_texture():
    seen = [name for split in SPLITS[:3] for name in TEXTURES[split]]
    assert len(seen) == len(set(seen)) and set(TEXTURES["test"]) == {"gravel", "hubble_deep_field"}
    kept = [texture.tobytes() for split in SPLITS[:3] for texture in read_textures(split)]
    assert len(set(kept)) == len(seen)


@pytest.mark.parametrize("photo", ["chelsea", "coffee", "astronaut", "rocket"])
def test_the_photographs_kept_for_testing_are_never_a_background(photo):
    pixels = getattr(skimage.data, photo)()
    for split in SPLITS:
        assert photo not in TEXTURES[split]
        assert not [t for t in read_textures(split) if np.array_equal(t, pixels)]


@pytest.mark.parametrize("split", SPLITS)
def test_textures_are_large_enough_to_cut_scenes_from(split):
    for texture in read_textures(split):
        assert texture.dtype == np.uint8 and min(texture.shape[:2]) >= 128
        assert texture.ndim == 2 or texture.shape[2:] == (3,)
