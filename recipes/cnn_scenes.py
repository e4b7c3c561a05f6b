"""Train `cnn-scenes`: the photo network, fine-tuned on scenes of the training things.

    python -m recipes.cnn_scenes                        (about a second a step on 2 cores, 3 seeds)

Batches of 48 things × 4 pictures, a third of them drawings on white; cosine cross-entropy over
the training things plus semi-hard triplets; AdamW, one cycle. There is no head: the losses act on
the pooled maps, which are the embedding. On the validation things this did better than a head of
128, pictures of 48×48 better than of 32×32 (a thing fills half of its scene), and 400 steps better
than 1,200, after which the training things were known by heart. Of the three seeds and the mean of
their weights the best on the validation things is shipped; the test things choose nothing. The
network that ships was begun from an earlier, narrower cnn-photos: three seeds begun from today's,
and their mean, were no better on the validation things, and slower ("begun_again" in the results).
Writes models/cnn-scenes.safetensors with its card, and results/cnn_scenes.json; with --measure,
after another cnn-photos, only what the network that ships finds.
"""

import argparse
import copy
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from recipes.evaluate import baselines, retrieval
from tools.record import provenance, write_json
from utils import ROOT
from utils.course import measured
from utils.embed import embed
from utils.embedder import MODELS, PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.emoji import read_emoji, read_textures
from utils.images import load_images
from utils.metrics import recall_at_k
from utils.models import load_model, save_compact, without_head
from utils.scenes import compose, random_backgrounds, random_placements, seed_of
from utils.triplet import (
    History,
    TripletAndCrossEntropy,
    balanced,
    flip_and_shift,
    mix_colours,
    train,
)

SIZE = 48  # pixels a side
THINGS, EACH, VARIANTS = 48, 4, 12  # a batch is THINGS × EACH; each drawing is VARIANTS scenes
PEAK, MARGIN, MIXING = 3e-3, 0.2, 0.08
SEEDS, PLACEMENTS = 3, 8
preprocess = Preprocess(SIZE, PHOTO_MEAN, PHOTO_STD)


