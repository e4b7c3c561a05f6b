"""One run: a compact CNN from random weights, taught by a setting, and what it then finds."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from recipes.cnn_scenes import placed
from recipes.without_labels.settings import WIDTHS, Setting
from tools.record import provenance, write_json
from utils import ROOT, replacing, writing
from utils.cnn import CompactCNN
from utils.contrast import MoCo, Projected, Queue, TwoViews, ViewPairs, Views, alike
from utils.embed import embed
from utils.embedder import PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.emoji import read_emoji
from utils.images import ImageSet, load_images
from utils.metrics import mean_average_precision_at_r, recall_at_k
from utils.triplet import TripletAndCrossEntropy, balanced, mean_cosine, shuffled, train

CACHE = ROOT / "data/cache/without_labels"
VARIANTS = 6  # each drawing stands in so many scenes
EACH = 4  # pictures of a thing in a supervised batch
ALL_SPLITS = ("train", "validation", "test")


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def scenes() -> tuple[Tensor, np.ndarray]:
    """The training scenes, uint8 N×64×64×3 on the device, and their things, for the supervised."""
    labels = np.tile(load_images("emoji", "train").labels, VARIANTS)
    return composed("scenes"), labels


@cache
def elsewhere() -> Tensor:
    """The same drawings at the same places in the same light, before other backgrounds."""
    return composed("elsewhere", " elsewhere")


def composed(name: str, elsewhere: str = "") -> Tensor:
    """Every training drawing in VARIANTS scenes, uint8 N×64×64×3; composed once and kept.

    elsewhere : added to the ids that the backgrounds are made by.
    """
    path = CACHE / f"{name}.npy"
    if not path.exists():
        drawings, rows = read_emoji(["train"])
        made = []
        for variant in range(VARIANTS):
            ids = [f"{row['id']} {variant}" for row in rows]
            made.append(placed(drawings, ids, "train", [id + elsewhere for id in ids]))
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path) as file:
            np.save(file, np.concatenate(made))
    return torch.from_numpy(np.load(path)).to(device())


def untrained(images: Tensor, seed: int, widths: tuple[int, int, int] = WIDTHS) -> Embedder:
    """The network that all begin from: no head, random weights but for the whitening.

    images : uint8 N×H×W×3, whose patches it whitens.
    """
    torch.manual_seed(seed)
    module = CompactCNN(None, widths)
    preprocess = Preprocess(module.size, PHOTO_MEAN, PHOTO_STD)
    module.whiten_from(preprocess(images[:2000]).cpu())
    module.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Embedder("cnn without labels", module.dim, "random", preprocess, module.eval())


def learn(setting: Setting, seed: int) -> tuple[Embedder, Embedder, dict[str, Any]]:
    """Train by a setting: the network, the same with its projection head, and how it went."""
    images, things = scenes()
    model = untrained(images, seed)
    learner = Projected(cast(CompactCNN, model.module), setting.head)
    others = elsewhere() if setting.method == "new background" else None
    sampler = shuffled(len(images), setting.batch, seed)
    draw: Any = ViewPairs(images, setting.views, sampler, others)
    module, loss = taught_by(setting, learner)
    if setting.method == "supervised":  # as many pictures a step as the others have views
        module = Projected(learner.trunk, None)
        loss = TripletAndCrossEntropy(things.max() + 1, model.dim)
        draw = Labelled(images, things, setting.views, setting.batch * 2, seed)
    taught = Embedder(model.name, model.dim, "random", model.preprocess, module.to(device()))
    history = train(taught, draw, loss, setting.steps, every=setting.steps // 20, seed=seed)
    dim = setting.head or model.dim
    projected = Embedder("projected", dim, "random", model.preprocess, AfterHead(learner).eval())
    return model, projected, history.record()


def taught_by(setting: Setting, learner: Projected) -> tuple[torch.nn.Module, Any]:
    """What learns from pairs of views, and its loss."""
    if setting.method == "moco":
        dim = setting.head or learner.trunk.dim
        queue = Queue(setting.queue, dim, setting.temperature)
        return MoCo(learner, setting.momentum), queue
    return learner, attraction if setting.method == "attraction" else TwoViews(setting.temperature)


def attraction(vectors: Tensor, labels: Tensor) -> Tensor:
    return alike(*vectors.chunk(2))


class AfterHead(torch.nn.Module):
    """What the losses saw: the projection, which `embed` does not ask for."""

    def __init__(self, learner: Projected) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, x: Tensor) -> Tensor:
        return self.learner.head(self.learner.trunk.pool(self.learner.trunk.maps(x)))


class Labelled:
    """step → (input, things): one view each of pictures of the same few things."""

    def __init__(
        self, images: Tensor, things: np.ndarray, views: Views, batch: int, seed: int
    ) -> None:
        self.images, self.things, self.views = images, torch.from_numpy(things), views
        self.sampler = balanced(things, batch // EACH, EACH, seed)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        rows = torch.from_numpy(self.sampler(step))
        return self.views(self.images[rows.to(self.images.device)]), self.things[rows]


@cache
def pictures(kind: str, split: str) -> ImageSet:
    return load_images(kind, split)


def scores(model: Embedder) -> dict[str, Any]:
    """Neighbours of unseen things, and what a linear probe reads: the category of unseen things."""
    told: dict[str, Any] = {}
    vectors = {split: embed(model, pictures("scenes", split), cache=False) for split in ALL_SPLITS}
    for split in ALL_SPLITS[1:]:
        white, labels = pictures("emoji", split), pictures("scenes", split).labels
        drawings = embed(model, white, cache=False)
        told[split] = {
            "scenes": float(recall_at_k(vectors[split], labels)),
            "scenes_map": float(mean_average_precision_at_r(vectors[split], labels)),
            "drawings": float(recall_at_k(drawings, white.labels)),
            "cosine": mean_cosine(torch.from_numpy(vectors[split])),
        }
    categories = {s: pictures("scenes", s).relabel("category").labels for s in ALL_SPLITS}
    for split, right in probe(vectors, categories).items():
        told[split]["probe"] = right
    return told


def probe(vectors: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> dict[str, float]:
    """A linear classifier on frozen embeddings: accuracy on the validation and the test part.

    Ridge regression onto the classes, fitted on the training part, its strength chosen on the
    validation part. All keyed by split.
    """
    from sklearn.linear_model import RidgeClassifier

    best = {"validation": -1.0}
    for strength in (0.01, 0.1, 1.0, 10.0):
        linear = RidgeClassifier(alpha=strength).fit(vectors["train"], labels["train"])
        right = {s: float(linear.score(vectors[s], labels[s])) for s in ALL_SPLITS[1:]}
        best = max(best, right, key=lambda one: one["validation"])
    return best


def file_of(setting: Setting, seed: int) -> Path:
    """Where a run is kept: named by all that sets it."""
    told = hashlib.blake2b(repr((setting, WIDTHS, VARIANTS)).encode(), digest_size=6).hexdigest()
    return CACHE / f"{setting.method}-{told}-{seed}.json"


def run(setting: Setting, seed: int) -> None:
    """Train, measure, and keep the record beside the weights; what is there is left alone."""
    path = file_of(setting, seed)
    if path.exists():
        return
    model, projected, training = learn(setting, seed)
    record = provenance() | {"training": training, "scores": scores(model)}
    if setting.method == "simclr" and setting.head:
        record["after the head"] = scores(projected)
    weights = {key: value.cpu().half() for key, value in model.module.state_dict().items()}
    with replacing(path.with_suffix(".pt")) as partial:
        torch.save(weights, partial)
    write_json(path, record)


def kept(setting: Setting, seed: int) -> dict[str, Any]:
    return json.loads(file_of(setting, seed).read_text("utf-8"))
