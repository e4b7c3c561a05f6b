"""Backgrounds: found and removed through rembg with a network made here."""

import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from test_folder import premultiplied_grey

from utils.background import (
    cut_out_folder,
    cut_out_picture,
    find_masks,
    grab_cut_masks,
    load_session,
    remove_background,
)
from utils.embedder import ModelUnavailable
from utils.images import ImageSet, load_images
from utils.masks import iou


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A real ONNX network that takes what is bright for foreground."""
    path = tmp_path_factory.mktemp("network") / "bright.onnx"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 64])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 1, 64, 64])
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    steep = helper.make_tensor("steep", TensorProto.FLOAT, [], [20.0])
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "steep"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["mask"]),
    ]
    graph = helper.make_graph(nodes, "bright", [image], [mask], [axes, steep])
    opset = helper.make_opsetid("", 18)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=9), path)
    return load_session(path=path)


def bright_square(size=(64, 64), mode="RGB"):
    """A white square on black, its left upper quarter."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[: size[1] // 2, : size[0] // 2] = 255
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def pictures():
    pixels = np.stack([np.asarray(bright_square()), np.asarray(bright_square()) // 2 + 20])
    return ImageSet(pixels, np.array([0, 1]), ["a", "b"], ["one", "two"])


def test_the_network_finds_the_foreground_through_rembg(session, pictures):
    masks = find_masks(pictures, session)
    assert masks.shape == (2, 64, 64) and masks.dtype == np.uint8
    assert masks[0, :30, :30].min() > 250 and masks[0, 34:, 34:].max() < 5


def bright_disc():
    """A bright disc on a dark ground, and how much of each pixel it covers."""
    rows, columns = np.mgrid[:1024, :1024] / 8
    inside = (rows - 60) ** 2 + (columns - 70) ** 2 < 40**2
    share = inside.reshape(128, 8, 128, 8).mean((1, 3))
    disc, ground = np.array([250, 240, 230]), np.array([20, 40, 60])
    pixels = (share[..., None] * disc + (1 - share[..., None]) * ground).round().astype(np.uint8)
    return ImageSet(pixels[None], np.array([-1]), [], ["disc"]), share


def test_matting_draws_the_edge_anew_from_the_pictures_colours(session):
    disc, share = bright_disc()
    plain, matted = (find_masks(disc, session, matting=matting) for matting in (False, True))
    assert matted.shape == (1, 128, 128) and matted.dtype == np.uint8
    edge = (share > 0) & (share < 1)
    assert np.abs(plain[0] / 255 - share)[edge].mean() > 0.1, "the network sees 64×64 pixels"
    assert np.abs(matted[0] / 255 - share)[edge].mean() < 0.02
    np.testing.assert_allclose(matted[0, ~edge] / 255, share[~edge], atol=0.05)


def test_matting_gives_the_same_masks_again_and_leaves_the_pictures(session, pictures):
    before = pictures.images.copy()
    first = find_masks(pictures, session, matting=True)
    np.testing.assert_array_equal(find_masks(pictures, session, matting=True), first)
    np.testing.assert_array_equal(pictures.images, before)


COLOURS = {
    "red on blue": ((200, 40, 30), (30, 60, 200)),
    "dark on bright": ((30, 30, 30), (230, 230, 220)),
    "bright on dark": ((250, 250, 240), (20, 20, 20)),
}


def noisy(thing, ground, rows=slice(14, 40), columns=slice(22, 50)):
    """A rectangle of one colour on another, a little uneven, and its mask."""
    mask = np.zeros((64, 64), np.uint8)
    mask[rows, columns] = 255
    pixels = np.where(mask[..., None] > 0, thing, ground)
    pixels += np.random.default_rng(0).integers(-6, 7, pixels.shape)
    return pixels.clip(0, 255).astype(np.uint8), mask


@pytest.fixture
def squares():
    pixels, masks = zip(*(noisy(*pair) for pair in COLOURS.values()), strict=True)
    return ImageSet(np.stack(pixels), np.full(3, -1), [], list(COLOURS), np.stack(masks))


def test_grab_cut_finds_a_thing_that_differs_in_colour(squares):
    found = grab_cut_masks(squares)
    assert found.shape == (3, 64, 64) and found.dtype == np.uint8
    assert set(np.unique(found)) == {0, 255}
    assert iou(found, squares.masks).min() > 0.98


def test_grab_cut_gives_the_same_mask_again_and_whatever_stands_beside():
    scenes = load_images("scenes", "test")[::100]  # hard enough for chance to show
    before, found = scenes.images.copy(), grab_cut_masks(scenes)
    assert 0 < found.mean() < 255
    np.testing.assert_array_equal(grab_cut_masks(scenes), found)
    np.testing.assert_array_equal(grab_cut_masks(scenes[::-1])[::-1], found)
    np.testing.assert_array_equal(scenes.images, before)


@pytest.mark.parametrize("border, spot_counts", [(1, True), (2, True), (6, False), (10, False)])
def test_what_lies_within_the_border_is_background_whatever_its_colour(border, spot_counts):
    pixels, mask = noisy(*COLOURS["red on blue"])
    spot = slice(2, 6), slice(2, 6)
    pixels[spot] = pixels[20:24, 30:34]
    mask[spot] = 255 * spot_counts
    found = grab_cut_masks(ImageSet(pixels[None], np.array([-1]), [], ["spot"]), border)
    assert (found[0][spot] == mask[spot]).all() and iou(found, mask[None])[0] > 0.98


@pytest.mark.parametrize("border", [-1, 0, 32, 100])
def test_a_border_that_leaves_nothing_is_refused(squares, border):
    with pytest.raises(ValueError, match=f"64×64 must be 1 to 31, not {border}"):
        grab_cut_masks(squares, border)


@pytest.mark.parametrize(
    "behind, value", [("white", 255), ("mean", 255 / 4), ((96, 160, 96), 96), (np.full(3, 7.4), 7)]
)
def test_what_is_pasted_behind_is_plain_and_the_foreground_stays(session, pictures, behind, value):
    clean = remove_background(pictures, session, behind=behind)
    assert abs(int(clean.images[0, 60, 60, 0]) - value) <= 2
    assert clean.images[0, 10, 10].tolist() == [255, 255, 255]
    assert clean.ids == pictures.ids and (clean.labels == pictures.labels).all()
    assert (pictures.images[0, 60, 60] == 0).all(), "the originals were changed"


def test_blur_keeps_the_colours_about_and_no_edge(session, pictures):
    blurred = remove_background(pictures, session, behind="blur").images[0]
    assert 0 < blurred[34, 10].mean() < 255
    assert np.abs(np.diff(blurred[36:, :, 0].astype(int), axis=1)).max() < 20


def test_true_masks_can_be_used_instead(pictures):
    masks = np.zeros((2, 64, 64), np.uint8)
    assert (remove_background(pictures, masks=masks).images == 255).all()
    assert (remove_background(pictures, masks=masks + 255).images == pictures.images).all()


def test_many_pictures_take_little_more_memory_than_they_are():
    pixels, masks = np.zeros((1000, 64, 64, 3), np.uint8), np.zeros((1000, 64, 64), np.uint8)
    pictures = ImageSet(pixels, np.zeros(1000, int), ["a"], [str(i) for i in range(1000)])
    tracemalloc.start()
    remove_background(pictures, masks=masks)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3 * pixels.nbytes


def test_masks_that_do_not_fit_and_an_unknown_colour_are_refused(pictures):
    with pytest.raises(ValueError, match="uint8 masks of"):
        remove_background(pictures, masks=np.zeros((2, 32, 32), np.uint8))
    with pytest.raises(ValueError, match="white, mean or blur"):
        remove_background(pictures, masks=np.zeros((2, 64, 64), np.uint8), behind="pink")
    for colour in ((1, 2), (0, 0, 256), (0, float("nan"), 0), 7):
        with pytest.raises(ValueError, match="three numbers from 0 to 255"):
            remove_background(pictures, masks=np.zeros((2, 64, 64), np.uint8), behind=colour)


@pytest.mark.parametrize("size", [(1, 1), (900, 3), (3, 500), (300, 200)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "CMYK"])
def test_a_picture_of_any_shape_and_mode_is_cut_out_at_its_own_size(session, size, mode):
    cut = cut_out_picture(bright_square(size, mode), session)
    assert cut.size == size and cut.mode == "RGBA"


def test_transparency_that_is_there_already_is_kept(session):
    given_alpha = bright_square().convert("RGBA")
    given_alpha.putalpha(Image.fromarray(np.full((64, 64), 7, np.uint8)))
    assert cut_out_picture(given_alpha, session).getextrema()[3] == (7, 7)


@pytest.mark.parametrize("level", [0, 255])
def test_a_picture_with_nothing_or_everything_in_it_gets_an_even_mask(session, level):
    one = ImageSet(np.full((1, 64, 64, 3), level, np.uint8), np.array([-1]), [], ["one"])
    assert np.ptp(find_masks(one, session)) == 0


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "photos"
    (source / "sub").mkdir(parents=True)
    bright_square((80, 50)).save(source / "one.jpg")
    bright_square((20, 30)).save(source / "one.png")
    bright_square((64, 64), "L").save(source / "sub" / "two.bmp")
    (source / "notes.txt").write_text("not a picture")
    (source / "odd.tif").write_bytes(premultiplied_grey())
    return source


def test_a_folder_is_cut_out_picture_by_picture_and_the_originals_stay(folder, tmp_path, session):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    skipped = cut_out_folder(folder, tmp_path / "out", session)
    made = sorted(
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")
    )
    assert made == ["one.jpg.png", "one.png", "sub/two.bmp.png"]
    notes, odd = skipped
    assert notes == "notes.txt (not a picture)"
    assert odd.startswith("odd.tif (its mode La cannot become RGB")
    with Image.open(tmp_path / "out" / "one.jpg.png") as cut:
        assert cut.size == (80, 50) and cut.mode == "RGBA"
        assert np.asarray(cut)[5, 5, 3] > 250 and np.asarray(cut)[45, 75, 3] < 5
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_interrupted_folder_goes_on_where_it_was(folder, tmp_path, session):
    cut_out_folder(folder, tmp_path / "out", session)
    kept = tmp_path / "out" / "one.png"
    kept.write_bytes(b"mine")
    (tmp_path / "out" / "one.jpg.png").unlink()
    cut_out_folder(folder, tmp_path / "out", session)
    assert kept.read_bytes() == b"mine" and (tmp_path / "out" / "one.jpg.png").exists()


def test_two_pictures_are_never_cut_out_into_one_file(folder, tmp_path, session):
    bright_square(size=(30, 20)).save(folder / "one.jpg.png")
    cut_out_folder(folder, tmp_path / "out", session)
    sizes = {p.name: Image.open(p).size for p in (tmp_path / "out").glob("one.jpg*")}
    assert sizes == {"one.jpg.png": (30, 20), "one.jpg.png.png": (80, 50)}


@pytest.mark.parametrize("within", [".", "sub", "new/below"])
def test_cut_outs_among_the_originals_are_refused(folder, session, within):
    with pytest.raises(ValueError, match="outside it"):
        cut_out_folder(folder, folder / within, session)


def test_a_folder_that_is_not_there_is_named(tmp_path, session):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        cut_out_folder(tmp_path / "nowhere", tmp_path / "out", session)


@pytest.mark.parametrize("content", [None, b"", b"not a network"])
def test_a_network_that_is_missing_or_damaged_is_one_sentence(tmp_path, content):
    path = tmp_path / "broken.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"cannot be loaded .* git"):
        load_session(path=path)


def test_a_download_that_cannot_work_is_one_sentence(tmp_path, monkeypatch, no_network):
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    with pytest.raises(ModelUnavailable, match=r"'u2netp' is not on this machine and github.com"):
        load_session("u2netp")


def test_an_unknown_network_is_told_apart_from_one_that_cannot_be_had():
    with pytest.raises(ValueError, match=r"no background network 'u3net'; choose 'background'"):
        load_session("u3net")


def test_the_shipped_network_finds_things_that_it_never_saw():
    scenes = load_images("scenes", "test")[::20]
    found = remove_background(scenes)
    assert iou(found.masks, scenes.masks).mean() > 0.85
    assert found.images[0].max() == 255
