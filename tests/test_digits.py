"""Handwritten digits as pictures."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from utils.digits import read_digits


def test_the_digits_are_scikit_learns_split_once():
    raw, parts = load_digits(), [read_digits("train"), read_digits("test")]
    assert [len(part) for part in parts] == [1200, 597]
    images = np.concatenate([part.images for part in parts])
    assert (images == images[..., :1]).all()  # grey
    np.testing.assert_allclose(images[..., 0] / 255 * 16, raw.images, atol=16 / 255)
    assert np.concatenate([part.labels for part in parts]).tolist() == raw.target.tolist()
    assert parts[0].label_of(7) == str(raw.target[7])
    assert len({id for part in parts for id in part.ids}) == 1797


def test_another_split_is_refused():
    with pytest.raises(ValueError, match="no split 'validation'; choose train or test"):
        read_digits("validation")
