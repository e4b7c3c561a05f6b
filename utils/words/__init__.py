"""Words and pictures in one space.

pair = load_dual_encoder()
nearest(embed_text(pair, "red apple"), embed(pair.images, pictures), k=10)
"""

from utils.words.learning import Batch, PairHistory, Pairs, train_pair
from utils.words.loading import load_dual_encoder, new_pair, save_pair, side_by_side
from utils.words.losses import Temperature, clip_loss
from utils.words.sentences import SentenceTower, sentence_tower
from utils.words.texts import TextError, grams_of, plain, words_of
from utils.words.things import LANGUAGES, Thing, random_text, read_things
from utils.words.towers import DualEncoder, ImageTower, Readers, TextTower, embed_text
from utils.words.where import word_map

__all__ = [
    "LANGUAGES",
    "Batch",
    "DualEncoder",
    "ImageTower",
    "PairHistory",
    "Pairs",
    "Readers",
    "SentenceTower",
    "Temperature",
    "TextError",
    "TextTower",
    "Thing",
    "clip_loss",
    "embed_text",
    "grams_of",
    "load_dual_encoder",
    "new_pair",
    "plain",
    "random_text",
    "read_things",
    "save_pair",
    "sentence_tower",
    "side_by_side",
    "train_pair",
    "word_map",
    "words_of",
]
