"""The compact convolutional network that the course trains and ships."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """H(x) = F(x) + x: the block learns only what to add (He et al. 2016, eq. 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.gelu(self.norm(self.conv(x)))


def _stage(inside: int, outside: int) -> nn.Sequential:
    """Look (convolution), halve (pooling), then refine (residual block)."""
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outside),
        nn.GELU(),
        Residual(outside),
    )


class CompactCNN(nn.Module):
    """A small residual network: N×3×size×size in, unit vectors N×D out.

    A fixed whitening convolution (as in Jordan 2024, "94% on CIFAR-10 in 3.29 seconds"), three
    stages that each halve the maps (32×32 to 4×4), their global average, and a linear head.

    Parameters
    ----------
    dim : length of the embedding; None for no head, the pooled maps themselves (widths[-1]).
    widths : channels of the three stages.
    size : side in pixels of the pictures it is trained on; any other works, less well.
    """

    def __init__(
        self,
        dim: int | None = 64,
        widths: tuple[int, int, int] = (48, 160, 192),
        size: int = 32,
    ) -> None:
        super().__init__()
        self.dim, self.widths, self.size = dim or widths[-1], widths, size
        self.whiten = nn.Conv2d(3, 24, 2, padding=1).requires_grad_(False)
        self.stages = nn.Sequential(
            _stage(24, widths[0]), _stage(widths[0], widths[1]), _stage(widths[1], widths[2])
        )
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head: nn.Module = nn.Identity()
        if dim:
            self.head = nn.Sequential(nn.Linear(widths[-1], dim, bias=False), nn.BatchNorm1d(dim))

    def maps(self, x: Tensor) -> Tensor:
        """The last feature maps, N×widths[-1]×4×4 for a 32×32 input."""
        return self.stages(F.gelu(self.whiten(x)))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.head(self.pool(self.maps(x))), dim=1)

    @torch.no_grad()
    def whiten_from(self, pixels: Tensor, eps: float = 5e-4) -> None:
        """Set the first layer to the ± principal directions of 2×2 patches of N×3×H×W pixels."""
        patches = pixels.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12)
        values, vectors = torch.linalg.eigh(torch.cov(patches.T))
        filters = (vectors / (values + eps).sqrt()).T.reshape(12, 3, 2, 2)
        self.whiten.weight.copy_(torch.cat([filters, -filters]))
        nn.init.zeros_(self.whiten.bias)  # type: ignore[arg-type]
