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

    A fixed whitening convolution (as in Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single
    GPU"), three stages that each halve the maps (32×32 to 4×4), their global average, and a linear
    head.

    Parameters
    ----------
    dim : length of the embedding; None for no head, the pooled maps themselves (widths[-1]).
    widths : channels of the three stages.
    size : side in pixels of the pictures it is trained on; any other works, less well.
    """

    def __init__(
        self,
        dim: int | None = 64,
        widths: tuple[int, int, int] = (64, 256, 256),
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


class Headed(nn.Module):
    """A head for one task on a trunk that stays as it is: N×3×size×size in, unit vectors N×D out.

    The head is a linear map of the mean and the spread of every stage's maps: what a picture shows
    stands in the late ones, how it was drawn in the early ones (Huang & Belongie 2017,
    "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization", read style so).

    Parameters
    ----------
    trunk : a trained network; its weights and statistics are not touched. dim : D.
    """

    def __init__(self, trunk: CompactCNN, dim: int = 64) -> None:
        super().__init__()
        self.trunk, self.dim = trunk.requires_grad_(False), dim
        seen = 2 * sum(trunk.widths)
        self.head = nn.Sequential(
            nn.BatchNorm1d(seen, affine=False), nn.Linear(seen, dim, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        x, seen = F.gelu(self.trunk.whiten(x)), []
        for stage in self.trunk.stages:
            x = stage(x)
            seen += [x.mean((2, 3)), x.std((2, 3))]
        return F.normalize(self.head(torch.cat(seen, 1)), dim=1)

    def train(self, mode: bool = True) -> "Headed":
        super().train(mode)
        self.trunk.eval()
        return self
