"""The recipe of the thesis: a siamese ResNet trained by triplets on CIFAR-10.

    CIFAR10_DIR=… python -m recipes.thesis --minutes 20     (that recipe beside ours)
    CIFAR10_DIR=… python -m recipes.thesis --explain 120    (why cells collapse: short runs)
    CIFAR10_DIR=… python -m recipes.thesis --readings 375   (what it leaves open: one epoch each)
    CIFAR10_DIR=… python -m recipes.thesis --grid 20 --workers 10    (its cells; wants a GPU)

Almeida & Andrade 2022, "Sistema de busca reversa de imagens utilizando aprendizado por
contraste", section 4.2: PyTorch, ResNet-18, -34 or -50 from ImageNet weights, its last layer
replaced by one to 64, 128 or 512 numbers; pictures of 32×32 normalised by mean = std = 0.5 and
not augmented; batches of 128; SGD at 0.1, momentum 0.9, weight decay 5e-4; 100 epochs, the rate
times 0.1 after every tenth of them; triplet loss at margin .1, .3 or .5. The thesis does not say
how triplets were chosen, nor whether the distance was squared (its formula has it squared), nor
that embeddings had unit length (its scores suggest it), nor whether the network's entrance was
ImageNet's (its remark that pictures shrink suggests it; the name of a file in its appendix B.1,
resnet_cifar.py, suggests that it was not); --mine and --entrance ask for other readings. Without
ImageNet's weights the network starts from random ones, and the results file says which. Writes
results/thesis.json, thesis_collapse.json, thesis_readings.json or thesis_grid.json.
"""

import argparse
import itertools
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from recipes.cnn_photos import BATCH as OUR_BATCH
from recipes.cnn_photos import learn, split_photos
from recipes.evaluate import retrieval
from recipes.graphs import graphed
from tools.record import provenance, write_json
from utils import ROOT
from utils.course import measured
from utils.embed import embed
from utils.embedder import Embedder, ModelUnavailable, Preprocess, require_reachable
from utils.images import ImageSet, load_images
from utils.triplet import (
    Batches,
    CollapseWarning,
    History,
    batch_hard,
    random_triplets,
    semi_hard,
    shuffled,
    train,
    triplet_loss,
)
from utils.triplet.miners import Miner

TRIED = 150  # steps that tell how many a machine makes in a minute, their slow beginning included
BATCH, RATE, MOMENTUM, DECAY, MARGIN = 128, 0.1, 0.9, 5e-4, 0.1
HALF = (0.5, 0.5, 0.5)
ENTRANCES = 7, 3  # sides of the first convolution
MINERS = {"random": random_triplets, "semi-hard": semi_hard, "batch-hard": batch_hard}


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def siamese(backbone: str, dim: int, seed: int, entrance: int = 7) -> Embedder:
    """torchvision's ResNet with a last layer to `dim` numbers, from ImageNet where it can be.

    entrance : side of the first convolution: 7, ImageNet's, which makes 8×8 of 32×32 with the
        pooling behind it; 3, that of a ResNet for CIFAR (He et al. 2016, section 4.2), which keeps
        all places.
    """
    torch.manual_seed(seed)
    weights: Any = torchvision.models.get_model_weights(backbone).DEFAULT
    file = Path(torch.hub.get_dir(), "checkpoints", weights.url.split("/")[-1])
    try:
        if not file.exists():
            require_reachable(weights.url, backbone, "or start from random weights")
        module = torchvision.models.get_model(backbone, weights=weights)
    except (ModelUnavailable, OSError):
        weights, module = None, torchvision.models.get_model(backbone)
    module.fc = nn.Linear(module.fc.in_features, dim)
    if entrance == 3:
        module.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        module.maxpool = nn.Identity()
    source = "downloaded" if weights else "random"
    module.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return graphed(Embedder(backbone, dim, source, Preprocess(32, HALF, HALF), module), BATCH)


