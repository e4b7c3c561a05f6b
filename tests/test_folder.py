"""Anyone's pictures: every mode and every kind of broken file, through real files."""

import contextlib
import io
import os
import shutil
import struct
import subprocess
import sys
import warnings
import zlib
from functools import cache

import numpy as np
import pytest
from PIL import Image

from utils import ROOT
from utils.folder import UnreadablePicture, read_picture
from utils.images import load_images

RNG = np.random.default_rng(0)
GREY, COLOUR = RNG.integers(0, 256, (8, 8), np.uint8), RNG.integers(0, 256, (8, 8, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (8, 8), np.uint16)
DEEP[0, :4] = 0, 65535, 256, 128  # 128 / 257 rounds down, and 256 / 257 up


def encode(picture, format="png", **options):
    """The bytes of a file; `picture` is a PIL image or an array."""
    picture = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def deep_png(values):
    """A PNG of 16 bits a channel, grey or RGB, written by hand: Pillow writes no 16-bit RGB."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if values.ndim == 3 else 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def on_white(colour, alpha):
    cover = alpha[..., None] / 255
    return np.round(colour * cover + 255 * (1 - cover)).astype(np.uint8)


def rgb(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def palette(**options):
    """Eight indices in rows 0 to 7 of a palette of greys 0, 30, …, 210."""
    picture = Image.fromarray(np.repeat(np.arange(8, dtype=np.uint8)[:, None], 8, 1), "P")
    picture.putpalette([30 * i for i in range(8) for _ in range(3)])
    return encode(picture, **options)


PALETTE = rgb(np.repeat(30 * np.arange(8, dtype=np.uint8)[:, None], 8, 1))
CLEAR = PALETTE.copy()
CLEAR[2] = 255
HALF = PALETTE.copy()
HALF[0], HALF[1] = 255, round(30 * 128 / 255 + 255 * 127 / 255)
ALPHA = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
RAMP = np.linspace(-3, 7, 64, dtype=np.float32).reshape(8, 8)
BITS = np.where(GREY > 127, 255, 0).astype(np.uint8)
READABLE = {
    "RGB": (encode(COLOUR), COLOUR),
    "grey": (encode(GREY), rgb(GREY)),
    "one bit": (encode(Image.fromarray(GREY > 127)), rgb(BITS)),
    "BMP": (encode(COLOUR, "bmp"), COLOUR),
    "lossless WebP": (encode(COLOUR, "webp", lossless=True), COLOUR),
    "RGBA": (encode(np.dstack([COLOUR, ALPHA])), on_white(COLOUR, ALPHA)),
    "LA": (encode(Image.fromarray(np.dstack([GREY, ALPHA]), "LA")), on_white(rgb(GREY), ALPHA)),
    "RGBA WebP": (
        encode(np.dstack([COLOUR, ALPHA]), "webp", lossless=True, exact=True),
        on_white(COLOUR, ALPHA),
    ),
    "palette": (palette(), PALETTE),
    "palette with a clear colour": (palette(transparency=2), CLEAR),
    "palette with half-clear colours": (palette(transparency=bytes([0, 128])), HALF),
    "GIF with a clear colour": (palette(format="gif", transparency=2), CLEAR),
    "RGB with a clear colour": (
        encode(
            np.where(np.eye(8, dtype=bool)[..., None], np.uint8(7), COLOUR), transparency=(7,) * 3
        ),
        np.where(np.eye(8, dtype=bool)[..., None], np.uint8(255), COLOUR),
    ),
    "16-bit grey PNG": (deep_png(DEEP), rgb(np.round(DEEP / 257).astype(np.uint8))),
    "16-bit grey TIFF": (encode(DEEP, "tiff"), rgb(np.round(DEEP / 257).astype(np.uint8))),
    "16-bit grey TIFF, big-endian": (
        encode(Image.frombytes("I;16B", (8, 8), DEEP.astype(">u2").tobytes()), "tiff"),
        rgb(np.round(DEEP / 257).astype(np.uint8)),
    ),
    "16-bit RGB PNG": (
        deep_png(DEEP[..., None] + np.zeros(3, np.uint16)),
        rgb(np.round(DEEP / 257).astype(np.uint8)),
    ),
    "12 bits in a 16-bit TIFF": (
        encode(DEEP // 16, "tiff"),
        rgb(np.round((DEEP // 16) * (255 / 4095)).astype(np.uint8)),
    ),
    "8 bits in a 16-bit PNG": (deep_png(GREY.astype(np.uint16)), rgb(GREY)),
    "8 bits in a 32-bit TIFF": (encode(GREY.astype(np.int32), "tiff"), rgb(GREY)),
    "float TIFF": (
        encode(RAMP, "tiff"),
        rgb(np.round((RAMP.astype(float) + 3) / 10 * 255).astype(np.uint8)),
    ),
    "float TIFF of one value": (encode(np.full((8, 8), 0.5, np.float32), "tiff"), rgb(0 * GREY)),
    "YCbCr TIFF": (
        encode(Image.new("YCbCr", (8, 8), (128, 128, 128)), "tiff"),
        np.full((8, 8, 3), 128),
    ),
}


@pytest.mark.parametrize("kind", READABLE)
def test_every_mode_becomes_the_rgb_a_viewer_would_show(kind):
    file, expected = READABLE[kind]
    found = read_picture(file, 8)
    assert found.dtype == np.uint8 and found.shape == (8, 8, 3)
    np.testing.assert_allclose(found.astype(int), expected, atol=1)


@pytest.mark.parametrize(
    "ink, shown", [((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 255), (0,) * 3)]
)
def test_a_cmyk_jpeg_shows_the_colours_its_inks_print(ink, shown):
    found = read_picture(encode(Image.new("CMYK", (16, 16), ink), "jpeg", quality=95), 16)
    np.testing.assert_allclose(found.astype(int), np.broadcast_to(shown, (16, 16, 3)), atol=6)


def test_a_float_tiff_with_holes_keeps_the_rest():
    values = RAMP.copy()
    values[0, 0] = np.nan
    found, whole = (read_picture(encode(v, "tiff"), 8).astype(int) for v in (values, RAMP))
    np.testing.assert_allclose(found.reshape(64, 3)[1:], whole.reshape(64, 3)[1:], atol=8)


# What each EXIF orientation says was done to the upright picture before it was stored.
STORED = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_taken_with_a_turned_camera_is_read_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](COLOUR))
    np.testing.assert_array_equal(read_picture(encode(stored, exif=exif), 8), COLOUR)


@pytest.mark.parametrize("format", ["png", "webp"])
def test_a_picture_whose_exif_is_damaged_is_read_all_the_same(format):
    options = {"lossless": True} if format == "webp" else {}
    data = encode(COLOUR, format, exif=b"Exif\0\0 nothing that has to do with TIFF", **options)
    np.testing.assert_array_equal(read_picture(data, 8), COLOUR)


def test_a_turned_jpeg_from_a_phone_is_upright_too():
    upright = np.full((60, 40, 3), 40, np.uint8)
    upright[:20] = (250, 10, 10)  # the sky is red
    exif = Image.Exif()
    exif[0x0112] = 6
    file = encode(np.ascontiguousarray(np.rot90(upright)), "jpeg", quality=95, exif=exif)
    found = read_picture(file, 20)  # the middle square: rows 10 to 50 of the 60
    assert found[2, :, 0].min() > 200 and found[12:, :, 0].max() < 90


def test_of_an_animation_the_first_frame_is_read():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for format in ("gif", "webp", "png", "tiff"):
        options = {"lossless": True} if format == "webp" else {}
        file = encode(frames[0], format, save_all=True, append_images=frames[1:], **options)
        np.testing.assert_array_equal(read_picture(file, 8)[3, 3], (255, 0, 0), err_msg=format)


@pytest.mark.parametrize("turn", [False, True])
def test_the_middle_square_of_a_long_picture_is_kept(turn):
    stripes = np.repeat(np.eye(3, dtype=np.uint8) * 255, 12, axis=0)  # red, green, blue thirds
    long = np.broadcast_to(
        stripes[:, None] if turn else stripes[None], (36, 12, 3) if turn else (12, 36, 3)
    )
    found = read_picture(encode(np.ascontiguousarray(long)), 12)
    np.testing.assert_array_equal(found, np.broadcast_to((0, 255, 0), (12, 12, 3)))


def test_a_large_jpeg_decoded_small_looks_like_the_whole_one_made_small():
    y, x = np.mgrid[:300, :400]
    photo = np.stack([x * 255 / 400, y * 255 / 300, 128 + 60 * np.sin(x / 40)], -1).astype(np.uint8)
    file = encode(photo, "jpeg", quality=95)
    whole = Image.open(io.BytesIO(file)).convert("RGB").crop((50, 0, 350, 300))
    expected = np.asarray(whole.resize((32, 32), Image.Resampling.BOX)).astype(int)
    assert np.abs(read_picture(file, 32) - expected).mean() < 2


@pytest.mark.parametrize("size", [1, 5, 8, 100])
def test_a_picture_comes_in_the_size_asked_for(size):
    assert read_picture(encode(np.full((1, 3, 3), 77, np.uint8)), size).shape == (size, size, 3)


def test_a_file_is_the_same_by_path_by_text_and_by_bytes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encode(COLOUR))
    for source in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(read_picture(source, 8), COLOUR)


def premultiplied_grey():
    """A TIFF of grey with its alpha multiplied in, which Pillow opens and cannot convert."""
    plain = encode(Image.new("LA", (8, 8)), "tiff")
    kind = struct.pack("<HHI", 338, 3, 1)  # ExtraSamples: one number of 16 bits follows
    assert plain.count(kind + b"\2\0") == 1
    return plain.replace(kind + b"\2\0", kind + b"\1\0")


@cache
def bomb(side):
    return encode(Image.new("1", (side, side)))


JPEG = encode(np.kron(COLOUR, np.ones((8, 8, 1), np.uint8)), "jpeg")
FLIPPED = bytearray(encode(COLOUR))
FLIPPED[60] ^= 0xFF
BAD = {
    "empty.png": (lambda: b"", "an empty file"),
    "text.jpg": (lambda: b"not a picture at all\n", "not a picture"),
    "zeros.png": (lambda: bytes(1000), "not a picture"),
    "archive.png": (lambda: b"PK\x03\x04" + bytes(100), "not a picture"),
    "cut.png": (lambda: encode(COLOUR)[:-60], "damaged"),
    "cut.jpg": (lambda: JPEG[: len(JPEG) // 2], "damaged"),
    "corrupt.png": (lambda: bytes(FLIPPED), "damaged"),
    "odd.tif": (premultiplied_grey, "its mode La cannot become RGB: conversion from La"),
    "bomb.png": (lambda: bomb(20_000), "million"),
    "just over.png": (lambda: bomb(9_500), "million"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_the_reason(name, tmp_path):
    make, reason = BAD[name]
    path = tmp_path / name
    path.write_bytes(make())
    for source in (path, path.read_bytes()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UnreadablePicture, match=reason) as caught:
                read_picture(source, 8)
        assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")  # Pillow's own, about damaged TIFF tags
@pytest.mark.parametrize("format", ["png", "jpeg", "gif", "webp", "tiff", "bmp"])
def test_a_file_cut_anywhere_is_read_or_refused_with_a_reason_and_nothing_else(format):
    file = encode(COLOUR, format)
    refused = 0
    for length in range(0, len(file), max(1, len(file) // 150)):
        try:
            assert read_picture(file[:length], 8).shape == (8, 8, 3)
        except UnreadablePicture as error:
            refused += 1
            assert str(error) and "()" not in str(error), length
    assert refused > 5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format", ["png", "jpeg", "gif", "webp", "tiff", "bmp"])
def test_a_file_with_a_wrong_byte_is_read_or_refused_with_a_reason_and_nothing_else(format):
    file = encode(COLOUR, format)
    answers = set()
    for at in range(0, len(file), max(1, len(file) // 100)):
        broken = file[:at] + bytes([file[at] ^ 0xA5]) + file[at + 1 :]
        try:
            answers.add(read_picture(broken, 8).shape)
        except UnreadablePicture as error:
            assert str(error) and "()" not in str(error), at
    assert answers <= {(8, 8, 3)}


@contextlib.contextmanager
def nobody():
    """Without root's right to read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="who may read a file is told otherwise there")
def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encode(COLOUR))
    path.chmod(0)
    with nobody(), pytest.raises(UnreadablePicture, match=r"^may not be read$"):
        read_picture(path, 8)


