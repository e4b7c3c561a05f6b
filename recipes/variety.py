"""What variety is worth to users whose taste is a category: lesson 09's re-ranking.

    python -m recipes.variety                           (half a minute on 2 cores)

The users of recipes.recommendation, who like a few pictures of one category. Ten pictures are
chosen from the fifty nearest to the mean of their likes, by maximal marginal relevance. Told are
the share of right ones, of different things, and of different things that are right: six drawings
of one panda are one panda. The balance is chosen on validation things; the test things only report.
Writes results/variety.json.
"""

import numpy as np

from recipes.evaluate import over_seeds
from recipes.recommendation import SEEDS, SHOWN, USERS, users
from tools.record import provenance, write_json
from utils import ROOT
from utils.embed import embed
from utils.images import load_images
from utils.models import load_model
from utils.recommend import mmr, taste

BALANCES = (100, 90, 80, 70, 60, 50, 30, 0)  # hundredths of relevance
CANDIDATES, FEW = 50, 3


def gallery(split: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit embeddings, categories and things of the scenes."""
    scenes = load_images("scenes", split)
    return embed(load_model("cnn"), scenes), scenes.relabel("category").labels, scenes.labels


def simulate(split: str, seed: int, likes: int = FEW) -> dict[str, dict[str, float]]:
    """By way of choosing: mean share of right, of different, of different right ones among ten."""
    vectors, kinds, things = gallery(split)
    rng, told = np.random.default_rng(seed), dict[str, list[list[float]]]()
    for wish, liked in users(kinds, likes, rng):
        user = taste(vectors[liked])
        scores = vectors @ user
        scores[liked] = -np.inf
        near = np.argsort(-scores, kind="stable")[:CANDIDATES]
        ways = {f"mmr_{b}": near[mmr(user, vectors[near], SHOWN, b / 100)] for b in BALANCES}
        ways["random"] = rng.choice(near, SHOWN, replace=False)
        for name, shown in ways.items():
            right = kinds[shown] == wish
            shares = [right.mean(), len(set(things[shown])) / SHOWN]
            told.setdefault(name, []).append([*shares, len(set(things[shown][right])) / SHOWN])
    names = ("right", "different", "different_right")
    return {
        way: dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))
        for way, rows in told.items()
    }


def measure(split: str) -> dict[str, dict[str, float]]:
    runs = [simulate(split, seed) for seed in SEEDS]
    return {way: over_seeds([run[way] for run in runs]) for way in runs[0]}


def main() -> None:
    about, validation = provenance(), measure("validation")
    worth = {b: validation[f"mmr_{b}"]["different_right"] for b in BALANCES}
    chosen = max(worth, key=lambda b: worth[b])
    what = (
        f"ten of the {CANDIDATES} nearest to the mean of {FEW} likes, by maximal marginal relevance"
    )
    record = {"what": what, "spread": f"mean and standard deviation (_sd) of {len(SEEDS)} seeds"}
    record |= {"data": "scenes under cnn, validation and test things"}
    record |= {"command": "python -m recipes.variety"}
    record |= {"users": USERS * len(SEEDS), "chosen_balance": chosen}
    record |= {"validation": validation, "test": measure("test")}
    record["test"]["chosen"] = record["test"][f"mmr_{chosen}"]
    write_json(ROOT / "results/variety.json", about | record)


if __name__ == "__main__":
    main()
