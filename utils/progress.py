"""Progress bars that come when the work takes over a second, and go when it is done."""

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(work: Iterable[T], name: str, total: int | None = None, **more: Any) -> Iterable[T]:
    """`work`, with a bar while it is gone through.

    In a notebook the bar goes to standard output: JupyterLab keeps a pink line of whatever stood
    on standard error, even when it was wiped.

    Parameters
    ----------
    total : how many there are, for `work` that has no length. more : what tqdm takes besides.
    """
    file = sys.stdout if "ipykernel" in sys.modules else sys.stderr
    return tqdm(work, name, total, delay=1, leave=False, file=file, **more)
