"""What likes and dislikes are worth to users whose taste is a category.

    python -m recipes.recommendation                    (ten seconds on 2 cores)

A user likes a few pictures of one category and sees ten. Then they tick what is wrong, and see ten
more. The weight of a dislike is chosen on validation things; all else is measured on test things.
Writes results/recommendation.json, which the deck of lesson 06 quotes.
"""

from collections.abc import Iterator

import numpy as np

from recipes.evaluate import over_seeds
from tools.record import provenance, write_json
from utils import ROOT
from utils.embed import embed
from utils.images import load_images
from utils.models import load_model

LIKES = (1, 2, 3, 5, 8)
WEIGHTS = (0, 10, 20, 30, 50, 100)  # of a dislike, in hundredths of a like
SEEDS, USERS, SHOWN = (0, 1, 2), 300, 10


def scenes_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings and categories."""
    scenes = load_images("scenes", split=split)
    vectors = embed(load_model("cnn"), scenes)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, scenes.relabel("category").labels


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


def simulate(vectors: np.ndarray, labels: np.ndarray, likes: int, seed: int) -> dict[str, float]:
    """Mean share of right pictures among the first ten, and among the next ten after dislikes."""
    rng, told = np.random.default_rng(seed), {}

    def tell(name: str, shown: np.ndarray) -> None:
        told.setdefault(name, []).append(float((labels[shown] == taste).mean()))

    for taste, liked in users(labels, likes, rng):
        mean, nearest = vectors[liked].mean(0), (vectors @ vectors[liked].T).max(1)
        first = best(vectors @ mean, liked)
        tell("mean", first)
        tell("nearest", best(nearest, liked))
        wrong = first[labels[first] != taste]
        if not len(wrong):
            continue
        seen = np.concatenate([liked, first])
        for weight in WEIGHTS:
            wish = mean - weight / 100 * vectors[wrong].mean(0)
            tell(f"next_{weight}", best(vectors @ wish, seen))
        far = (vectors @ vectors[wrong].T).max(1)
        tell("next_nearest", best(np.where(nearest > far, nearest, nearest - 2), seen))
    return {name: float(np.mean(shares)) for name, shares in told.items()}


def measure(split: str) -> dict[str, dict[str, float]]:
    """By number of likes: each share, mean of the seeds, and its standard deviation."""
    vectors, labels = scenes_of(split)
    found = {}
    for likes in LIKES:
        runs = [simulate(vectors, labels, likes, seed) for seed in SEEDS]
        found[str(likes)] = over_seeds(runs)
    found["chance"] = {"share": float(np.mean(np.bincount(labels)[labels] / len(labels)))}
    return found


def main() -> None:
    about = provenance()
    validation = measure("validation")
    worth = {w: np.mean([validation[str(n)][f"next_{w}"] for n in LIKES]) for w in WEIGHTS}
    chosen = max(worth, key=lambda weight: worth[weight])
    record = {
        "what": "right answers to simulated users, who like pictures of one category: by how many "
        "likes, by what is near to, and by the weight of a dislike, which validation things choose",
        "data": "scenes under cnn, test and validation things",
        "command": "python -m recipes.recommendation",
        "spread": f"deviations over {len(SEEDS)} seeds of {USERS} users, fewer where a category "
        "has too few pictures; next_* is over users who had something to dislike",
        "users": USERS * len(SEEDS),
        "chosen_weight": chosen,
        "validation": validation,
        "test": measure("test"),
    }
    write_json(ROOT / "results" / "recommendation.json", {**about, **record})


if __name__ == "__main__":
    main()
