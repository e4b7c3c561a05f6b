"""What lesson 03 computes in the open, measured once so that its prose and its deck can quote it.

    python -m recipes.triplet_training              (about five minutes on 2 cores)
    python -m recipes.triplet_training outside      (some parts anew, the others as they were)

Thresholds come from the validation things. Writes results/triplet_training.json.
"""

import argparse
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score, roc_curve

from recipes.triplet_training.losses import loss_by_name, network, run
from tools.record import provenance, write_json
from utils import ROOT
from utils.course import measured
from utils.distances import nearest
from utils.embed import embed
from utils.images import ImageSet, load_images
from utils.metrics import recall_at_k
from utils.models import load_model
from utils.triplet import balanced, batch_hard, random_triplets, semi_hard

HOOFED = ("horse", "horse face", "ox", "cow", "cow face", "water buffalo")
BATCHES, STEPS, SEEDS, MARGIN, DRAWS = 10, 240, 3, 0.2, 20


def active() -> dict[str, Any]:
    """Share of each miner's triplets within the margin, before and after training, by batch."""
    scenes = load_images("scenes", "train")
    draw = balanced(scenes.labels, 48, 4)
    table: dict[str, Any] = {}
    for name in ("cnn-photos", "cnn"):
        vectors = torch.from_numpy(embed(load_model(name), scenes))
        torch.manual_seed(0)
        for mine in (random_triplets, semi_hard, batch_hard):
            shares = []
            for step in range(BATCHES):
                rows = draw(step)
                d = torch.cdist(vectors[rows], vectors[rows])
                a, p, n = mine(d, torch.from_numpy(scenes.labels[rows]))
                shares.append(float((d[a, p] - d[a, n] + MARGIN > 0).float().mean()))
            table.setdefault(mine.__name__, {})[name] = float(np.mean(shares))
    return table


def live() -> dict[str, Any]:
    """What the training of the lesson brings, from three seeds."""
    scenes, runs = load_images("scenes", "test"), []
    for seed in range(SEEDS):
        model = network(True, seed)
        loss = loss_by_name("triplet + cross-entropy", model.dim, seed)
        history = run(loss, model, STEPS, seed)
        vectors = embed(model, scenes, cache=False)
        runs.append((float(recall_at_k(vectors, scenes.labels)), history.seconds))
    before = recall_at_k(embed(network(True, 0), scenes), scenes.labels)
    shipped = recall_at_k(embed(load_model("cnn"), scenes), scenes.labels)
    return {
        "before": float(before),
        "after": [after for after, _ in runs],
        "mean_after": float(np.mean([after for after, _ in runs])),
        "shipped": float(shipped),
        "steps": STEPS,
        "seconds": float(np.mean([seconds for _, seconds in runs])),
    }


def by_artists(scenes: ImageSet, vectors: np.ndarray) -> np.ndarray:
    """The things that all six artists drew: things × artists × numbers."""
    count = np.bincount(scenes.labels, minlength=len(scenes.classes))
    six = np.isin(scenes.labels, np.flatnonzero(count == 6))
    order = np.argsort(scenes.labels[six], kind="stable")
    return vectors[six][order].reshape(-1, 6, vectors.shape[1])


def enrol() -> dict[str, Any]:
    """Right answers on new things by pictures enrolled, each artist asking in turn."""
    scenes = load_images("scenes", "test")
    things = by_artists(scenes, embed(load_model("cnn"), scenes))
    names = np.arange(len(things))
    table: dict[str, Any] = {"things": len(things)}
    for enrolled in (1, 2, 5):
        right: dict[str, list[float]] = {"nearest": [], "vote": [], "mean": [], "classifier": []}
        for artist in range(6):
            others = [(artist + step) % 6 for step in range(1, enrolled + 1)]
            query, shown = things[:, artist], things[:, others]
            gallery, labels = shown.reshape(-1, shown.shape[2]), names.repeat(enrolled)
            found = labels[nearest(query, gallery, 5)[0]]
            votes = (found[:, :, None] == found[:, None, :]).sum(2)
            fitted = RidgeClassifier().fit(gallery, labels)
            answers = {
                "nearest": found[:, 0],
                "vote": found[names, votes.argmax(1)],
                "mean": nearest(query, shown.mean(1), 1)[0][:, 0],
                "classifier": fitted.predict(query),
            }
            for way, answer in answers.items():
                right[way].append(float((answer == names).mean()))
        table[str(enrolled)] = {way: float(np.mean(shares)) for way, shares in right.items()}
    return table


