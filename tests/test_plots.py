"""Figures: what they show, that they say it in words too, and that nothing needs colour."""

import subprocess
import sys
from itertools import pairwise

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import ImageColor

from utils import ROOT
from utils.images import ImageSet
from utils.plots import (
    show_bars,
    show_curve,
    show_grid,
    show_images,
    show_matches,
    show_matrix,
    show_neighbours,
)
from utils.plots.style import COLOURS, RIGHT, WRONG


def pictures(labels, classes=("cat", "dog")):
    n = len(labels)
    pixels = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3), np.uint8)
    return ImageSet(pixels, np.array(labels), classes, [f"p{i}" for i in range(n)])


def texts(figure):
    return [axes.get_title("center") or axes.get_title("left") for axes in figure.axes]


def test_a_contact_sheet_shows_every_picture_with_its_label():
    figure = show_images(pictures([0, 1, 1]), title="Three pets")
    assert texts(figure)[:3] == ["cat", "dog", "dog"]
    assert figure.alt == "Three pets: cat, dog, dog"


@pytest.mark.parametrize("n", [0, 65])
def test_a_contact_sheet_of_none_or_too_many_is_refused(n):
    with pytest.raises(ValueError, match="1 to 64"):
        show_images(pictures([0] * n))


def test_captions_must_be_as_many_as_pictures():
    with pytest.raises(ValueError, match="captions"):
        show_images(pictures([0, 1]), ["one"])


@pytest.mark.parametrize("as_ids", [False, True])
def test_neighbours_are_marked_right_and_wrong_by_sign_and_stroke_not_only_by_colour(as_ids):
    gallery = pictures([0, 1, 0])
    answers = np.array([["p2", "p1"]], object) if as_ids else np.array([[2, 1]])
    figure = show_neighbours(gallery[:1], gallery, answers, np.array([[0.1, 0.25]]))
    titles = texts(figure)
    assert "✓ cat" in titles and "✗ dog" in titles
    right, wrong = (figure.axes[titles.index(t)] for t in ("✓ cat", "✗ dog"))
    assert right.spines["left"].get_linestyle() != wrong.spines["left"].get_linestyle()
    assert right.get_xlabel() == "0.10" and wrong.get_xlabel() == "0.25"
    assert "1 of 2" in figure.alt


def test_neighbours_without_labels_get_no_verdict():
    gallery = pictures([-1, -1, -1])
    figure = show_neighbours(gallery[:1], gallery, np.array([[2, 1]]))
    assert not [text for text in texts(figure) if "✓" in text or "✗" in text]


@pytest.mark.parametrize(
    "answers, wrong",
    [
        (np.array([1, 2]), "1 to 8 queries"),
        (np.array([[1], [2]]), "1 to 8 queries"),
        (np.array([["p9"]]), "no picture with the id"),
    ],
)
def test_answers_that_do_not_fit_the_queries_are_refused(answers, wrong):
    gallery = pictures([0, 1, 0])
    with pytest.raises(ValueError, match=wrong):
        show_neighbours(gallery[:1], gallery, answers)


def test_without_a_title_the_alt_text_begins_with_what_is_shown():
    assert show_bars({"a": 0.25}, unit="recall@1").alt.startswith("recall@1: a 0.25")
    assert show_curve([1, 2], [3, 4], xlabel="n", ylabel="time").alt.startswith("time from 3 to 4")


def test_a_terminal_is_no_notebook_and_every_kernel_is_one():
    ask = "import utils.progress as p; print(p.in_notebook())"
    terminal = [sys.executable, "-m", "IPython", "--colors=NoColor", "-c", ask]
    told = subprocess.run(terminal, cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(ask)])
    (cell,) = NotebookClient(notebook, resources={"metadata": {"path": str(ROOT)}}).execute().cells
    assert cell.outputs[0].text.strip() == "True"


def test_bars_carry_their_numbers_and_intervals():
    figure = show_bars(
        {"a": 0.25, "b": 0.5}, unit="recall@1", title="b wins", intervals={"b": (0.4, 0.6)}
    )
    (axes,) = figure.axes
    assert [round(bar.get_width(), 2) for bar in axes.patches] == [0.25, 0.5]
    assert {text.get_text() for text in axes.texts} == {"0.25", "0.5"}
    assert axes.get_xlim()[1] > 0.6 and axes.get_xlabel() == "recall@1"
    assert figure.alt == "b wins: recall@1: a 0.25, b 0.5"


