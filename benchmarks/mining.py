"""What does batch-hard mining cost beside the distances that it mines?

    python -m benchmarks.mining

In one run, in turn, on one batch of 512 embeddings of ten classes: its distances with batch-hard
mining; the distances and the two reductions over their rows alone; and, to compare,
pytorch-metric-learning's batch-hard miner. Ratios are medians over the rounds. Writes
results/mining.json.
"""

from statistics import median

import torch
import torch.nn.functional as F
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.miners import BatchHardMiner

from benchmarks.timing import ratio, seconds
from tools.record import provenance, write_json
from utils import ROOT
from utils.triplet import batch_hard

BATCH, DIM, CLASSES, TIMES = 512, 64, 10, 50


def main() -> None:
    torch.manual_seed(0)
    vectors = F.normalize(torch.randn(BATCH, DIM), dim=1)
    labels = torch.arange(BATCH) % CLASSES
    theirs = BatchHardMiner(distance=LpDistance(normalize_embeddings=False))
    torch.empty(2**23).fill_(0)  # as in training, where larger arrays come and go before it

    def mined() -> None:
        for _ in range(TIMES):
            batch_hard(torch.cdist(vectors, vectors), labels)

    def bare() -> None:
        for _ in range(TIMES):
            distances = torch.cdist(vectors, vectors)
            distances.argmax(1)
            distances.argmin(1)

    def library() -> None:
        for _ in range(TIMES):
            theirs(vectors, labels)

    times = seconds({"mined": mined, "bare": bare, "library": library})
    record = provenance() | {
        "what": f"batch-hard mining of {BATCH} embeddings of {DIM} numbers over one torch.cdist "
        "with two reductions, in one run; medians",
        "command": "python -m benchmarks.mining",
        "spread": f"{len(times['mined'])} rounds of {TIMES}",
        "milliseconds": 1000 * median(times["mined"]) / TIMES,
        "over_bare": ratio(times, "mined", "bare"),
        "library_over_bare": ratio(times, "library", "bare"),
    }
    write_json(ROOT / "results/mining.json", record)


if __name__ == "__main__":
    main()
