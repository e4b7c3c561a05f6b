"""How far the recipe of `cnn-photos` goes on CIFAR-10: a wider network, several, and a GPU.

    CIFAR10_DIR=… python -m recipes.cifar10 "wide, two cores"     (one of RUNS, or several)

Every run is the same `recipes.cnn_photos.learn`, which keeps the weights that find most of the
held-out training photos; the test photos are asked once, at its end. No weights are kept: the
course ships the small network. Writes each run into results/cifar10.json, with the machine that
it ran on. Several networks are trained side by side, each on all the training photos and to its
last step: nothing is chosen. A photo's vector is theirs, one behind the other (an ensemble).
"""

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch

from recipes.cnn_photos import SIDES, WIDTHS, Views, found, learn, outcome, split_photos, views
from recipes.evaluate import retrieval
from tools.record import provenance, write_json
from utils import ROOT
from utils.course import measured
from utils.embedder import Embedder
from utils.images import ImageSet, load_images
from utils.triplet import History

WIDE = 128, 384, 512
RUNS: dict[str, dict[str, Any]] = {
    "wide, two cores": {"epochs": 22, "widths": WIDE, "device": "cpu"},
    "as shipped, GPU": {"epochs": 36, "widths": WIDTHS, "device": "cuda"},
    "wide, GPU": {"epochs": 60, "widths": WIDE, "device": "cuda"},
    "two networks, two cores": {"epochs": 21, "widths": WIDTHS, "device": "cpu", "networks": 2},
    "two networks that begin with small photos, two cores": {
        "epochs": 30,
        "widths": WIDTHS,
        "device": "cpu",
        "networks": 2,
        "grow": True,
    },
    "three wide networks, GPU": {"epochs": 60, "widths": WIDE, "device": "cuda", "networks": 3},
}
Teach = Callable[..., tuple[Embedder, History]]  # `learn`, all but its photos and seed chosen
MOVES = (0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)  # pixels down and right


def run(
    epochs: int,
    widths: tuple[int, int, int],
    device: str,
    networks: int = 1,
    grow: bool = False,
) -> dict[str, Any]:
    """One run in a process of its own: how it trained, and what it finds."""
    record = provenance() | {"epochs": epochs, "widths": widths}
    record |= {"sides": SIDES} if grow else {}
    teach = partial(learn, epochs=epochs, device=device, widths=widths, grow=grow)
    if networks > 1:
        return record | ensemble(teach, networks)
    learned, held_out = split_photos(load_images("cifar10", "train"))
    model, history = teach(learned, held_out, seed=0)
    if device == "cuda":
        record["gpu_gib"] = torch.cuda.max_memory_allocated() / 2**30
    record["parameters"] = sum(p.numel() for p in model.module.parameters())
    return record | outcome(model, history, load_images("cifar10", "test"))


def ensemble(teach: Teach, networks: int) -> dict[str, Any]:
    """Several networks side by side, each from a seed of its own, and what they find together."""
    one = partial(member, teach, networks)
    with ProcessPoolExecutor(networks, get_context("spawn")) as pool:
        histories, by_each = zip(*pool.map(one, range(networks)), strict=True)
    labels = load_images("cifar10", "test").labels
    together = {name: np.hstack([by[name] for by in by_each]) for name in by_each[0]}
    return {
        "networks": networks,
        "each": [
            {name: retrieval(by[name], labels)["recall_at_1"] for name in by} for by in by_each
        ],
        "seconds": max(history.seconds for history in histories),
        "training": [history.record() for history in histories],
    } | found(together, labels)


def member(teach: Teach, networks: int, seed: int) -> tuple[History, Views]:
    """One network of an ensemble, trained on its share of the cores."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // networks))
    model, history = teach(load_images("cifar10", "train"), None, seed=seed)
    return history, seen(model, load_images("cifar10", "test"))


def seen(model: Embedder, photos: ImageSet) -> Views:
    """Unit vectors N×D: of the photos, with their mirror images, and moved by a pixel as well."""
    padded = np.pad(photos.images, ((0, 0), (1, 1), (1, 1), (0, 0)), "reflect")
    height, width = photos.images.shape[1:3]
    moved = [
        views(model, padded[:, 1 + y : 1 + y + height, 1 + x : 1 + x + width]) for y, x in MOVES
    ]
    all_of_them = np.sum([by["flip averaged"] for by in moved], axis=0)
    sums = moved[0] | {"flip and move averaged": all_of_them}
    return {name: v / np.linalg.norm(v, axis=1, keepdims=True) for name, v in sums.items()}


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
