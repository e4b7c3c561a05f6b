"""What a GPU adds to the recipe of `cnn-photos`: a wider network and more epochs, in minutes.

    CIFAR10_DIR=… python -m recipes.cifar10_gpu --workers 2

Every setting is the same `recipes.cnn_photos.learn`; the one that finds most of the held-out
training photos is then asked for the test photos. No weights are kept: the course ships what two
cores train. Writes results/cifar10_gpu.json.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

import torch

from recipes.cnn_photos import WIDTHS, learn, outcome, split_photos
from tools.record import provenance, write_json
from utils import ROOT
from utils.images import load_images

SETTINGS: dict[str, dict[str, Any]] = {
    "as shipped": {"epochs": 36, "widths": WIDTHS},
    "wide": {"epochs": 60, "widths": (128, 384, 512)},
}


def run(epochs: int, widths: tuple[int, int, int]) -> dict[str, Any]:
    """One setting in a process of its own: how it trained, and what it finds."""
    learned, held_out = split_photos(load_images("cifar10", "train"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model, history = learn(learned, held_out, epochs, 0, device, widths)
    memory = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else None
    about = {
        "epochs": epochs,
        "widths": widths,
        "parameters": sum(p.numel() for p in model.module.parameters()),
        "gpu_gib": memory,
    }
    return about | outcome(model, history, load_images("cifar10", "test"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="settings side by side")
    parser.add_argument("--epochs", type=int, help="for all settings, to try the recipe out")
    options = parser.parse_args()
    record = provenance() | {
        "data": "CIFAR-10 (JPEG)",
        "command": f"python -m recipes.cifar10_gpu --workers {options.workers}",
        "what": "leave-one-out retrieval among the 10,000 test photos, by class",
        "spread": "one seed; intervals are over queries",
        "side by side": options.workers,
    }
    settings = {
        name: one | ({"epochs": options.epochs} if options.epochs else {})
        for name, one in SETTINGS.items()
    }
    runs: dict[str, Any] = {}
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        asked = {pool.submit(run, **one): name for name, one in settings.items()}
        for done in as_completed(asked):
            runs[asked[done]] = done.result()
            best = max(runs, key=lambda name: runs[name]["validation"])
            told = {"chosen": best, "best": runs[best], "settings": runs}
            write_json(ROOT / "results/cifar10_gpu.json", record | told)


if __name__ == "__main__":
    main()