def test_a_heic_picture_is_read_where_pillow_heif_is_installed():
    pytest.importorskip("pillow_heif")
    file = encode(np.full((64, 64, 3), (200, 40, 40), np.uint8), "heif", quality=95)
    found = read_picture(file, 8).astype(int)
    np.testing.assert_allclose(found, np.broadcast_to((200, 40, 40), (8, 8, 3)), atol=9)
    with pytest.raises(UnreadablePicture):
        read_picture(file[: len(file) // 2], 8)


def test_without_pillow_heif_a_heic_picture_tells_what_to_install(tmp_path):
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from utils.folder import UnreadablePicture, read_picture\n"
        "for source in (sys.argv[1], open(sys.argv[1], 'rb').read()):\n"
        "    try: read_picture(source, 8)\n"
        "    except UnreadablePicture as error: print(error)"
    )
    asked = [sys.executable, "-c", code, str(path)]
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == 2 * ["HEIC: pip install pillow-heif, or export it as JPEG"]


def test_large_pictures_are_made_small_one_at_a_time(tmp_path, memory_taken):
    for number in range(6):
        Image.new("1", (8000, 5000), number % 2).save(tmp_path / f"{number}.png")
    whole = (tmp_path / "5.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[: len(whole) // 2])  # must not keep the others waiting
    before = "from pathlib import Path; from utils.folder import read_folder"
    work = """
images, ids, skipped = read_folder(Path(sys.argv[1]), 8)
assert [image.mean() for image in images] == [0, 255, 255, 0, 255] and len(skipped) == 1
"""
    decoded, rgb = 40_000_000, 4 * 40_000_000  # bytes, as Pillow holds them
    assert memory_taken(before, work, str(tmp_path)) < 2 * (decoded + rgb)


@pytest.fixture
def mixed(tmp_path):
    """A folder with pictures in two classes and none, and every kind of bad file."""
    folder = tmp_path / "my pictures"
    good = {
        "b/two.png": encode(np.full((8, 8, 3), 2, np.uint8)),
        "a/deep/er/one.jpg": encode(np.full((8, 8, 3), 1, np.uint8), "jpeg"),
        "top.webp": encode(np.full((8, 8, 3), 3, np.uint8), "webp", lossless=True),
        "b/não é só ascii ✓.gif": encode(np.full((8, 8), 4, np.uint8), "gif"),
        "b/no-suffix": encode(np.full((8, 8, 3), 5, np.uint8)),
    }
    bad = {f"b/{name}": make() for name, (make, _) in BAD.items()}
    hidden = {".DS_Store": b"x", "a/.hidden.png": encode(COLOUR), ".git/x.png": encode(COLOUR)}
    for name, content in (good | bad | hidden).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def test_bad_files_in_a_folder_are_listed_in_one_warning_and_the_good_ones_loaded(mixed):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        pictures = load_images(mixed, size=8)
    assert list(pictures.ids) == [
        "a/deep/er/one.jpg",
        "b/no-suffix",
        "b/não é só ascii ✓.gif",
        "b/two.png",
        "top.webp",
    ]
    np.testing.assert_array_equal(pictures.images[:, 4, 4, 0], [1, 5, 4, 2, 3])
    assert len(said) == 1 and said[0].category is UserWarning
    text = str(said[0].message)
    assert f"Skipped {len(BAD)} files" in text
    for name, (_, reason) in BAD.items():
        entry = next(part for part in text.split("; ") if f"b/{name} (" in part)
        assert reason in entry
    assert said[0].filename == __file__


def test_pillows_own_warnings_about_a_damaged_file_are_not_passed_on(tmp_path):
    (tmp_path / "cut.tif").write_bytes(encode(COLOUR, "tiff")[:60])
    (tmp_path / "good.png").write_bytes(encode(COLOUR))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        load_images(tmp_path)
    assert len(said) == 1 and "cut.tif" in str(said[0].message)


@pytest.mark.skipif(os.name != "posix", reason="who may enter a folder is told otherwise there")
@pytest.mark.parametrize("rights", [0o000, 0o444])  # 444: its names may be listed, no more
def test_a_folder_that_may_not_be_entered_is_listed_among_the_skipped(mixed, rights, monkeypatch):
    shutil.rmtree(mixed / "b")
    (mixed / "b").mkdir()
    (mixed / "b/one.png").write_bytes(encode(COLOUR))
    (mixed / "b").chmod(rights)
    monkeypatch.chdir(mixed)  # for a path that nobody else's shut folders stand in
    told = r"Skipped 1 file that .*: b \(may not be read\)$"
    with nobody(), pytest.warns(UserWarning, match=told):
        pictures = load_images(".", size=8)
    (mixed / "b").chmod(0o755)  # or it could not be cleared away
    assert list(pictures.ids) == ["a/deep/er/one.jpg", "top.webp"]


def test_links_to_folders_are_followed_and_each_folder_is_read_once(tmp_path):
    folder = tmp_path / "pictures"
    for name in ("pictures/b/own.png", "elsewhere/deep/far.png", "elsewhere/.hidden/no.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(COLOUR))
    for link, to in {
        "a": folder / "b",  # has its own place
        "b/circle": folder,
        "holiday": tmp_path / "elsewhere",
        "twice": tmp_path / "elsewhere",
        "itself": folder / "itself",
        "gone": tmp_path / "nowhere",
    }.items():
        (folder / link).symlink_to(to, target_is_directory=True)
    pictures = load_images(folder, size=8)
    assert list(pictures.ids) == ["b/own.png", "holiday/deep/far.png"]
    assert list(pictures.classes) == ["b", "holiday"]


@pytest.mark.filterwarnings("ignore:Skipped")
def test_classes_come_from_the_first_level_of_sub_folders(mixed):
    pictures = load_images(mixed, size=8)
    assert list(pictures.classes) == ["a", "b"]
    np.testing.assert_array_equal(pictures.labels, [0, 1, 1, 1, -1])
    assert pictures.labels.dtype == np.int64
    assert pictures.name == "my pictures" and f"{len(BAD)} files skipped" in pictures.note


def test_a_folder_without_sub_folders_has_no_classes_and_makes_no_warning(tmp_path):
    (tmp_path / "one.png").write_bytes(encode(COLOUR))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pictures = load_images(str(tmp_path))
    assert len(pictures) == 1 and pictures.images.shape == (1, 64, 64, 3)
    assert list(pictures.classes) == [] and list(pictures.labels) == [-1]
    assert pictures.label_of(0) == "" and 'alt="one.png"' in pictures._repr_html_()


def test_of_many_bad_files_twenty_are_named_and_the_rest_counted(tmp_path):
    (tmp_path / "good.png").write_bytes(encode(COLOUR))
    for i in range(25):
        (tmp_path / f"bad{i:02}.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="Skipped 25 files") as said:
        load_images(tmp_path)
    text = str(said[0].message)
    assert text.count("an empty file") == 20 and "and 5 more" in text


def test_one_bad_file_is_one_file(tmp_path):
    (tmp_path / "good.png").write_bytes(encode(COLOUR))
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="Skipped 1 file that could not be read as pictures: bad"):
        assert "1 file skipped" in load_images(tmp_path).note


def test_a_folder_in_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.png").write_bytes(encode(COLOUR))
    assert len(load_images("~/photos")) == 1
    with pytest.raises(FileNotFoundError, match="There is no folder '~of-nobody/photos'"):
        load_images("~of-nobody/photos")


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No picture was found in .*JPEG, PNG"):
        load_images(tmp_path)


def test_a_folder_of_bad_files_names_them_and_is_an_error(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    with (
        pytest.warns(UserWarning, match=r"a\.jpg \(an empty file\)"),
        pytest.raises(FileNotFoundError, match=r"No picture was found .* among 1 file;"),
    ):
        load_images(tmp_path)


@pytest.mark.parametrize("name", ["nowhere", "file.png"])
def test_a_folder_that_is_not_there_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / "file.png").write_bytes(encode(COLOUR))
    with pytest.raises(FileNotFoundError, match=f"There is no folder .*{name}"):
        load_images(tmp_path / name)


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one_is_refused_and_not_blamed_on_the_files(tmp_path, size):
    (tmp_path / "good.png").write_bytes(encode(COLOUR))
    with pytest.raises(ValueError, match="size"):
        load_images(tmp_path, size=size)
