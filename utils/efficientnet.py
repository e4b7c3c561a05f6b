"""EfficientNet-Lite0, a small network that begins with what ImageNet's photos taught it."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils import replacing
from utils.embedder import MODELS, Embedder, ModelUnavailable, Preprocess, first_line

WEIGHTS = MODELS / "efficientnet.safetensors"
SIZE = 96  # pixels a side; ImageNet's own 224 cost five times as much, and scenes have 64
HALF = (0.5, 0.5, 0.5)  # mean and standard deviation it was trained with: pixels from −1 to 1


class EfficientNetLite(nn.Module):
    """timm's EfficientNet-Lite0 up to its last block: N×3×size×size in, unit vectors N×320 out.

    Inverted residual blocks (Sandler et al. 2018, "MobileNetV2"), scaled as by Tan & Le 2019,
    "EfficientNet". The last convolution, which makes 1,280 channels for ImageNet's classes, is left
    out: the averaged maps of the last block are the embedding.
    """

    def __init__(self) -> None:
        super().__init__()
        from timm import create_model  # takes seconds to import

        whole: Any = create_model("tf_efficientnet_lite0", num_classes=0)
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
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = EfficientNetLite()
    if trained:
        try:
            module.load_state_dict({k: v.float() for k, v in load_file(WEIGHTS).items()})
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ModelUnavailable(
                f"The weights {WEIGHTS} are missing or damaged ({first_line(error)}); restore them "
                "with git, or run `python -m recipes.efficientnet` to train them again."
            ) from error
    name = "efficientnet" if trained else "efficientnet (untrained)"
    source = "shipped" if trained else "random"
    return Embedder(name, module.dim, source, Preprocess(SIZE, HALF, HALF), module)


def save_efficientnet(module: EfficientNetLite, path: Path) -> None:
    """Write the network as fp16 safetensors, the form that `load_efficientnet` reads."""
    from safetensors.torch import save_file

    state = {k: v.detach().cpu().half().contiguous() for k, v in module.state_dict().items()}
    with replacing(path) as partial:
        save_file(state, partial)