class SceneBatches:
    """Scenes of different drawings, a third of them on white, a balanced batch a step.

    task : what they are alike in: "thing", "category" or "artist".
    preprocess : what the network takes.
    """

    def __init__(self, seed: int, task: str = "thing", preprocess: Preprocess = preprocess) -> None:
        white = load_images("emoji", "train").relabel(task)
        self.images, self.labels, self.seed = variants(), white.labels, seed
        self.preprocess = preprocess
        classes = min(THINGS, len(white.classes))
        self.sampler = balanced(white.labels, classes, THINGS * EACH // classes, seed)

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        drawings = self.sampler(step)
        rng = np.random.default_rng([self.seed, step, 1])
        chosen = rng.integers(0, VARIANTS, len(drawings))
        chosen[rng.random(len(drawings)) < 1 / 3] = VARIANTS
        x = self.preprocess(torch.from_numpy(self.images[drawings, chosen]))
        return augment(x), torch.from_numpy(self.labels[drawings])


@cache
def variants(count: int = VARIANTS) -> np.ndarray:
    """Each training drawing as `count` scenes and on white: uint8, N×(count + 1)×64×64×3."""
    drawings, rows = read_emoji(["train"])
    white = load_images("emoji", "train").images
    images = np.empty((len(rows), count + 1, *white.shape[1:]), np.uint8)
    for variant in tqdm(range(count), "composing scenes"):
        images[:, variant] = placed(drawings, [f"{row['id']} {variant}" for row in rows], "train")
    images[:, count] = white
    return images


def placed(
    drawings: np.ndarray, ids: list[str], split: str, behind: list[str] | None = None
) -> np.ndarray:
    """Scenes of drawings, each placed and lit by its id's own chance: uint8, N×64×64×3.

    behind : ids whose chance makes the backgrounds, by default the same.
    """
    places, backgrounds = ([seed_of(id) for id in of] for of in (ids, behind or ids))
    textures = read_textures(split)
    return compose(drawings, random_placements(places), random_backgrounds(backgrounds, textures))[
        0
    ]


def augment(x: Tensor) -> Tensor:
    """Mirrored, moved by three pixels or a sixteenth of a side, and with other colours."""
    return mix_colours(flip_and_shift(x, max(3, x.shape[3] // 16)), MIXING)


def learn(steps: int, seed: int) -> tuple[Embedder, History]:
    """`cnn-photos`, taught the training things."""
    torch.manual_seed(seed)
    model, draw = without_head(load_model("cnn-photos", device="cpu"), SIZE), SceneBatches(seed)
    loss = TripletAndCrossEntropy(draw.labels.max() + 1, model.dim, MARGIN)
    history = train(
        model, draw, loss, steps, held_out=load_images("scenes", "validation"), lr=PEAK, every=100,
        checkpoint=ROOT / f"data/cache/checkpoints/cnn-scenes-{steps}-{seed}.pt", seed=seed,
        began=provenance(),
    )  # fmt: skip
    return model, history


def validate(model: Embedder) -> dict[str, float]:
    """recall@1 on the validation things: drawings, and scenes, the mean over PLACEMENTS of each."""
    drawings, rows = read_emoji(["validation"])
    white = load_images("emoji", "validation")
    found = [recall_at_k(embed(model, white, cache=False), white.labels)]
    for placement in range(PLACEMENTS):
        images = placed(
            drawings, [f"{row['id']} held out {placement}" for row in rows], "validation"
        )
        found.append(recall_at_k(embed(model, images, cache=False), white.labels))
    return {"drawings": float(found[0]), "scenes": float(np.mean(found[1:]))}


def averaged(models: list[Embedder], draw: SceneBatches) -> Embedder:
    """One network with the mean of all weights: a soup (Wortsman et al. 2022, "Model soups")."""
    mean = copy.deepcopy(models[0])
    states = [model.module.state_dict() for model in models]
    mean.module.load_state_dict({
        name: torch.stack([state[name].float() for state in states]).mean(0).to(value.dtype)
        for name, value in states[0].items()
    })  # fmt: skip
    torch.manual_seed(0)
    torch.optim.swa_utils.update_bn([draw(step)[0] for step in range(20)], mean.module)
    mean.module.eval()
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--measure", action="store_true", help="only measure what is shipped")
    options = parser.parse_args()
    results = ROOT / "results/cnn_scenes.json"
    if options.measure:
        again: dict[str, Any] = {name: compare(name) for name in ("emoji", "scenes")}
        again["shipped_validation"] = validate(load_model("cnn-scenes"))
        again["measured"] = provenance()
        return write_json(results, measured("cnn_scenes") | again)
    record, models, runs = provenance(), {}, {}
    for seed in range(SEEDS):
        models[str(seed)], history = learn(options.steps, seed)
        runs[str(seed)] = {"training": history.record()}
    models["mean of all"] = averaged(list(models.values()), SceneBatches(0))
    for name, model in models.items():
        runs.setdefault(name, {})["validation"] = validate(model)
        print(name, runs[name]["validation"], flush=True)
    best = max(runs, key=lambda name: sum(runs[name]["validation"].values()))
    for name, model in models.items():
        runs[name] |= {kind: score(model, kind) for kind in ("emoji", "scenes")}
    save_compact(models[best].module, MODELS / "cnn-scenes.safetensors")
    record |= {
        "recipe": f"python -m recipes.cnn_scenes --steps {options.steps}",
        "data": "scenes and drawings of the training things; begun from cnn-photos",
        "shipped": best,
        "seconds": sum(runs[str(seed)]["training"]["seconds"] for seed in range(SEEDS)),
        "parameters": sum(p.numel() for p in models[best].module.parameters()),
        "licence": "Apache-2.0; the drawings' own licences stand in data/LICENSES.md",
    }
    compared = {name: compare(name) for name in ("emoji", "scenes")}
    metrics = {name: table["cnn-scenes"] for name, table in compared.items()}
    card = {"validation": runs[best]["validation"], "metrics": metrics}
    write_json(MODELS / "cnn-scenes.json", record | card)
    what = "leave-one-out retrieval among the pictures of the test things, by thing"
    spread = f"{SEEDS} seeds and the mean of their weights, the best on validation things is "
    spread += "shipped; intervals are over queries"
    told = {"what": what, "spread": spread} | record | compared | {"runs": runs}
    write_json(results, told)


def score(model: Embedder, name: str) -> dict[str, Any]:
    pictures = load_images(name, "test")
    return retrieval(embed(model, pictures, cache=False), pictures.labels)


def compare(name: str) -> dict[str, dict]:
    """The test pictures of one set under every way to embed them."""
    pictures = load_images(name, "test")
    table = baselines(pictures, "cnn-scenes")
    for model in ("cnn-photos", "cnn-scenes"):
        table[model] = score(load_model(model), name)
    return table


if __name__ == "__main__":
    main()
