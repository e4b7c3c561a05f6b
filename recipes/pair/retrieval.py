"""From texts to pictures and back on things that were never seen, and what else would find them."""

from functools import cache
from math import comb
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from recipes.pair.looks import SETS, held_out, placed
from utils.embed import embed
from utils.images import load_images
from utils.models import load_model
from utils.words import LANGUAGES, DualEncoder, embed_text, plain, read_things, words_of

KS = (1, 5, 10)
ASKED = {"name": False, "name_and_keywords": True}


def recall(scores: np.ndarray, right: np.ndarray) -> dict[str, float]:
    """Share of rows of Q×C `scores` with a right one among the best k."""
    order = np.argsort(-scores, axis=1, kind="stable")
    hit = np.take_along_axis(right, order, axis=1)
    return {f"recall_at_{k}": float(hit[:, :k].any(axis=1).mean()) for k in KS}


def texts_of(split: str, language: str, keywords: bool) -> list[str]:
    """How each thing is asked for, in the order of `load_images(…).classes`."""
    told = read_things(split)
    return [told[name].text(language, keywords) for name in sorted(told)]


def both_ways(scores: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, float]]:
    """scores : things × pictures."""
    right = np.arange(len(scores))[:, None] == labels
    return {
        "text_to_picture": recall(scores, right),
        "picture_to_text": recall(scores.T, right.T),
    }


def found_by(pair: DualEncoder, split: str) -> dict[str, Any]:
    """By set, language, what is asked, and direction: recall@k."""
    table: dict[str, Any] = {}
    for name, pictures in held_out(split).items():
        vectors = placed(pair, pictures)
        table[name] = {
            language: {
                asked: both_ways(
                    embed_text(pair, texts_of(split, language, keywords)) @ vectors.T,
                    pictures.labels,
                )
                for asked, keywords in ASKED.items()
            }
            for language in LANGUAGES
        }
    return table


def mean_recall(table: dict[str, Any]) -> float:
    """The one number that choices are made by: the mean of all recalls of a table."""
    if "recall_at_1" in table:
        return float(np.mean(list(table.values())))
    return float(np.mean([mean_recall(part) for part in table.values()]))


def by_chance(split: str) -> dict[str, Any]:
    """recall@k of a random order, exactly: one minus the chance that all k are wrong."""
    labels = load_images("emoji", split).labels
    counts, n = np.bincount(labels), len(labels)
    return {
        "text_to_picture": {
            f"recall_at_{k}": float(np.mean([1 - comb(n - c, k) / comb(n, k) for c in counts]))
            for k in KS
        },
        "picture_to_text": {f"recall_at_{k}": k / len(counts) for k in KS},
    }


def word_list(text: str) -> list[str]:
    return [plain(word) for word in words_of(text)]


@cache
def overlap() -> tuple[TfidfVectorizer, np.ndarray]:
    """TF-IDF over all that the training things are called in both languages; T×words."""
    things = read_things("train")
    texts = [
        " ".join(thing.text(lang) for lang in LANGUAGES) for _, thing in sorted(things.items())
    ]
    table = TfidfVectorizer(analyzer=word_list)
    return table, table.fit_transform(texts).toarray()


@cache
def prototypes() -> np.ndarray:
    """Mean embedding by `cnn` of each training thing, drawings and scenes: T×D unit vectors."""
    cnn, means = load_model("cnn"), 0.0
    for name in SETS:
        pictures = load_images(name, "train")
        vectors = embed(cnn, pictures)
        sums = np.zeros((len(pictures.classes), vectors.shape[1]))
        np.add.at(sums, pictures.labels, vectors)
        means = means + sums
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def by_overlap(split: str, sharpness: float) -> dict[str, Any]:
    """Word overlap alone: a picture is called what the training things that it looks like are.

    Its words are those of the training things, weighed by a softmax of how much `cnn` finds them
    alike (times `sharpness`); TF-IDF cosine with the query. Ties are broken by a fixed chance.
    """
    words, known = overlap()
    table: dict[str, Any] = {}
    for name, pictures in held_out(split).items():
        alike = sharpness * embed(load_model("cnn"), pictures) @ prototypes().T
        weights = np.exp(alike - alike.max(axis=1, keepdims=True))
        called = weights @ known
        called /= np.linalg.norm(called, axis=1, keepdims=True)
        noise = 1e-9 * np.random.default_rng(0).random(len(called))
        table[name] = {
            language: {
                asked: both_ways(
                    words.transform(texts_of(split, language, keywords)).toarray() @ called.T
                    + noise,
                    pictures.labels,
                )
                for asked, keywords in ASKED.items()
            }
            for language in LANGUAGES
        }
    return table


def known_names(split: str) -> dict[str, float]:
    """Share of a split's names that hold a word which some training text holds."""
    words, _ = overlap()
    return {
        language: float(
            np.mean([
                any(word in words.vocabulary_ for word in word_list(text))
                for text in texts_of(split, language, False)
            ])
        )
        for language in LANGUAGES
    }  # fmt: skip
