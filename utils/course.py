"""What makes a notebook a lesson: one start, and claims that are checked."""

import os
import random
from typing import Any

import numpy as np


class ClaimFailed(AssertionError):
    """A checked sentence turned out false, under COURSE_STRICT=1."""


def start(lesson: str, big: bool = False) -> None:
    """Fix the seeds and say what this lesson runs on and uses, and why.

    Parameters
    ----------
    lesson : its name, such as "00_start_here". big : the lesson's switch for the big downloads.
    """
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    if torch.cuda.is_available():
        device = f"GPU, {torch.cuda.get_device_name()}"
    else:
        device = f"CPU, {torch.get_num_threads()} threads; no GPU is needed"
    if big:
        uses = "BIG = True: the original data and large networks, downloaded on first use"
    else:
        uses = "BIG = False: what ships with the course; nothing is downloaded"
    print(f"Lesson {lesson[:2]} · {lesson[3:].replace('_', ' ')}")
    print(f"  runs on  {device}")
    print(f"  uses     {uses}")
    print("  seeds    fixed to 0: run it twice, see the same")


def check(sentence: str, condition: Any) -> None:
    """Print "✓ sentence" where the condition holds, else "✗ sentence".

    Under COURSE_STRICT=1, which the tests set, a false one raises ClaimFailed.

    Raises
    ------
    TypeError : the condition is not one yes or no, such as an array of several.
    """
    if np.ndim(condition) or not isinstance(condition, bool | np.bool_):
        if not (hasattr(condition, "numel") and condition.numel() == 1):
            raise TypeError(
                f"check() needs one yes or no for {sentence!r}, but got "
                f"{type(condition).__name__} of shape {np.shape(condition)}; use .all() or .any()."
            )
    held = bool(condition)
    print(f"{'✓' if held else '✗'} {sentence}")
    if not held and os.environ.get("COURSE_STRICT") == "1":
        raise ClaimFailed(sentence)
