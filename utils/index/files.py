"""One file for a whole index: replaced only by a complete one, read only when it is whole."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from utils import writing


def write(path: str | Path, about: dict[str, Any], ids: list[str], **arrays: np.ndarray) -> None:
    """Write an index to one file; one already there stays until the new one is on the disk."""
    texts = {"about": about, "ids": ids}
    for key, text in texts.items():
        arrays[key] = np.frombuffer(json.dumps(text).encode(), np.uint8)
    with writing(Path(path)) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


@contextmanager
def reading(path: str | Path, model: str | None) -> Iterator[dict[str, Any]]:
    """What `write` wrote: "about", "ids" and the arrays; whatever fails meanwhile is told of it.

    Raises
    ------
    FileNotFoundError : no such file. ValueError : not a whole index, or not made by `model`.
    """
    try:
        with np.load(path) as file:
            found = {key: file[key] for key in file}
        texts = {key: json.loads(found[key].tobytes()) for key in ("about", "ids")}
        yield found | texts
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no index at {str(path)!r}; save one first.") from error
    except Exception as error:  # what a damaged file makes of zip, JSON and NumPy is any type
        raise ValueError(
            f"{str(path)!r} is not a whole index ({error}); it was cut short or is something "
            "else: build it again from the pictures."
        ) from error
    check_model(path, texts["about"]["model"], model)


def check_model(place: str | Path, made_by: str, model: str | None) -> None:
    """Refuse an index of another model; None takes any."""
    if model is not None and model != made_by:
        raise ValueError(
            f"{str(place)!r} was made by the model {made_by or 'of no name'!r}, not by "
            f"{model!r}, and their vectors cannot be compared; embed the pictures again."
        )
