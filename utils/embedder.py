"""What every network of the course is wrapped in: what goes in, what comes out, where it is."""

import hashlib
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils import ROOT
from utils.images import ImageSet, pixels_of

MODELS = ROOT / "models"
PHOTO_MEAN, PHOTO_STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # CIFAR-10's pixels
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ModelUnavailable(RuntimeError):
    """A model's weights are neither here nor within reach; the message says what to do."""


@dataclass
class Embedder:
    """A network together with what it expects of its input.

    Attributes
    ----------
    name : what `load_model` was asked for, spelled out. dim : length of an embedding.
    source : "shipped", "downloaded" or "random"; a random one is never passed off as trained.
    preprocess : uint8 N×H×W×3 tensor → the module's float input N×3×h×w.
    module : the network in evaluation mode, open to hooks.
    """

    name: str
    dim: int
    source: str
    preprocess: Callable[[Tensor], Tensor]
    module: nn.Module

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device

    def inputs(self, pictures: ImageSet | np.ndarray, batch_size: int) -> Iterator[Tensor]:
        """What the module takes, a batch at a time, on its device.

        Raises ValueError for pictures that are not an ImageSet or uint8 N×H×W×3.
        """
        pixels = pixels_of(pictures)
        for start in range(0, len(pixels), batch_size):
            batch = np.ascontiguousarray(pixels[start : start + batch_size])
            yield self.preprocess(torch.from_numpy(batch).to(self.device))

    @property
    def digest(self) -> str:
        """Names these very weights: 16 hex digits over the name and every tensor as it is now."""
        hasher = hashlib.blake2b(self.name.encode(), digest_size=8)
        for key, value in self.module.state_dict().items():
            hasher.update(key.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        return hasher.hexdigest()


@dataclass(frozen=True)
class Preprocess:
    """uint8 N×H×W×3 → float32 N×3×size×size: resized with antialiasing, then normalised."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Tensor) -> Tensor:
        # channels_last keeps the pixels where they lie, and convolutions on it are faster
        x = images.permute(0, 3, 1, 2).float().div_(255)
        if x.shape[2:] != (self.size, self.size):
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        return normalise_(x, self.mean, self.std)


def normalise_(x: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """float N×3×h×w less the mean of its channel and over its standard deviation, in place."""
    by = torch.tensor([mean, std], device=x.device).view(2, 3, 1, 1)
    return x.sub_(by[0]).div_(by[1])


def feature_maps(
    model: Embedder, pictures: ImageSet | np.ndarray, layers: Sequence[str], batch_size: int = 256
) -> dict[str, np.ndarray]:
    """What layers of the network answer to the pictures, read by forward hooks.

    Parameters
    ----------
    pictures : an ImageSet, or uint8 N×H×W×3.
    layers : names as in `model.module.named_modules()`, such as "stages.0".

    Returns
    -------
    By layer, float32 N×C×h×w (N×C from a layer without maps).

    Raises
    ------
    ValueError : no such layer, one that answers with no tensor, or not uint8 N×H×W×3.
    """
    known = dict(model.module.named_modules())
    unknown = [layer for layer in layers if layer not in known]
    if unknown:
        first = ", ".join([name for name in known if name][:12])
        raise ValueError(f"{model.name} has no layer {unknown[0]!r}; it has {first}, …")
    seen: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}

    def keep(layer: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, out: Any) -> None:
            if not isinstance(out, Tensor):
                raise ValueError(f"{layer!r} answers with {type(out).__name__}; take a part of it.")
            seen[layer].append(out.float().cpu().numpy().copy())  # a later layer may work in place

        return hook

    hooks = [known[layer].register_forward_hook(keep(layer)) for layer in layers]
    try:
        with torch.inference_mode():
            for x in model.inputs(pictures, batch_size):
                model.module(x)
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: np.concatenate(parts) for layer, parts in seen.items()}


def first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


@contextmanager
def restorable(path: Path, recipe: str) -> Iterator[None]:
    """Whatever keeps our weights from being read becomes one sentence with the way back.

    Raises ModelUnavailable; `recipe` is the module that trains them.
    """
    from safetensors import SafetensorError

    try:
        yield
    except ModelUnavailable:  # of a network inside: its own sentence is right
        raise
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelUnavailable(
            f"The weights {path} are missing or damaged ({first_line(error)}); restore them with "
            f"git, or run `python -m {recipe}` to train them again."
        ) from error


def kept_from_hub(name: str, instead: str) -> bool:
    """Whether a model of the hub is on this machine.

    Raises ModelUnavailable where it is neither here nor within reach.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    beside = Path(config).parent.iterdir() if isinstance(config, str) else ()
    here = any(file.suffix in (".safetensors", ".bin") for file in beside)
    if not here:  # transformers itself would wait for minutes before it gives up
        require_reachable(constants.ENDPOINT, name, instead)  # HF_ENDPOINT may name a mirror
    return here


def require_reachable(url: str, title: str, instead: str) -> None:
    """Fail at once, and in one sentence, where a download could not work."""
    place = urlsplit(url)
    host, port = place.hostname, place.port or {"http": 80}.get(place.scheme, 443)
    if getproxies().keys() & {place.scheme, "all"}:  # the proxy reaches what we cannot
        return
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError as error:
        raise ModelUnavailable(
            f"{title} is not on this machine and {host} cannot be reached ({error}); connect to "
            f"the internet once, {instead}."
        ) from error
