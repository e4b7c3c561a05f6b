"""What likes and dislikes are worth to users whose taste is a category.

    python -m recipes.recommendation                    (two minutes on 2 cores)

A user likes a few pictures of one category and sees ten. Then they tick what is wrong, and see ten
more. Told are two ways to play: with everything but the liked pictures, and, as new_…, without any
drawing of a liked thing, as another drawing of it is right and easy to find. How dislikes count,
and how much, is chosen on validation things; all else is measured on test things. Then what a query
gains by taking in its own answers, where many right ones can be found and where few.
Writes results/recommendation.json, which lesson 06 quotes.
"""

from collections.abc import Iterator

import numpy as np

from recipes.evaluate import over_seeds
from tools.record import provenance, write_json
from utils import ROOT
from utils.distances import nearest
from utils.embed import embed, load_embeddings
from utils.images import load_images
from utils.models import load_model

LIKES = (1, 2, 3, 5, 8)
WEIGHTS = (0, 10, 20, 30, 50, 100)  # of a dislike, in hundredths of a like
SEEDS, USERS, SHOWN = (0, 1, 2), 300, 10
TRUSTED = (1, 2, 4, 8, 16)  # answers that a query takes in
FEW, GALLERIES = 6, 60  # photos of each class in a small gallery, and such galleries


