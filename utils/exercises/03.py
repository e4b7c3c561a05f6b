"""Graders of lesson 03."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from utils.embed import embed
from utils.embedder import Embedder
from utils.exercises import not_ready
from utils.images import ImageSet
from utils.metrics import recall_at_k


def grade_1(easy_positive: Callable[..., Any]) -> str | None:
    """The nearest positive and the nearest negative of each anchor."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(24, 5, generator=generator)
    labels = torch.arange(24)[torch.randperm(24, generator=generator)] // 4
    twins = torch.nonzero(labels == 0)[:2, 0]
    points[twins[1]] = points[twins[0]]
    distances = torch.cdist(points, points)
    before = distances.clone()
    given = easy_positive(distances, labels)
    if not torch.equal(before, distances):
        return "Your miner writes into the distances it is given. Use masked_fill, without a _."
    if not isinstance(given, tuple | list) or len(given) != 3:
        return f"Return three tensors, anchors, positives and negatives, not {_kind(given)}."
    if any(isinstance(part, tuple) and hasattr(part, "indices") for part in given):
        return "min(1) and topk give values and indices; the positions are the indices."
    parts = [torch.as_tensor(part) for part in given]
    if any(part.dtype.is_floating_point for part in parts):
        return "Positions are whole numbers, but yours are floats: argmin gives where, min how far."
    anchors, positives, negatives = parts
    if len({part.shape for part in parts}) > 1:
        shapes = ", ".join(str(tuple(part.shape)) for part in parts)
        return f"Your three tensors belong together one to one, but have shapes {shapes}."
    if anchors.ndim != 1:
        return f"Each tensor lists positions, of shape (24,), but yours are {tuple(anchors.shape)}."
    if any(((part < 0) | (part >= 24)).any() for part in parts):
        return "A position in a batch of 24 runs from 0 to 23, but some of yours do not."
    if sorted(anchors.tolist()) != list(range(24)):
        told = f"you list {len(anchors)}, {len(anchors.unique())} of them different"
        return f"Each of the 24 pictures is an anchor once, but {told}."
    if (positives == anchors).any():
        return (
            "Some anchors have themselves as their positive: nothing is nearer than oneself. Mask "
            "the diagonal."
        )
    if (labels[negatives] == labels[anchors]).any():
        return "Some of your negatives have the anchor's own label. Mask those before the minimum."
    if (labels[positives] != labels[anchors]).any():
        return "Some of your positives have another label than their anchor."
    same = labels[:, None] == labels
    far = distances.masked_fill(~same, -1).argmax(1)
    near = distances.masked_fill(~same, 9).fill_diagonal_(9).argmin(1)
    if torch.equal(positives, far[anchors]):
        return "Those are the farthest positives, batch-hard's. The easy ones are the nearest."
    wrong = positives != near[anchors]
    if wrong.any() and torch.isin(anchors[wrong], twins).all():
        return (
            "Two equal pictures of one label are each other's positives, though 0 apart. Mask the "
            "diagonal, not the zeros."
        )
    if wrong.any():
        return "Your positives are not the nearest of their label."
    hardest = distances.masked_fill(same, 9).argmin(1)
    if not torch.equal(negatives, hardest[anchors]):
        return "Your negatives are not the nearest of another label."
    return None


