"""Words and pictures in one space.

pair = load_dual_encoder()
nearest(embed_text(pair, "red apple"), embed(pair.images, pictures), k=10)
"""

from utils.words.loading import load_dual_encoder, new_pair, save_pair
from utils.words.texts import TextError
from utils.words.towers import DualEncoder, ImageTower, TextTower, embed_text

__all__ = [
    "DualEncoder",
    "ImageTower",
    "TextError",
    "TextTower",
    "embed_text",
    "load_dual_encoder",
    "new_pair",
    "save_pair",
]