def by_thesis(
    model: Embedder,
    photos: ImageSet,
    held_out: ImageSet | None,
    steps: int,
    *,
    margin: float = MARGIN,
    mine: Miner = semi_hard,
    squared: bool = True,
    cuts: bool = True,
    seed: int = 0,
) -> History:
    """Train a network by the recipe of the thesis, its schedule scaled to `steps`.

    cuts : False keeps the learning rate where it begins, to see what the schedule does.
    """
    draw = Batches(
        photos, model.preprocess, shuffled(len(photos), BATCH, seed), device=model.device
    )
    times = [steps * tenth // 10 for tenth in range(1, 10)] if cuts else []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CollapseWarning)  # the record tells
        return train(
            model,
            draw,
            partial(triplet_loss, margin=margin, mine=mine, squared=squared),
            steps,
            held_out=held_out,
            margin=margin,
            optimizer=lambda weights: torch.optim.SGD(weights, RATE, MOMENTUM, weight_decay=DECAY),
            schedule=lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, times),
            seed=seed,
        )


def told(model: Embedder, history: History, test: ImageSet) -> dict[str, Any]:
    """How a training went, and what its network finds among the test photos."""
    start = "ImageNet" if model.source == "downloaded" else "random weights"
    vectors = embed(model, test, cache=False)
    return {"start": start, "training": history.record()} | retrieval(vectors, test.labels)


def side_by_side(
    minutes: float, mine: Miner, photos: ImageSet, held_out: ImageSet
) -> dict[str, Any]:
    """The recipe of the thesis and ours on the same photos for the same time."""
    test, table = load_images("cifar10", "test"), {}
    taught = partial(by_thesis, mine=mine)
    tried = taught(siamese("resnet18", 64, 0), photos, None, TRIED)
    steps, model = int(TRIED * 60 * minutes / tried.seconds), siamese("resnet18", 64, 0)
    table["thesis"] = told(model, taught(model, photos, held_out, steps), test)
    table["thesis"] |= {"epochs": steps * BATCH / len(photos)}
    few = photos[: 40 * OUR_BATCH]
    _, tried = learn(few, None, 1, 1, device(), keep=False)  # its speed
    epochs = int(60 * minutes / (tried.seconds * len(photos) / len(few)))
    table["ours"] = told(*learn(photos, held_out, epochs, 0, device()), test)
    table["ours"] |= {"epochs": epochs}
    return table | {"minutes": minutes, "margin": MARGIN, "miner": mine.__name__}


def explain(photos: ImageSet, held_out: ImageSet, steps: int, seeds: int) -> dict[str, Any]:
    """Short runs of ResNet-34 at margin .5 and 512 numbers, a cell of the thesis at 46.88 %.

    Every combination of what may be to blame: hard triplets, squared distance, a rate that is cut.
    """
    table = {}
    for mine, squared, cuts in itertools.product(
        (batch_hard, semi_hard), (True, False), (True, False)
    ):
        name = f"{mine.__name__}, {'squared' if squared else 'plain'}, "
        name += "rate cut" if cuts else "rate kept"
        taught = partial(by_thesis, margin=0.5, mine=mine, squared=squared, cuts=cuts)
        table[name] = []
        for seed in range(seeds):
            model = siamese("resnet34", 512, seed)
            history = taught(model, photos, None, steps, seed=seed)
            table[name].append(told(model, history, held_out))
            print(name, history.cosine[-1], history.loss[-1], flush=True)
    return table


def readings(photos: ImageSet, held_out: ImageSet, steps: int) -> dict[str, Any]:
    """What the thesis leaves open, in the first epochs of its hundred: the rate is never cut."""
    table = {}
    for entrance, mine in itertools.product(ENTRANCES, (random_triplets, semi_hard)):
        name, model = (
            f"{entrance}×{entrance}, {mine.__name__}",
            siamese("resnet18", 64, 0, entrance),
        )
        history = by_thesis(model, photos, None, steps, mine=mine, cuts=False)
        table[name] = told(model, history, held_out)
        print(name, table[name]["recall_at_1"], history.cosine[-1], flush=True)
    return table


