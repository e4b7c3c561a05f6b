"""Where texts and pictures lie in the space of `pair`, which n-grams share a row, and photographs.

    python -m recipes.pair.regions                      (a minute on 2 cores)

Of training and of test things (English names with keywords, drawings): the cosine of a text with
its own pictures and of these among themselves, the distance of the two means, and how many texts
are among the ten nearest of a text in one list of both. Of pictures: whether their own name is
among the ten nearest of all names. Writes results/pair_regions.json, which lesson 09's deck quotes.
"""

from typing import Any

import numpy as np

from recipes.pair.looks import held_out, placed
from recipes.pair.retrieval import texts_of
from tools.record import provenance, write_json
from utils import ROOT
from utils.embed import embed
from utils.images import ImageSet
from utils.photos import load_photos
from utils.words import (
    LANGUAGES,
    DualEncoder,
    embed_text,
    grams_of,
    load_dual_encoder,
    read_things,
    words_of,
)
from utils.words.texts import rows_of
from utils.words.towers import BUCKETS

TAUGHT = ("cat", "rocket")  # photographs whose names training held


def regions(texts: np.ndarray, pictures: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """texts : one a label, T×D. pictures : P×D, with labels."""
    across, among = texts @ pictures.T, pictures @ pictures.T
    own = np.arange(len(texts))[:, None] == labels
    alike = labels[:, None] == labels
    other = ~np.eye(len(texts), dtype=bool)
    mixed = np.concatenate([texts, pictures])
    is_text = np.arange(len(mixed)) < len(texts)
    scores = mixed @ mixed.T
    np.fill_diagonal(scores, -np.inf)
    first = is_text[np.argsort(-scores, axis=1, kind="stable")[:, :10]]
    return {
        "own": float(across[own].mean()),
        "other": float(across[~own].mean()),
        "texts": float((texts @ texts.T)[other].mean()),
        "pictures_alike": float(among[alike & ~np.eye(len(labels), dtype=bool)].mean()),
        "means_apart": float(np.linalg.norm(texts.mean(0) - pictures.mean(0))),
        "share_of_texts": float(is_text.mean()),
        "texts_near_a_text": float(first[is_text].mean()),
        "texts_near_a_picture": float(first[~is_text].mean()),
    }


def places(pair: DualEncoder, vectors: np.ndarray, own: list[str], names: list[str]) -> np.ndarray:
    """The place of each picture's own name among all of them."""
    nearness = vectors @ embed_text(pair, names).T
    mine = nearness[np.arange(len(own)), [names.index(name) for name in own]]
    return (nearness > mine[:, None]).sum(axis=1) + 1


def drawings(pair: DualEncoder, split: str) -> tuple[ImageSet, np.ndarray]:
    pictures = held_out(split)["emoji"]
    return pictures, placed(pair, pictures)


def named(pair: DualEncoder) -> dict[str, Any]:
    photos = load_photos()
    names = sorted({*photos.classes, *read_things("train"), *read_things("test")})
    told: dict[str, Any] = {"names": len(names), "by_chance": 10 / len(names)}
    for split in ("train", "test"):
        pictures, vectors = drawings(pair, split)
        own = [pictures.label_of(i) for i in range(len(pictures))]
        found = places(pair, vectors, own, names)
        told[split] = {"among_ten": float((found <= 10).mean()), "median": float(np.median(found))}
        if split == "train":
            rows = np.isin(own, TAUGHT)
            told["drawings_of_taught_photographs"] = float((found[rows] <= 10).mean())
    own = [photos.label_of(i) for i in range(len(photos))]
    found = places(pair, embed(pair.images, photos), own, names)
    ranks = {name: int(place) for name, place in zip(own, found, strict=True)}
    return told | {"photographs": ranks}


def shared_rows() -> dict[str, float]:
    """How many of the training texts' n-grams share a row of the table."""
    things = read_things("train").values()
    words = {word for thing in things for lang in LANGUAGES for word in words_of(thing.text(lang))}
    row = {g: r for w in words for g, r in zip(grams_of(w), rows_of(w, BUCKETS), strict=True)}
    mates = np.bincount(list(row.values()), minlength=BUCKETS)[list(row.values())] - 1
    return {"ngrams": len(row), "shared": float((mates > 0).mean()), "mates": float(mates.mean())}


def main() -> None:
    record, pair = provenance(), load_dual_encoder()
    record |= {
        "what": "where texts and pictures lie in one space; rows of n-grams; names of pictures",
        "data": "drawings, English names with keywords; four photographs of scikit-image",
        "command": "python -m recipes.pair.regions",
        "spread": "one run, the pair that ships",
        "rows": shared_rows(),
        "named": named(pair),
    }
    for split in ("train", "test"):
        pictures, vectors = drawings(pair, split)
        texts = embed_text(pair, texts_of(split, "en", True))
        record[split] = regions(texts, vectors, pictures.labels)
    write_json(ROOT / "results/pair_regions.json", record)


if __name__ == "__main__":
    main()
