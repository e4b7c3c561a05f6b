"""Inside the transformer: where [CLS] looks, which token finds, what patches match."""

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from recipes.evaluate import retrieval
from recipes.vit_background.background import unit
from recipes.vit_background.pairs import changed, parts
from utils.embed import embed
from utils.embedder import Embedder, feature_maps
from utils.emoji import read_textures
from utils.images import ImageSet
from utils.models import load_model
from utils.scenes import Placement, compose, random_backgrounds
from utils.vit import look

SIDE = 8  # patches a side
NEAR = 8  # pixels; a match this near to the truth counts


def patch_cover(masks: np.ndarray) -> np.ndarray:
    """Share of each patch that the thing covers: N×64."""
    side = masks.shape[1] // SIDE
    return (
        masks.reshape(len(masks), SIDE, side, SIDE, side).mean((2, 4)).reshape(len(masks), -1) / 255
    )


def attention(vit: Embedder, scenes: ImageSet) -> dict[str, Any]:
    """Of what [CLS] takes from patches, the share from those of the thing, by layer."""
    on_patches = look(vit, scenes).attention[..., 1:]
    on_patches = on_patches / on_patches.sum(-1, keepdims=True)
    cover = patch_cover(scenes.masks)
    share = np.einsum("nlhp,np->lh", on_patches, cover) / len(scenes)
    return {
        "area": float(cover.mean()),
        "by_layer": share.mean(1).tolist(),
        "by_head": share.tolist(),
        "largest": float(share.max()),
    }


def which_token(vit: Embedder, scenes: ImageSet) -> dict[str, Any]:
    seen = look(vit, scenes)
    found = {"cls": seen.cls, "mean": seen.patches.mean(1), "max": seen.patches.max(1)}
    return {name: retrieval(vectors, scenes.labels) for name, vectors in found.items()}


