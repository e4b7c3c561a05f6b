"""What the shared space means: one place for two languages, classes by prompts, arithmetic."""

from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from recipes.pair.looks import held_out, placed
from recipes.pair.retrieval import ASKED, plain, recall, texts_of
from utils.embed import embed
from utils.images import load_images
from utils.metrics import recall_at_k
from utils.models import load_model
from utils.photos import load_photos
from utils.words import LANGUAGES, DualEncoder, embed_text, read_things, words_of

PROMPTS = {
    "activities": ("a sport, a game or a medal", "um esporte, um jogo ou uma medalha"),
    "animals-nature": ("an animal, a plant or a flower", "um animal, uma planta ou uma flor"),
    "food-drink": ("food, fruit or a drink", "comida, fruta ou bebida"),
    "objects": ("a tool, clothes or an office thing", "uma ferramenta, roupa ou escritório"),
    "travel-places": ("a vehicle, a building or the weather", "um veículo, um prédio ou clima"),
}
PHOTOS = {"cat": "gato", "cup": "xícara", "astronaut": "astronauta", "rocket": "foguete"}


def same_place(pair: DualEncoder, split: str) -> dict[str, Any]:
    """Cosine of a thing's text in two languages against other things', and recall across them."""
    table: dict[str, Any] = {}
    for asked, keywords in ASKED.items():
        texts = [texts_of(split, language, keywords) for language in LANGUAGES]
        english, portuguese = (embed_text(pair, said) for said in texts)
        cosines, same = english @ portuguese.T, np.eye(len(english), dtype=bool)
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 6), preprocessor=plain)
        letters.fit([*texts[0], *texts[1]])
        spelled = (letters.transform(texts[0]) @ letters.transform(texts[1]).T).toarray()
        table[asked] = {
            "cosine_same": float(cosines[same].mean()),
            "cosine_other": float(cosines[~same].mean()),
            "english_to_portuguese": recall(cosines, same),
            "portuguese_to_english": recall(cosines.T, same),
            "by_spelling": recall(spelled, same),
        }
    return table


def zero_shot(pair: DualEncoder, split: str) -> dict[str, Any]:
    """Share of pictures whose category's prompt is the nearest, by set and language."""
    table: dict[str, Any] = {}
    cnn = load_model("cnn")
    for name, pictures in held_out(split).items():
        kinds = pictures.relabel("category")
        prompts = [PROMPTS[kind] for kind in kinds.classes]
        vectors = placed(pair, pictures)
        told = {
            language: float((
                (vectors @ embed_text(pair, [p[i] for p in prompts]).T).argmax(1) == kinds.labels
            ).mean())
            for i, language in enumerate(LANGUAGES)
        }  # fmt: skip
        known = load_images(name, "train").relabel("category")
        means = np.stack([
            embed(cnn, known)[known.labels == known.classes.index(kind)].mean(0)
            for kind in kinds.classes
        ])  # fmt: skip
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        told["class_means"] = float(
            ((embed(cnn, pictures) @ means.T).argmax(1) == kinds.labels).mean()
        )
        told["commonest"] = float(np.bincount(kinds.labels).max() / len(kinds))
        table[name] = told
    return table


def photographs(pair: DualEncoder) -> dict[str, Any]:
    """Four photographs: which of their four names is nearest, and the rank among all names."""
    photos = load_photos()
    vectors = embed(pair.images, photos)
    others = sorted(set(read_things("test")) | set(read_things("train")) - set(photos.classes))
    told: dict[str, Any] = {}
    for language, names in zip(LANGUAGES, (list(PHOTOS), list(PHOTOS.values())), strict=True):
        scores = vectors @ embed_text(pair, names).T
        told[language] = float((scores.argmax(1) == photos.labels).mean())
    ranks = {}
    for i, name in enumerate(photos.classes):
        scores = vectors[i] @ embed_text(pair, [name, *others]).T
        ranks[name] = int((scores > scores[0]).sum()) + 1
    return told | {"rank": ranks, "among": len(others) + 1}


def arithmetic(pair: DualEncoder, split: str) -> dict[str, Any]:
    """Does picture(A) − text(A) + text(B) find B, and better than text(B) alone would?

    Every ordered pair of things that share a keyword; names with keywords, in English; a picture
    of A is each artist's in turn, and pictures of A do not answer.
    """
    told, pictures = read_things(split), held_out(split)["emoji"]
    vectors = placed(pair, pictures)
    texts = embed_text(pair, texts_of(split, "en", True))
    words = [set(told[name].keywords["en"]) for name in pictures.classes]
    share = np.array([[bool(a & b) for b in words] for a in words]) & ~np.eye(
        len(words), dtype=bool
    )
    rows, wanted = np.nonzero(share[pictures.labels])
    source = pictures.labels[rows]
    a, to, of = vectors[rows], texts[wanted], texts[source]
    ways = {"text_alone": to, "picture_alone": a, "picture_plus_text": a + to,
            "picture_minus_plus": a - of + to, "text_minus_plus": to - of}  # fmt: skip
    own = pictures.labels[None, :] == source[:, None]
    right = pictures.labels[None, :] == wanted[:, None]
    found = {
        name: recall(np.where(own, -np.inf, query @ vectors.T), right)
        for name, query in ways.items()
    }
    return found | {"questions": len(rows), "pairs_of_things": int(share.sum())}


def picture_and_word(pair: DualEncoder, split: str) -> dict[str, Any]:
    """A picture plus a keyword that it lacks: share of ten answers that have both.

    Right is a picture of another thing that shares a keyword with the picture's and has the word.
    """
    told, pictures = read_things(split), held_out(split)["emoji"]
    vectors, labels = placed(pair, pictures), pictures.labels
    words = [set(told[name].keywords["en"]) for name in pictures.classes]
    vocabulary = sorted({w for own in words for w in own if words_of(w)})
    has = np.array([[w in own for w in vocabulary] for own in words])
    alike = (has.astype(int) @ has.T.astype(int)) > 0
    said = embed_text(pair, vocabulary)
    hits: dict[str, list[float]] = {}
    for i in range(len(labels)):
        near = alike[labels[i]] & (np.arange(len(words)) != labels[i])
        asked = np.flatnonzero(~has[labels[i]] & (has[near].sum(0) >= 2))
        good = (has[:, asked].T & near)[:, labels]  # words × pictures
        for name, query in (
            ("picture alone", np.repeat(vectors[i][None], len(asked), 0)),
            ("word alone", said[asked]),
            ("picture plus word", vectors[i] + said[asked]),
        ):
            scores = np.where(labels == labels[i], -np.inf, query @ vectors.T)
            first = np.argsort(-scores, axis=1, kind="stable")[:, :10]
            hits.setdefault(name, []).extend(np.take_along_axis(good, first, 1).mean(1).tolist())
        hits.setdefault("chance", []).extend((good.sum(1) / (labels != labels[i]).sum()).tolist())
    return {name.replace(" ", "_"): float(np.mean(shares)) for name, shares in hits.items()} | {
        "questions": len(hits["chance"])
    }


def pictures_still_alike(pair: DualEncoder, split: str) -> dict[str, float]:
    """recall@1 from picture to picture in the shared space, by set."""
    return {
        name: float(recall_at_k(placed(pair, pictures), pictures.labels))
        for name, pictures in held_out(split).items()
    }
