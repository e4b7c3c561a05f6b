"""What two towers learn from: the loss over a batch of pairs, and its temperature."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.triplet import TrainingDiverged

START, LIMIT = 1 / 0.07, 100.0  # of the scale: Radford et al. 2021, section 2.5


def clip_loss(images: Tensor, texts: Tensor, scale: Tensor | float) -> Tensor:
    """Symmetric cross-entropy: each picture finds its text in the batch, each text its picture.

    Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision",
    figure 3.

    Parameters
    ----------
    images, texts : unit vectors N×D; row i of one belongs to row i of the other.
    scale : what cosines are multiplied by, the inverse of the temperature.

    Raises
    ------
    ValueError : one pair only, or not as many pictures as texts.
    """
    if images.shape != texts.shape:
        raise ValueError(
            f"Each picture needs its text and both the same length, but they are "
            f"{'×'.join(map(str, images.shape))} and {'×'.join(map(str, texts.shape))}."
        )
    if len(images) < 2:
        raise ValueError(
            "A batch of one pair teaches nothing, for it holds no wrong text to tell it from; "
            "give at least two pairs."
        )
    scores = scale * images @ texts.T
    own = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


class Temperature(nn.Module):
    """What cosines are multiplied by, learned: its logarithm is the parameter, at most LIMIT.

    This scale is the inverse of the temperature; it begins at 1/0.07.
    """

    def __init__(self, scale: float = START) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))

    @property
    def scale(self) -> float:
        return min(self.log_scale.detach().exp().item(), LIMIT)

    def forward(self) -> Tensor:
        """Raises TrainingDiverged where it ran away: no number, below 1, or far above its limit."""
        free = self.log_scale.detach().exp().item()
        if not 1 <= free <= 10 * LIMIT:
            raise TrainingDiverged(
                f"The temperature ran away: cosines are multiplied by {free:.3g}, and sound is 1 "
                f"to {LIMIT:.0f}; lower the learning rate."
            )
        return self.log_scale.exp().clamp(max=LIMIT)
