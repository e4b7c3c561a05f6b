"""Which loss finds most, and does a network that knows photos start ahead?

    python -m recipes.triplet_training.losses           (about twenty minutes on 2 cores)

The trunk of `cnn-photos` at 32×32 learns the training things of the scenes: the same batches, the
same steps, three seeds, and only the loss differs. Losses that the course does not write itself
are pytorch-metric-learning's, with its own settings but for the temperature of the normalised
softmax, which is that of our cross-entropy. Writes results/triplet_losses.json.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from pytorch_metric_learning.losses import NormalizedSoftmaxLoss, ProxyAnchorLoss, SupConLoss

from recipes.cnn_scenes import augment, score
from tools.record import provenance, write_json
from utils import ROOT
from utils.cnn import CompactCNN
from utils.embedder import Embedder
from utils.images import load_images
from utils.models import load_model, without_head
from utils.triplet import (
    Batches,
    History,
    TripletAndCrossEntropy,
    balanced,
    contrastive_loss,
    train,
    triplet_loss,
)
from utils.triplet.training import Loss

SIDE, THINGS, EACH, SEEDS = 32, 32, 3, 3
LOSSES: dict[str, Callable[[int, int], Loss]] = {  # from the number of things and of dimensions
    "contrastive": lambda things, dim: contrastive_loss,
    "triplet, semi-hard": lambda things, dim: triplet_loss,
    "normalised softmax": lambda things, dim: NormalizedSoftmaxLoss(things, dim, 1 / 12),
    "triplet + cross-entropy": TripletAndCrossEntropy,
    "supervised contrastive": lambda things, dim: SupConLoss(),
    "proxy-anchor": lambda things, dim: ProxyAnchorLoss(things, dim),
}


def network(from_photos: bool, seed: int) -> Embedder:
    """The trunk of `cnn-photos`, or the same network with random weights."""
    photos = without_head(load_model("cnn-photos", device="cpu"), SIDE)
    if from_photos:
        return photos
    torch.manual_seed(seed)
    module = CompactCNN(None, photos.module.widths, SIDE)
    scenes = load_images("scenes", "train").images[:2000]
    module.whiten_from(photos.preprocess(torch.from_numpy(scenes)))
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return replace(photos, name="from scratch", source="random", module=module)


def run(loss: Loss, model: Embedder, steps: int, seed: int) -> History:
    """Teach a network the training things; its history has recall@1 on the validation things."""
    scenes, held_out = load_images("scenes", "train"), load_images("scenes", "validation")
    draw = Batches(scenes, model.preprocess, balanced(scenes.labels, THINGS, EACH, seed), augment)
    return train(model, draw, loss, steps, held_out=held_out, every=steps // 10, seed=seed)


def loss_by_name(name: str, dim: int, seed: int) -> Loss:
    torch.manual_seed(seed)
    things = int(load_images("scenes", "train").labels.max()) + 1
    return LOSSES[name](things, dim)


def over_seeds(make: Callable[[int], Loss], steps: int, from_photos: bool = True) -> dict[str, Any]:
    """The curve on validation things, and recall@1 on the test things, of each seed."""
    table: dict[str, Any] = {"curve": [], "scenes": [], "emoji": []}
    for seed in range(SEEDS):
        model = network(from_photos, seed)
        table["curve"].append(run(make(seed), model, steps, seed).recall)
        for split in ("scenes", "emoji"):
            table[split].append(score(model, split)["recall_at_1"])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    steps = parser.parse_args().steps
    record, begin = provenance(), time.perf_counter()
    dim, losses = network(True, 0).dim, {}
    for name in LOSSES:
        losses[name] = over_seeds(partial(loss_by_name, name, dim), steps)
        print(name, losses[name], flush=True)
    scratch = over_seeds(partial(loss_by_name, "triplet + cross-entropy", dim), steps, False)
    record |= {
        "what": "recall@1 on things that were not in the training: curves on validation scenes, "
        "scenes and emoji on the test things, by the weights that were best on those",
        "data": f"scenes of the training things, {THINGS} things × {EACH} pictures a batch",
        "command": f"python -m recipes.triplet_training.losses --steps {steps}",
        "spread": f"{SEEDS} seeds, all of them listed",
        "steps": steps,
        "losses": losses,
        "starts": {
            "steps": list(range(steps // 10, steps + 1, steps // 10)),
            "from photos": losses["triplet + cross-entropy"]["curve"],
            "from scratch": scratch["curve"],
        },
        "seconds": time.perf_counter() - begin,
    }
    write_json(ROOT / "results/triplet_losses.json", record)


if __name__ == "__main__":
    main()
