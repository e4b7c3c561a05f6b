"""Metric learning: losses, miners, batches, augmentations, and the loop that trains by them.

draw = Batches(pictures, model.preprocess, balanced(pictures.labels, classes=48, each=4))
history = train(model, draw, triplet_loss, steps=60, held_out=others)
"""

from utils.triplet.augment import cut_out, flip_and_shift, mix_colours
from utils.triplet.batches import Batches, balanced, shuffled
from utils.triplet.diagnosis import TrainingDiverged
from utils.triplet.losses import (
    TripletAndCrossEntropy,
    active_share,
    contrastive_loss,
    cosine_cross_entropy,
    mean_cosine,
    triplet_loss,
)
from utils.triplet.miners import all_triplets, batch_hard, random_triplets, semi_hard
from utils.triplet.training import CollapseWarning, History, train

__all__ = [
    "Batches",
    "CollapseWarning",
    "History",
    "TrainingDiverged",
    "TripletAndCrossEntropy",
    "active_share",
    "all_triplets",
    "balanced",
    "batch_hard",
    "contrastive_loss",
    "cosine_cross_entropy",
    "cut_out",
    "flip_and_shift",
    "mean_cosine",
    "mix_colours",
    "random_triplets",
    "semi_hard",
    "shuffled",
    "train",
    "triplet_loss",
]
