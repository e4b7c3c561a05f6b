"""Going on where an interrupted training stopped."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from utils import replacing


def resume(
    path: Path, parts: dict[str, Any], asked: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """Give each part the state it was kept with; the record kept beside, or None without a file.

    Raises ValueError, and changes nothing, for a damaged file, or where the record was kept for
    something else than what is `asked` now.
    """
    if not path.exists():
        return None
    try:
        kept = torch.load(path, map_location="cpu", weights_only=False)
        record = kept["record"]
    except (RuntimeError, EOFError, UnpicklingError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged or no checkpoint ({type(error).__name__}); delete it to begin anew."
        ) from error
    if asked is not None and (was := record.get("asked")) != asked:
        raise ValueError(
            f"{path} belongs to another training ({was}, not {asked}); delete it or name another "
            "file."
        )
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    return record


def keep(path: Path, parts: dict[str, Any], record: dict[str, Any]) -> None:
    """Write the state of model, optimizer and schedule, and the record, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()} | {"record": record}
    with replacing(path) as partial:
        torch.save(state, partial)
