"""Train `pair`, the dual encoder of lesson 09, and measure what its space is worth.

    python -m recipes.pair                              (about ten minutes on 2 cores)

A linear map on the frozen trunk of `cnn` and a text tower over n-grams, by the symmetric
cross-entropy between pictures and texts of the training things, and half as much of it between
their English and Portuguese texts. On the validation things some forty settings (batch, steps,
rate, D, buckets, dropout, statistics of earlier stages, the trunk taught too) lay within what seeds
differ by. Four such pairs side by side, so that cosines are averaged, did better than any of them.
Three seeds; the best on the validation things is shipped, and the test things choose nothing.
Writes models/pair.safetensors with its card, and results/words_and_pictures.json.
"""

import argparse
import json
import time
from typing import Any

import numpy as np

from recipes.evaluate import over_seeds
from recipes.pair import meaning
from recipes.pair.looks import training_pairs
from recipes.pair.retrieval import by_chance, by_overlap, found_by, known_names, mean_recall
from tools.record import provenance, write_json
from utils import ROOT
from utils.embedder import MODELS
from utils.words import (
    LANGUAGES,
    DualEncoder,
    PairHistory,
    new_pair,
    plain,
    read_things,
    save_pair,
    side_by_side,
    train_pair,
    words_of,
)
from utils.words.towers import BUCKETS

SEEDS, SIZE, STEPS, PEAK, PARALLEL, MEMBERS = 3, 128, 200, 1e-2, 0.5, 4
ALL = (*LANGUAGES, "both")
SHARPNESS = (20.0, 50.0, 1e6)
# What is left out or changed, one at a time: languages, loss between them, parts of a word, batch
ABLATIONS: dict[str, dict[str, Any]] = {
    "as_shipped": {},
    "one_alone": {"members": 1},
    "words_alone": {"parts": "words"},
    "ngrams_alone": {"parts": "n-grams"},
    "english_alone": {"languages": ("en",), "parallel": 0.0},
    "portuguese_alone": {"languages": ("pt",), "parallel": 0.0},
    "not_between_languages": {"parallel": 0.0},
    "batch_32": {"size": 32},
    "batch_367": {"size": 367},
}


def alphabet() -> str:
    """The letters of all training texts without their accents, and every digit."""
    texts = [thing.text(lang) for thing in read_things("train").values() for lang in LANGUAGES]
    letters = {letter for text in texts for word in words_of(text) for letter in plain(word)}
    return "".join(sorted(letters | set("0123456789")))


def learn(
    seed: int, *, languages: tuple[str, ...] = ALL, parallel: float = PARALLEL,
    parts: str = "both", size: int = SIZE, steps: int = STEPS, members: int = MEMBERS,
) -> tuple[DualEncoder, PairHistory]:  # fmt: skip
    """`members` pairs taught on their own, side by side, and how the last of them learned."""
    pairs = []
    for own in range(members * seed, members * (seed + 1)):
        pair = new_pair(own, alphabet=alphabet(), parts=parts)
        draw = training_pairs(size, own, languages)
        history = train_pair(pair, draw, steps, lr=PEAK, parallel=parallel, seed=own)
        pairs.append(pair)
    return side_by_side(pairs), history


def measures(pair: DualEncoder, split: str) -> dict[str, Any]:
    return {
        "retrieval": found_by(pair, split),
        "languages": meaning.same_place(pair, split),
        "zero_shot": meaning.zero_shot(pair, split),
        "arithmetic": meaning.arithmetic(pair, split),
        "picture_and_word": meaning.picture_and_word(pair, split),
        "pictures": meaning.pictures_still_alike(pair, split),
    }


def ablation(how: dict[str, Any]) -> dict[str, Any]:
    """Mean recall on validation and, for the report, on test things; three seeds."""
    pairs = [learn(seed, **how)[0] for seed in range(SEEDS)]
    told: dict[str, Any] = {}
    for split in ("validation", "test"):
        found = [found_by(pair, split) for pair in pairs]
        told[split] = over_seeds([by_language(table) for table in found])
    return told


def by_language(table: dict[str, Any]) -> dict[str, float]:
    """Mean recall of all, and of each language's texts."""
    kinds = {language: {s: table[s][language] for s in table} for language in LANGUAGES}
    return {"all": mean_recall(table)} | {name: mean_recall(t) for name, t in kinds.items()}


def overlap_alone() -> dict[str, Any]:
    worth = {sharp: mean_recall(by_overlap("validation", sharp)) for sharp in SHARPNESS}
    chosen = max(worth, key=lambda sharp: worth[sharp])
    told = {split: by_overlap(split, chosen) for split in ("validation", "test")}
    return {"sharpness": chosen} | {
        split: table | {"mean": mean_recall(table)} for split, table in told.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="try it: few steps, nothing written")
    options = parser.parse_args()
    record, begin = provenance(), time.perf_counter()
    steps = 4 if options.quick else STEPS
    runs = [learn(seed, steps=steps) for seed in range(SEEDS)]
    held = [found_by(pair, "validation") for pair, _ in runs]
    worth = [mean_recall(table) for table in held]
    best = int(np.argmax(worth))
    print("validation", np.round(worth, 4), "shipped: seed", best, flush=True)
    pair = runs[best][0]
    tests = [measures(one, "test") for one, _ in runs]
    told = {
        "test": over_seeds(tests),
        "shipped": {"seed": best} | tests[best] | {"photographs": meaning.photographs(pair)},
        "mean": over_seeds([{"test": mean_recall(t["retrieval"])} for t in tests]),
        "validation": over_seeds(held) | {"mean": {str(i): w for i, w in enumerate(worth)}},
        "chance": by_chance("test"),
        "overlap": overlap_alone(),
        "known_names": known_names("test"),
        "training": {str(seed): history.record() for seed, (_, history) in enumerate(runs)},
    }
    if options.quick:
        return print(json.dumps(told["test"]["retrieval"]["emoji"]["en"], indent=1))
    told["size"] = {"members": MEMBERS, "dim": pair.images.dim, "buckets": BUCKETS, "steps": STEPS}
    told["ablations"] = {name: ablation(how) for name, how in ABLATIONS.items()}
    record |= {
        "recipe": "python -m recipes.pair",
        "data": "drawings and scenes of the training things, their names and keywords in English "
        "and Portuguese",
        "seconds": time.perf_counter() - begin,
        "licence": "Apache-2.0; the drawings' own licences stand in data/LICENSES.md, the names "
        "are emojibase-data's (MIT)",
    }
    save_pair(pair, MODELS / "pair.safetensors")
    card = {"validation": held[best], "metrics": tests[best]["retrieval"]}
    write_json(MODELS / "pair.json", record | {"seed": best} | card)
    what = "texts to pictures and back on the test things, and what the shared space means"
    spread = f"mean and standard deviation (_sd) of {SEEDS} seeds; the best on validation ships"
    write_json(
        ROOT / "results/words_and_pictures.json", {"what": what, "spread": spread} | record | told
    )


if __name__ == "__main__":
    main()
