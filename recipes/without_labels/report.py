"""From the finished runs to results/without_labels.json and the two models."""

from functools import cache
from typing import Any

import numpy as np
import torch

from recipes.without_labels.learn import (
    ALL_SPLITS,
    file_of,
    kept,
    pictures,
    probe,
    scenes,
    scores,
    untrained,
)
from recipes.without_labels.memory import kept_for_backward
from recipes.without_labels.settings import GROUPS, LONGER, QUEUE, SEEDS, WIDTHS, Setting
from tools.record import provenance, write_json
from utils import ROOT
from utils.cnn import CompactCNN
from utils.embed import colour_histogram, pixel_vectors
from utils.embedder import MODELS
from utils.metrics import recall_at_k
from utils.models import save_compact


def report() -> None:
    """Write what the finished runs found; a setting none of whose runs is there is an error."""
    record = provenance() | {
        "command": "python -m recipes.without_labels",
        "data": "scenes of the emoji set; recall@1 on unseen things; probe: accuracy of a linear "
        "classifier for the category of unseen things, fitted on scenes of the training things",
        "what": "the same compact CNN from random weights, taught with and without labels",
        "spread": "mean, lowest and highest over the seeds that are counted beside them",
    }
    groups = {
        group: {name: over_seeds(setting) for name, setting in settings.items()}
        for group, settings in GROUPS.items()
    }
    machines = {run["machine"] for s in all_settings() for run in records(s)}
    record |= {"machines": sorted(machines), "baselines": without_training()}
    for name in ("simclr", "moco"):
        ship(name, record)
    write_json(ROOT / "results/without_labels.json", record | groups)


def all_settings() -> list[Setting]:
    return [setting for group in GROUPS.values() for setting in group.values()]


def records(setting: Setting) -> list[dict[str, Any]]:
    """The finished runs of a setting, by seed."""
    return [kept(setting, seed) for seed in range(SEEDS) if file_of(setting, seed).exists()]


@cache  # a setting stands in several groups
def over_seeds(setting: Setting) -> dict[str, Any]:
    """Every score as its mean, lowest and highest over the seeds, and how cosines went."""
    runs = records(setting)
    told: dict[str, Any] = {"seeds": len(runs), "steps": setting.steps}
    told |= summary([run["scores"] for run in runs])
    if "after the head" in runs[0]:
        told["after the head"] = summary([run["after the head"] for run in runs])
    training = [run["training"] for run in runs]
    told["seconds"] = float(np.mean([one["seconds"] for one in training]))
    told["curve"] = {"step": training[0]["step"], "cosine": training[0]["cosine"]}
    told["collapsed"] = sum("collapsed_at" in one for one in training)
    if setting in (*QUEUE.values(), *GROUPS["batch"].values()):
        told["memory"] = kept_for_backward(setting)
    return told


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        split: {
            name: {
                "mean": float(np.mean(values := [one[split][name] for one in runs])),
                "low": min(values),
                "high": max(values),
            }
            for name in runs[0][split]
        }
        for split in runs[0]
    }


def without_training() -> dict[str, Any]:
    """What pixels, colours and the untrained network find, on the test things."""
    told: dict[str, Any] = {}
    for kind, name in (("scenes", "scenes"), ("emoji", "drawings")):
        test = pictures(kind, "test")
        ways = {"pixels": (pixel_vectors, "euclidean")}
        ways |= {"colour histogram": (colour_histogram, "manhattan")}
        for way, (look, metric) in ways.items():
            found = float(recall_at_k(look(test), test.labels, metric=metric))
            told.setdefault(way, {})[name] = found
    labels = {s: pictures("scenes", s).relabel("category").labels for s in ALL_SPLITS}
    for way, look in (("pixels", pixel_vectors), ("colour histogram", colour_histogram)):
        vectors = {s: look(pictures("scenes", s)) for s in ALL_SPLITS}
        told[way]["probe"] = probe(vectors, labels)["test"]
    told["untrained"] = summary([scores(untrained(scenes()[0], seed)) for seed in range(SEEDS)])[
        "test"
    ]
    most = np.bincount(labels["train"]).argmax()
    return told | {"most frequent": {"probe": float((labels["test"] == most).mean())}}


def ship(name: str, record: dict[str, Any]) -> None:
    """The seed that is best on the validation scenes, as a model with its card."""
    setting = LONGER[name]
    here = [s for s in range(SEEDS) if file_of(setting, s).with_suffix(".pt").exists()]
    best = max(here, key=lambda s: kept(setting, s)["scores"]["validation"]["scenes"])
    run, module = kept(setting, best), CompactCNN(None, WIDTHS)
    state = torch.load(file_of(setting, best).with_suffix(".pt"), weights_only=True)
    module.load_state_dict({key: value.float() for key, value in state.items()})
    save_compact(module, MODELS / f"cnn-{name}.safetensors")
    card = {key: run[key] for key in run if key not in ("training", "after the head", "scores")}
    card |= {
        "recipe": "python -m recipes.without_labels",
        "data": record["data"],
        "seed": best,
        "metrics": run["scores"],
        "seconds": run["training"]["seconds"],
        "parameters": sum(p.numel() for p in module.parameters()),
        "labels": "none: the network saw pixels only",
        "licence": "Apache-2.0; trained on drawings of the emoji set, see data/LICENSES.md",
    }
    write_json(MODELS / f"cnn-{name}.json", card)
