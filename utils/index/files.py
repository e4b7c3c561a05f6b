"""One file for a whole index: replaced only by a complete one, read only when it is whole."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from utils import writing

READ_BY = {  # by the array that is in such files alone
    "vectors": "ExactIndex.load reads it; a new index of any engine can add its ids and vectors",
    "engine": "FaissIndex.load reads it; for another engine embed the pictures again",
}


def write(path: str | Path, about: dict[str, Any], ids: list[str], **arrays: np.ndarray) -> None:
    """Write an index to one file; one already there stays until the new one is on the disk."""
    texts = {"about": about, "ids": ids}
    for key, text in texts.items():
        arrays[key] = np.frombuffer(json.dumps(text).encode(), np.uint8)
    with writing(Path(path)) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


class OfAnotherEngine(ValueError):
    """A whole index that another engine wrote; the message says what reads it."""


@contextmanager
def reading(path: str | Path, model: str | None, needed: str) -> Iterator[dict[str, Any]]:
    """What `write` wrote: "about", "ids" and the arrays; whatever fails meanwhile is told of it.

    needed : the array that the engine's files are known by, one of `READ_BY`.

    Raises
    ------
    FileNotFoundError : no such file. ValueError : not a whole index, another engine's, or not made
        by `model`.
    """
    try:
        with np.load(path) as file:
            found = {key: file[key] for key in file}
        texts = {key: json.loads(found[key].tobytes()) for key in ("about", "ids")}
        if other := [READ_BY[key] for key in READ_BY if key in found and needed not in found]:
            raise OfAnotherEngine(f"{str(path)!r} is an index of another engine: {other[0]}.")
        yield found | texts
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no index at {str(path)!r}; save one first.") from error
    except OfAnotherEngine:
        raise
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
