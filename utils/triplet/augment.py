"""Changes that leave a picture what it is: each on a network's input, float N×3×h×w."""

import torch
import torch.nn.functional as F
from torch import Tensor


def flip_and_shift(x: Tensor, by: int) -> Tensor:
    """Mirror half of the pictures, and shift each by up to `by` pixels in both directions."""
    n, _, height, width = x.shape
    x = torch.where(torch.rand(n, 1, 1, 1, device=x.device) < 0.5, x.flip(3), x)
    padded = F.pad(x, (by,) * 4, mode="reflect")
    top, left = torch.randint(0, 2 * by + 1, (2, n, 1), device=x.device)
    rows = top + torch.arange(height, device=x.device)
    columns = left + torch.arange(width, device=x.device)
    one = torch.arange(n, device=x.device)[:, None, None]
    return padded[one, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cut_out(x: Tensor, side: int) -> Tensor:
    """Set a square of each picture to 0, its mean: DeVries & Taylor 2017, "Cutout"."""
    n, _, height, width = x.shape
    reach = torch.arange(max(height, width), device=x.device)
    corner = torch.randint(-side // 2, min(height, width) - side // 2, (2, n, 1), device=x.device)
    hole = (reach >= corner) & (reach < corner + side)
    return x.masked_fill((hole[0][:, :height, None] & hole[1][:, None, :width])[:, None], 0)


def mix_colours(x: Tensor, amount: float) -> Tensor:
    """Mix the three channels of each picture by a matrix of its own, the identity plus noise."""
    mix = torch.eye(3, device=x.device) + amount * torch.randn(len(x), 3, 3, device=x.device)
    return torch.einsum("nij,njhw->nihw", mix, x)
