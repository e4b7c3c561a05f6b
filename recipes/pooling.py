"""How far does a shift move an embedding, with max pooling, average pooling, strides, or neither?

    python -m recipes.pooling            (about a quarter of an hour on 2 cores)

Four networks that differ only in how a stage halves its maps, each trained from scratch on scenes
of the training things from three seeds, and the first of them once more with its training pictures
shifted at random. Then the validation scenes are slid sideways, and the distance their embeddings
move is set beside the distance to the nearest other picture. Writes results/pooling.json.
"""

import time
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tools.record import provenance, write_json
from utils import ROOT
from utils.cnn import CompactCNN
from utils.distances import nearest
from utils.embedder import PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.images import ImageSet, load_images
from utils.metrics import recall_at_k
from utils.triplet import Batches, TripletAndCrossEntropy, balanced, flip_and_shift, train

SIZE, WIDTHS, SEEDS, STEPS = 32, (16, 32, 48), 3, 300
THINGS, EACH, PEAK = 48, 4, 3e-3
SHIFTS = range(9)  # pixels of the network's input
REACH = 4  # how far a training picture is shifted, where it is, in both directions


def network(halving: str) -> CompactCNN:
    """A narrow CompactCNN whose stages halve their maps by "max", "average", "stride", "none"."""
    model = CompactCNN(dim=None, widths=WIDTHS, size=SIZE)
    for stage in model.stages:
        if halving == "stride":
            stage[0].stride = (2, 2)
        if halving != "max":
            stage[1] = nn.AvgPool2d(2) if halving == "average" else nn.Identity()
    return model.to(memory_format=torch.channels_last)


def learn(photos: ImageSet, halving: str, seed: int, reach: int) -> CompactCNN:
    """Such a network after STEPS of cross-entropy and triplets, on pictures mirrored, and moved by
    up to `reach` pixels."""
    torch.manual_seed(seed)
    preprocess, module = Preprocess(SIZE, PHOTO_MEAN, PHOTO_STD), network(halving)
    module.whiten_from(preprocess(torch.from_numpy(photos.images[:2000])))
    train(
        Embedder("pooling", module.dim, "random", preprocess, module),
        Batches(
            photos,
            preprocess,
            balanced(photos.labels, THINGS, EACH, seed),
            partial(flip_and_shift, by=reach),
        ),
        TripletAndCrossEntropy(len(photos.classes), module.dim),
        STEPS,
        lr=PEAK,
        seed=seed,
    )
    return module


@torch.inference_mode()
def measure(model: CompactCNN, x: Tensor, labels: np.ndarray) -> dict:
    """recall@1, and how far shifts move embedding and flattened maps, in nearest neighbours."""
    model.eval()
    padded = F.pad(x, (max(SHIFTS),) * 2 + (0, 0), mode="replicate")
    drift: dict[str, list[float]] = {"mean": [], "flatten": []}
    start: dict[str, Tensor] = {}
    for shift in SHIFTS:
        left = max(SHIFTS) - shift
        maps = model.maps(padded[..., left : left + SIZE])
        for name, vectors in (("mean", maps.mean((2, 3))), ("flatten", maps.flatten(1))):
            unit = F.normalize(vectors, dim=1)
            first = start.setdefault(name, unit)
            drift[name].append(float(1 - (first * unit).sum(1).mean()))
    result: dict = {"recall_at_1": float(recall_at_k(start["mean"].numpy(), labels))}
    for name, moved in drift.items():
        _, near = nearest(start[name].numpy(), start[name].numpy(), 1, leave_one_out=True)
        result[name] = [d / float(near.mean()) for d in moved]
    return result


def main() -> None:
    record, begin = provenance(), time.perf_counter()
    training, held_out = load_images("scenes", "train"), load_images("scenes", "validation")
    x = Preprocess(SIZE, PHOTO_MEAN, PHOTO_STD)(torch.from_numpy(held_out.images))
    record |= {
        "what": "cosine distance that a sideways shift moves the embedding, over the mean distance "
        "to the nearest other picture; index = pixels of a 32-pixel input",
        "data": "scenes: trained on training things, measured on validation things",
        "command": "python -m recipes.pooling",
        "spread": f"mean over {SEEDS} seeds; low and high are the extremes",
        "shifts": list(SHIFTS),
    }
    for name in ("max", "average", "stride", "none", "max, shifted"):
        halving, _, shifted = name.partition(", ")
        runs = []
        for seed in range(SEEDS):
            model = learn(training, halving, seed, REACH if shifted else 0)
            runs.append(measure(model, x, held_out.labels))
        record[name] = {
            key: {
                "mean": np.mean([run[key] for run in runs], axis=0).tolist(),
                "low": np.min([run[key] for run in runs], axis=0).tolist(),
                "high": np.max([run[key] for run in runs], axis=0).tolist(),
            }
            for key in ("recall_at_1", "mean", "flatten")
        }
        print(name, record[name]["recall_at_1"], record[name]["mean"]["mean"], flush=True)
    record["seconds"] = time.perf_counter() - begin
    write_json(ROOT / "results/pooling.json", record)


if __name__ == "__main__":
    main()