def grade_2(name_them: Callable[..., Any]) -> str | None:
    """A vote among the near ones of the k nearest; −1 for none."""
    gallery = np.array([[0.0], [1.0], [1.1], [5.0], [5.2], [9.0]])
    labels = np.array([7, 3, 3, 0, 7, 7])
    queries = np.array([[0.1], [0.9], [5.05], [30.0], [5.15]])
    wanted = np.array([3, 3, 0, -1, 7])  # k = 3, threshold 2
    found = np.asarray(name_them(queries, gallery, labels, 3, 2.0))
    if found.shape != wanted.shape:
        return f"Five queries need five labels, but you return shape {found.shape}."
    if None in found.tolist():
        return "None is no label: where no neighbour is near enough the answer is −1."
    if found.dtype.kind not in "iu":
        return f"Labels are whole numbers, but yours are {found.dtype}."
    strange = ~np.isin(found, [*labels, -1])
    if strange.any():
        return (
            f"{found[strange][0]} is no label of the gallery. The neighbours are positions: look "
            "their labels up, labels[found]."
        )
    if found[3] != -1:
        return (
            f"A query 21 away from everything gets the label {found[3]} at threshold 2. Where no "
            "neighbour is near enough the answer is −1."
        )
    one = np.asarray(name_them(queries, gallery, labels, 1, 2.0))
    if one.tolist() != [7, 3, 0, -1, 7]:
        return f"With k = 1 the nearest's label decides: [7, 3, 0, −1, 7], not {one.tolist()}."
    if found[0] == 7:
        return (
            "Of the three nearest to 0.1 one says 7 and two say 3, but you answer 7, the nearest's "
            "label. Count the votes."
        )
    few = np.asarray(name_them(np.array([[8.9]]), gallery, labels, 5, 0.5))
    if few[0] == -1:
        return (
            "One neighbour within the threshold and four beyond it: the one decides, but you "
            "answer −1. Those beyond have no vote, not even for −1."
        )
    far = np.asarray(name_them(np.array([[10.8], [11.0]]), gallery, labels, 1, 2.0))
    if far.tolist() != [7, 7]:
        return (
            "Neighbours 1.8 and 2.0 away are not farther than a threshold of 2 and vote, but you "
            f"answer {far.tolist()}. Take <=, and distances, not their squares."
        )
    crowd = np.array([[0.0], [1.0], [1.1], [-2.0], [-2.1]])
    many = np.asarray(name_them(np.array([[0.1]]), crowd, np.array([5, 3, 3, 8, 8]), 5, 3.0))
    if many[0] == 5:
        return "Only labels with the most votes are in a tie; the nearest of all has one vote here."
    two = np.array([[0.1], [1.9], [0.5], [0.6]])
    tied = np.asarray(name_them(np.array([[0.0]]), two, np.array([9, 9, 2, 2]), 4, 2.0))
    near = np.asarray(name_them(np.array([[0.0]]), gallery, labels, 3, 0.5))
    if near[0] == 3:
        return (
            "Of the three nearest to 0 one is within the threshold of 0.5 and says 7, but you "
            "answer 3. Those beyond have no vote."
        )
    if found.tolist() == wanted.tolist() and [few[0], many[0], near[0]] == [7, 3, 7]:
        if tied[0] != 9:
            return (
                "At 0.1 and 1.9 one label has two votes, at 0.5 and 0.6 another: a tie, and the "
                f"label at 0.1 wins. You answer {tied[0]}. Do not add or average the distances."
            )
        return None
    if found[2] != 0 or found[4] != 7:
        return "At a tie of votes the label of the nearer neighbour wins."
    return (
        f"For k = 3 and threshold 2 the labels are {wanted.tolist()}, but yours {found.tolist()}."
    )


def _stripes(n: int, seed: int) -> ImageSet:
    """Faint stripes in four directions under noise: soon learned, and no help to pixels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 4
    angle, phase = (labels * np.pi / 4)[:, None, None], rng.uniform(0, 6.3, n)[:, None, None]
    y, x = np.mgrid[:32, :32]
    waves = np.sin(0.9 * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    pixels = 128 + 30 * waves[..., None] + rng.normal(0, 60, (n, 32, 32, 3))
    images = pixels.clip(0, 255).astype(np.uint8)
    names = ["0°", "45°", "90°", "135°"]
    return ImageSet(images, labels.astype(np.int64), names, [str(i) for i in range(n)])


def grade_3(recipe: Callable[..., Any]) -> str | None:
    """An Embedder that has learned what it was shown: four directions of stripes, in seconds."""
    shown, asked = _stripes(128, 0), _stripes(80, 1)
    with torch.random.fork_rng():  # one recipe gets one grade
        torch.manual_seed(0)
        model = recipe(shown, 4)
    if not isinstance(model, Embedder):
        return f"recipe(…) should return the trained Embedder, but returns {_kind(model)}."
    if hint := not_ready(model.module, epochs=4):
        return hint
    vectors = embed(model, asked, cache=False)
    again = embed(model, asked[::-1], cache=False)[::-1]
    if not np.allclose(vectors, again, atol=1e-2):
        return "A picture's embedding depends on which others are in its batch. Is it in eval()?"
    found = recall_at_k(vectors, asked.labels)
    if found < 0.5:
        return (
            f"After 4 epochs over 128 striped pictures recall@1 is {found:.2f}, and by chance .25. "
            "Does it learn at all? Print the loss; try smaller batches, so that an epoch has more "
            "steps, or another learning rate."
        )
    many, few = _batches_seen(model), _batches_seen(recipe(shown, 2))
    if many and many <= few:
        return (
            f"For 4 epochs yours trains on {many} batches, and for 2 epochs on {few}: its steps do "
            "not depend on `epochs`."
        )
    return None


def _batches_seen(model: Embedder) -> int:
    """As BatchNorm counts them; 0 for a network without."""
    named = model.module.named_buffers()
    return max([int(n) for name, n in named if name.endswith("num_batches_tracked")], default=0)


def _kind(given: Any) -> str:
    shape = tuple(given.shape) if isinstance(given, Tensor | np.ndarray) else ""
    return f"{type(given).__name__} {shape}".strip()
