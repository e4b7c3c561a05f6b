"""Graders of lesson 01."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from utils.embedder import PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess, feature_maps
from utils.images import ImageSet


def grade_1(place_of: Callable[..., Any]) -> str | None:
    """The row-major place of a value of channels × rows × columns maps."""
    shape = (3, 4, 5)
    wanted = np.arange(60).reshape(shape)
    given = np.empty(shape, object)
    for at in np.ndindex(*shape):
        place = place_of(*at, shape)
        try:
            given[at] = operator.index(place)  # of NumPy's and torch's whole numbers, too
        except TypeError:
            told = f"A place is a whole number, but place_of(…) gives {type(place).__name__}."
            return f"{told} Use * and +, no division." if isinstance(place, float) else told
    if (given == wanted).all():
        if place_of(1, 4, 2, (2, 6, 3)) != 32:
            return f"For shape {shape} it is right, but not for (2, 6, 3): use `shape`."
        return None
    if (given == wanted + 1).all():
        return "All your places are one too high: they count from 0, like the channel and the row."
    if (given == np.moveaxis(np.arange(60).reshape(4, 5, 3), 2, 0)).all():
        return (
            "That is the order rows × columns × channels, as a picture file has it. PyTorch's maps "
            "have the channel first, so one channel's whole map comes before the next channel."
        )
    if (given == np.arange(60).reshape(3, 5, 4).swapaxes(1, 2)).all():
        return (
            "Rows and columns have changed places. Row-major order runs along a row first: the "
            "column makes steps of 1, the row steps of the number of columns."
        )
    wrong = next(at for at in np.ndindex(*shape) if given[at] != wanted[at])
    return (
        f"For shape {shape}, {wrong} lands at {wanted[wrong]}, but yours says {given[wrong]}. How "
        "many values come before this channel, before this row, before this column?"
    )


def grade_2(shorten: Callable[..., Any]) -> str | None:
    """Unit vectors along the directions of largest variance."""
    rng = np.random.default_rng(0)
    spread = np.array([0.05] * 8 + [3, 2, 1, 0.5])  # what varies most stands last
    vectors = (rng.normal(size=(80, 12)) * spread + 5).astype(np.float32)
    before = vectors.copy()
    found = np.asarray(shorten(vectors, 3))
    if not np.array_equal(vectors, before):
        return "Your function changes the vectors it is given: write vectors - …, not vectors -= …."
    if found.shape != (80, 3):
        return f"80 vectors and dim = 3 should give 80×3, but you return {found.shape}."
    if np.isnan(found).any():
        return "Your vectors hold NaN. Is there a division by 0?"
    lengths = np.linalg.norm(found, axis=1)
    if not np.allclose(lengths, 1, atol=1e-3):
        return (
            f"Your vectors have lengths from {lengths.min():.1f} to {lengths.max():.1f}. Cosine "
            "search expects 1: divide each row by its norm."
        )
    centred = vectors - vectors.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    if _same_angles(found, centred @ axes[:3].T):
        if (two := np.shape(shorten(vectors, 2))) != (80, 2):
            return f"For dim = 3 it is right, but for dim = 2 you return {two}: use `dim`."
        return None
    if _same_angles(found, vectors[:, :3]):
        return (
            "You keep the first three numbers. Which directions vary most is for PCA to find: it "
            "turns the axes first."
        )
    if _same_angles(found, centred @ axes[-3:].T):
        return "Those are the directions in which the vectors vary least. Take the first ones."
    if _same_angles(found, vectors @ axes[:3].T):
        return (
            "The directions are right, but the mean is still in: all your vectors point the same "
            "way. PCA's fit_transform takes it off; with your own matrix, subtract it first."
        )
    along = centred @ axes[:3].T
    if _same_angles(found, along / along.std(0)):
        return (
            "Your three directions all vary by the same amount: whitening makes them so. Take PCA "
            "without whiten, for what varies most should count most."
        )
    return "These are not the main directions. fit_transform of sklearn's PCA gives them in order."


def _same_angles(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Do unit rows have the wanted rows' cosines? Then signs and rotations do not matter."""
    wanted = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    return np.allclose(found @ found.T, wanted @ wanted.T, atol=1e-2)


class _Small(nn.Module):
    """Two layers with maps; the last answer is not what the first layer says."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, stride=2)
        self.second = nn.Conv2d(6, 5, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).relu()).mean((2, 3))


def grade_3(layer_embedding: Callable[..., Any]) -> str | None:
    """The averaged maps of a named layer, as unit rows, from a network that is left as it was."""
    model = Embedder("small", 5, "random", Preprocess(16, PHOTO_MEAN, PHOTO_STD), _Small().eval())
    pixels = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), np.uint8)
    pictures = ImageSet(pixels, np.full(7, -1), [], [str(i) for i in range(7)])
    maps, before = feature_maps(model, pictures, ["first"])["first"], model.digest
    given = layer_embedding(model, pictures, "first")
    if isinstance(given, Tensor) and given.requires_grad:
        return "Your vectors still carry gradients. Run the network under torch.inference_mode()."
    found = np.asarray(given)
    left = sum(len(part._forward_hooks) for part in model.module.modules())
    if left:
        return f"{left} hook is still on the network and keeps working there: call its remove()."
    if model.module.training or model.digest != before:
        return "The network is not as it was given: leave its layers, weights and eval() alone."
    if found.shape == maps.shape or found.shape == (7, maps[0].size):
        return f"These are the whole maps, {found.shape}. Average each over its rows and columns."
    if found.shape == (7, 5):
        return 'You return 5 numbers, the network\'s last answer; the layer "first" has 6 channels.'
    if found.shape != (7, 6):
        return (
            f"7 pictures and a layer of 6 channels should give 7×6, but you return {found.shape}."
        )
    lengths = np.linalg.norm(found, axis=1)
    if not np.allclose(lengths, 1, atol=1e-3):
        return (
            f"Your vectors have lengths from {lengths.min():.2f} to {lengths.max():.2f}. Cosine "
            "search expects 1: divide each row by its norm."
        )
    wanted, most = maps.mean((2, 3)), maps.max((2, 3))
    if np.allclose(found, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-3):
        if (other := np.shape(layer_embedding(model, pictures, "second"))) != (7, 5):
            return f'For the layer "second", of 5 channels, you return {other}: use `layer`.'
        return None
    if np.allclose(found, most / np.linalg.norm(most, axis=1, keepdims=True), atol=1e-3):
        return "That is each map's maximum. The exercise asks for its average."
    return (
        "These are not the layer's averages. Are the pictures preprocessed with model.preprocess?"
    )
