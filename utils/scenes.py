"""Turning drawings into scenes: each placed, turned and lit on a background of its own.

Arrays in, arrays out; every choice follows from a seed, so the same seed gives the same bytes.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

CHUNK = 256  # pictures worked on at a time: bounds memory at about 100 MB
GRIDS = (3, 6, 16)  # cells a side of the three layers of procedural noise, coarse to fine


class Placement(NamedTuple):
    """Where and how each drawing stands in its scene; every field is a float array over N.

    scale : side of the drawing, in sides of the scene. x, y : its centre, 0 to 1.
    angle : radians, clockwise. gain : N×3, what its red, green and blue are multiplied by.
    shade : how much brighter it is on the side towards the light, 0 to 1. light : where that is,
    radians.
    """

    scale: np.ndarray
    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    gain: np.ndarray
    shade: np.ndarray
    light: np.ndarray


def seed_of(text: str) -> int:
    """A 64-bit seed from any text, the same on every machine."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _uniforms(seeds: Sequence[int], count: int, stream: int) -> np.ndarray:
    """`count` numbers in [0, 1) for each seed, float32 N×count; streams are independent."""
    draws = [np.random.default_rng([stream, seed]).random(count, np.float32) for seed in seeds]
    return np.stack(draws) if draws else np.empty((0, count), np.float32)


def random_placements(seeds: Sequence[int]) -> Placement:
    """For each seed a size of .6 to .95, a place inside the frame, up to 15° of turn, a light."""
    u = _uniforms(seeds, 10, 0)
    scale = 0.6 + 0.35 * u[:, 0]
    return Placement(
        scale=scale,
        x=0.5 + (u[:, 1] - 0.5) * (1 - scale),
        y=0.5 + (u[:, 2] - 0.5) * (1 - scale),
        angle=np.deg2rad(30 * (u[:, 3] - 0.5)),
        gain=(0.75 + 0.45 * u[:, 4:5]) * (0.92 + 0.16 * u[:, 5:8]),
        shade=0.35 * u[:, 8],
        light=2 * np.pi * u[:, 9],
    )


def random_backgrounds(
    seeds: Sequence[int], textures: Sequence[np.ndarray], size: int = 64
) -> np.ndarray:
    """A gradient, procedural noise or a piece of a texture for each seed, a third each.

    Parameters
    ----------
    textures : uint8 pictures, H×W or H×W×3, each side at least 2 × `size`; at least one.

    Returns
    -------
    uint8, N×size×size×3.
    """
    u = _uniforms(seeds, 16, 1)
    noise = _uniforms(seeds, 3 * sum(g * g for g in GRIDS), 2)
    out = np.empty((len(u), size, size, 3), np.uint8)
    for start in range(0, len(u), CHUNK):
        rows = slice(start, start + CHUNK)
        kind = (3 * u[rows, 0]).astype(int)
        paint = np.empty((len(kind), size, size, 3), np.float32)
        paint[kind == 0] = _gradients(u[rows][kind == 0], size)
        paint[kind == 1] = _noise(noise[rows][kind == 1], u[rows][kind == 1], size)
        for i in np.flatnonzero(kind == 2):  # each piece is cut at another size from another place
            paint[i] = _piece(textures, u[start + i], size)
        out[rows] = (255 * paint).clip(0, 255).round()
    return out


def _gradients(u: np.ndarray, size: int) -> np.ndarray:
    """From one colour to another, in any direction."""
    reach = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    turn = 2 * np.pi * u[:, 7, None, None]
    along = 0.5 + np.cos(turn) * reach + np.sin(turn) * reach[:, None]
    along = along.clip(0, 1)[..., None]
    return u[:, None, None, 1:4] * (1 - along) + u[:, None, None, 4:7] * along


def _noise(values: np.ndarray, u: np.ndarray, size: int) -> np.ndarray:
    """Three layers of coloured random grids, each drawn up to full size by linear interpolation."""
    paint, at = np.zeros((len(u), size, size, 3), np.float32), 0
    weights = 0.2 + u[:, 1:4]
    weights /= weights.sum(1, keepdims=True)
    for layer, grid in enumerate(GRIDS):
        cells = values[:, at : at + 3 * grid * grid].reshape(-1, grid, grid, 3)
        paint += weights[:, layer, None, None, None] * _enlarge(_enlarge(cells, size, 1), size, 2)
        at += 3 * grid * grid
    return 0.5 + 1.4 * (paint - 0.5)


