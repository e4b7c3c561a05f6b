"""Graders of lesson 09."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from utils.words import DualEncoder, TextTower, embed_text, new_pair


def _unit(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    vectors = rng.normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def grade_1(name_it: Callable[..., Any]) -> str | None:
    """The k nearest names of each picture, nearest first."""
    rng = np.random.default_rng(0)
    pictures, texts = _unit(rng, 6, 8), _unit(rng, 9, 8)
    names = [f"name {i}" for i in range(9)]
    given = name_it(pictures.copy(), texts.copy(), list(names), 3)
    if len(given) == 9:
        return "Each picture gets its names; yours gives each name its pictures."
    if len(given) != 6:
        return f"There are 6 pictures, so return 6 lists of names, not {len(given)}."
    order = np.argsort(-(pictures @ texts.T), axis=1)
    if any(isinstance(one, str) or np.ndim(one) == 0 for one in given):
        return "Return a list of k names for each picture, also where k is 1."
    if any(isinstance(one, int | np.integer) for row in given for one in row):
        return "These are positions; look up the names at them."
    given = [list(row) for row in given]
    if given == [[names[i] for i in row[:3]] for row in order]:
        first = [
            row if isinstance(row, str) else list(row) for row in name_it(pictures, texts, names, 1)
        ]
        if any(isinstance(row, str) for row in first):
            return "Where k is 1, too, each picture gets a list: of one name."
        if first != [[names[row[0]]] for row in order]:
            return f"With k = 1 each picture gets one name, but yours gets {len(first[0])}."
        return None
    if given == [[names[i] for i in row[::-1][:3]] for row in order]:
        return "These are the farthest names. Cosine is a similarity: more is nearer."
    if [sorted(row) for row in given] == [sorted(names[i] for i in row[:3]) for row in order]:
        return "The right names, but not nearest first."
    return f"The first picture is {[names[i] for i in order[0, :3]]}, but yours is {given[0]}."


def _many_right(images: Tensor, texts: Tensor, labels: Tensor, scale: float) -> Tensor:
    scores = scale * images @ texts.T
    same = (labels[:, None] == labels).float()
    right = same / same.sum(1, keepdim=True)
    return (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2


def grade_2(many_right: Callable[..., Any]) -> str | None:
    """Symmetric cross-entropy in which every pair of one thing is right."""
    torch.manual_seed(0)
    images, texts = F.normalize(torch.randn(2, 6, 4), dim=2)
    labels, scale = torch.tensor([0, 1, 0, 2, 1, 0]), 5.0

    def ask(n: int, scale: float) -> Tensor:
        return torch.as_tensor(
            many_right(images[:n].clone(), texts[:n].clone(), labels[:n].clone(), scale)
        ).float()

    given, expected = ask(6, scale), _many_right(images, texts, labels, scale)
    if given.ndim:
        return f"A loss is one number, but yours has shape {tuple(given.shape)}: take the mean."
    if torch.isclose(given, expected, atol=1e-4):
        other = _many_right(images[:5], texts[:5], labels[:5], 2.0)
        if not torch.isclose(ask(5, 2.0), other, atol=1e-4):
            return "Yours is right for six pairs and a scale of 5, not for five pairs and one of 2."
        return None
    if any(
        torch.isclose(given, _many_right(images, texts, labels, s), atol=1e-4)
        for s in (1, 1 / scale)
    ):
        return "The cosines are to be multiplied by `scale`."
    scores, own = scale * images @ texts.T, torch.arange(6)
    rows, columns = F.cross_entropy(scores, own), F.cross_entropy(scores.T, own)
    if torch.isclose(given, (rows + columns) / 2, atol=1e-4):
        return (
            "Yours is still the loss with one right text a picture: where two rows have the same "
            "label, each is right for the other."
        )
    same = (labels[:, None] == labels).float()
    right = same / same.sum(1, keepdim=True)
    if torch.isclose(given, F.cross_entropy(scores, right), atol=1e-4):
        return "Pictures find texts in yours; texts should find pictures too, and half of each."
    if torch.isclose(given, F.cross_entropy(scores.T, right), atol=1e-4):
        return "Texts find pictures in yours; pictures should find texts too, and half of each."
    named = (F.cross_entropy(scores, labels) + F.cross_entropy(scores.T, labels)) / 2
    if torch.isclose(given, named, atol=1e-4):
        return "A label is no place in the batch: a row's right answers are all of the same label."
    logits, wrong = (scores, scores.T), ~same.bool()
    best = [s.logsumexp(1) - s.masked_fill(wrong, -torch.inf).logsumexp(1) for s in logits]
    if torch.isclose(given, torch.stack(best).mean(), atol=1e-4):
        return "Each right answer has an equal share; in yours it is enough to find one of them."
    summed = (F.cross_entropy(scores, same) + F.cross_entropy(scores.T, same)) / 2
    if torch.isclose(given, summed, atol=1e-4):
        return "The targets of a row must sum to 1: divide by how many are right in it."
    if torch.isclose(given, 2 * expected, atol=1e-4):
        return "That is the sum of the two directions; take half of it."
    return f"Expected {expected.item():.4f}, but yours is {given.item():.4f}."


def grade_3(prompted: Callable[..., Any]) -> str | None:
    """One unit vector a name: the mean of its prompts' vectors, made long again."""
    pair: DualEncoder = new_pair(0)
    torch.manual_seed(0)
    cast(TextTower, pair.texts).grams.weight.data.normal_()  # so that prompts differ clearly
    names, templates = ["cat", "red apple", "car"], ["a few {}s", "{}", "a small {}, drawn"]
    given = np.asarray(prompted(pair, list(names), list(templates)), np.float32)
    if given.shape != (3, pair.images.dim):
        return f"3 names need vectors of 3×{pair.images.dim}, but yours are {_by(given.shape)}."
    means = _means(pair, names, templates)
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    if np.allclose(given, expected, atol=1e-4):
        return None
    if np.allclose(given, means, atol=1e-4):
        return (
            f"The mean of unit vectors is shorter than 1 (yours: {np.linalg.norm(given[0]):.3f}); "
            "divide each row by its norm."
        )
    lengths = np.linalg.norm(given, axis=1)
    told = ", ".join(f"{length:.3f}" for length in lengths)
    if np.allclose(given, expected * lengths[:, None], atol=1e-4) and lengths.all():
        return (
            f"The directions are right, but not the lengths (yours: {told}); "
            "divide each row by its own norm."
        )
    for i, template in enumerate(templates):
        if np.allclose(given, _means(pair, names, [template]), atol=1e-4):
            return f"Only template {i + 1} counts in yours; take the mean over all of them."
    joined = embed_text(pair, [" ".join(t.format(name) for t in templates) for name in names])
    if np.allclose(given, joined, atol=1e-4):
        return "You embed one long text; embed each prompt, then take the mean of the vectors."
    return (
        "These are not the means of the prompts' vectors: fill each name into every template, and "
        "take the mean over the prompts of one name."
    )


def _means(pair: DualEncoder, names: Sequence[str], templates: Sequence[str]) -> np.ndarray:
    filled = [[template.format(name) for template in templates] for name in names]
    return np.stack([embed_text(pair, prompts).mean(0) for prompts in filled])


def _by(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "a single number"
