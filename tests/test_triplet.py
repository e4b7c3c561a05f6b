"""The training losses, against slow loops and pytorch-metric-learning."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import NormalizedSoftmaxLoss, TripletMarginLoss
from pytorch_metric_learning.miners import TripletMarginMiner
from pytorch_metric_learning.reducers import MeanReducer

from utils.triplet import cosine_cross_entropy, triplet_loss


def unit(n, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    vectors = F.normalize(torch.randn(n, d, generator=generator, dtype=torch.float64), dim=1)
    return vectors.requires_grad_()


def pairs(n, seed=0):
    """Labels of which each is there twice: one positive an anchor, so nothing is random."""
    return torch.from_numpy(np.random.default_rng(seed).permutation(np.arange(n).repeat(2)))


def mined(vectors, labels):
    """(anchor, positive, negative) for each anchor, by the definition, one at a time."""
    points = vectors.detach().tolist()
    triplets = []
    for a, own in enumerate(labels.tolist()):
        positives = [j for j, other in enumerate(labels.tolist()) if other == own and j != a]
        negatives = [j for j, other in enumerate(labels.tolist()) if other != own]
        if not positives or not negatives:
            continue
        (p,) = positives
        apart = {j: math.dist(points[a], points[j]) for j in [p, *negatives]}
        beyond = [j for j in negatives if apart[j] > apart[p]]
        n = min(beyond, key=apart.get) if beyond else max(negatives, key=apart.get)
        triplets.append((a, p, n))
    return triplets


def loop_loss(vectors, labels, margin):
    losses = []
    for a, p, n in mined(vectors, labels):
        to_positive, to_negative = (
            torch.linalg.vector_norm(vectors[a] - vectors[j]) for j in (p, n)
        )
        losses.append(torch.clamp(to_positive - to_negative + margin, min=0))
    return torch.stack(losses).mean()


def gradient(loss, vectors):
    (found,) = torch.autograd.grad(loss, vectors)
    return found


batches = st.tuples(st.integers(2, 14), st.integers(2, 6), st.integers(0, 1000))


@given(batches, st.floats(0, 2))
def test_the_triplet_loss_is_the_slow_loops(batch, margin):
    n, dim, seed = batch
    vectors, labels = unit(2 * n, dim, seed), pairs(n, seed)
    expected = loop_loss(vectors, labels, margin)
    found = triplet_loss(vectors, labels, margin)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(
        gradient(found, vectors), gradient(expected, vectors), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("margin", [0.05, 0.2, 1.0])
def test_on_the_mined_triplets_it_is_pytorch_metric_learnings_loss(margin):
    vectors, labels = unit(40, 6), pairs(20)
    theirs = TripletMarginLoss(
        margin=margin, distance=LpDistance(normalize_embeddings=False), reducer=MeanReducer()
    )
    triplets = tuple(torch.tensor(mined(vectors, labels)).T)
    expected = theirs(vectors, labels, triplets)
    found = triplet_loss(vectors, labels, margin)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient(found, vectors), gradient(expected, vectors))


def test_its_triplets_are_the_hardest_of_pytorch_metric_learnings_semi_hard_ones():
    vectors, labels, margin = unit(40, 6), pairs(20), 0.5
    assert all(  # so that no anchor has to take its farthest negative
        (vectors[a] - vectors[n]).norm() > (vectors[a] - vectors[p]).norm()
        for a, p, n in mined(vectors, labels)
    )
    miner = TripletMarginMiner(
        margin, type_of_triplets="semihard", distance=LpDistance(normalize_embeddings=False)
    )
    losses = torch.zeros(40, dtype=torch.float64)
    for a, p, n in zip(*miner(vectors.detach(), labels), strict=True):
        loss = margin + (vectors[a] - vectors[p]).norm() - (vectors[a] - vectors[n]).norm()
        losses[a] = torch.maximum(losses[a], loss.detach())
    assert (losses > 0).sum() > 20
    found = triplet_loss(vectors, labels, margin)
    torch.testing.assert_close(found.detach(), losses.mean())


def test_each_positive_of_an_anchor_is_drawn_in_turn():
    # anchor 0 has a near and a far positive; the only negative is beyond both
    vectors = torch.tensor([[0.0, 0], [0.1, 0], [0.5, 0], [0.6, 0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1])
    torch.manual_seed(0)
    seen = {round(triplet_loss(vectors, labels, 1.0).item(), 4) for _ in range(200)}
    # two choices for each of three anchors: losses are means of one of two values an anchor
    each = [(0.5, 0.9), (0.6, 0.9), (1.4, 1.3)]
    possible = {round((a + b + c) / 3, 4) for a in each[0] for b in each[1] for c in each[2]}
    assert seen == possible


def test_the_order_of_the_batch_does_not_matter():
    vectors, labels = unit(30), pairs(15)
    order = torch.from_numpy(np.random.default_rng(1).permutation(30))
    torch.testing.assert_close(
        triplet_loss(vectors[order], labels[order]),
        triplet_loss(vectors, labels),
    )


def test_groups_that_are_far_apart_cost_nothing():
    vectors = torch.eye(6, dtype=torch.float64)[torch.arange(12) // 2]
    assert triplet_loss(vectors, torch.arange(12) // 2, 0.2) == 0


@pytest.mark.parametrize("n", [8, 200])
def test_a_collapsed_batch_costs_the_margin_and_its_gradient_is_finite(n):
    vectors = F.normalize(torch.ones(n, 4), dim=1).requires_grad_()
    loss = triplet_loss(vectors, torch.arange(n) // 2, 0.3)
    assert loss.item() == pytest.approx(0.3, abs=1e-3)
    assert torch.isfinite(gradient(loss, vectors)).all()


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [5, 5, 5, 5], [7]])
def test_a_batch_without_triplets_costs_nothing_and_can_still_be_trained_on(labels):
    vectors = unit(len(labels))
    loss = triplet_loss(vectors, torch.tensor(labels))
    assert loss.item() == 0
    assert (gradient(loss, vectors) == 0).all()


def test_pictures_alone_in_their_class_are_negatives_and_no_anchors():
    vectors = unit(8)
    labels = torch.tensor([0, 0, 1, 1, 2, 3, 4, 5])
    expected = loop_loss(vectors, labels, 0.5)
    found = triplet_loss(vectors, labels, 0.5)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)
    assert torch.isfinite(gradient(found, vectors)).all()


@pytest.mark.parametrize("scale", [1.0, 12.0, 30.0])
def test_cosine_cross_entropy_is_pytorch_metric_learnings_normalised_softmax(scale):
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(30, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    vectors, labels = F.normalize(points, dim=1), torch.randint(5, (30,), generator=generator)
    theirs = NormalizedSoftmaxLoss(5, 6, temperature=1 / scale).double()
    prototypes = 3 * theirs.W.detach().T  # any length: normalised inside
    expected = theirs(points, labels)
    found = cosine_cross_entropy(vectors, prototypes, labels, scale, smoothing=0)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient(found, points), gradient(expected, points))


@given(st.floats(0, 0.9), st.integers(0, 100))
def test_smoothing_spreads_a_share_of_the_target_over_all_classes(smoothing, seed):
    generator = torch.Generator().manual_seed(seed)
    vectors, labels = unit(6, 4, seed), torch.randint(3, (6,), generator=generator)
    prototypes = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    losses = []
    for vector, label in zip(vectors, labels, strict=True):
        cosines = [F.cosine_similarity(vector, one, dim=0) for one in prototypes]
        logs = torch.log_softmax(12 * torch.stack(cosines), 0)
        losses.append(-(1 - smoothing) * logs[label] - smoothing * logs.mean())
    found = cosine_cross_entropy(vectors, prototypes, labels, smoothing=smoothing)
    torch.testing.assert_close(found, torch.stack(losses).mean())


def test_a_few_steps_of_both_losses_pull_classes_together():
    torch.manual_seed(0)
    labels = torch.arange(24) // 4
    points = torch.randn(24, 5, requires_grad=True)
    prototypes = torch.randn(6, 5, requires_grad=True)
    for _ in range(100):
        vectors = F.normalize(points, dim=1)
        loss = triplet_loss(vectors, labels)
        loss = loss + cosine_cross_entropy(vectors, prototypes, labels)
        steps = torch.autograd.grad(loss, [points, prototypes])
        with torch.no_grad():
            points -= 5 * steps[0]
            prototypes -= 5 * steps[1]
    distances = torch.cdist(*[F.normalize(points, dim=1).detach()] * 2)
    same = labels[:, None] == labels
    assert distances[same].max() < distances[~same].min()
