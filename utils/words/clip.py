"""CLIP of the transformers library as a dual encoder of ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from utils.embedder import Embedder, ModelUnavailable, Preprocess, first_line, kept_from_hub
from utils.words.losses import Temperature
from utils.words.towers import DualEncoder

HUB = "openai/clip-vit-base-patch32"


class ClipImages(nn.Module):
    """The image tower of a CLIPModel: N×3×h×w → unit vectors N×D."""

    def __init__(self, clip: Any) -> None:
        super().__init__()
        self.vision, self.project = clip.vision_model, clip.visual_projection

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.project(self.vision(pixel_values=x).pooler_output), dim=1)


class ClipTexts(nn.Module):
    """The text tower of a CLIPModel with its tokenizer: a list of texts → unit vectors N×D."""

    def __init__(self, clip: Any, tokenizer: Any) -> None:
        super().__init__()
        self.text, self.project, self.tokenizer = clip.text_model, clip.text_projection, tokenizer

    def forward(self, texts: Sequence[str]) -> Tensor:
        longest = self.text.config.max_position_embeddings  # what is beyond is cut off
        tokens = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        ).to(self.project.weight.device)
        seen = self.text(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"])
        return F.normalize(self.project(seen.pooler_output), dim=1)


def load_clip(name: str) -> DualEncoder:
    """CLIP from a folder written by save_pretrained, or by its name from the hub.

    Raises ModelUnavailable where it is damaged, or neither here nor within reach.
    """
    folder = Path(name).is_dir()
    here = folder or kept_from_hub(name, "or use load_dual_encoder('pair')")
    try:
        # imported late: seconds
        from transformers import AutoTokenizer, CLIPImageProcessor, CLIPModel
        from transformers.utils import logging

        if here:
            logging.disable_progress_bar()  # of reading a file
        clip = CLIPModel.from_pretrained(name, local_files_only=here).float().eval()
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=here)
        processor = CLIPImageProcessor.from_pretrained(name, local_files_only=here)
        size = processor.crop_size["height"]
        mean, std = tuple(processor.image_mean), tuple(processor.image_std)
    except Exception as error:  # a damaged folder makes transformers raise almost any type
        raise ModelUnavailable(
            f"The dual encoder {name!r} cannot be read ({first_line(error)}); "
            + ("save it there again." if folder else "remove it from the cache and try again.")
        ) from error
    preprocess, dim = Preprocess(size, mean, std), clip.config.projection_dim
    images = Embedder(name, dim, "downloaded", preprocess, ClipImages(clip))
    heat = Temperature(clip.logit_scale.detach().exp().item())
    return DualEncoder(images, ClipTexts(clip, tokenizer), heat)
