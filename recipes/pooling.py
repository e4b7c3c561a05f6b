"""How far does a shift move an embedding, with max pooling, average pooling, strides, or neither?

    python -m recipes.pooling            (about a quarter of an hour on 2 cores)

Four networks that differ only in how a stage halves its maps, each trained from scratch on scenes
of the training things from three seeds, and the first of them once more with its training pictures
shifted at random. Then the validation scenes are slid sideways, and the distance their embeddings
move is set beside the distance to the nearest other picture. Writes results/pooling.json.
"""

import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from tools.record import provenance, write_json
from utils import ROOT
from utils.cnn import CompactCNN
from utils.distances import nearest
from utils.embedder import PHOTO_MEAN, PHOTO_STD, Preprocess
from utils.images import load_images
from utils.metrics import recall_at_k
from utils.triplet import cosine_cross_entropy, triplet_loss

SIZE, WIDTHS, SEEDS, STEPS = 32, (16, 32, 48), 3, 300
THINGS, EACH, PEAK, MARGIN = 48, 4, 3e-3, 0.2
SHIFTS = range(9)  # pixels of the network's input
REACH = 4  # how far a training picture is shifted, where it is


def network(halving: str) -> CompactCNN:
    """A narrow CompactCNN whose stages halve their maps by "max", "average", "stride", "none"."""
    model = CompactCNN(dim=None, widths=WIDTHS, size=SIZE)
    for stage in model.stages:
        if halving == "stride":
            stage[0].stride = (2, 2)
        if halving != "max":
            stage[1] = nn.AvgPool2d(2) if halving == "average" else nn.Identity()
    return model.to(memory_format=torch.channels_last)


def train(model: CompactCNN, x: Tensor, labels: np.ndarray, seed: int, shifted: bool) -> None:
    """Cross-entropy and triplets over the training things, augmented by flips, and shifts if so."""
    rng = np.random.default_rng(seed)
    things = [np.flatnonzero(labels == t) for t in range(labels.max() + 1)]
    prototypes = nn.Parameter(torch.randn(len(things), model.dim))
    weights = [p for p in model.parameters() if p.requires_grad] + [prototypes]
    optimizer = torch.optim.AdamW(weights, PEAK, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, STEPS)
    for _ in range(STEPS):
        chosen = rng.choice(len(things), THINGS, replace=False)
        rows = np.concatenate([rng.choice(things[t], EACH, replace=False) for t in chosen])
        target = torch.from_numpy(labels[rows])
        flip = torch.from_numpy(rng.random(len(rows)) < 0.5)[:, None, None, None]
        batch = torch.where(flip, x[rows].flip(3), x[rows])
        if shifted:
            left = int(rng.integers(0, 2 * REACH + 1))
            batch = F.pad(batch, (REACH, REACH, 0, 0), mode="replicate")[..., left : left + SIZE]
        with torch.autocast("cpu", torch.bfloat16):
            vectors = model(batch.contiguous(memory_format=torch.channels_last))
        vectors = F.normalize(vectors.float(), dim=1)
        loss = cosine_cross_entropy(vectors, prototypes, target)
        loss = loss + triplet_loss(vectors, target, MARGIN)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


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
    preprocess = Preprocess(SIZE, PHOTO_MEAN, PHOTO_STD)
    training, held_out = load_images("scenes", "train"), load_images("scenes", "validation")
    x, y = (preprocess(torch.from_numpy(some.images)) for some in (training, held_out))
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
        for seed in tqdm(range(SEEDS), name):
            torch.manual_seed(seed)
            model = network(halving)
            model.whiten_from(x[:2000])
            train(model.train(), x, training.labels, seed, bool(shifted))
            runs.append(measure(model, y, held_out.labels))
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
