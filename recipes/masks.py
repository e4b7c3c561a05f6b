"""How good are the masks: ours, GrabCut's, and those of the real u2netp on photographs?

    U2NET_HOME=… python -m recipes.masks     (three minutes on 2 cores)

rembg finds u2netp.onnx in $U2NET_HOME or downloads it there. Every method looks at the scenes of
the test things and at scikit-image's photographs, whose outlines are drawn by hand; GrabCut's one
setting is chosen on the validation things. Writes results/masks.json, and results/u2netp_masks.png,
the masks of u2netp on the photographs one below the other, so that a lesson can show them without
its 5 MB of weights.
"""

import time

import numpy as np
from PIL import Image
from tqdm import tqdm

from tools.record import provenance, write_json
from utils import ROOT, replacing
from utils.background import find_masks, grab_cut_masks, load_session
from utils.images import ImageSet, load_images
from utils.masks import iou, max_f_beta, mean_absolute_error
from utils.metrics import Score
from utils.photos import load_photos

BORDERS = (1, 2, 4, 8)
KEPT = 128  # pixels a side of the masks that are kept


def scores(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    each = iou(found, truth)
    return {
        "iou": float(each.mean()),
        "iou_interval": Score(each, np.arange(len(each)), 0).interval(),
        "iou_lowest_tenth": float(np.quantile(each, 0.1)),
        "mae": float(mean_absolute_error(found, truth).mean()),
        "max_f_beta": max_f_beta(found, truth),
    }


def best_border() -> tuple[int, dict[int, float]]:
    """The border with which GrabCut does best on the validation scenes."""
    scenes = load_images("scenes", "validation")
    tried = {b: float(iou(grab_cut_masks(scenes, b), scenes.masks).mean()) for b in BORDERS}
    return max(tried, key=tried.__getitem__), tried


def of_scenes(scenes: ImageSet, border: int) -> dict[str, dict[str, float]]:
    """Every method on the test scenes."""
    methods = {
        "network": lambda: find_masks(scenes),
        "network, alpha matting": lambda: find_masks(scenes, matting=True),
        "GrabCut": lambda: grab_cut_masks(scenes, border),
        "everything": lambda: np.full_like(scenes.masks, 255),
    }
    return {name: scores(find(), scenes.masks) for name, find in tqdm(methods.items(), "scenes")}


def of_photos() -> dict[str, dict[str, float]]:
    """IoU of each photograph with each method; u2netp's masks are kept."""
    photos = load_photos()
    theirs = find_masks(photos, load_session("u2netp"))
    found = {
        "network": find_masks(photos),
        "u2netp": theirs,
        "GrabCut": grab_cut_masks(photos, photos.images.shape[1] // 32),
    }
    small = [Image.fromarray(mask).resize((KEPT, KEPT), Image.Resampling.BOX) for mask in theirs]
    path = ROOT / "results/u2netp_masks.png"
    with replacing(path) as partial:
        Image.fromarray(np.concatenate([np.asarray(mask) for mask in small])).save(partial, "PNG")
    return {
        name: dict(zip(photos.ids, iou(masks, photos.masks).tolist(), strict=True))
        for name, masks in found.items()
    }


def main() -> None:
    record, begin = provenance(), time.perf_counter()
    scenes = load_images("scenes", "test")
    border, tried = best_border()
    record |= {
        "what": "masks against the truth: mean IoU, mean absolute error and max F-beta",
        "data": f"{len(scenes):,} scenes of the test things; four photographs of scikit-image",
        "command": "U2NET_HOME=… python -m recipes.masks",
        "spread": "intervals are 95 % over pictures",
        "grab_cut_border": {"chosen": border, "validation_iou": tried},
        "scenes": of_scenes(scenes, border),
        "photos": of_photos(),
    }
    record["seconds"] = time.perf_counter() - begin
    write_json(ROOT / "results/masks.json", record)


if __name__ == "__main__":
    main()
