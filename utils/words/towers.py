"""Two towers into one space: what reads a text, and what carries both."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils.cnn import CompactCNN
from utils.embedder import Embedder
from utils.words.losses import Temperature
from utils.words.texts import TextError, checked, plain, rows_of, words_of

BUCKETS = 4096


class TextTower(nn.Module):
    """A list of texts in, unit vectors N×dim out.

    A word is the mean of the vectors of its n-grams, a text the mean of its words, and a linear
    map takes it into the space it shares with the pictures. The n-grams are hashed into a table of
    fixed size, so there is a vector for any word (Bojanowski et al. 2017, section 3.2).

    Parameters
    ----------
    dim : D. buckets : rows of the table.
    alphabet : the letters that were seen in training; words with others are left out. "" for all.
    parts : what of a word is read: "words", "n-grams", or "both".
    """

    def __init__(
        self, dim: int = 64, buckets: int = BUCKETS, alphabet: str = "", parts: str = "both"
    ) -> None:
        super().__init__()
        self.dim, self.buckets, self.alphabet, self.parts = dim, buckets, alphabet, parts
        self.grams = nn.EmbeddingBag(buckets, dim, mode="sum")
        self.project = nn.Linear(dim, dim)
        # small, so that n-grams which training never sees add nothing to a text
        nn.init.normal_(self.grams.weight, std=0.01)

    def bags(self, texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Which rows of the table each text takes, and how much of each.

        Returns
        -------
        rows : int64, one after another. starts : int64 N, where each text begins.
        shares : float32, those of one text sum to 1.

        Raises
        ------
        TextError : a text without a word that can be read.
        """
        rows: list[int] = []
        starts: list[int] = []
        shares: list[float] = []
        for text in texts:
            starts.append(len(rows))
            words = [grams for word in words_of(text) if (grams := self.rows_of(word))]
            if not words:
                raise TextError(
                    f"Nothing in “{text[:20]}” can be read: the words were learned in English and "
                    "Portuguese; write it in one of these."
                )
            for grams in words:
                rows += grams
                shares += [1 / (len(words) * len(grams))] * len(grams)
        device = self.grams.weight.device
        return (
            torch.tensor(rows, device=device),
            torch.tensor(starts, device=device),
            torch.tensor(shares, device=device),
        )

    def rows_of(self, word: str) -> Sequence[int]:
        """The rows of a word's n-grams; none for a word in letters that were never seen."""
        known = not self.alphabet or set(plain(word)) <= set(self.alphabet)
        return rows_of(word, self.buckets, self.parts) if known else ()

    def forward(self, texts: Sequence[str]) -> Tensor:
        rows, starts, shares = self.bags(texts)
        mean = self.grams(rows, starts, per_sample_weights=shares)
        return F.normalize(self.project(mean), dim=1)


class Readers(nn.Module):
    """Several text towers side by side, so that a cosine is the mean of theirs.

    Each was taught on its own, and errs in its own way (Hansen & Salamon 1990, "Neural Network
    Ensembles").
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, texts: Sequence[str]) -> Tensor:
        return F.normalize(torch.cat([member(texts) for member in self.members], 1), dim=1)


class ImageTower(nn.Module):
    """A trunk that stays as it is and linear maps into the shared space: N×3×h×w → N×dim.

    Parameters
    ----------
    trunk : a trained network. dim : D of one map. members : how many maps, side by side as the
        text towers of `Readers`.
    """

    def __init__(self, trunk: CompactCNN, dim: int = 64, members: int = 1) -> None:
        super().__init__()
        self.trunk, self.dim = trunk.requires_grad_(False), dim * members
        self.project = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(trunk.dim, affine=False), nn.Linear(trunk.dim, dim))
            for _ in range(members)
        )

    def place(self, vectors: Tensor) -> Tensor:
        """What the trunk made of pictures, N×trunk.dim, into the shared space."""
        placed = [F.normalize(project(vectors), dim=1) for project in self.project]
        return F.normalize(torch.cat(placed, 1), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.place(self.trunk(x))

    def train(self, mode: bool = True) -> "ImageTower":
        super().train(mode)
        self.trunk.eval()
        return self


@dataclass(frozen=True)
class DualEncoder:
    """Pictures and texts in one space: what a text names lies near to it.

    Attributes
    ----------
    images : the image tower, for `embed(pair.images, pictures)`; its name, dim and source are the
        pair's.
    texts : the text tower, a module: list of N texts → unit vectors N×dim.
    temperature : its `scale` is what cosines are multiplied by before a softmax.
    """

    images: Embedder
    texts: nn.Module
    temperature: Temperature


def embed_text(pair: DualEncoder, texts: str | Sequence[str], batch_size: int = 1024) -> np.ndarray:
    """One embedding a text, in the space of `embed(pair.images, …)`.

    Returns
    -------
    float32, N×pair.images.dim, L2-normalised rows; a single row for a single text.

    Raises
    ------
    TextError : a text is empty, too long, or nothing in it can be read.
    """
    listed = checked(texts)
    with torch.inference_mode():
        parts = [
            pair.texts(listed[start : start + batch_size]).float().cpu()
            for start in range(0, len(listed), batch_size)
        ]
    return F.normalize(torch.cat(parts), dim=1).numpy()
