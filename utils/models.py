"""The networks of the course and the one way to load any of them."""

import json
import pickle
from pathlib import Path
from typing import cast

import torch
from torch import nn

from utils import replacing
from utils.cnn import CompactCNN, Headed
from utils.efficientnet import load_efficientnet
from utils.embedder import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    MODELS,
    PHOTO_MEAN,
    PHOTO_STD,
    Embedder,
    ModelUnavailable,
    Preprocess,
    first_line,
    require_reachable,
    restorable,
)
from utils.vit import HUB, load_vit

TASKS = ("thing", "category", "artist")
HEADED = TASKS[1:]  # for things the trunk itself was trained
HEAD = ("0.running_mean", "0.running_var", "1.weight")
RECIPES = {
    "cnn-scenes": "cnn_scenes",
    "cnn-photos": "cnn_photos",
    "cnn-simclr": "without_labels",
    "cnn-moco": "without_labels",
}
SHIPPED = {"cnn": "cnn-scenes"} | {name: name for name in RECIPES}


def load_model(
    name: str = "cnn",
    *,
    task: str | None = None,
    trained: bool = True,
    device: str | None = None,
) -> Embedder:
    """Load a network by name.

    Parameters
    ----------
    name : "cnn" (the same as "cnn-scenes"), "cnn-photos", "vit"; "cnn-simclr" and "cnn-moco", which
        learned without labels; "efficientnet", which began with ImageNet; or a big one that its
        library downloads on first use: "resnet50" (ImageNet, 98 MB), "vit-base" (ImageNet-21k, then
        ImageNet, 330 MB).
    task : "thing", "category" or "artist": what pictures shall be alike in. For things `cnn` itself
        was trained; for the others a small head on it.
    trained : False for the same network with random weights, as a baseline.
    device : a torch device; by default the GPU where there is one.

    Raises
    ------
    ValueError : an unknown name, or a task that it was not trained for.
    ModelUnavailable : weights are missing or damaged, or cannot be downloaded now.
    """
    if name in SHIPPED:
        embedder = _load_shipped(SHIPPED[name], trained)
    elif name == "resnet50":
        embedder = _load_resnet50(trained)
    elif name == "efficientnet":
        embedder = load_efficientnet(trained)
    elif name in ("vit", *HUB):
        embedder = load_vit(name, trained)
    else:
        known = ", ".join([*SHIPPED, "vit", "efficientnet", "resnet50", *HUB])
        raise ValueError(f"There is no model named {name!r}; choose one of: {known}.")
    if task is not None:
        embedder = _with_head(embedder, task)
    embedder.module.eval().to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    embedder.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return embedder


def _load_shipped(name: str, trained: bool) -> Embedder:
    from safetensors import safe_open

    path = MODELS / f"{name}.safetensors"
    with restorable(path, f"recipes.{RECIPES[name]}"):
        with safe_open(path, framework="pt") as file:
            shape = json.loads(file.metadata()["shape"])
            state = {key: file.get_tensor(key).float() for key in file.keys()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = CompactCNN(shape["dim"], tuple(shape["widths"]), shape["size"])
        if trained:
            module.load_state_dict(state)
    preprocess = Preprocess(module.size, PHOTO_MEAN, PHOTO_STD)
    if not trained:
        return Embedder(f"{name} (untrained)", module.dim, "random", preprocess, module)
    return Embedder(name, module.dim, "shipped", preprocess, module)


def _with_head(embedder: Embedder, task: str) -> Embedder:
    from safetensors import safe_open

    if embedder.name != "cnn-scenes" or task not in TASKS:
        raise ValueError(
            f'{embedder.name} was not trained for {task!r}; "cnn" was for {", ".join(TASKS)}.'
        )
    if task not in HEADED:
        return embedder
    path = MODELS / "cnn-heads.safetensors"
    with restorable(path, "recipes.heads"):
        with safe_open(path, framework="pt") as file:
            dim = int(file.metadata()["dim"])
            state = {name: file.get_tensor(f"{task}.{name}").float() for name in HEAD}
        module = Headed(cast(CompactCNN, embedder.module), dim)
        module.head.load_state_dict(state)
    return Embedder(f"cnn-scenes ({task})", dim, "shipped", embedder.preprocess, module)


def save_heads(modules: dict[str, Headed], path: Path) -> None:
    """Write the heads by task, without their trunk, as fp16 safetensors."""
    from safetensors.torch import save_file

    state = {
        f"{task}.{name}": module.head.state_dict()[name].detach().cpu().half().contiguous()
        for task, module in modules.items()
        for name in HEAD
    }
    dims = {module.dim for module in modules.values()}
    with replacing(path) as partial:
        save_file(state, partial, metadata={"dim": str(*dims)})


def without_head(model: Embedder, size: int) -> Embedder:
    """A copy of a compact CNN that answers with its averaged maps, ready to be taught.

    size : side in pixels that it takes pictures at. Raises ValueError for another kind of network.
    """
    taught = model.module
    if not isinstance(taught, CompactCNN):
        raise ValueError(f"{model.name} is no compact CNN; load 'cnn' or 'cnn-photos'.")
    module = CompactCNN(None, taught.widths, size)
    trunk = {k: v for k, v in taught.state_dict().items() if not k.startswith("head.")}
    module.load_state_dict(trunk)
    module.eval().to(model.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    preprocess = Preprocess(size, PHOTO_MEAN, PHOTO_STD)
    return Embedder(f"{model.name} without head", module.dim, model.source, preprocess, module)


def save_compact(module: CompactCNN, path: Path) -> None:
    """Write a CompactCNN as fp16 safetensors, the form that `load_model` reads."""
    from safetensors.torch import save_file

    headless = isinstance(module.head, nn.Identity)
    dim = None if headless else module.dim
    shape = {"dim": dim, "widths": module.widths, "size": module.size}
    state = {
        key: value.detach().cpu().half().contiguous()
        for key, value in module.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    with replacing(path) as partial:
        save_file(state, partial, metadata={"shape": json.dumps(shape)})


def _load_resnet50(trained: bool) -> Embedder:
    from torchvision.models import ResNet50_Weights, resnet50

    weights = ResNet50_Weights.IMAGENET1K_V2
    file = Path(torch.hub.get_dir(), "checkpoints", weights.url.split("/")[-1])
    if trained and not file.exists():
        require_reachable(
            weights.url, "ResNet-50", f"put the file at {file}, or use load_model('cnn')"
        )
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = resnet50(weights=weights if trained else None, progress=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelUnavailable(
            f"ResNet-50's weights could not be downloaded or read ({first_line(error)}); delete "
            f"{file} if it is there and try again, or use load_model('cnn')."
        ) from error
    network.fc = nn.Identity()  # without its last layer a classifier is an embedder
    name = "resnet50" if trained else "resnet50 (untrained)"
    preprocess = Preprocess(224, IMAGENET_MEAN, IMAGENET_STD)
    return Embedder(name, 2048, "downloaded" if trained else "random", preprocess, network)