def _enlarge(cells: np.ndarray, size: int, axis: int) -> np.ndarray:
    """One axis drawn up to `size` places by linear interpolation.

    Element by element: a matrix product would round differently on another processor.
    """
    at = np.linspace(0, cells.shape[axis] - 1, size, dtype=np.float32)
    left = np.minimum(at.astype(np.int64), cells.shape[axis] - 2)
    share = (at - left).astype(np.float32)
    share = share.reshape([-1 if i == axis else 1 for i in range(cells.ndim)])
    return cells.take(left, axis) * (1 - share) + cells.take(left + 1, axis) * share


def _piece(textures: Sequence[np.ndarray], u: np.ndarray, size: int) -> np.ndarray:
    """A square of 1 to 2 × `size` pixels from one texture, shrunk, flipped and tinted."""
    texture = textures[int(u[1] * len(textures))]
    step = 1 + int(2 * u[2])
    top = int(u[3] * (texture.shape[0] - size * step + 1))
    left = int(u[4] * (texture.shape[1] - size * step + 1))
    piece = texture[top : top + size * step, left : left + size * step].astype(np.float32) / 255
    if piece.ndim == 2:
        piece = piece[..., None] * np.ones(3, np.float32)
    piece = piece.reshape(size, step, size, step, 3).mean((1, 3))
    piece = piece[:, ::-1] if u[5] < 0.5 else piece
    return piece * (0.55 + 0.7 * u[6:9])


def compose(
    drawings: np.ndarray, placements: Placement, backgrounds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put each drawing on its background.

    Parameters
    ----------
    drawings : uint8, N×h×h×4, straight (not premultiplied) alpha.
    backgrounds : uint8, N×H×H×3.

    Returns
    -------
    images : uint8, N×H×H×3. masks : uint8, N×H×H, how much of each pixel the drawing covers.

    Raises
    ------
    ValueError : the arrays do not have these shapes.
    """
    n = len(drawings)
    if drawings.ndim != 4 or drawings.shape[1] != drawings.shape[2] or drawings.shape[3] != 4:
        raise ValueError(f"drawings must be N×h×h×4 (RGBA), but have shape {drawings.shape}.")
    if backgrounds.shape != (n, backgrounds.shape[1], backgrounds.shape[1], 3):
        raise ValueError(
            f"{n} drawings need backgrounds of N×H×H×3, but these have {backgrounds.shape}."
        )
    images, masks = np.empty_like(backgrounds), np.empty(backgrounds.shape[:3], np.uint8)
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        chunk = Placement(*(values[rows] for values in placements))
        colour, cover = _place(drawings[rows], chunk, backgrounds.shape[1])
        image = colour * 255 + backgrounds[rows] * (1 - cover)
        images[rows], masks[rows] = image.clip(0, 255).round(), (255 * cover[..., 0]).round()
    return images, masks


def _place(drawings: np.ndarray, p: Placement, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Each drawing warped into the frame and lit: colour × cover, and cover, 0 to 1."""
    n, side = drawings.shape[:2]
    rgba = drawings.astype(np.float32) / 255
    rgba[..., :3] *= rgba[..., 3:]  # premultiplied, so that edges do not pick up hidden colours
    rgba = np.pad(rgba, ((0, 0), (1, 2), (1, 2), (0, 0))).reshape(n, -1, 4)  # clear all round
    reach = (np.arange(size, dtype=np.float32) + 0.5) / size
    dx = (reach[None, None, :] - p.x[:, None, None]) / p.scale[:, None, None]
    dy = (reach[None, :, None] - p.y[:, None, None]) / p.scale[:, None, None]
    cos, sin = (f(p.angle).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    across = ((cos * dx + sin * dy + 0.5) * side + 0.5).clip(0, side + 1).reshape(n, -1)
    down = ((cos * dy - sin * dx + 0.5) * side + 0.5).clip(0, side + 1).reshape(n, -1)
    left, top = across.astype(np.int64), down.astype(np.int64)
    fx, fy = (across - left)[..., None], (down - top)[..., None]
    corner, one = top * (side + 3) + left, np.arange(n)[:, None]
    upper = rgba[one, corner] * (1 - fx) + rgba[one, corner + 1] * fx
    lower = rgba[one, corner + side + 3] * (1 - fx) + rgba[one, corner + side + 4] * fx
    placed = (upper * (1 - fy) + lower * fy).reshape(n, size, size, 4)
    toward = np.cos(p.light)[:, None, None] * dx + np.sin(p.light)[:, None, None] * dy
    light = (1 + p.shade[:, None, None] * toward)[..., None] * p.gain[:, None, None, :]
    cover = placed[..., 3:]
    return np.minimum(placed[..., :3] * light, cover), cover