def cell(
    backbone: str, dim: int, margin: float, miner: str, entrance: int, epochs: int
) -> dict[str, Any]:
    """One cell of the table, in a process of its own."""
    learned, held_out = split_photos(load_images("cifar10", "train"))
    model, steps = siamese(backbone, dim, 0, entrance), epochs * len(learned) // BATCH
    history = by_thesis(model, learned, held_out, steps, margin=margin, mine=MINERS[miner])
    return provenance() | told(model, history, load_images("cifar10", "test"))


def grid(
    epochs: int, miner: str, entrance: int, workers: int, done: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The nine cells of ResNet-18, and the deepest that fell.

    Cells that are done are kept; yields all there are after each, so that nothing is lost.
    """
    cells = itertools.product((64, 128, 512), (0.1, 0.3, 0.5))
    asked = {
        f"ResNet-{depth}, {dim}, margin {margin}": (f"resnet{depth}", dim, margin)
        for depth, dim, margin in [*((18, *c) for c in cells), (50, 512, 0.5)]
    }
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        missing = [name for name in asked if name not in done]
        missing.sort(key=lambda name: "ResNet-50" not in name)  # it takes longest
        runs = {pool.submit(cell, *asked[name], miner, entrance, epochs): name for name in missing}
        for run in as_completed(runs):
            done = done | {runs[run]: run.result()}
            yield {name: done[name] for name in asked if name in done}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--mine", choices=MINERS, default="semi-hard", help="not of --explain")
    parser.add_argument("--entrance", type=int, choices=ENTRANCES, default=7, help="of the grid")
    parser.add_argument("--explain", type=int, metavar="STEPS")
    parser.add_argument("--readings", type=int, metavar="STEPS")
    parser.add_argument("--grid", type=int, metavar="EPOCHS")
    parser.add_argument("--workers", type=int, default=1, help="cells of the grid side by side")
    options = parser.parse_args()
    record = provenance() | {"data": "CIFAR-10 (JPEG)"}
    record["command"] = " ".join(["python -m recipes.thesis", *sys.argv[1:]])
    if options.grid:
        what = f"cells of Table 4.1, the schedule scaled to {options.grid} epochs"
        asked = {"what": what, "spread": "one seed", "epochs": options.grid}
        asked |= {"miner": options.mine, "entrance": options.entrance}
        path = ROOT / "results/thesis_grid.json"
        kept = measured("thesis_grid")
        done = kept["cells"] if all(kept.get(key) == asked[key] for key in asked) else {}
        for cells in grid(options.grid, options.mine, options.entrance, options.workers, done):
            write_json(path, record | asked | {"cells": cells})
        return
    photos, held_out = split_photos(load_images("cifar10", "train"))
    if options.explain:
        seeds, name = 2, "thesis_collapse"
        record |= {
            "what": "ResNet-34, 512 numbers, margin .5: every combination of three suspects",
            "spread": f"{seeds} seeds, both listed",
        } | {"runs": explain(photos, held_out, options.explain, seeds)}
    elif options.readings:
        name = "thesis_readings"
        record |= {
            "what": "ResNet-18, 64 numbers, margin .1, on held-out training photos: two entrances "
            f"and two miners, after the first {options.readings} steps, the rate not yet cut",
            "spread": "one seed; intervals are over queries",
        } | {"runs": readings(photos, held_out, options.readings)}
    else:
        name = "thesis"
        record |= {
            "what": "the recipe of the thesis and ours, on the same photos for the same time",
            "spread": "one seed; intervals are over queries",
        }
        mine = MINERS[options.mine]
        record |= side_by_side(options.minutes, mine, photos, held_out)
    write_json(ROOT / f"results/{name}.json", record)


if __name__ == "__main__":
    main()
