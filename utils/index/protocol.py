"""What every index of the course can do, and the checks that all of them make."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from utils.distances import check_metric, check_vectors, ready

# {"category": "animals", "artist": ["noto", "fxemoji"]}: every field must hold its value, or one
# of its values. Values are text, whole numbers, True or False; where a picture's payload has a
# list, one element is enough.
Where = Mapping[str, Any]


class Index(Protocol):
    """What every index of the course can do, whatever engine is inside."""

    metric: str
    model: str

    @property
    def payload(self) -> Mapping[str, Any]: ...
    def __len__(self) -> int: ...
    def __contains__(self, id: object) -> bool: ...
    def add(
        self, ids: Sequence[str], vectors: Any, payload: Sequence[Any] | None = None
    ) -> None: ...
    def remove(self, ids: Sequence[str]) -> None: ...
    def search(
        self, queries: Any, k: int = 10, where: Where | None = None
    ) -> tuple[np.ndarray, np.ndarray]: ...
    def count(self, where: Where | None = None) -> int: ...
    def save(self, path: str | Path) -> None: ...
    @classmethod
    def load(cls, path: str | Path, model: str | None = None) -> "Index": ...


def check_index_metric(metric: str, known: Container[str] | None = None) -> None:
    """Refuse a metric that an index, or this engine with the `known` ones, does not have."""
    check_metric(metric)
    if metric == "mahalanobis":
        raise ValueError(
            "An index keeps no covariance; add whiten(vectors, covariance) under euclidean, "
            "which is the same."
        )
    if known is not None and metric not in known:
        raise ValueError(
            f"This index does not know the distance {metric!r}, only {known}; ExactIndex does."
        )


def check_new(
    ids: Sequence[str], vectors: Any, payload: Sequence[Any] | None
) -> tuple[list[str], np.ndarray]:
    """Ids as text and vectors as float32 N×D, if they and the payload belong together."""
    ids, vectors = [str(id) for id in ids], check_vectors(vectors)
    if len(ids) != len(vectors) or (payload is not None and len(payload) != len(ids)):
        given = f"{len(ids)} ids, {len(vectors)} vectors"
        given += "" if payload is None else f", {len(payload)} payloads"
        raise ValueError(f"Each picture needs one id and one vector, but there are {given}.")
    refuse_ids([id for id, times in Counter(ids).items() if times > 1], "given twice")
    return ids, vectors


def refuse_ids(found: Sequence[str], why: str) -> None:
    """The error for ids that cannot be added, if there are any."""
    if found:
        raise ValueError(
            f"{len(found)} ids are {why}, such as {found[0]!r}; nothing was added. Remove "
            "them first, or leave them out."
        )


def check_room(
    ids: list[str], vectors: np.ndarray, metric: str, known: Container[str], dim: int | None
) -> np.ndarray:
    """The vectors as the metric compares them; refuses known ids, and what does not fit `dim`.

    dim : the width of the index, None while it is empty.
    """
    refuse_ids([id for id in ids if id in known], "in the index already")
    if dim is not None and vectors.shape[1] != dim:
        raise ValueError(
            f"This index holds vectors of {dim} numbers, not {vectors.shape[1]}; embed with the "
            "same model."
        )
    return ready(vectors, metric)


def check_known(ids: Iterable[str], known: Container[str]) -> set[str]:
    """The ids to remove, each once; a KeyError for any that is not there."""
    gone = {str(id) for id in ids}
    unknown = sorted(id for id in gone if id not in known)
    if unknown:
        raise KeyError(
            f"{len(unknown)} ids are not in the index, such as {unknown[0]!r}; nothing was removed."
        )
    return gone


def check_k(k: int, most: int, where: Where | None) -> None:
    """Refuse a k below 1 or above the pictures that can be an answer."""
    if not 1 <= k <= most:
        among = "" if where is None else f" that match {dict(where)}"
        raise ValueError(
            f"k must be from 1 to {most}, the pictures in this index{among}, but is {k}."
        )


def wanted(where: Where) -> dict[str, list[Any]]:
    """The values that each field may have; a ValueError for a filter no index understands."""
    if not isinstance(where, Mapping):
        raise ValueError(f'where must be like {{"category": "animals"}}, but is {where!r}.')
    fields = {}
    for field, values in where.items():
        several = values if isinstance(values, list | tuple | set) else [values]
        fields[str(field)] = [v.item() if isinstance(v, np.generic) else v for v in several]
        strange = [v for v in fields[str(field)] if not isinstance(v, str | int)]
        if strange:
            raise ValueError(
                f"where compares with text, whole numbers, True or False, but {field!r} is to be "
                f"{strange[0]!r}."
            )
    return fields


def matching(ids: Sequence[str], payload: Mapping[str, Any], where: Where) -> np.ndarray:
    """Positions in `ids` of the pictures whose payload has what `where` asks for: int64."""
    # True equals 1 in Python, and not in JSON
    fields = [(f, {(isinstance(v, bool), v) for v in vs}) for f, vs in wanted(where).items()]

    if not fields:
        return np.arange(len(ids))

    def fits(note: Any) -> bool:
        return isinstance(note, Mapping) and all(_any(note.get(f), vs) for f, vs in fields)

    return np.array([i for i, id in enumerate(ids) if fits(payload.get(id))], np.int64)


def _any(value: Any, values: set[tuple[bool, Any]]) -> bool:
    several = value if isinstance(value, list | tuple) else [value]
    return any((isinstance(v, bool), v) in values for v in several if isinstance(v, str | int))
