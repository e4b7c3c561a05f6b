"""When does triplet training collapse? On handwritten digits, where a run takes seconds.

    python -m recipes.triplet_training.collapse         (a few minutes on 2 cores)

A small network from scratch with the optimiser of the thesis; squared against plain distance,
batch-hard against semi-hard triplets, with and without a cross-entropy, and with a learning rate
that is cut before the embeddings have come apart again. Writes results/collapse.json.
"""

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, MultiStepLR
from tqdm import tqdm

from tools.record import provenance, write_json
from utils import ROOT
from utils.digits import read_digits
from utils.embed import embed
from utils.embedder import Embedder, Preprocess
from utils.metrics import recall_at_k
from utils.triplet import (
    Batches,
    CollapseWarning,
    History,
    TripletAndCrossEntropy,
    balanced,
    batch_hard,
    random_triplets,
    semi_hard,
    train,
    triplet_loss,
)

SEEDS, STEPS, EVERY, MARGIN, DIM = 4, 800, 10, 0.3, 16
CUT = 30  # the step of the early cut, and by how much the rate is multiplied there: a hundredth


def digits_model(seed: int) -> Embedder:
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Flatten(), nn.Linear(192, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(),
        nn.Linear(128, DIM),
    )  # fmt: skip
    return Embedder("digits", DIM, "random", Preprocess(8, (0.5,) * 3, (0.5,) * 3), module)


def cut_early(optimizer: torch.optim.Optimizer) -> LRScheduler:
    return MultiStepLR(optimizer, [CUT], gamma=0.01)


def kinds() -> dict[str, tuple[Any, Callable[..., LRScheduler] | None]]:
    """By name: a loss, and how its learning rate goes."""
    table: dict[str, tuple[Any, Callable[..., LRScheduler] | None]] = {}
    for mine in (batch_hard, semi_hard, random_triplets):
        for squared in (True, False):
            name = f"{mine.__name__.replace('_', '-')}, {'squared' if squared else 'plain'}"
            loss = partial(triplet_loss, margin=MARGIN, mine=mine, squared=squared)
            table[name] = loss, None
    both = TripletAndCrossEntropy(10, DIM, MARGIN, batch_hard, squared=True)
    table["batch-hard, squared, with cross-entropy"] = both, None
    for squared in (True, False):
        name = f"batch-hard, {'squared' if squared else 'plain'}, rate cut early"
        loss = partial(triplet_loss, margin=MARGIN, mine=batch_hard, squared=squared)
        table[name] = loss, cut_early
    return table


def run(name: str, seed: int) -> dict[str, Any]:
    """How one training goes."""
    learned, asked = read_digits("train"), read_digits("test")
    model = digits_model(seed)
    loss, schedule = kinds()[name]
    draw = Batches(learned, model.preprocess, balanced(learned.labels, 10, 8, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # that is what is measured
        history = train(
            model, draw, loss, STEPS, held_out=asked, every=EVERY, margin=MARGIN, seed=seed,
            optimizer=lambda weights: torch.optim.SGD(weights, 0.1, 0.9, weight_decay=5e-4),
            schedule=schedule, half=False,
        )  # fmt: skip
    return {
        "cosine": history.cosine,
        "loss": history.loss[-1],
        "recall_at_1": history.recall[-1],
        "escaped_at": escape(history),
    }


def main() -> None:
    torch.set_num_threads(1)  # so small a network is fastest there
    record, begin = provenance(), time.perf_counter()
    record |= {
        "what": "mean cosine of all pairs of a batch while a small network learns by triplets",
        "data": "scikit-learn's digits: 1,200 to learn, 597 to ask",
        "command": "python -m recipes.triplet_training.collapse",
        "spread": f"{SEEDS} seeds, all of them listed",
        "seeds": SEEDS,
        "margin": MARGIN,
        "cut_at": CUT,
        "steps": list(range(EVERY, STEPS + 1, EVERY)),
        "untrained": [untrained(seed) for seed in range(SEEDS)],
        "runs": {},
    }
    for name in kinds():
        runs = [run(name, seed) for seed in tqdm(range(SEEDS), name)]
        record["runs"][name] = {key: [one[key] for one in runs] for key in runs[0]}
        record["runs"][name]["mean_recall"] = float(np.mean([one["recall_at_1"] for one in runs]))
        record["runs"][name]["collapsed"] = sum(one["cosine"][-1] > 0.95 for one in runs)
    record["seconds"] = time.perf_counter() - begin
    write_json(ROOT / "results/collapse.json", record)


def untrained(seed: int) -> float:
    """recall@1 of the same network before it learns."""
    asked = read_digits("test")
    return float(recall_at_k(embed(digits_model(seed), asked, cache=False), asked.labels))


def escape(history: History) -> int | None:
    """The first step from which on the embeddings stay apart; None if they never do."""
    together = [step for step, c in zip(history.step, history.cosine, strict=True) if c > 0.95]
    if not together:
        return 0
    return None if together[-1] == STEPS else together[-1] + EVERY


if __name__ == "__main__":
    main()
