"""Maps as figures: where points and pictures stand, the mouse and the sliders."""

import numpy as np
import pytest

from utils.images import ImageSet
from utils.plots import (
    explore_map,
    map_sliders,
    show_frontier,
    show_map,
    show_picture_map,
    show_walk,
)
from utils.plots.maps import painted


@pytest.fixture
def pictures():
    """Six pictures of one colour each."""
    colours = np.random.default_rng(0).integers(0, 200, (6, 1, 1, 3), np.uint8)
    pixels = np.broadcast_to(colours, (6, 8, 8, 3)).copy()
    return ImageSet(pixels, np.arange(6), list("abcdef"), [f"p{i}" for i in range(6)])


XY = np.random.default_rng(0).normal(size=(6, 2))


def test_a_map_tells_its_labels_apart_by_colour_and_by_shape():
    figure = show_map(XY, ["a", "b", "a", "c", "b", "a"], title="Three kinds")
    assert figure.alt == "Three kinds: 6 points, 3 labels: a, b, c"
    shown = [kind for kind in figure.axes[0].collections if kind.get_label() in "abc"]
    assert [len(kind.get_offsets()) for kind in shown] == [3, 2, 1]
    assert len({kind.get_paths()[0].vertices.shape for kind in shown}) == 3
    assert len({tuple(kind.get_facecolor()[0]) for kind in shown}) == 3


def test_a_map_takes_numbers_for_labels():
    axes = show_map(XY, np.arange(6) % 3).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["0", "1", "2"]
    assert show_map(XY, np.zeros(6, int)).axes[0].get_legend()
    assert show_map(XY, [""] * 6).axes[0].get_legend() is None


def test_a_map_of_many_labels_asks_which_and_greys_the_rest():
    labels = [str(i) for i in range(6)]
    with pytest.raises(ValueError, match=r"8 labels apart, but there are 9: choose some"):
        show_map(np.zeros((9, 2)), list("abcdefghi"))
    figure = show_map(XY, labels, only=["2"])
    grey, coloured = figure.axes[0].collections
    assert len(grey.get_offsets()) == 5 and len(coloured.get_offsets()) == 1


def test_pictures_stand_where_the_map_says(pictures):
    n = len(pictures)
    xy = np.column_stack([np.arange(n), np.arange(n)]).astype(float)
    canvas = painted(xy, pictures, size=20)
    first, last = canvas[-40:, :40], canvas[:40, -40:]  # lower left and upper right
    for part, image in ((first, pictures.images[0]), (last, pictures.images[-1])):
        assert part.reshape(-1, 3).mean(0) == pytest.approx(image.reshape(-1, 3).mean(0), abs=3)
    assert show_picture_map(xy, pictures, title="Up").alt.startswith("Up: ")


def test_the_map_to_explore_needs_nobody_and_names_each_picture(pictures):
    names = [f"<{i}>" for i in range(len(pictures))]
    page = explore_map(XY[: len(pictures)], pictures, names, title="Where")
    assert page.count("<i ") == len(pictures)
    assert 'title="&lt;0&gt;"' in page and 'role="img"' in page
    assert "http" not in page and "<script" not in page


def test_sliders_change_the_map_that_is_shown(pictures):
    n = len(pictures)
    maps = {(a, b): a * XY[:n] + b * XY[:n, ::-1] for a in (1, 2) for b in (0.0, 5.0)}
    box = map_sliders(maps, pictures, names=("first", "second"))
    first, second, picture = box.children
    before = bytes(picture.value)
    assert before.startswith(b"\x89PNG") and first.description == "first"
    second.value = 0.0
    assert bytes(picture.value) != before


def test_a_map_of_other_pictures_is_refused(pictures):
    for draw in (show_picture_map, explore_map):
        with pytest.raises(ValueError, match=r"finite numbers of shape \(\d+, 2\), not \(1, 2\)"):
            draw(np.zeros((1, 2)), pictures)
    with pytest.raises(ValueError, match="need as many labels, not 1"):
        show_map(XY, ["a"])
    with pytest.raises(ValueError, match="need as many captions, not 1"):
        explore_map(XY[: len(pictures)], pictures, ["a"])


def test_a_walk_is_drawn_with_its_steps_its_links_and_its_query():
    xy, links = np.array([[0, 0], [1, 0], [1, 1], [0, 2.0]]), [[1], [0, 2], [1, 3], [2]]
    figure = show_walk(xy, links, [0, 1, 2], np.array([1.1, 1.1]), title="Two steps")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    assert len(axes.collections[0].get_segments()) == 3  # each link once
    assert axes.lines[0].get_xydata().tolist() == xy[[0, 1, 2]].tolist()
    assert axes.get_legend().get_texts()[0].get_text() == "query"
    assert figure.alt == "Two steps: 2 steps of a walk over 4 points to a query"


def test_a_frontier_joins_each_kind_in_the_order_of_its_knob():
    points = {"exact": [(1.0, 100.0)], "lists": [(0.5, 9000.0), (0.9, 4000.0)]}
    figure = show_frontier(points, xlabel="recall", ylabel="queries a second")
    axes = figure.axes[0]
    assert axes.get_yscale() == "log"
    assert axes.lines[1].get_xydata().tolist() == [[0.5, 9000], [0.9, 4000]]
    assert len({line.get_marker() for line in axes.lines}) == 2  # told apart without colour
    assert "lists 4,000 at 0.9" in figure.alt
    nine = {str(i): [(1.0, 1.0)] for i in range(9)}
    with pytest.raises(ValueError, match="8 kinds apart, but there are 9"):
        show_frontier(nine, xlabel="recall", ylabel="queries a second")
