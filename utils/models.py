"""The networks of the course and the one way to load any of them."""

import hashlib
import json
import pickle
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.request import getproxies

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from utils import ROOT, replacing
from utils.cnn import CompactCNN
from utils.images import ImageSet, check_pixels

MODELS = ROOT / "models"
SHIPPED = {"cnn": "cnn-scenes", "cnn-scenes": "cnn-scenes", "cnn-photos": "cnn-photos"}
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
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: Tensor) -> Tensor:
        # channels_last keeps the pixels where they lie, and convolutions on it are faster
        x = images.permute(0, 3, 1, 2).float().div_(255)
        if x.shape[2:] != (self.size, self.size):
            x = F.interpolate(x, (self.size, self.size), mode="bilinear", antialias=True)
        mean = torch.tensor(self.mean, device=x.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=x.device).view(3, 1, 1)
        return x.sub_(mean).div_(std)


def load_model(name: str = "cnn", *, trained: bool = True, device: str | None = None) -> Embedder:
    """Load a network by name.

    Parameters
    ----------
    name : "cnn" (the same as "cnn-scenes"), "cnn-photos", or "resnet50" (ImageNet; torchvision
        downloads 98 MB on first use).
    trained : False for the same network with random weights, as a baseline.
    device : a torch device; by default the GPU where there is one.

    Raises
    ------
    ValueError : an unknown name. ModelUnavailable : weights are missing or damaged, or cannot be
        downloaded now.
    """
    if name in SHIPPED:
        embedder = _load_shipped(SHIPPED[name], trained)
    elif name == "resnet50":
        embedder = _load_resnet50(trained)
    else:
        known = ", ".join([*SHIPPED, "resnet50"])
        raise ValueError(f"There is no model named {name!r}; choose one of: {known}.")
    embedder.module.eval().to(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    embedder.module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return embedder


def _load_shipped(name: str, trained: bool) -> Embedder:
    from safetensors import SafetensorError, safe_open

    path = MODELS / f"{name}.safetensors"
    try:
        with safe_open(path, framework="pt") as file:
            shape = json.loads(file.metadata()["shape"])
            state = {key: file.get_tensor(key).float() for key in file.keys()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = CompactCNN(shape["dim"], tuple(shape["widths"]), shape["size"])
        if trained:
            module.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelUnavailable(
            f"The weights {path} are missing or damaged ({_first_line(error)}); restore them with "
            f"git, or run `python -m recipes.{name.replace('-', '_')}` to train them again."
        ) from error
    preprocess = Preprocess(module.size, PHOTO_MEAN, PHOTO_STD)
    if not trained:
        return Embedder(f"{name} (untrained)", module.dim, "random", preprocess, module)
    return Embedder(name, module.dim, "shipped", preprocess, module)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


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
        _require_reachable(weights.url, "ResNet-50", file)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = resnet50(weights=weights if trained else None, progress=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelUnavailable(
            f"ResNet-50's weights could not be downloaded or read ({_first_line(error)}); delete "
            f"{file} if it is there and try again, or use load_model('cnn')."
        ) from error
    network.fc = nn.Identity()  # without its last layer a classifier is an embedder
    name = "resnet50" if trained else "resnet50 (untrained)"
    preprocess = Preprocess(224, IMAGENET_MEAN, IMAGENET_STD)
    return Embedder(name, 2048, "downloaded" if trained else "random", preprocess, network)


def _require_reachable(url: str, title: str, file: Path) -> None:
    """Fail at once, and in one sentence, where a download could not work."""
    host = url.split("/")[2]
    if getproxies():  # the proxy reaches what we cannot
        return
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError as error:
        raise ModelUnavailable(
            f"{title} is not on this machine and {host} cannot be reached ({error}); connect to "
            f"the internet once, put the file at {file}, or use load_model('cnn')."
        ) from error


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
    ValueError : no such layer, or not uint8 N×H×W×3.
    """
    pixels = pictures.images if isinstance(pictures, ImageSet) else np.asarray(pictures)
    check_pixels(pixels)
    known = dict(model.module.named_modules())
    unknown = [layer for layer in layers if layer not in known]
    if unknown:
        first = ", ".join([name for name in known if name][:12])
        raise ValueError(f"{model.name} has no layer {unknown[0]!r}; it has {first}, …")
    seen: dict[str, list[np.ndarray]] = {layer: [] for layer in layers}

    def keep(layer: str) -> Callable[..., None]:
        return lambda _module, _inputs, out: seen[layer].append(out.float().cpu().numpy())

    hooks = [known[layer].register_forward_hook(keep(layer)) for layer in layers]
    try:
        with torch.inference_mode():
            for start in range(0, len(pixels), batch_size):
                batch = np.ascontiguousarray(pixels[start : start + batch_size])
                model.module(model.preprocess(torch.from_numpy(batch).to(model.device)))
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: np.concatenate(parts) for layer, parts in seen.items()}
