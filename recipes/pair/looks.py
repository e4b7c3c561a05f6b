"""What the trunk makes of the pictures, computed once and kept in data/cache/pair."""

from typing import cast

import numpy as np
import torch

from recipes.cnn_scenes import VARIANTS, variants
from utils import ROOT, writing
from utils.embed import embed
from utils.images import ImageSet, load_images
from utils.models import load_model
from utils.words import DualEncoder, ImageTower, Pairs, read_things

CACHE = ROOT / "data/cache/pair"
SETS = ("emoji", "scenes")


def training_looks() -> torch.Tensor:
    """Each training drawing as twelve scenes and six times on white: float32 N×18×D."""
    model = load_model("cnn")
    path = CACHE / f"looks-{model.digest}.npy"
    if not path.exists():
        images = variants()
        flat = embed(model, images.reshape(-1, *images.shape[2:]), cache=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        with writing(path) as file:
            np.save(file, flat.reshape(*images.shape[:2], -1))
    looks = torch.from_numpy(np.load(path))
    white = looks[:, VARIANTS:].expand(-1, VARIANTS // 2, -1)
    return torch.cat([looks[:, :VARIANTS], white], 1)


def training_pairs(size: int, seed: int, languages: tuple[str, ...]) -> Pairs:
    pictures = load_images("emoji", "train")
    told = read_things("train")
    things = [told[name] for name in pictures.classes]
    return Pairs(training_looks(), pictures.labels, things, size, languages, seed)


def placed(pair: DualEncoder, pictures: ImageSet) -> np.ndarray:
    """`embed(pair.images, pictures)`, by what the trunk has made of them once and for all."""
    tower = cast(ImageTower, pair.images.module)
    vectors = torch.from_numpy(embed(load_model("cnn"), pictures)).to(pair.images.device)
    with torch.inference_mode():
        return tower.place(vectors).cpu().numpy()


def held_out(split: str) -> dict[str, ImageSet]:
    return {name: load_images(name, split) for name in SETS}
