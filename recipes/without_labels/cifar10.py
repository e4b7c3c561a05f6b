"""SimCLR on CIFAR-10 in full, for a GPU: the photos' labels only judge."""

from typing import Any, cast

import numpy as np
import torch

from recipes.cnn_photos import WIDTHS, split_photos
from recipes.evaluate import retrieval
from recipes.without_labels.learn import device, probe, untrained
from utils.cnn import CompactCNN
from utils.contrast import Projected, TwoViews, ViewPairs, Views
from utils.embed import embed
from utils.embedder import Embedder
from utils.images import load_images
from utils.triplet import History, shuffled, train

BATCH, TRIED = 512, 40  # pictures a step; steps that tell how long one takes


def learn(images: torch.Tensor, steps: int) -> tuple[Embedder, History]:
    """The network of `cnn-photos` without its head, from random weights, by pairs of views."""
    model = untrained(images, 0, WIDTHS)
    learner = Projected(cast(CompactCNN, model.module), 128).to(device())
    taught = Embedder(model.name, model.dim, "random", model.preprocess, learner)
    draw = ViewPairs(images, Views(), shuffled(len(images), BATCH))
    history = train(taught, draw, TwoViews(0.2), steps, every=max(1, steps // 20))
    return model, history


def measure(minutes: float) -> dict[str, Any]:
    """Train for so long, then search the test photos and read their classes by a linear probe."""
    seen, held_out = split_photos(load_images("cifar10", "train"))
    test = load_images("cifar10", "test")
    images = torch.from_numpy(np.ascontiguousarray(seen.images)).to(device())
    _, tried = learn(images, 5)  # what is slow only once
    _, tried = learn(images, TRIED)
    steps = int(60 * minutes * TRIED / tried.seconds)
    model, history = learn(images, steps)
    parts = {"train": seen, "validation": held_out, "test": test}
    vectors = {split: embed(model, photos, cache=False) for split, photos in parts.items()}
    labels = {split: photos.labels for split, photos in parts.items()}
    return {
        "minutes": history.seconds / 60,
        "epochs": steps * BATCH / len(seen),
        "training": history.record(),
        "neighbours": retrieval(vectors["test"], test.labels),
        "untrained": retrieval(embed(untrained(images, 0, WIDTHS), test, cache=False), test.labels),
        "probe": probe(vectors, labels),
    }
