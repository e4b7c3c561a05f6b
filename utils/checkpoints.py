"""Going on where an interrupted training stopped."""

from pathlib import Path
from typing import Any

import torch

from utils import replacing


def resume(path: Path, parts: dict[str, Any]) -> dict[str, Any] | None:
    """Give each part the state it was kept with; the record kept beside, or None without a file."""
    if not path.exists():
        return None
    kept = torch.load(path, weights_only=False)
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    return kept["record"]


def keep(path: Path, parts: dict[str, Any], record: dict[str, Any]) -> None:
    """Write the state of model, optimizer and schedule, and the record, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: part.state_dict() for name, part in parts.items()} | {"record": record}
    with replacing(path) as partial:
        torch.save(state, partial)
