"""The figures that every recipe reports, and what they are compared with."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from utils.embed import colour_histogram, embed, pixel_vectors
from utils.images import ImageSet
from utils.metrics import mean_average_precision_at_r, recall_at_k
from utils.models import load_model


def retrieval(vectors: np.ndarray, labels: np.ndarray, metric: str = "cosine") -> dict[str, Any]:
    """Leave-one-out recall@1 with its 95% interval, recall@5 and mAP@R."""
    first = recall_at_k(vectors, labels, 1, metric)
    return {
        "recall_at_1": float(first),
        "recall_at_1_interval": first.interval(),
        "recall_at_5": float(recall_at_k(vectors, labels, 5, metric)),
        "map_at_r": float(mean_average_precision_at_r(vectors, labels, metric)),
        "queries": len(first.queries),
        "left_out": first.left_out,
    }


def baselines(pictures: ImageSet, model: str = "cnn-photos") -> dict[str, Any]:
    """The same pictures by their pixels, their colours, and by the network before training."""
    untrained = load_model(model, trained=False)
    return {
        "pixels": retrieval(pixel_vectors(pictures), pictures.labels, "euclidean"),
        "colour histogram": retrieval(colour_histogram(pictures), pictures.labels, "manhattan"),
        "untrained": retrieval(embed(untrained, pictures, cache=False), pictures.labels),
    }


def over_seeds(tables: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The same nested table with the mean of each float over the seeds and, as `…_sd`, its standard
    deviation as they estimate it (ddof 1); any other value is that of the first."""
    merged: dict[str, Any] = {}
    for key, first in tables[0].items():
        values = [table[key] for table in tables]
        if isinstance(first, dict):
            merged[key] = over_seeds(values)
        elif isinstance(first, float):
            merged[key], merged[f"{key}_sd"] = (
                float(np.mean(values)),
                float(np.std(values, ddof=1)),
            )
        else:
            merged[key] = first
    return merged
