"""Measures of masks, against counting by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.masks import iou, max_f_beta, mean_absolute_error

MASKS = st.lists(st.lists(st.integers(0, 255), min_size=6, max_size=6), min_size=2, max_size=2)
MASKS = MASKS.filter(lambda rows: max(map(max, rows)) != 1)  # which is refused


def one_mask(rows):
    return np.array(rows, np.uint8)[None]


@given(MASKS, MASKS)
def test_iou_and_error_are_what_counting_pixel_by_pixel_gives(found, truth):
    pairs = [
        (f / 255, t / 255)
        for a, b in zip(found, truth, strict=True)
        for f, t in zip(a, b, strict=True)
    ]
    both = sum(f >= 0.5 and t >= 0.5 for f, t in pairs)
    either = sum(f >= 0.5 or t >= 0.5 for f, t in pairs)
    assert iou(one_mask(found), one_mask(truth))[0] == pytest.approx(both / either if either else 1)
    error = sum(abs(f - t) for f, t in pairs) / len(pairs)
    assert mean_absolute_error(one_mask(found), one_mask(truth))[0] == pytest.approx(error)


@given(MASKS)
def test_a_mask_agrees_with_itself(rows):
    mask = one_mask(rows)
    assert iou(mask, mask)[0] == 1 and mean_absolute_error(mask, mask)[0] == 0
    if (mask >= 128).any():
        assert max_f_beta(mask, mask) == pytest.approx(1)


LEVELS = st.sampled_from([0, 1, 64, 127, 128, 200, 255])  # few, so that pixels are often equal


@given(st.data(), st.integers(1, 4), st.floats(0.1, 2))
def test_f_beta_is_the_best_that_counting_at_every_threshold_gives(data, pictures, beta_squared):
    found, truth = (
        data.draw(st.lists(st.lists(LEVELS, min_size=5, max_size=5), min_size=pictures,
                           max_size=pictures)) for _ in range(2)
    )  # fmt: skip
    found[0][0] = truth[0][0] = 255
    best = 0.0
    for threshold in range(1, 256):
        precisions, recalls = [], []
        for levels, true in zip(found, truth, strict=True):
            taken = {i for i, level in enumerate(levels) if level >= threshold}
            right = {i for i, level in enumerate(true) if level >= 128}
            precisions.append(len(taken & right) / len(taken) if taken else 0)
            recalls.append(len(taken & right) / len(right) if right else 0)
        precision, recall = sum(precisions) / pictures, sum(recalls) / pictures
        below = beta_squared * precision + recall
        best = max(best, (1 + beta_squared) * precision * recall / below if below else 0)
    masks = (np.array(rows, np.uint8)[:, None] for rows in (found, truth))
    assert max_f_beta(*masks, beta_squared) == pytest.approx(best)


def test_f_beta_takes_the_best_threshold():
    truth = np.array([[[255, 255, 0, 0]]], np.uint8)
    found = np.array([[[0.2, 0.2, 0.1, 0.1]]])
    assert max_f_beta(found, truth) == pytest.approx(1)
    half = np.array([[[1.0, 1.0, 1.0, 1.0]]])
    assert max_f_beta(half, truth) == pytest.approx(1.3 * 0.5 / (0.3 * 0.5 + 1))


def test_masks_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="N×H×W"):
        iou(np.zeros((4, 4)), np.zeros((4, 4)))
    for measure in (iou, mean_absolute_error, max_f_beta):
        with pytest.raises(ValueError, match=r"\(5, 4, 4\) and \(1, 4, 4\)"):
            measure(np.zeros((5, 4, 4)), np.zeros((1, 4, 4)))


def test_bytes_of_0_and_1_are_refused_and_not_taken_for_empty_masks():
    truth = np.eye(4, dtype=np.uint8)[None]
    with pytest.raises(ValueError, match="give masks of 0 and 1 as bool"):
        iou(1 - truth, truth)
    assert iou(~truth.astype(bool), truth.astype(bool))[0] == 0
