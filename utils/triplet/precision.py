"""Half precision where it pays."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer


class Precision:
    """bfloat16 in the network where the machine is fast at it, float16 on a GPU without it.

    float16 has a short range, so there the loss is scaled up before its gradient is taken
    (Micikevicius et al. 2018, "Mixed Precision Training").
    """

    def __init__(self, device: torch.device, half: bool | None) -> None:
        if half is None:
            fast = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
            half = device.type == "cuda" or (device.type == "cpu" and fast())
        old = device.type == "cuda" and torch.cuda.get_device_capability(device) < (8, 0)
        self.device, self.half = device.type, half
        self.dtype = torch.float16 if old else torch.bfloat16
        self.scaler = torch.amp.GradScaler(device.type, enabled=half and old)

    def lower(self) -> torch.autocast:
        return torch.autocast(self.device, self.dtype, enabled=self.half)

    def state_dict(self) -> dict[str, Any]:
        """The scale, so that a training goes on with it."""
        return self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.scaler.load_state_dict(state)

    def step(self, value: Tensor, optimizer: Optimizer) -> None:
        self.scaler.scale(value).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
