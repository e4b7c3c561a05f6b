"""What each distance costs: time as a multiple of cosine's, and memory beyond the data.

    python -m benchmarks.distances

Ten nearest of 10,000 × 64, leave-one-out, in turn, several rounds; Manhattan also beside the least
work that could do it, one `torch.cdist(p=1)` and a top-k. Memory is what the process holds at
most, looked at every two milliseconds, less what it held before. Writes
results/distance_speed.json.
"""

import gc
import statistics
import threading
from collections.abc import Callable
from functools import partial

import numpy as np
import psutil
import torch

from benchmarks.timing import ratio, seconds
from tools.record import provenance, write_json
from utils import ROOT
from utils.distances import METRICS, OF_DISTRIBUTIONS, nearest, within_class_covariance
from utils.embed import load_embeddings

ROUNDS, K = 5, 10


def search(metric: str) -> Callable[[], object]:
    """All 10,000 leave-one-out under a metric; distributions where it needs those."""
    vectors, labels = load_embeddings("cifar10-test")
    if metric in OF_DISTRIBUTIONS:
        vectors = np.exp(vectors) / np.exp(vectors).sum(axis=1, keepdims=True)
    covariance = None
    if metric == "mahalanobis":
        covariance = within_class_covariance(vectors, labels.labels)
    return partial(nearest, vectors, vectors, K, metric, leave_one_out=True, covariance=covariance)


def megabytes(work: Callable[[], object]) -> float:
    """The most memory that this process held while it worked, beyond what it held before."""
    process, done, most = psutil.Process(), threading.Event(), 0

    def watch() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, process.memory_info().rss)

    gc.collect()
    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(0, most - before) / 2**20


def main() -> None:
    vectors, _ = load_embeddings("cifar10-test")
    data = torch.from_numpy(vectors)

    def bare() -> None:
        for part in data.split(1000):
            torch.cdist(part, data, p=1).topk(K, largest=False)

    times = seconds({metric: search(metric) for metric in METRICS} | {"bare": bare}, ROUNDS)
    memory = {metric: megabytes(search(metric)) for metric in METRICS}
    record = provenance() | {
        "what": "ten nearest of 10,000 × 64, leave-one-out: time over cosine's, and the MB that a "
        "further call takes",
        "data": "CIFAR-10 (JPEG) test embeddings; their softmax for distances of distributions",
        "command": "python -m benchmarks.distances",
        "spread": f"medians over {ROUNDS} rounds, every metric once a round",
        "cosine_seconds": statistics.median(times["cosine"]),
        "over_cosine": {metric: ratio(times, metric, "cosine") for metric in METRICS},
        "manhattan_over_bare_torch": ratio(times, "manhattan", "bare"),
        "megabytes": memory,
    }
    write_json(ROOT / "results/distance_speed.json", record)


if __name__ == "__main__":
    main()