def known_or_not(vectors: np.ndarray, families: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest in a gallery of every other family; is a query's in it?"""
    known = families % 2 == 0
    inside = vectors[known]
    near = np.empty(len(vectors))
    near[known] = nearest(inside, inside, 1, leave_one_out=True)[1][:, 0]
    near[~known] = nearest(vectors[~known], inside, 1)[1][:, 0]
    return near, known


def outside() -> dict[str, Any]:
    """The donkey's answers, and a threshold for saying that a thing is not there."""
    scenes, donkey = load_images("scenes", "test"), load_images("scenes", "ood")
    model = load_model("cnn")
    found, apart = nearest(embed(model, donkey), embed(model, scenes), 7)
    fewer, of = with_families("validation"), with_families("test")
    near, known = known_or_not(*fewer)
    false, true, thresholds = roc_curve(known, -near)
    threshold = -thresholds[np.abs(false - (1 - true)).argmin()]
    hoofed = np.isin([scenes.label_of(i) for i in range(len(scenes))], HOOFED)
    record = {
        "donkey_hoofed": float(hoofed[found].mean()),
        "gallery_hoofed": float(hoofed.mean()),
        "donkeys_refused": float((apart[:, 0] > threshold).mean()),
        "validation_area": float(roc_auc_score(known, -near)),
        "threshold": float(threshold),
        "gallery": int(known.sum()),
    }
    n = len(fewer[0])
    near, known = known_or_not(*of)
    record |= {"test_gallery": int(known.sum()), "test_area": float(roc_auc_score(known, -near))}
    record |= answered(near, known, threshold)
    draws = [answered(*known_or_not(*some(*of, n, seed)), threshold) for seed in range(DRAWS)]
    as_large = {name: float(np.mean([draw[name] for draw in draws])) for name in draws[0]}
    return record | {"as_large": as_large | {"draws": DRAWS}}


def with_families(split: str) -> tuple[np.ndarray, np.ndarray]:
    pictures = load_images("scenes", split)
    return embed(load_model("cnn"), pictures), pictures.relabel("family").labels


def some(
    vectors: np.ndarray, families: np.ndarray, n: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Random families, about n pictures in all."""
    names, pictures = np.unique(families, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    taken = names[order][np.cumsum(pictures[order]) <= n]
    rows = np.isin(families, taken)
    return vectors[rows], families[rows]


def answered(near: np.ndarray, known: np.ndarray, threshold: float) -> dict[str, float]:
    return {
        "known_answered": float((near[known] <= threshold).mean()),
        "unknown_answered": float((near[~known] <= threshold).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"active": active, "live": live, "enrol": enrol, "outside": outside}
    parser.add_argument("parts", nargs="*", choices=[[], *parts])
    some_parts = parser.parse_args().parts
    record = measured("triplet_training") if some_parts else provenance()
    record |= {
        "what": "active triplets by miner, the training of the lesson, new classes enrolled, "
        "queries from outside the gallery",
        "data": "scenes; test things unless it says otherwise, active triplets of training things",
        "command": "python -m recipes.triplet_training",
        "spread": f"training from {SEEDS} seeds, all listed; the rest is of the shipped networks",
    }
    for name in some_parts or parts:
        record[name] = parts[name]() | (provenance() if some_parts else {})
    write_json(ROOT / "results/triplet_training.json", record)


if __name__ == "__main__":
    main()
