"""scikit-learn's handwritten digits: small enough to train on in a second."""

import numpy as np

from utils.images import ImageSet

LEARNED = 1200  # of the 1,797


def read_digits(split: str) -> ImageSet:
    """1,200 digits to learn ("train") or 597 others ("test"), pictures of 8×8 in ten classes.

    Raises ValueError for another split.
    """
    from sklearn.datasets import load_digits

    if split not in ("train", "test"):
        raise ValueError(f"The digits have no split {split!r}; choose train or test.")
    raw = load_digits()
    grey = (raw.images * 255 / 16).astype(np.uint8)
    digits = ImageSet(
        np.repeat(grey[..., None], 3, axis=3),
        raw.target.astype(np.int64),
        classes=[str(digit) for digit in range(10)],
        ids=[f"digit {i}" for i in range(len(grey))],
        name=f"digits ({split})",
        note="Handwritten digits of the UCI repository, as they come with scikit-learn.",
    )
    return digits[:LEARNED] if split == "train" else digits[LEARNED:]
