"""Two views of a picture: changes after which a person still sees the same thing.

Each function takes float pictures N×3×h×w in 0..1 and changes every one by its own chance, which is
torch's. SimCLR's set of them (Chen et al. 2020, "A Simple Framework for Contrastive Learning of
Visual Representations", appendix A), for whole batches and on any device.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from utils.embedder import PHOTO_MEAN, PHOTO_STD, normalise_
from utils.triplet.batches import Sampler

SIZE = 32  # pixels; the side of a view
GREY = (0.299, 0.587, 0.114)  # how bright red, green and blue are to the eye (ITU-R BT.601)


def crop(x: Tensor, smallest: float, size: int) -> Tensor:
    """A random part of each picture, as large as `smallest`..1 of its area, at size×size pixels.

    Its sides are in a ratio of 3:4 to 4:3. Read at twice the size and averaged, against moiré.
    """
    n, device = len(x), x.device
    area = smallest + (1 - smallest) * torch.rand(n, device=device)
    ratio = torch.exp((torch.rand(n, device=device) * 2 - 1) * torch.log(torch.tensor(4 / 3)))
    sides = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()], 1).clamp(max=1)
    middle = (torch.rand(n, 2, device=device) * 2 - 1) * (1 - sides)
    where = torch.zeros(n, 2, 3, device=device)
    where[:, 0, 0], where[:, 1, 1], where[:, :, 2] = sides[:, 0], sides[:, 1], middle
    grid = F.affine_grid(where, [n, 3, 2 * size, 2 * size], align_corners=False)
    read = F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return F.avg_pool2d(read, 2)


def flip(x: Tensor) -> Tensor:
    """Half of the pictures mirrored."""
    return torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5, x.flip(3), x)


def colour(x: Tensor, strength: float) -> Tensor:
    """Brightness, contrast, saturation and hue of each picture changed; some of them grey.

    strength : 1 has SimCLR's factors of .2 to 1.8, hues turned by up to a fifth, a fifth of the
        pictures grey; all in proportion. (SimCLR leaves a fifth of the views as they are, and
        greys a fifth at any strength.)
    """
    n, device = len(x), x.device

    def factor(most: float) -> Tensor:
        return 1 + most * strength * (torch.rand(n, 1, 1, 1, device=device) * 2 - 1)

    eye = torch.tensor(GREY, device=device).view(1, 3, 1, 1)
    x = (x * factor(0.8)).clamp(0, 1)
    mean = (x * eye).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    x = (mean + (x - mean) * factor(0.8)).clamp(0, 1)
    grey = (x * eye).sum(1, keepdim=True)
    saturation = factor(0.8)
    saturation[torch.rand(n, device=device) < 0.2 * strength] = 0
    x = turned(grey + (x - grey) * saturation, 0.2 * strength)
    return x.clamp(0, 1)


def turned(x: Tensor, most: float) -> Tensor:
    """Hues turned by up to ± `most` of the circle: a rotation about the grey axis (Rodrigues)."""
    angle = 2 * torch.pi * most * (torch.rand(len(x), device=x.device) * 2 - 1)
    cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
    one = torch.ones(3, 3, device=x.device) / 3
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=x.device) / 3**0.5
    turn = cos * torch.eye(3, device=x.device) + (1 - cos) * one + sin * cross
    return torch.einsum("nij,njhw->nihw", turn, x)


def blur(x: Tensor, chance: float = 0.5) -> Tensor:
    """Some pictures through a Gaussian with a spread of .1 to 2 thirty-seconds of their side."""
    n, channels, height, width = x.shape
    spread = (0.1 + 1.9 * torch.rand(n, 1, device=x.device)) * height / 32
    spread = torch.where(torch.rand(n, 1, device=x.device) < chance, spread, 1e-2)
    reach = max(1, round(4 * height / 32))
    at = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-(at**2) / (2 * spread**2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None, None]
    flat = x.reshape(1, n * channels, height, width)
    flat = F.pad(flat, (reach, reach, reach, reach), mode="replicate")
    flat = F.conv2d(flat, kernel, groups=n * channels)
    return F.conv2d(flat, kernel.transpose(2, 3), groups=n * channels).view_as(x)


@dataclass(frozen=True)
class Views:
    """Random views of pictures, as a network's input; each part can be switched off.

    Attributes
    ----------
    crop : smallest area that a view keeps, or None for the whole picture. flip : mirror half.
    colour : strength of the changed colours, 0 for none. blur : share of blurred views.
    """

    crop: float | None = 0.2
    flip: bool = True
    colour: float = 0.5
    blur: float = 0.5

    def pixels(self, images: Tensor) -> Tensor:
        """uint8 N×H×W×3 → a view of each, float N×3×32×32 in 0..1, to look at."""
        x = images.permute(0, 3, 1, 2).float() / 255
        if self.crop is not None:
            x = crop(x, self.crop, SIZE)
        elif x.shape[2:] != (SIZE, SIZE):
            x = F.interpolate(x, (SIZE, SIZE), mode="bilinear", antialias=True)
        if self.flip:
            x = flip(x)
        if self.colour:
            x = colour(x, self.colour)
        return blur(x, self.blur) if self.blur else x

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 N×H×W×3 → a view of each, normalised: float N×3×32×32."""
        return normalise_(self.pixels(images), PHOTO_MEAN, PHOTO_STD)


def as_pictures(views: Tensor) -> np.ndarray:
    """What `Views.pixels` gives, to look at: float N×3×h×w in 0..1 → uint8 N×h×w×3."""
    return (views.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).cpu().numpy()


@dataclass(frozen=True)
class ViewPairs:
    """step → (input 2N×3×32×32, labels int64 2N), what `train` draws from.

    The first half are views of N pictures, the second half other views of the same; the labels
    are the pictures' places in the batch, the only thing that is known of them.

    Attributes
    ----------
    images : uint8 M×H×W×3, on the device where views are made. views : what a view is.
    sampler : step → places of N pictures, such as `shuffled`.
    others : what the second half are views of, the same pictures changed in a way that `views`
        cannot, such as before another background; None for `images` themselves.
    """

    images: Tensor
    views: Views
    sampler: Sampler
    others: Tensor | None = None

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(self.sampler(step)).to(self.images.device)
        others = self.images if self.others is None else self.others
        x = torch.cat([self.views(self.images[rows]), self.views(others[rows])])
        return x, torch.arange(len(rows), device=x.device).repeat(2)
