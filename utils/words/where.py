"""Why does a picture answer these words? What each of its places gives to their score."""

from dataclasses import replace

import numpy as np
import torch

from utils.explain import places_of
from utils.words.towers import DualEncoder, ImageTower, embed_text


def word_map(pair: DualEncoder, text: str, picture: np.ndarray) -> np.ndarray:
    """Where a picture (uint8, H×W×3) shows what the text says, to the dual encoder.

    As in `utils.explain.similarity_maps`: the image tower holds linear maps of a mean over places,
    so its cosine with the text is a sum over places too.

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
            f"{pair.images.name} does not average places into an embedding, so there are no shares "
            "of them to show; “pair” does."
        )
    trunk = replace(pair.images, dim=tower.trunk.dim, module=tower.trunk)
    places = places_of(trunk, picture[None])[0]  # h×w×D
    height, width, _ = places.shape
    flat = (places / np.linalg.norm(places.mean((0, 1)))).reshape(height * width, -1)
    with torch.inference_mode():
        x = torch.from_numpy(flat).to(pair.images.device)
        maps = [project(x) for project in tower.project]  # each linear, so its mean is the whole's
        whole = torch.cat([y / y.mean(0).norm() for y in maps], 1).cpu()
        shares = whole @ torch.from_numpy(embed_text(pair, text)[0])
        shares /= len(flat) * whole.mean(0).norm()
    return shares.numpy().reshape(height, width)