def scenes_of(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit embeddings, categories and things."""
    scenes = load_images("scenes", split=split)
    return embed(load_model("cnn"), scenes), scenes.relabel("category").labels, scenes.labels


def best(scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    scores = scores.copy()
    scores[seen] = -np.inf
    return np.argsort(-scores)[:SHOWN]


def users(
    labels: np.ndarray, likes: int, rng: np.random.Generator
) -> Iterator[tuple[int, np.ndarray]]:
    """Each user's taste, a label, and the rows of a few pictures of it that they like."""
    for _ in range(USERS):
        taste = labels[rng.integers(len(labels))]
        theirs = np.flatnonzero(labels == taste)
        if len(theirs) >= LIKES[-1] + 2 * SHOWN:  # else too few for any answer to be all right
            yield taste, rng.choice(theirs, likes, replace=False)


def play(
    vectors: np.ndarray, right: np.ndarray, liked: np.ndarray, known: np.ndarray
) -> dict[str, float]:
    """Shares of right ones for a user to whom `known` is not shown: among the first ten, and, if
    one of these was wrong, among the next ten by each weight of the dislikes."""
    mean, near = vectors[liked].mean(0), (vectors @ vectors[liked].T).max(1)
    first = best(vectors @ mean, known)
    told = {"mean": right[first].mean(), "nearest": right[best(near, known)].mean()}
    wrong = first[~right[first]]
    if not len(wrong):
        return told
    bad, seen = vectors[wrong].mean(0), np.concatenate([known, first])
    lengths = np.linalg.norm(mean), np.linalg.norm(bad)
    told["likes_length"], told["dislikes_length"] = lengths
    told["cosine"] = mean @ bad / np.prod(lengths)
    for weight in WEIGHTS:
        as_is = mean - weight / 100 * bad
        scaled = mean / lengths[0] - weight / 100 * bad / lengths[1]
        told[f"next_{weight}"] = right[best(vectors @ as_is, seen)].mean()
        told[f"scaled_{weight}"] = right[best(vectors @ scaled, seen)].mean()
    far = (vectors @ vectors[wrong].T).max(1)
    wish = np.where(near > far, near, near - 2)
    return told | {"next_nearest": right[best(wish, seen)].mean()}


def simulate(
    vectors: np.ndarray, labels: np.ndarray, things: np.ndarray, likes: int, seed: int
) -> dict[str, float]:
    """The means of all users; own_…: shares of other drawings of liked things among the ten."""
    rng, told = np.random.default_rng(seed), dict[str, list[float]]()
    for taste, liked in users(labels, likes, rng):
        right, own = labels == taste, np.isin(things, things[liked])
        found = play(vectors, right, liked, liked)
        found["own_mean"] = own[best(vectors @ vectors[liked].mean(0), liked)].mean()
        found["own_nearest"] = own[best((vectors @ vectors[liked].T).max(1), liked)].mean()
        if (right & ~own).sum() >= 2 * SHOWN:
            new = play(vectors, right, liked, np.flatnonzero(own))
            found |= {f"new_{name}": value for name, value in new.items()}
        for name, value in found.items():
            told.setdefault(name, []).append(float(value))
    return {name: float(np.mean(values)) for name, values in told.items()}


def measure(split: str) -> dict[str, dict[str, float]]:
    """By number of likes: each share, mean of the seeds, and its standard deviation."""
    vectors, labels, things = scenes_of(split)
    runs = {n: [simulate(vectors, labels, things, n, seed) for seed in SEEDS] for n in LIKES}
    found = {str(n): over_seeds(of) for n, of in runs.items()}
    every = [
        {name: float(np.mean([runs[n][i][name] for n in LIKES])) for name in runs[1][0]}
        for i in range(len(SEEDS))
    ]
    gains = {f"gain_{w}": [one[f"scaled_{w}"] - one[f"next_{w}"] for one in every] for w in WEIGHTS}
    scaling = [{name: gain[i] for name, gain in gains.items()} for i in range(len(SEEDS))]
    found["every"] = over_seeds([a | b for a, b in zip(every, scaling, strict=True)])
    found["chance"] = {"share": float(np.mean(np.bincount(labels)[labels] / len(labels)))}
    return found


def expand(vectors: np.ndarray, labels: np.ndarray, first: int) -> dict[str, float]:
    """Share of right ones among the first, and the points that are gained by expanding a query."""

    def right(queries: np.ndarray) -> float:
        found, _ = nearest(queries, vectors, first, leave_one_out=True)
        return float((labels[found] == labels[:, None]).mean())

    told = {"right": right(vectors)}
    for k in TRUSTED:
        taken, _ = nearest(vectors, vectors, k, leave_one_out=True)
        mixed = vectors + vectors[taken].sum(axis=1)
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        told[f"gain_{k}"] = 100 * (right(mixed) - told["right"])
    return told


def expand_few(vectors: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, float]:
    """The same in small galleries that share no picture, each with a few of every class."""
    rng = np.random.default_rng(seed)
    mixed = [rng.permutation(np.flatnonzero(labels == k)) for k in range(labels.max() + 1)]
    parts = [np.concatenate([m[i * FEW : (i + 1) * FEW] for m in mixed]) for i in range(GALLERIES)]
    runs = [expand(vectors[rows], labels[rows], FEW - 1) for rows in parts]
    return {name: float(np.mean([run[name] for run in runs])) for name in runs[0]}


def expansion() -> dict[str, dict[str, float]]:
    scenes, categories, things = scenes_of("test")
    photos, known = load_embeddings("cifar10-test")
    return {
        "things": expand(scenes, things, 5),
        "categories": expand(scenes, categories, 100),
        "photos": expand(photos[::2], known.labels[::2], 100),
        "few_photos": over_seeds([expand_few(photos, known.labels, seed) for seed in SEEDS]),
    }


def main() -> None:
    about = provenance()
    validation = measure("validation")
    ways = [(way, weight) for way in ("next", "scaled") for weight in WEIGHTS]
    chosen = max(ways, key=lambda way: validation["every"][f"{way[0]}_{way[1]}"])
    record = {
        "what": "right answers to simulated users, who like pictures of one category: by how many "
        "likes, by what is near to, and by the weight of a dislike, the means taken as they are "
        "(next) or at length 1 (scaled), which validation things choose; new_: no drawing of a "
        "liked thing is shown; expansion: points that a query gains by taking in its first answers",
        "data": "scenes under cnn, test and validation things; CIFAR-10's test photos (JPEG) under "
        "cnn-photos",
        "command": "python -m recipes.recommendation",
        "spread": f"deviations over {len(SEEDS)} seeds of {USERS} users, fewer where a category "
        "has too few pictures; next_* and scaled_* are over users who had something to dislike; "
        f"few_photos: over {len(SEEDS)} seeds of {GALLERIES} galleries",
        "users": USERS * len(SEEDS),
        "chosen_way": chosen[0],
        "chosen_weight": chosen[1],
        "validation": validation,
        "test": measure("test"),
        "expansion": expansion(),
    }
    write_json(ROOT / "results" / "recommendation.json", {**about, **record})


if __name__ == "__main__":
    main()
