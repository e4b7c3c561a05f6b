"""Vision Transformers of the transformers library, and what they say on the way."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from utils.embedder import (
    MODELS,
    Embedder,
    ModelUnavailable,
    Preprocess,
    first_line,
    kept_from_hub,
)
from utils.images import ImageSet

HUB = {"vit-base": "google/vit-base-patch16-224"}


class ClsToken(nn.Module):
    """A ViTModel whose answer is its [CLS] token: N×3×h×w → N×D."""

    def __init__(self, vit: nn.Module) -> None:
        super().__init__()
        self.vit = vit

    def forward(self, x: Tensor) -> Tensor:
        return self.vit(pixel_values=x).last_hidden_state[:, 0]


def load_vit(name: str, trained: bool = True) -> Embedder:
    """The `Embedder` of "vit", which ships with the course, or "vit-base", from the hub.

    Raises ModelUnavailable where the files are missing or damaged, or cannot be downloaded now.
    """
    place = HUB.get(name, str(MODELS / name))
    here = name not in HUB or kept_from_hub(place, "or use load_model('vit')")
    try:
        # imported late: seconds
        from transformers import ViTConfig, ViTImageProcessor, ViTModel
        from transformers.utils import logging

        if here:
            logging.disable_progress_bar()  # of reading a file
        processor = ViTImageProcessor.from_pretrained(place, local_files_only=here)
        if trained:
            vit = ViTModel.from_pretrained(
                place,
                local_files_only=here,
                add_pooling_layer=False,  # the saved ones have none, and a random one is no use
                attn_implementation="eager",  # others do not give attention maps
            )
        else:
            config = ViTConfig.from_pretrained(place, local_files_only=here)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                vit = ViTModel(config, add_pooling_layer=False)
    except Exception as error:  # a damaged folder makes transformers raise almost any type
        raise ModelUnavailable(
            f"The transformer {name!r} cannot be read from {place} ({first_line(error)}); "
            + ("restore the folder with git." if name not in HUB else "remove it and try again.")
        ) from error
    size, mean, std = processor.size["height"], processor.image_mean, processor.image_std
    preprocess = Preprocess(size, tuple(mean), tuple(std))
    source = "random" if not trained else ("downloaded" if name in HUB else "shipped")
    title = name if trained else f"{name} (untrained)"
    return Embedder(title, vit.config.hidden_size, source, preprocess, ClsToken(vit.float()))


class Look(NamedTuple):
    """What a ViT makes of N pictures cut into P patches.

    cls : float32, N×D, the [CLS] token. patches : float32, N×P×D, one token a patch, row by row.
    attention : float32, N×layers×heads×(1+P), how much [CLS] takes from [CLS] and each patch; sums
    to 1.
    """

    cls: np.ndarray
    patches: np.ndarray
    attention: np.ndarray


def look(model: Embedder, pictures: ImageSet | np.ndarray, batch_size: int = 128) -> Look:
    """The last tokens of a ViT, and where [CLS] looks in each layer.

    Raises ValueError for a network that is not a ViT, or pictures not uint8 N×H×W×3.
    """
    if not isinstance(model.module, ClsToken):
        raise ValueError(f"{model.name} is not a transformer; load 'vit' or 'vit-base'.")
    tokens, attention = [], []
    with torch.inference_mode():
        for x in model.inputs(pictures, batch_size):
            out = model.module.vit(pixel_values=x, output_attentions=True)
            tokens.append(out.last_hidden_state.float().cpu())
            attention.append(torch.stack([a[:, :, 0] for a in out.attentions], 1).float().cpu())
    kept = torch.cat(tokens).numpy()
    return Look(kept[:, 0], kept[:, 1:], torch.cat(attention).numpy())
