"""What does it cost to find all near-duplicates among 60,000 embeddings?

    python -m benchmarks.duplicates

The 10,000 shipped embeddings and five slightly changed copies of each. In one run, in turn: all
pairs within a threshold, and the bare products of every row with those after it. Memory is what
the process holds at most beyond what it held before. Writes results/duplicate_speed.json.
"""

import statistics

import numpy as np
import torch

from benchmarks.distances import megabytes
from benchmarks.timing import ratio, seconds
from tools.record import provenance, write_json
from utils import ROOT
from utils.duplicates import groups, pairs_within
from utils.embed import load_embeddings

COPIES, NOISE, THRESHOLD, ROUNDS, BLOCK = 5, 1e-3, 1e-4, 3, 256


def main() -> None:
    vectors, _ = load_embeddings("cifar10-test")
    rng = np.random.default_rng(0)
    copies = [vectors + NOISE * rng.normal(size=vectors.shape) for _ in range(COPIES)]
    every = np.concatenate([vectors, *copies]).astype(np.float32)
    data = torch.from_numpy(every)

    def bare() -> None:
        for start in range(0, len(data), BLOCK):
            data[start : start + BLOCK] @ data[start:].T

    times = seconds({"pairs": lambda: pairs_within(every, THRESHOLD), "bare": bare}, ROUNDS)
    pairs, _ = pairs_within(every, THRESHOLD)
    record = provenance() | {
        "what": "all near-duplicates among 60,000 × 64 over the bare products, in one run; medians",
        "data": f"CIFAR-10 (JPEG) test embeddings, {COPIES} copies of each with noise of {NOISE}",
        "command": "python -m benchmarks.duplicates",
        "spread": f"{ROUNDS} rounds",
        "seconds": statistics.median(times["pairs"]),
        "over_bare_torch": ratio(times, "pairs", "bare"),
        "megabytes": megabytes(lambda: pairs_within(every, THRESHOLD)),
        "pairs": len(pairs),
        "groups": len(groups(pairs, len(every))),
    }
    write_json(ROOT / "results/duplicate_speed.json", record)


if __name__ == "__main__":
    main()
