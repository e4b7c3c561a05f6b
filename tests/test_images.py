"""ImageSet, and what `load_images` does with names, splits and paths."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from utils.images import ImageSet, Labeling, load_images


def make_set(n=6, **changes):
    """n pictures of 4×5, picture i being all i; every other one a "pear"."""
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 4, 5, 3))
    fields = {
        "images": images.copy(),
        "labels": np.arange(n) % 2,
        "classes": ("apple", "pear"),
        "ids": [f"id{i}" for i in range(n)],
        "masks": images[..., 0].copy(),
        "others": {"category": Labeling(np.arange(n) % 3, ("a", "b", "c"))},
        "name": "fruit",
        "note": "Made here.",
    }
    return ImageSet(**(fields | changes))


def keys(n):
    """Everything a set of n can be indexed with."""
    ints = st.integers(-n, n - 1)
    return st.one_of(
        ints,
        st.slices(n),
        st.lists(ints, max_size=8),
        st.lists(ints, min_size=1, max_size=8).map(np.array),
        st.lists(st.booleans(), min_size=n, max_size=n),
        st.lists(st.booleans(), min_size=n, max_size=n).map(np.array),
    )


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), keys(n))))
def test_indexing_picks_the_same_pictures_as_numpy_and_keeps_every_field_in_step(case):
    n, key = case
    pictures = make_set(n)
    picked = pictures[key]
    expected = np.atleast_1d(np.arange(n)[key])
    assert isinstance(picked, ImageSet)
    np.testing.assert_array_equal(picked.images[:, 0, 0, 0], expected)
    np.testing.assert_array_equal(picked.masks[:, 0, 0], expected)
    np.testing.assert_array_equal(picked.labels, expected % 2)
    np.testing.assert_array_equal(picked.others["category"].labels, expected % 3)
    assert list(picked.ids) == [f"id{i}" for i in expected]
    assert (picked.classes, picked.name, picked.note) == (("apple", "pear"), "fruit", "Made here.")
    assert len(picked) == len(expected)


@pytest.mark.parametrize("key", [6, -7, [0, 6], [True, False], np.zeros(7, bool)])
def test_a_position_that_is_not_there_is_an_index_error(key):
    with pytest.raises(IndexError):
        make_set(6)[key]


def test_a_set_without_masks_stays_without_masks():
    assert make_set(masks=None)[1:3].masks is None


def test_changing_a_part_does_not_change_the_set_it_was_picked_from():
    pictures = make_set()
    part = pictures[[0, 1]]
    part.images[:] = 99
    part.labels[:] = 1
    assert pictures.images[0].max() == 0 and pictures.labels[0] == 0


def test_by_label_gives_exactly_the_pictures_of_that_name():
    assert list(make_set().by_label("pear").ids) == ["id1", "id3", "id5"]


def test_by_label_of_an_unknown_name_offers_near_ones():
    with pytest.raises(KeyError, match=r"fruit has no class 'paer'; did you mean pear\?"):
        make_set().by_label("paer")
    with pytest.raises(KeyError, match="did you mean apple, pear"):
        make_set().by_label("zzzzzz")


def test_pictures_without_a_label_belong_to_no_name():
    pictures = make_set(labels=np.array([-1, 0, 1, -1, 0, -1]))
    assert list(pictures.by_label("pear").ids) == ["id2"]
    assert [pictures.label_of(i) for i in range(3)] == ["", "apple", "pear"]


def test_relabel_shows_the_same_pictures_under_another_labeling_and_back():
    pictures = make_set()
    other = pictures.relabel("category")
    assert other.labeling == "category" and list(other.classes) == ["a", "b", "c"]
    np.testing.assert_array_equal(other.labels, np.arange(6) % 3)
    np.testing.assert_array_equal(other.images, pictures.images)
    assert list(other.by_label("c").ids) == ["id2", "id5"]
    back = other.relabel("class")
    np.testing.assert_array_equal(back.labels, pictures.labels)
    assert back.classes == pictures.classes and set(back.others) == {"category"}


def test_relabel_to_the_labeling_in_use_changes_nothing():
    pictures = make_set()
    assert pictures.relabel("class") is pictures


def test_relabel_to_an_unknown_labeling_names_those_there_are():
    with pytest.raises(KeyError, match="no labeling 'artist'; it has: class, category"):
        make_set().relabel("artist")


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"images": np.zeros((6, 4, 5, 3))}, "uint8 of shape N×H×W×3, but are float64"),
        ({"images": np.zeros((6, 4, 5), np.uint8)}, r"\(6, 4, 5\)"),
        ({"images": np.zeros((6, 4, 5, 4), np.uint8)}, r"\(6, 4, 5, 4\)"),
        ({"labels": np.zeros(5, int)}, "6 images need as many labels and ids, but there are 5"),
        ({"ids": ["a"] * 7}, "there are 6 and 7"),
        ({"masks": np.zeros((6, 5, 4), np.uint8)}, r"masks must have .*\(6, 5, 4\)"),
        ({"masks": np.zeros((5, 4, 5), np.uint8)}, r"masks must have .*\(5, 4, 5\)"),
    ],
)
def test_fields_that_do_not_fit_together_are_refused_in_one_sentence(changes, says):
    with pytest.raises(ValueError, match=says) as caught:
        make_set(**changes)
    assert "\n" not in str(caught.value)


def test_the_repr_counts_pictures_sizes_and_labels_in_use():
    assert repr(make_set()) == "fruit: 6 pictures of 4×5, 2 classes"
    assert repr(make_set()[[0, 2]].relabel("category")) == (
        "fruit: 2 pictures of 4×5, 2 categories"
    )
    assert repr(make_set()[0]) == "fruit: 1 picture of 4×5, 1 class"
    assert "1,200 pictures" in repr(make_set(1200, images=np.zeros((1200, 4, 5, 3), np.uint8)))


@pytest.mark.parametrize("n, shown", [(0, 0), (1, 1), (12, 12), (13, 12), (100, 12)])
def test_in_a_notebook_a_set_shows_up_to_twelve_pictures_each_with_alt_text(n, shown):
    page = make_set(n)._repr_html_()
    assert page.count("<img ") == shown
    assert len(re.findall(r'alt="(apple|pear)"', page)) == shown
    assert repr(make_set(n)) in page and "Made here." in page


def test_the_pictures_shown_in_a_notebook_are_the_pictures_of_the_set():
    pictures = make_set(3)
    urls = re.findall(r'src="data:image/png;base64,([^"]+)"', pictures._repr_html_())
    for image, url in zip(pictures.images, urls, strict=True):
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(url))))
        np.testing.assert_array_equal(shown, image)


def test_names_that_look_like_html_are_shown_as_text():
    nasty = make_set(2, classes=('"><b>', "&"), ids=["<i>", "'\""], note="<script>")
    page = nasty._repr_html_()
    assert "<script>" not in page and "<i>" not in page and '"><b>' not in page
    assert 'alt="&quot;&gt;&lt;b&gt;"' in page


@pytest.mark.parametrize("source", ["emoji", "scenes", "cifar10"])
def test_an_unknown_split_is_refused_with_the_names_there_are(source):
    with pytest.raises(ValueError, match=f"{source} has no split 'val'; choose train, .*test"):
        load_images(source, "val")


def test_cifar10_has_no_validation_split():
    with pytest.raises(ValueError, match="choose train, test or leave it out"):
        load_images("cifar10", "validation")


def test_a_folder_has_no_splits(tmp_path):
    with pytest.raises(ValueError, match="A folder of pictures has no split 'test'"):
        load_images(tmp_path, "test")


def test_a_misspelt_name_says_what_there_is():
    with pytest.raises(FileNotFoundError, match=r"no folder 'emojis'; .* emoji, scenes, cifar10"):
        load_images("emojis")


def test_the_name_of_a_set_means_the_same_as_text_and_as_a_path():
    by_path, by_name = load_images(Path("emoji"), "ood"), load_images("emoji", "ood")
    assert by_path.name == by_name.name
    np.testing.assert_array_equal(by_path.images, by_name.images)