def test_large_numbers_are_written_out():
    figure = show_bars({"a": 999.4, "b": 999.6, "c": -12345}, unit="kB")
    places = [text.xy[0] for text in figure.axes[0].texts]
    assert places == [999.4, 999.6, 0]  # beside the bars, on none
    assert {text.get_text() for text in figure.axes[0].texts} == {"999", "1,000", "-12,345"}
    assert figure.alt == "kB: a 999, b 1,000, c -12,345"


def test_curves_differ_by_stroke_and_levels_are_named():
    figure = show_curve(
        [0, 1, 2], {"a": [1, 2, 3], "b": [3, 2, 1]}, xlabel="x", ylabel="y", levels={"half": 1.5}
    )
    (axes,) = figure.axes
    assert len({line.get_linestyle() for line in axes.lines}) == 3
    assert "half" in [text.get_text() for text in axes.texts]
    assert "a from 1 to 3" in figure.alt


def grey(colour):
    r, g, b = ImageColor.getrgb(colour)
    return 0.299 * r + 0.587 * g + 0.114 * b


def test_neighbouring_colours_stay_apart_in_greyscale():
    greys = [grey(colour) for colour in COLOURS]
    assert min(abs(a - b) for a, b in pairwise(greys)) > 20
    assert abs(grey(RIGHT) - grey(WRONG)) > 20


def test_a_grid_names_its_rows_and_columns_and_takes_rows_of_different_length():
    picture, heat = np.zeros((8, 8, 3), np.uint8), np.linspace(-1, 1, 16).reshape(4, 4)
    figure = show_grid({"seen": [picture], "felt": [heat, heat]}, columns=["a", "b"], title="Two")
    shown = [axes for axes in figure.axes if axes.images]
    assert len(shown) == 3
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["seen", "felt"]
    assert figure.alt == "Two: rows: seen, felt; columns: a, b"


@pytest.mark.parametrize("rows", [{}, {"a": []}, {"a": [np.zeros((4, 4))] * 13}])
def test_a_grid_of_nothing_or_too_much_is_refused(rows):
    with pytest.raises(ValueError, match="1 to 8 rows"):
        show_grid(rows)


def test_matrices_share_one_scale_and_name_each_block_once():
    near, far = np.zeros((3, 3)), np.full((3, 3), 2.0)
    figure = show_matrix({"near": near, "far": far}, ["cat", "cat", "dog"], unit="distance")
    left, right = figure.axes[:2]
    assert left.images[0].get_clim() == right.images[0].get_clim() == (0, 2)
    assert [text.get_text() for text in left.get_xticklabels()] == ["cat", "dog"]
    assert list(left.get_xticks()) == [0.5, 2]
    assert "near from 0 to 0, far from 2 to 2" in figure.alt


def test_a_matrix_that_does_not_fit_its_names_is_refused():
    with pytest.raises(ValueError, match="'d' has shape"):
        show_matrix({"d": np.zeros((2, 3))}, ["a", "b"], unit="distance")


def test_a_curve_can_be_drawn_on_logarithmic_axes_with_plain_numbers_below():
    x = [2, 64, 4096]
    figure = show_curve(x, [1, 0.1, 1e-6], xlabel="x", ylabel="y", log="xy")
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.xaxis.get_major_formatter()(4096) == "4,096"


def test_a_levels_name_stands_where_the_curve_is_not():
    rising = show_curve([0, 1], [0, 1], xlabel="x", ylabel="y", levels={"top": 1})
    falling = show_curve([0, 1], [1, 0], xlabel="x", ylabel="y", levels={"top": 1})
    assert [f.axes[0].texts[0].get_ha() for f in (rising, falling)] == ["left", "right"]


def test_matches_are_numbered_lines_from_one_picture_to_the_other():
    picture = np.zeros((16, 16, 3), np.uint8)
    figure = show_matches(picture, picture, [[2, 3, 5, 6], [8, 8, 9, 9]], title="Alike")
    (axes,) = figure.axes
    assert axes.images[0].get_array().shape == (16, 36, 3)
    ends = [line.get_xydata().tolist() for line in axes.lines[1::2]]
    assert ends == [[[3, 2], [26, 5]], [[8, 8], [29, 9]]]
    assert [text.get_text() for text in axes.texts] == ["1", "1", "2", "2"]
    assert "2 lines" in figure.alt


@pytest.mark.parametrize("pairs", [np.zeros((2, 3)), np.zeros((41, 4)), np.zeros(4)])
def test_matches_that_are_not_rows_of_four_are_refused(pairs):
    picture = np.zeros((16, 16, 3), np.uint8)
    with pytest.raises(ValueError, match="rows of 4 numbers"):
        show_matches(picture, picture, pairs)
