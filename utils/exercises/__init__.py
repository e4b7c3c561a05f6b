"""Graders, one module a lesson. `grade_M(answer, …)` returns a hint, or None where all is right."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def not_ready(network: "nn.Module", epochs: int = 1) -> str | None:
    """A hint where a network is still in training mode or saw fewer batches than epochs.

    Random weights may find enough to pass a bar, so the batches are counted that BatchNorm saw.
    """
    if network.training:
        return "The network is still in training mode: call model.module.eval() at the end."
    seen = [n for name, n in network.named_buffers() if name.endswith("num_batches_tracked")]
    if seen and not any(seen):
        return "The network has not seen one batch in training mode: train it first."
    if seen and max(seen) < epochs:
        return (
            f"{epochs} epochs were asked for, but the network has seen {int(max(seen))} batches in "
            "all. The steps of `train` are epochs times the batches of an epoch."
        )
    return None
