"""EfficientNet-Lite0, a small network that begins with what ImageNet's photos taught it."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils import replacing
from utils.embedder import MODELS, Embedder, Preprocess, restorable

NAME = "tf_efficientnet_lite0"  # timm's name of it
WEIGHTS = MODELS / "efficientnet.safetensors"
SIZE = 96  # pixels a side; ImageNet's own 224 cost five times as much, and scenes have 64
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
HALF = (0.5, 0.5, 0.5)  # mean and standard deviation it was trained with: pixels from −1 to 1


class EfficientNetLite(nn.Module):
    """timm's EfficientNet-Lite0 up to its last block: N×3×size×size in, unit vectors N×320 out.

    Inverted residual blocks (Sandler et al. 2018, "MobileNetV2"), scaled as by Tan & Le 2019,
    "EfficientNet". The last convolution, which makes 1,280 channels for ImageNet's classes, is left
    out: the averaged maps of the last block are the embedding.

    whole : timm's network to take the layers of; by default one with random weights.
    """

    def __init__(self, whole: Any = None) -> None:
        super().__init__()
        if whole is None:
            from timm import create_model  # takes seconds to import

            whole = create_model(NAME, num_classes=0)
        self.stem = nn.Sequential(whole.conv_stem, whole.bn1)
        self.blocks: nn.Sequential = whole.blocks
        self.dim: int = whole.blocks[-1][-1].conv_pwl.out_channels

    def maps(self, x: Tensor) -> Tensor:
        """The last feature maps, N×320×3×3 for a 96×96 input."""
        return self.blocks(self.stem(x))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.maps(x).mean((2, 3)), dim=1)


def load_efficientnet(trained: bool = True) -> Embedder:
    """The `Embedder` of "efficientnet", or the same network with random weights.

    Raises ModelUnavailable where the weights are missing or damaged.
    """
    from safetensors.torch import load_file

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = EfficientNetLite()
    if trained:
        with restorable(WEIGHTS, "recipes.efficientnet"):
            state = {key: value.float() for key, value in load_file(WEIGHTS).items()}
            missing, unknown = module.load_state_dict(state, strict=False)
            if unknown or not all(key.endswith(STATISTICS) for key in missing):
                raise ValueError("it is of another network")
    name = "efficientnet" if trained else "efficientnet (untrained)"
    source = "shipped" if trained else "random"
    return Embedder(name, module.dim, source, Preprocess(SIZE, HALF, HALF), module)


@torch.no_grad()
def save_efficientnet(module: EfficientNetLite, path: Path) -> None:
    """Write the network as fp16 safetensors, the form that `load_efficientnet` reads.

    Each batch normalisation is written as one that has seen mean 0 and variance 1 and answers the
    same; so its statistics need no place.
    """
    from safetensors.torch import save_file

    state = module.state_dict()
    for name, part in module.named_modules():
        if isinstance(part, nn.BatchNorm2d):
            mean, variance = (state.pop(f"{name}.running_{what}") for what in ("mean", "var"))
            state.pop(f"{name}.num_batches_tracked")
            scale = part.weight / (variance + part.eps).sqrt()
            state[f"{name}.weight"] = scale * (1 + part.eps) ** 0.5
            state[f"{name}.bias"] = part.bias - mean * scale
    state = {key: value.cpu().half().contiguous() for key, value in state.items()}
    with replacing(path) as partial:
        save_file(state, partial)
