"""Train the heads of `cnn-scenes`: same pictures, other ideas of alike.

    python -m recipes.heads                             (about eight minutes on 2 cores)

For the category and for the artist a linear map of what the stages of the frozen trunk see, by
cross-entropy and semi-hard triplets over the training pictures; three seeds, the best on the
validation things is shipped. For things the trunk itself was trained. Writes
models/cnn-heads.safetensors with its card, and results/heads.json.
"""

import argparse
import time
from typing import Any, cast

import numpy as np

from recipes.cnn_scenes import MARGIN, SceneBatches, preprocess
from recipes.evaluate import retrieval
from tools.record import provenance, write_json
from utils import ROOT
from utils.cnn import CompactCNN, Headed
from utils.embed import embed
from utils.embedder import MODELS, Embedder
from utils.images import ImageSet, load_images
from utils.models import HEADED, TASKS, load_model, save_heads
from utils.triplet import History, TripletAndCrossEntropy, train

SEEDS, SETS = 3, ("emoji", "scenes")


def learn(task: str, steps: int, seed: int) -> tuple[Embedder, History]:
    trunk = load_model("cnn", device="cpu").module
    module = Headed(cast(CompactCNN, trunk))
    model = Embedder(f"head {task}", module.dim, "random", preprocess, module)
    draw = SceneBatches(seed, task)
    loss = TripletAndCrossEntropy(int(draw.labels.max()) + 1, module.dim, MARGIN)
    held_out = load_images("scenes", "validation").relabel(task)
    history = train(model, draw, loss, steps, held_out=held_out, every=steps // 4, seed=seed)
    return model, history


def under_each_labeling(model: Embedder) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name in SETS:
        pictures = load_images(name, "test")
        vectors = embed(model, pictures, cache=False)
        table[name] = {task: retrieval(vectors, pictures.relabel(task).labels) for task in TASKS}
        for task in HEADED:
            table[name][task]["among_other_families"] = among_other_families(
                vectors, pictures, task
            )
    return table


def among_other_families(vectors: np.ndarray, pictures: ImageSet, task: str) -> float:
    """recall@1 where no picture of the query's own family may answer: the thing gives no hint."""
    labels, family = (pictures.relabel(name).labels for name in (task, "family"))
    close = np.where(family[:, None] == family, -np.inf, vectors @ vectors.T)
    return float((labels[close.argmax(1)] == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    options = parser.parse_args()
    record, begin = provenance(), time.perf_counter()
    record |= {"data": "scenes and drawings of the training things"}
    heads, tasks = {}, {}
    for task in HEADED:
        runs = [learn(task, options.steps, seed) for seed in range(SEEDS)]
        found = [max(history.recall) for _, history in runs]
        heads[task] = cast(Headed, runs[found.index(max(found))][0].module)
        tasks[task] = {"validation": found}
    save_heads(heads, MODELS / "cnn-heads.safetensors")
    tables: dict[str, Any] = {"trunk": under_each_labeling(load_model("cnn"))}
    for task in HEADED:
        tables[task] = under_each_labeling(load_model("cnn", task=task))
    record["seconds"] = time.perf_counter() - begin
    record["recipe"] = f"python -m recipes.heads --steps {options.steps}"
    card = {"licence": "Apache-2.0; the drawings' own licences stand in data/LICENSES.md"}
    write_json(MODELS / "cnn-heads.json", record | card | {"tasks": tasks, "metrics": tables})
    what = "recall under each labeling of the test things, of the trunk and of its two heads"
    spread = f"{SEEDS} seeds a head, the best on validation things; intervals are over queries"
    told = {"what": what, "spread": spread} | record | {"validation": tasks} | tables
    write_json(ROOT / "results/heads.json", told)


if __name__ == "__main__":
    main()
