"""Why are two pictures alike? What each place of them gives to their score."""

from typing import Any, NamedTuple

import numpy as np

from utils.cnn import CompactCNN
from utils.efficientnet import EfficientNetLite
from utils.embedder import Embedder
from utils.vit import ClsToken, look


class Why(NamedTuple):
    """Two maps over the places of two pictures: float32, h×w, row by row from the top.

    exact : each map sums to the cosine of the two embeddings; if not, it holds for each patch the
        cosine to the most similar patch of the other picture.
    """

    first: np.ndarray
    second: np.ndarray
    exact: bool


def similarity_maps(model: Embedder, first: np.ndarray, second: np.ndarray) -> Why:
    """Where two pictures (uint8, H×W×3) look alike to the network.

    An embedding that is the mean of places v = Σ p / n has a cosine that is a sum over places too:
    cos(u, v) = Σ u·p / (n ‖u‖ ‖v‖). So each place's share of the score is known exactly (Zhou et
    al. 2016, "Learning Deep Features for Discriminative Localization", for classes; Stylianou et
    al. 2019, "Visualizing Deep Similarity Networks", for pairs). A transformer's [CLS] is no mean
    of its patches: there each patch gets its best match.

    Raises ValueError for a network that is neither a CNN with averaged maps nor a transformer.
    """
    pair = np.stack([first, second])
    if isinstance(model.module, ClsToken):
        patches = look(model, pair).patches
        patches /= np.linalg.norm(patches, axis=2, keepdims=True)
        cosines = patches[0] @ patches[1].T
        side = round(len(cosines) ** 0.5)
        best = cosines.max(1), cosines.max(0)
        return Why(best[0].reshape(side, side), best[1].reshape(side, side), exact=False)
    places = places_of(model, pair)  # 2×h×w×D
    means = places.mean((1, 2))
    lengths = np.linalg.norm(means, axis=1)
    scale = places.shape[1] * places.shape[2] * lengths.prod()
    return Why(places[0] @ means[1] / scale, places[1] @ means[0] / scale, exact=True)


def places_of(model: Embedder, pictures: np.ndarray) -> np.ndarray:
    """What each place of the last maps adds to the embedding before it is normalised: N×h×w×D."""
    import torch

    module: Any = model.module
    with torch.inference_mode():
        (x,) = model.inputs(pictures, len(pictures))
        if isinstance(module, CompactCNN):
            maps, head = module.maps(x), module.head
        elif isinstance(module, EfficientNetLite):
            maps, head = module.maps(x), torch.nn.Identity()
        elif hasattr(module, "layer4"):  # torchvision's ResNets
            maps, head = _resnet_maps(module, x), torch.nn.Identity()
        else:
            raise ValueError(
                f"{model.name} does not average its maps, so its score has no shares of places; "
                "choose cnn, cnn-photos, efficientnet, resnet50 or a transformer."
            )
        n, channels, height, width = maps.shape
        # a linear head may be applied before the mean or after it
        flat = head(maps.permute(0, 2, 3, 1).reshape(-1, channels))
    return flat.float().cpu().numpy().reshape(n, height, width, -1)


def _resnet_maps(module: Any, x: Any) -> Any:
    x = module.maxpool(module.relu(module.bn1(module.conv1(x))))
    return module.layer4(module.layer3(module.layer2(module.layer1(x))))


def spotlight(picture: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The picture (uint8, H×W×3), bright where `shares` (float, h×w) are high: uint8, H×W×3."""
    from PIL import Image

    low, high = min(shares.min(), 0.0), shares.max()
    light = (shares - low) / (high - low) if high > low else np.ones_like(shares)
    height, width = picture.shape[:2]
    smooth = Image.fromarray(light.astype(np.float32)).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return (picture * (0.2 + 0.8 * np.asarray(smooth)[..., None])).round().astype(np.uint8)
