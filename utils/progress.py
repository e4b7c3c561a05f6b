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
    file = sys.stdout if in_notebook() else sys.stderr
    return tqdm(work, name, total, delay=1, leave=False, file=file, **more)


def in_notebook() -> bool:
    """Is there a page to show something on? True in JupyterLab and on Colab alike."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None  # a terminal's shell has none
