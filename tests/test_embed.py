"""Embeddings: what the network says, kept on disk without ever being mixed up."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.measure import block_reduce

import utils.embed
from utils import replacing
from utils.embed import (
    colour_histogram,
    embed,
    load_embeddings,
    pixel_vectors,
    save_embeddings,
)
from utils.embedder import PHOTO_MEAN, PHOTO_STD, ModelUnavailable
from utils.images import ImageSet
from utils.models import load_model

pytestmark = pytest.mark.usefixtures("caches")


def by_hand(model, images):
    """Normalise the pixels, run the module, divide by the length: all written out."""
    x = ((images / 255 - PHOTO_MEAN) / PHOTO_STD).transpose(0, 3, 1, 2)
    with torch.inference_mode():
        vectors = model.module(torch.tensor(x, dtype=torch.float32)).numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def kept():
    return sorted(utils.embed.CACHE.glob("*")) if utils.embed.CACHE.exists() else []


class Runs:
    """Counts the pictures that went through a network."""

    def __init__(self, model):
        self.count = 0
        model.module.register_forward_hook(self)

    def __call__(self, module, inputs, output):
        self.count += len(output)


def as_set(images):
    n = len(images)
    return ImageSet(images, np.zeros(n, np.int64), ["x"], [str(i) for i in range(n)])


def test_an_embedding_is_what_running_the_module_by_hand_gives(model, photos):
    found = embed(model, photos)
    assert found.dtype == np.float32 and found.shape == (10, model.dim)
    np.testing.assert_allclose(found, by_hand(model, photos), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_rows_are_unit_even_where_the_module_does_not_normalise(model, photos):
    whole = embed(model, photos, cache=False)
    model.module.forward = lambda x: 7 * model.module.head(model.module.pool(model.module.maps(x)))
    np.testing.assert_allclose(embed(model, photos, cache=False), whole, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 3, 9, 10, 11, 1000])
def test_the_batch_size_does_not_matter(model, photos, batch_size):
    whole = embed(model, photos, cache=False)
    np.testing.assert_allclose(embed(model, photos, batch_size, cache=False), whole, atol=1e-5)


def test_pictures_of_any_size_are_embedded(model):
    wide = np.random.default_rng(0).integers(0, 256, (2, 40, 50, 3), np.uint8)
    assert embed(model, wide).shape == (2, model.dim)


def test_an_image_set_and_its_pixels_have_the_same_embeddings(model, photos):
    runs = Runs(model)
    np.testing.assert_array_equal(embed(model, as_set(photos)), embed(model, photos))
    assert runs.count == 10


@pytest.mark.parametrize("cache", [True, False])
def test_no_pictures_have_no_embeddings(model, photos, cache):
    for none in (photos[:0], as_set(photos)[:0]):
        found = embed(model, none, cache=cache)
        assert found.shape == (0, model.dim) and found.dtype == np.float32


def test_parts_that_do_not_lie_together_in_memory_are_embedded_right(model, photos):
    part = photos[::-2, :, ::-1]
    np.testing.assert_allclose(embed(model, part), by_hand(model, part), atol=1e-5)


def test_the_second_time_the_answer_is_read_and_not_computed(model, make_model, photos):
    first = embed(model, photos)
    again = make_model()
    runs = Runs(again)
    np.testing.assert_array_equal(embed(again, photos, batch_size=4), first)
    assert runs.count == 0 and len(kept()) == 1


def test_changing_what_was_returned_does_not_change_what_is_kept(model, photos):
    first = embed(model, photos)
    expected = first.copy()
    first[:] = 0
    embed(model, photos)[:] = 0
    np.testing.assert_array_equal(embed(model, photos), expected)


def test_other_pixels_other_weights_and_other_names_have_answers_of_their_own(make_model, photos):
    model, changed = make_model(), photos.copy()
    changed[9, 31, 31, 2] ^= 1
    answers = [embed(model, photos), embed(model, changed), embed(make_model(1), photos)]
    assert len(kept()) == 3
    embed(make_model(0, "other name"), photos)
    assert len(kept()) == 4
    for one, other in ((0, 1), (0, 2)):
        assert not np.array_equal(answers[one], answers[other])
    np.testing.assert_allclose(answers[2], by_hand(make_model(1), photos), atol=1e-5)


def test_the_same_bytes_in_another_shape_are_other_pictures(model, photos):
    embed(model, photos)
    assert embed(model, photos.reshape(5, 64, 32, 3)).shape == (5, model.dim)
    assert embed(model, photos.reshape(10, 16, 64, 3)).shape == (10, model.dim)
    assert len(kept()) == 3


def test_after_training_the_embeddings_are_new_ones(model, photos):
    before = embed(model, photos)
    with torch.no_grad():
        model.module.head[0].weight.normal_(generator=torch.Generator().manual_seed(1))
    after = embed(model, photos)
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, by_hand(model, photos), atol=1e-5)


def test_an_untrained_model_does_not_get_the_trained_ones_answers(shipped, photos):
    trained, random = (embed(load_model("cnn", trained=t), photos) for t in (True, False))
    assert np.abs(trained - random).max() > 0.01


DAMAGE = {
    "empty": lambda content: b"",
    "garbage": lambda content: b"\x93NUMPY" + bytes(100),
    "text": lambda content: b"hello",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_cache_file_is_computed_anew_and_repaired(model, photos, kind):
    first = embed(model, photos)
    (path,) = kept()
    path.write_bytes(DAMAGE[kind](path.read_bytes()))
    runs = Runs(model)
    np.testing.assert_allclose(embed(model, photos), first, atol=1e-6)
    assert runs.count == 10
    embed(model, photos)
    assert runs.count == 10 and kept() == [path]


@pytest.mark.parametrize("other", [np.zeros((10, 3), np.float32), np.zeros((10, 8)), np.zeros(3)])
def test_a_cache_file_that_holds_something_else_is_computed_anew(model, photos, other):
    first = embed(model, photos)
    np.save(kept()[0], other)
    np.testing.assert_allclose(embed(model, photos), first, atol=1e-6)


def test_a_cache_file_cut_anywhere_is_computed_anew(model, photos):
    first = embed(model, photos[:2])
    (path,) = kept()
    content = path.read_bytes()
    for length in [*range(0, len(content), 5), len(content) - 1]:
        path.write_bytes(content[:length])
        np.testing.assert_allclose(embed(model, photos[:2]), first, atol=1e-6)


def test_where_nothing_can_be_kept_the_embeddings_are_given_all_the_same(model, photos, caches):
    caches.write_text("a file in the place of the folder")  # as a disk that is full or read-only
    with pytest.warns(UserWarning, match=r"cannot be kept in .*; next time they are computed"):
        found = embed(model, photos)
    np.testing.assert_array_equal(found, embed(model, photos, cache=False))


def test_without_cache_nothing_is_read_or_written(model, photos):
    expected = embed(model, photos, cache=False)
    assert kept() == []
    embed(model, photos)
    np.save(kept()[0], np.zeros((10, model.dim), np.float32))
    np.testing.assert_array_equal(embed(model, photos, cache=False), expected)


@pytest.mark.parametrize(
    "shape, dtype, says",
    [
        ((10, 32, 32, 3), np.float32, "float32"),
        ((10, 32, 32, 3), np.int64, "int64"),
        ((32, 32, 3), np.uint8, r"\(32, 32, 3\); for one picture write picture\[None\]"),
        ((10, 32, 32, 4), np.uint8, r"\(10, 32, 32, 4\)"),
        ((10, 3, 32, 32), np.uint8, r"\(10, 3, 32, 32\)"),
        ((32, 32), np.uint8, r"\(32, 32\)"),
        ((0,), np.uint8, r"\(0,\)"),
    ],
)
def test_pictures_in_the_wrong_form_are_refused_in_one_sentence(model, shape, dtype, says):
    with pytest.raises(ValueError, match=rf"uint8 of shape N×H×W×3, but are .*{says}"):
        embed(model, np.zeros(shape, dtype))
    assert kept() == []


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_of_less_than_one_picture_is_refused(model, photos, batch_size):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        embed(model, photos, batch_size)


def test_a_network_that_answers_nan_is_an_error_and_nothing_is_kept(model, photos):
    with torch.no_grad():
        model.module.head[0].weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="answered with NaN for 10 of 10 pictures"):
        embed(model, photos)
    assert kept() == []


def noise(sides, seed=0, n=3):
    return np.random.default_rng(seed).integers(0, 256, (n, *sides, 3), np.uint8)


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_pixel_vectors_are_the_means_of_blocks(size, high, wide, seed):
    images = noise((size * high, size * wide), seed)
    expected = block_reduce(images, (1, high, wide, 1), np.mean).reshape(3, -1) / 255
    found = pixel_vectors(as_set(images), size)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("sides", [(32, 48), (48, 32)])
def test_blocks_that_do_not_fit_are_refused(sides):
    with pytest.raises(ValueError, match=rf"32 must divide .* {sides[0]} and {sides[1]}"):
        pixel_vectors(as_set(noise(sides)))


@given(st.integers(1, 9), st.integers(0, 99))
def test_a_colour_histogram_is_numpys(bins, seed):
    images = noise((9, 7), seed)
    images[0] = images[0] // 64 * 64  # on the edges of boxes
    edges = [[256 * i / bins for i in range(bins + 1)]] * 3
    found = colour_histogram(as_set(images), bins)
    assert found.dtype == np.float32 and found.shape == (3, bins**3)
    for row, image in zip(found, images, strict=True):
        counts, _ = np.histogramdd(image.reshape(-1, 3), edges)
        np.testing.assert_allclose(row, counts.ravel() / 63, atol=1e-6)


def test_colours_are_counted_in_less_memory_than_the_pictures_are():
    pixels = np.zeros((1000, 64, 64, 3), np.uint8)
    tracemalloc.start()
    colour_histogram(pixels)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < pixels.nbytes


def save_sample(labels=(0, 1, 2, 1, 0), name="cifar10-test"):
    vectors = np.random.default_rng(0).normal(size=(len(labels), 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    path = utils.embed.MODELS / f"{name}.npz"
    save_embeddings(path, vectors, labels, ("cat", "dog", "maçã"))
    return path, vectors


def test_shipped_embeddings_come_back_as_unit_rows_with_their_labels(shipped):
    path, vectors = save_sample()
    found, labeling = load_embeddings()
    assert found.dtype == np.float32 and labeling.labels.dtype == np.int64
    np.testing.assert_allclose(found, vectors, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert labeling.labels.tolist() == [0, 1, 2, 1, 0]
    assert list(labeling.classes) == ["cat", "dog", "maçã"]
    assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize("labels", [[300, 0, 1, 2, 3], [-1, 0, 1, 2, 3]])
def test_many_classes_and_none_are_kept_as_they_are(shipped, labels):
    save_sample(np.array(labels))
    assert load_embeddings("cifar10-test")[1].labels.tolist() == labels


EMBEDDING_DAMAGE = DAMAGE | {
    "an archive of other things": lambda content: other_archive(),
    "a plain array": lambda content: plain_array(),
}


def other_archive():
    path = utils.embed.MODELS / "other.npz"
    np.savez(path, something=np.zeros(3))
    return path.read_bytes()


def plain_array():
    path = utils.embed.MODELS / "other.npy"
    np.save(path, np.zeros((3, 4)))
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["missing", *EMBEDDING_DAMAGE])
def test_missing_or_damaged_shipped_embeddings_are_named(shipped, kind):
    path, _ = save_sample()
    if kind == "missing":
        path.unlink()
    else:
        path.write_bytes(EMBEDDING_DAMAGE[kind](path.read_bytes()))
    with pytest.raises(ModelUnavailable, match=r"cifar10-test\.npz are missing or damaged"):
        load_embeddings()


def test_shipped_embeddings_cut_anywhere_are_refused(shipped):
    path, _ = save_sample()
    content = path.read_bytes()
    for length in [*range(0, len(content), 7), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(ModelUnavailable):
            load_embeddings()


def test_shipped_embeddings_with_a_wrong_byte_are_refused_or_right(shipped):
    path, _ = save_sample()
    expected, labeling = load_embeddings()
    content, refused = path.read_bytes(), 0
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            found, names = load_embeddings()
        except ModelUnavailable:
            refused += 1
            continue
        np.testing.assert_array_equal(found, expected)
        assert names.labels.tolist() == labeling.labels.tolist()
    assert refused > 100


def test_many_threads_write_one_file_and_it_is_whole(tmp_path):
    def write(i):
        with replacing(tmp_path / "file") as partial:
            partial.write_bytes(bytes([i]) * 100_000)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    data = (tmp_path / "file").read_bytes()
    assert len(data) == 100_000 and len(set(data)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
