"""Loading and saving dual encoders: ours, and CLIP."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from utils import replacing
from utils.cnn import CompactCNN
from utils.embedder import MODELS, Embedder, restorable
from utils.models import load_model
from utils.words.clip import HUB, load_clip
from utils.words.losses import Temperature
from utils.words.towers import DualEncoder, ImageTower, Readers, TextTower

PAIR = "pair"
SHAPE = ("dim", "buckets", "alphabet", "parts")  # of a text tower


def new_pair(
    seed: int = 0,
    *,
    alphabet: str = "",
    parts: str = "both",
    texts: nn.Module | None = None,
) -> DualEncoder:
    """A dual encoder on the trunk of `cnn` with random weights, ready to be taught.

    texts : another text tower than ours, such as `sentence_tower()`; its `dim` is taken.
    """
    model = load_model("cnn")
    dim = cast(int, texts.dim) if texts is not None else 64
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        images = ImageTower(cast(CompactCNN, model.module), dim)
        tower = texts if texts is not None else TextTower(dim, alphabet=alphabet, parts=parts)
    return _assemble("pair (untrained)", "random", model.preprocess, images, tower, Temperature())


def side_by_side(pairs: Sequence[DualEncoder]) -> DualEncoder:
    """One dual encoder of several that were taught on their own: its cosines are their mean."""
    first = pairs[0].images
    towers = [cast(ImageTower, pair.images.module) for pair in pairs]
    images = ImageTower(towers[0].trunk, towers[0].dim, len(pairs))
    for mine, tower in zip(images.project, towers, strict=True):
        mine.load_state_dict(tower.project[0].state_dict())
    texts = Readers([pair.texts for pair in pairs])
    heat = Temperature(sum(pair.temperature.scale for pair in pairs) / len(pairs))
    name = f"{len(pairs)} side by side"
    return _assemble(name, first.source, first.preprocess, images, texts, heat)


def _assemble(
    name: str,
    source: str,
    preprocess: Callable[[Tensor], Tensor],
    images: ImageTower,
    texts: nn.Module,
    heat: Temperature,
) -> DualEncoder:
    device = next(images.trunk.parameters()).device
    for module in (images, texts, heat):
        module.eval().to(device)
    embedder = Embedder(name, images.dim, source, preprocess, images)
    return DualEncoder(embedder, texts, heat)


def load_dual_encoder(name: str = PAIR) -> DualEncoder:
    """Load a dual encoder, onto the GPU where there is one.

    Parameters
    ----------
    name : "pair", which ships with the course: English and Portuguese. Or, by the same lines,
        "openai/clip-vit-base-patch32" (English, 600 MB, downloaded on first use), or the path of a
        folder with a CLIP that was saved by transformers.

    Raises
    ------
    ValueError : an unknown name.
    ModelUnavailable : weights are missing or damaged, or cannot be downloaded now.
    """
    if name == PAIR:
        pair = _load_pair()
    elif name == HUB or Path(name).is_dir():
        pair = load_clip(name)
    else:
        raise ValueError(
            f"There is no dual encoder named {name!r}; choose {PAIR!r}, {HUB!r}, or the path of a "
            "folder with a CLIP."
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pair.images.module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    pair.texts.to(device), pair.temperature.to(device)
    return pair


def _load_pair() -> DualEncoder:
    from safetensors import safe_open

    path = MODELS / f"{PAIR}.safetensors"
    with restorable(path, "recipes.pair"):
        with safe_open(path, framework="pt") as file:
            told = json.loads(file.metadata()["pair"])
            state = {key: file.get_tensor(key).float() for key in file.keys()}
        shape = {name: told[name] for name in SHAPE}
        cnn, members = load_model("cnn"), told["members"]
        with torch.random.fork_rng(devices=[]):
            images = ImageTower(cast(CompactCNN, cnn.module), shape["dim"], members)
            texts = Readers([TextTower(**shape) for _ in range(members)])
        for place, module in (("images.project.", images.project), ("texts.", texts)):
            module.load_state_dict(
                {k.removeprefix(place): v for k, v in state.items() if k.startswith(place)}
            )
    return _assemble(PAIR, "shipped", cnn.preprocess, images, texts, Temperature(told["scale"]))


def save_pair(pair: DualEncoder, path: Path) -> None:
    """Write a pair, or several side by side, without the trunk as fp16 safetensors.

    Raises ValueError where the text towers are not ours.
    """
    from safetensors.torch import save_file

    texts = pair.texts if isinstance(pair.texts, Readers) else Readers([pair.texts])
    first = texts.members[0]
    if not isinstance(first, TextTower):
        raise ValueError(f"Only towers over n-grams can be saved, but this is {type(first)}.")
    state = {
        f"{tower}.{key}": value.detach().cpu().half().contiguous()
        for tower, module in (("images", pair.images.module), ("texts", texts))
        for key, value in module.state_dict().items()
        if not key.startswith("trunk.") and not key.endswith("num_batches_tracked")
    }
    told = {name: getattr(first, name) for name in SHAPE} | {"members": len(texts.members)}
    told["scale"] = pair.temperature.scale
    with replacing(path) as partial:
        save_file(state, partial, metadata={"pair": json.dumps(told)})
