"""What a score means: its spread, the matcher's threshold and errors, light, angle and scale."""

from typing import Any

import numpy as np
from sklearn.metrics import roc_curve

from recipes.vit_background.background import ways
from recipes.vit_background.pairs import changed, parts
from utils.background import remove_background
from utils.embed import embed
from utils.images import ImageSet, load_images
from utils.models import load_model
from utils.scenes import compose

ANGLES = [0, 15, 30, 45, 60, 90, 120, 150, 180]  # degrees
SCALES = [0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.1, 1.3]  # sides of the scene; .75 to begin with
HIGH = 0.8  # a score that many take for a high one
LIGHTS = [0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0]  # every pixel times this


def pair_scores(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cosine of every pair of pictures, and whether both show one thing."""
    a, b = np.triu_indices(len(labels), 1)
    return (vectors @ vectors.T)[a, b], labels[a] == labels[b]


def equal_error(scores: np.ndarray, same: np.ndarray) -> tuple[float, float]:
    """Where as large a share of different pairs passes as of same pairs fails: threshold, share."""
    false, true, thresholds = roc_curve(same, scores, drop_intermediate=False)
    at = int(np.abs(false - (1 - true)).argmin())
    return float(thresholds[at]), float((false[at] + 1 - true[at]) / 2)


def at_threshold(scores: np.ndarray, same: np.ndarray, threshold: float) -> dict[str, float]:
    said = scores >= threshold
    return {
        "false_matches": float(said[~same].mean()),
        "missed": float((~said)[same].mean()),
        "share_right_of_matches": float(same[said].mean()),
    }


def matcher(held_out: ImageSet, scenes: ImageSet) -> dict[str, Any]:
    """By model, the threshold of the validation pairs, and its errors on the test pairs."""
    told: dict[str, Any] = {"pairs": len(scenes) * (len(scenes) - 1) // 2}
    found = ways()
    for name in ("pixels", "cnn, random weights", "vit", "cnn"):
        told[name] = {}
        for kind in ("with background", "without"):
            both = [held_out, scenes]
            if kind == "without":
                both = [remove_background(pictures) for pictures in both]
            (chosen, tested) = (pair_scores(found[name](p), p.labels) for p in both)
            threshold, error = equal_error(*chosen)
            scores, same = tested
            told[name][kind] = at_threshold(scores, same, threshold) | {
                "threshold": threshold,
                "validation_equal_error": error,
                "equal_error": equal_error(scores, same)[1],
                "lowest": float(scores.min()),
                "mean_same": float(scores[same].mean()),
                "mean_different": float(scores[~same].mean()),
                "different_high": float((scores[~same] > HIGH).mean()),
                "same_high": float((scores[same] > HIGH).mean()),
            }
    told["positive_share"] = float(same.mean())
    return told


def variations() -> dict[str, Any]:
    """The mean score of a scene with itself turned, scaled or lit: every fifth drawing."""
    drawings, placed, grounds = parts()
    rows = np.arange(0, len(drawings), 5)
    plain = {"scale": 0.75, "x": 0.5, "y": 0.5, "angle": 0.0, "gain": 1.0, "shade": 0.0}

    def scenes(**fields: float) -> np.ndarray:
        return compose(drawings[rows], changed(placed, rows, **plain | fields), grounds[rows])[0]

    def lit(by: float) -> np.ndarray:
        return (by * scenes().astype(np.float32)).clip(0, 255).round().astype(np.uint8)

    told: dict[str, Any] = {"angles": ANGLES, "scales": SCALES, "lights": LIGHTS}
    for name in ("vit", "cnn"):
        model = load_model(name)
        first = embed(model, scenes())

        def score(pictures: np.ndarray, model=model, first=first) -> float:
            return float((first * embed(model, pictures)).sum(1).mean())

        told[name] = {
            "angle": [score(scenes(angle=np.deg2rad(angle))) for angle in ANGLES],
            "scale": [score(scenes(scale=scale)) for scale in SCALES],
            "light": [score(lit(by)) for by in LIGHTS],
            "mirrored": score(np.ascontiguousarray(scenes()[:, :, ::-1])),
        }
    return told


def every_pair() -> dict[str, Any]:
    return matcher(load_images("scenes", "validation"), load_images("scenes", "test"))
