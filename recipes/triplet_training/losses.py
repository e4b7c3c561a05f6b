"""Which loss finds most in equal time, and does a network that knows photos start ahead?

    python -m recipes.triplet_training.losses           (about forty minutes on 2 cores)

The trunk of `cnn-photos` at 32×32 learns the training things of the scenes: the same batches, the
same steps, three seeds, and only the loss differs. Losses that the course does not write itself
are pytorch-metric-learning's, with its own settings. Writes results/triplet_losses.json.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from pytorch_metric_learning.losses import NormalizedSoftmaxLoss, ProxyAnchorLoss, SupConLoss

from recipes.cnn_scenes import augment, score
from tools.record import provenance, write_json
from utils import ROOT
from utils.cnn import CompactCNN
from utils.embedder import PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.images import load_images
from utils.models import load_model
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
    torch.manual_seed(seed)
    photos = load_model("cnn-photos", device="cpu").module
    module = CompactCNN(dim=None, widths=photos.widths, size=SIDE)
    trunk = {k: v for k, v in photos.state_dict().items() if not k.startswith("head.")}
    kept = trunk if from_photos else {k: v for k, v in trunk.items() if k.startswith("whiten.")}
    module.load_state_dict(kept, strict=from_photos)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    preprocess = Preprocess(SIDE, PHOTO_MEAN, PHOTO_STD)
    return Embedder("learner", module.dim, "random", preprocess, module)


def run(name: str, from_photos: bool, steps: int, seed: int) -> tuple[Embedder, History]:
    model, scenes = network(from_photos, seed), load_images("scenes", "train")
    draw = Batches(scenes, model.preprocess, balanced(scenes.labels, THINGS, EACH, seed), augment)
    loss = LOSSES[name](int(scenes.labels.max()) + 1, model.dim)
    held_out = load_images("scenes", "validation")
    return model, train(model, draw, loss, steps, held_out=held_out, every=steps // 10, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    record, begin = provenance(), time.perf_counter()
    losses: dict[str, Any] = {}
    for name in LOSSES:
        losses[name] = {"curve": [], "scenes": [], "emoji": []}
        for seed in range(SEEDS):
            model, history = run(name, True, options.steps, seed)
            losses[name]["curve"].append(history.recall)
            for split in ("scenes", "emoji"):
                losses[name][split].append(score(model, split)["recall_at_1"])
        print(name, losses[name], flush=True)
    scratch = [run("triplet + cross-entropy", False, options.steps, s)[1] for s in range(SEEDS)]
    record |= {
        "what": "recall@1 on things that were not in the training: curves on validation scenes, "
        "scenes and emoji at the end on the test things",
        "data": f"scenes of the training things, {THINGS} things × {EACH} pictures a batch",
        "command": f"python -m recipes.triplet_training.losses --steps {options.steps}",
        "spread": f"{SEEDS} seeds, all of them listed",
        "steps": options.steps,
        "seeds": SEEDS,
        "losses": losses,
        "starts": {
            "steps": history.step,
            "from photos": losses["triplet + cross-entropy"]["curve"],
            "from scratch": [one.recall for one in scratch],
        },
        "seconds": time.perf_counter() - begin,
    }
    write_json(ROOT / "results/triplet_losses.json", record)


if __name__ == "__main__":
    main()