def shuffled(images: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The patches of N×64×64×3 pictures in another order."""
    n = len(images)
    patches = images.reshape(n, SIDE, 8, SIDE, 8, 3).swapaxes(2, 3).reshape(n, SIDE * SIDE, 8, 8, 3)
    return patches[:, order].reshape(n, SIDE, SIDE, 8, 8, 3).swapaxes(2, 3).reshape(images.shape)


def positions(vit: Embedder, scenes: ImageSet) -> dict[str, Any]:
    """What shuffling the patches does, with the learned positions and without."""
    order = np.random.default_rng(0).permutation(SIDE * SIDE)
    mixed = np.ascontiguousarray(shuffled(scenes.images, order))
    learned = vit.module.vit.embeddings.position_embeddings.data  # type: ignore[union-attr]
    places = unit((learned[0, 1:] - learned[0, 1:].mean(0)).numpy())
    row, column = np.divmod(np.arange(SIDE * SIDE), SIDE)
    steps = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
    told = {
        "score": float((embed(vit, scenes) * embed(vit, mixed)).sum(1).mean()),
        "neighbours": float((places @ places.T)[steps == 1].mean()),
        "far": float((places @ places.T)[steps >= SIDE].mean()),
    }
    kept = learned.clone()
    learned[:, 1:] = 0
    without, without_mixed = embed(vit, scenes, cache=False), embed(vit, mixed, cache=False)
    learned.copy_(kept)
    return told | {
        "without_positions_largest_difference": float(np.abs(without - without_mixed).max()),
        "without_positions": retrieval(without, scenes.labels),
    }


def two_scenes() -> tuple[tuple[np.ndarray, np.ndarray, Placement], ...]:
    """Every fifth drawing at the upper left of one scene and the lower right of another."""
    drawings, placed, grounds = parts()
    rows = np.arange(0, len(drawings), 5)
    second = random_backgrounds([int(row) for row in rows], read_textures("test"))
    first = changed(placed, rows, scale=0.55, x=0.3, y=0.3)
    other = changed(placed, rows[::-1], scale=0.55, x=0.7, y=0.65)  # turned and lit otherwise
    return tuple(
        (*compose(drawings[rows], places, ground), places)
        for places, ground in ((first, grounds[rows]), (other, second))
    )


def carried(at: np.ndarray, one: Placement, other: Placement) -> np.ndarray:
    """Where places of one scene (N×P×2: down, across, 0 to 1) lie in the other, by composition."""

    def turn(down: np.ndarray, across: np.ndarray, angle: np.ndarray) -> tuple:
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        return cos * down - sin * across, sin * down + cos * across

    down = (at[..., 0] - one.y[:, None]) / one.scale[:, None]
    across = (at[..., 1] - one.x[:, None]) / one.scale[:, None]
    down, across = turn(down, across, one.angle)
    down, across = turn(down, across, -other.angle)
    to_down = down * other.scale[:, None] + other.y[:, None]
    return np.stack([to_down, across * other.scale[:, None] + other.x[:, None]], -1)


class Matches(NamedTuple):
    """Patches of two scenes that choose each other, for N pairs of scenes of P patches.

    mutual : bool, N×P, whether a patch of the first scene shows the thing and is chosen back.
    to : N×P, which patch of the second it chooses. off : N×P, how many pixels from the true place.
    """

    mutual: np.ndarray
    to: np.ndarray
    off: np.ndarray


def patch_centres() -> np.ndarray:
    """Middles of the patches, P×2: down and across, 0 to 1."""
    centre = (np.arange(SIDE) + 0.5) / SIDE
    return np.stack(np.meshgrid(centre, centre, indexing="ij"), -1).reshape(-1, 2)


def all_matches() -> dict[str, Matches]:
    """Mutual nearest patches of the things of two scenes, by what stands for a patch."""
    (one, cover_one, placed_one), (two, cover_two, placed_two) = two_scenes()
    at, found = patch_centres(), {}
    truth = carried(np.broadcast_to(at, (len(one), *at.shape)), placed_one, placed_two)
    inside = patch_cover(cover_one) > 0.5, patch_cover(cover_two) > 0.5
    for name, (a, b) in tokens_of(one, two).items():
        alike = np.einsum("npd,nqd->npq", unit(a), unit(b))
        alike = np.where(inside[0][:, :, None] & inside[1][:, None, :], alike, -2)
        to, back = alike.argmax(2), alike.argmax(1)
        mutual = (np.take_along_axis(back, to, 1) == np.arange(SIDE * SIDE)) & (alike.max(2) > -2)
        found[name] = Matches(mutual, to, 64 * np.linalg.norm(at[to] - truth, axis=-1))
    return found


def matches() -> dict[str, Any]:
    """How near to the truth mutual nearest patches of the thing are, in pixels, and how many."""
    found = all_matches()
    told: dict[str, Any] = {"pictures": len(next(iter(found.values())).to)}
    for name, (mutual, _, off) in found.items():
        told[name] = {
            "right": float((off[mutual] <= NEAR).mean()),
            "median_pixels_off": float(np.median(off[mutual])),
            "a_picture": float(mutual.sum(1).mean()),
        }
    return told


def tokens_of(one: np.ndarray, two: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By name, what stands for the 64 patches of both: N×64×D."""
    vit, cnn, rng = load_model("vit"), load_model("cnn"), np.random.default_rng(0)

    def maps(images: np.ndarray, layer: str) -> np.ndarray:
        found = torch.from_numpy(feature_maps(cnn, images, [layer])[layer])
        return F.interpolate(found, (SIDE, SIDE), mode="bilinear").flatten(2).mT.numpy()

    def pixels(images: np.ndarray) -> np.ndarray:
        whole = shuffled(images, np.arange(SIDE * SIDE)).reshape(len(images), SIDE, 8, SIDE, 8, 3)
        return whole.swapaxes(2, 3).reshape(len(images), SIDE * SIDE, -1) / 255 - 0.5

    return {
        "chance": tuple(rng.normal(size=(2, len(one), SIDE * SIDE, 16))),
        "pixels": (pixels(one), pixels(two)),
        "vit tokens": (look(vit, one).patches, look(vit, two).patches),
        "cnn maps, stage 2": (maps(one, "stages.1"), maps(two, "stages.1")),
        "cnn maps, stage 3": (maps(one, "stages.2"), maps(two, "stages.2")),
    }
