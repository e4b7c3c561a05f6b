"""Why does a picture answer these words? What each of its places gives to their score."""

import numpy as np
import torch

from utils.embedder import Embedder
from utils.explain import places_of
from utils.words.towers import DualEncoder, ImageTower, embed_text


def word_map(pair: DualEncoder, text: str, picture: np.ndarray) -> np.ndarray:
    """Where a picture (uint8, H×W×3) shows what the text says, to the dual encoder.

    As in `utils.explain.similarity_maps`: the image tower is a linear map of a mean over places, so
    its cosine with the text is a sum over places too.

    Returns
    -------
    float32, h×w, row by row from the top; it sums to the cosine of the text and the picture.

    Raises
    ------
    TextError : a text that cannot be read.
    ValueError : an image tower of another kind.
    """
    tower = pair.images.module
    if not isinstance(tower, ImageTower):
        raise ValueError(
            f"{pair.name} does not average places into an embedding, so there are no shares of "
            "them to show; “pair” does."
        )
    trunk = Embedder(pair.name, tower.trunk.dim, pair.source, pair.images.preprocess, tower.trunk)
    places = places_of(trunk, picture[None])[0]  # h×w×D
    length = np.linalg.norm(places.mean((0, 1)))
    with torch.inference_mode():
        shared = tower.project(torch.from_numpy(places / length).to(pair.images.device))
    shares = shared.float().cpu().numpy() @ embed_text(pair, text)[0]
    out = shared.mean((0, 1)).norm().item()
    return (shares / (out * shares.size)).astype(np.float32)
