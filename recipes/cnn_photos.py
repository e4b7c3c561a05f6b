"""Train `cnn-photos`: the compact CNN on CIFAR-10, from scratch.

    CIFAR10_DIR=… python -m recipes.cnn_photos            (about 2 minutes an epoch on 2 cores)

Cosine cross-entropy plus semi-hard triplets, SGD with Nesterov momentum, flips, shifts and
cutout. Of the training photos 2,000 are held out to choose by: another seed replaces the one that
ships if it finds more of them by over a standard error ("1 SE rule", Breiman et al. 1984), because
a smaller gain is chance and half of the course is measured on these weights. Interrupted, it goes
on from where it was. The test photos are looked at once, at the end. Writes results/cnn_photos.json
and, if this seed ships, models/cnn-photos.safetensors with its card, and the embeddings of the test
photos.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recipes.evaluate import baselines, retrieval
from recipes.graphs import graphed
from tools.record import provenance, write_json
from utils import ROOT
from utils.cnn import CompactCNN
from utils.course import measured
from utils.embed import embed, save_embeddings
from utils.embedder import MODELS, PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.images import ImageSet, load_images
from utils.models import load_model, save_compact
from utils.triplet import (
    Batches,
    History,
    TripletAndCrossEntropy,
    cut_out,
    flip_and_shift,
    shuffled,
    train,
)

BATCH, PEAK, MOMENTUM, DECAY, MARGIN = 512, 0.1, 0.9, 5e-4, 0.2
HELD_OUT = 2000
WIDTHS = 64, 256, 256
SIDES = (0.25, 16), (0.6, 24), (1.0, 32)  # until this share of the steps, a side in pixels
Draw = Callable[[int], tuple[Tensor, Tensor]]
Views = dict[str, np.ndarray]


def augment(x: Tensor) -> Tensor:
    """Mirrored, moved by up to an eighth of a side, and a square of a quarter of it cut out."""
    side = x.shape[3]
    return cut_out(flip_and_shift(x, side // 8), side // 4)


def growing(draw: Draw, steps: int, sides: Sequence[tuple[float, int]] = SIDES) -> Draw:
    """Small photos first, which cost a quarter, then half of the time: progressive resizing
    (Howard 2018, in the DAWNBench entry of fast.ai)."""

    def at(step: int) -> tuple[Tensor, Tensor]:
        x, labels = draw(step)
        side = next(side for until, side in sides if step < until * steps)
        return F.interpolate(x, (side, side), mode="bilinear", antialias=True), labels

    return at


def split_photos(photos: ImageSet) -> tuple[ImageSet, ImageSet]:
    """What to learn from, and HELD_OUT photos to choose by; the same for every seed."""
    held_out = np.zeros(len(photos), bool)
    held_out[np.random.default_rng(0).choice(len(photos), HELD_OUT, replace=False)] = True
    return photos[~held_out], photos[held_out]


def learn(
    photos: ImageSet,
    held_out: ImageSet | None,
    epochs: int,
    seed: int,
    device: str,
    widths: tuple[int, int, int] = WIDTHS,
    keep: bool = True,
    grow: bool = False,
) -> tuple[Embedder, History]:
    """The compact CNN after `epochs` over the photos, from random weights; resumable if kept.

    grow : begin with small photos (not with CUDA graphs, which know one size).
    """
    torch.manual_seed(seed)
    preprocess = Preprocess(32, PHOTO_MEAN, PHOTO_STD)
    module = CompactCNN(widths=widths)
    module.whiten_from(preprocess(torch.from_numpy(photos.images[:2000])))  # of the first class
    module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    model = graphed(Embedder("cnn-photos", module.dim, "random", preprocess, module), BATCH)
    sampler = shuffled(len(photos), BATCH, seed)
    named = "" if widths == WIDTHS else "-".join(map(str, widths)) + "-"
    named += "all-" if held_out is None else ""
    named += "growing-" if grow else ""
    checkpoint = ROOT / f"data/cache/checkpoints/cnn-photos-{named}{epochs}-{seed}.pt"
    per_epoch = len(photos) // BATCH
    draw: Draw = Batches(photos, preprocess, sampler, augment, device)
    steps = epochs * per_epoch
    history = train(
        model,
        growing(draw, steps) if grow else draw,
        TripletAndCrossEntropy(len(photos.classes), module.dim, MARGIN),
        steps,
        held_out=held_out,
        optimizer=lambda weights: torch.optim.SGD(
            weights, PEAK, MOMENTUM, weight_decay=DECAY, nesterov=True
        ),
        schedule=lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(
            optimizer, PEAK, steps, pct_start=0.2, anneal_strategy="linear", cycle_momentum=False
        ),
        every=per_epoch,
        checkpoint=checkpoint if keep else None,
        seed=seed,
        began=provenance(),
    )
    return model, history


def views(model: Embedder, images: np.ndarray) -> Views:
    """Vectors N×D of photos as they are, and added to those of their mirror images."""
    plain = embed(model, images, cache=False)
    turned = embed(model, images[:, :, ::-1], cache=False)
    return {"as it is": plain, "flip averaged": plain + turned}


def found(by: Views, labels: np.ndarray) -> dict[str, Any]:
    """What the photos find by each kind of vectors; as they are they are the "metrics"."""
    table = {name: retrieval(vectors, labels) for name, vectors in by.items()}
    return {"metrics": table.pop("as it is")} | table


def outcome(model: Embedder, history: History, photos: ImageSet) -> dict[str, Any]:
    """What a trained network finds among the test photos, and how it was trained."""
    return found(views(model, photos.images), photos.labels) | {
        "validation": max(history.recall),
        "seconds": history.seconds,
        "training": history.record(),
    }


def replaces(new: float, shipped: float) -> bool:
    """Whether `new` of the held-out photos is more than `shipped` of them by a standard error."""
    return new > shipped + (shipped * (1 - shipped) / HELD_OUT) ** 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    record = provenance() | {"data": "CIFAR-10 (JPEG)", "epochs": options.epochs}
    learned, held_out = split_photos(load_images("cifar10", "train"))
    model, history = learn(learned, held_out, options.epochs, options.seed, options.device)
    photos = load_images("cifar10", "test")
    this = outcome(model, history, photos)
    compared, seed, kept = baselines(photos), str(options.seed), measured("cnn_photos")
    seeds = (kept["seeds"] if kept["epochs"] == options.epochs else {}) | {seed: this}
    shipped = kept["shipped"] if kept["shipped"] in seeds else seed
    if replaces(this["validation"], seeds[shipped]["validation"]):
        shipped = seed
    if seed == shipped:
        save_compact(model.module, MODELS / "cnn-photos.safetensors")
        vectors = embed(load_model("cnn-photos"), photos, cache=False)
        save_embeddings(MODELS / "cifar10-test.npz", vectors, photos.labels, photos.classes)
        card = {
            "recipe": f"python -m recipes.cnn_photos --epochs {options.epochs} --seed {seed}",
            "parameters": sum(p.numel() for p in model.module.parameters()),
            "licence": "Apache-2.0; trained on CIFAR-10, which its authors offer for research",
        }
        write_json(MODELS / "cnn-photos.json", record | card | this)
    what = "leave-one-out retrieval among the 10,000 test photos, by class"
    spread = f"{len(seeds)} seeds; another replaces the shipped one if it finds more of {HELD_OUT} "
    spread += "held-out training photos by over a standard error"
    compared |= {"cnn-photos": seeds[shipped]["metrics"]}
    compared |= {"flip averaged": seeds[shipped]["flip averaged"]}
    told = {"what": what, "spread": spread, "shipped": shipped} | record
    write_json(ROOT / "results/cnn_photos.json", told | compared | {"seeds": seeds})


if __name__ == "__main__":
    main()
