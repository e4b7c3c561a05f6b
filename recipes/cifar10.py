"""How far the recipe of `cnn-photos` goes on CIFAR-10: a wider network, and a GPU.

    CIFAR10_DIR=… python -m recipes.cifar10 "wide, two cores"     (one of RUNS, or several)

Every run is the same `recipes.cnn_photos.learn`, which keeps the weights that find most of the
held-out training photos; the test photos are asked once, at its end. No weights are kept: the
course ships the small network. Writes each run into results/cifar10.json, with the machine that
it ran on.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

import torch

from recipes.cnn_photos import WIDTHS, learn, outcome, split_photos
from tools.record import provenance, write_json
from utils import ROOT
from utils.course import measured
from utils.images import load_images

WIDE = 128, 384, 512
RUNS: dict[str, dict[str, Any]] = {
    "wide, two cores": {"epochs": 22, "widths": WIDE, "device": "cpu"},
    "as shipped, GPU": {"epochs": 36, "widths": WIDTHS, "device": "cuda"},
    "wide, GPU": {"epochs": 60, "widths": WIDE, "device": "cuda"},
}


def run(epochs: int, widths: tuple[int, int, int], device: str) -> dict[str, Any]:
    """One run in a process of its own: how it trained, and what it finds."""
    learned, held_out = split_photos(load_images("cifar10", "train"))
    record = provenance() | {"epochs": epochs, "widths": widths}
    model, history = learn(learned, held_out, epochs, 0, device, widths)
    if device == "cuda":
        record["gpu_gib"] = torch.cuda.max_memory_allocated() / 2**30
    record["parameters"] = sum(p.numel() for p in model.module.parameters())
    return record | outcome(model, history, load_images("cifar10", "test"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", choices=RUNS)
    parser.add_argument("--workers", type=int, default=1, help="runs side by side")
    parser.add_argument("--epochs", type=int, help="for all of them, to try the recipe out")
    options = parser.parse_args()
    runs = measured("cifar10")["runs"]
    record = provenance() | {
        "data": "CIFAR-10 (JPEG)",
        "what": "leave-one-out retrieval among the 10,000 test photos, by class",
        "spread": "one seed; intervals are over queries",
    }
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        shorter = {"epochs": options.epochs} if options.epochs else {}
        asked = {pool.submit(run, **(RUNS[name] | shorter)): name for name in options.runs}
        for done in as_completed(asked):
            runs[asked[done]] = done.result() | {"side by side": options.workers}
            write_json(ROOT / "results/cifar10.json", record | {"runs": runs})


if __name__ == "__main__":
    main()
