"""Losses, miners and batches, against slow loops and pytorch-metric-learning."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import (
    ContrastiveLoss,
    NormalizedSoftmaxLoss,
    TripletMarginLoss,
)
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from pytorch_metric_learning.reducers import MeanReducer
from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices

from utils.images import ImageSet
from utils.triplet import (
    Batches,
    TripletAndCrossEntropy,
    active_share,
    all_triplets,
    balanced,
    batch_hard,
    contrastive_loss,
    cosine_cross_entropy,
    cut_out,
    flip_and_shift,
    mean_cosine,
    mix_colours,
    random_triplets,
    semi_hard,
    shuffled,
    triplet_loss,
)

MINERS = [random_triplets, semi_hard, batch_hard, all_triplets]


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


some_labels = st.lists(st.integers(0, 4), min_size=3, max_size=24)


def euclidean(power=1):
    return LpDistance(normalize_embeddings=False, power=power)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("mine", MINERS)
def test_on_every_miners_triplets_the_loss_is_pytorch_metric_learnings(mine, squared):
    vectors, labels = unit(40, 6), torch.arange(40) // 4
    torch.manual_seed(0)
    chosen = mine(torch.cdist(vectors, vectors).detach(), labels)
    theirs = TripletMarginLoss(
        margin=0.4, distance=euclidean(2 if squared else 1), reducer=MeanReducer()
    )
    expected = theirs(vectors, labels, chosen)
    torch.manual_seed(0)
    found = triplet_loss(vectors, labels, 0.4, mine, squared)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient(found, vectors), gradient(expected, vectors))


@given(some_labels, st.integers(0, 100))
def test_batch_hard_is_pytorch_metric_learnings(labels, seed):
    vectors, labels = unit(len(labels), 3, seed).detach(), torch.tensor(labels)
    found = batch_hard(torch.cdist(vectors, vectors), labels)
    expected = BatchHardMiner(distance=euclidean())(vectors, labels)
    assert [part.tolist() for part in found] == [part.tolist() for part in expected]


@given(some_labels, st.integers(0, 100))
def test_batch_hard_at_ties_finds_as_far_and_as_near(labels, seed):
    corners = torch.randint(2, (len(labels), 2), generator=torch.Generator().manual_seed(seed))
    labels = torch.tensor(labels)
    distances = torch.cdist(corners.double(), corners.double())
    anchors, positives, negatives = batch_hard(distances, labels)
    theirs = BatchHardMiner(distance=euclidean())(corners.double(), labels)
    assert anchors.tolist() == theirs[0].tolist()
    assert (labels[positives] == labels[anchors]).all() and (positives != anchors).all()
    assert (labels[negatives] != labels[anchors]).all()
    for ours, others in ((positives, theirs[1]), (negatives, theirs[2])):
        assert distances[anchors, ours].tolist() == distances[anchors, others].tolist()


@given(some_labels, st.integers(0, 100))
def test_semi_hard_at_ties_takes_a_negative_strictly_beyond_the_positive(labels, seed):
    corners = torch.randint(3, (len(labels), 2), generator=torch.Generator().manual_seed(seed))
    points, labels = corners.double(), torch.tensor(labels)
    distances = torch.cdist(points, points)
    miner = TripletMarginMiner(1e9, type_of_triplets="semihard", distance=euclidean())
    beyond = {}  # of each anchor and positive, how far pytorch-metric-learning's negatives are
    for a, p, n in torch.stack(miner(points, labels), 1).tolist():
        beyond.setdefault((a, p), []).append(distances[a, n].item())
    for a, p, n in torch.stack(semi_hard(distances, labels), 1).tolist():
        assert p != a and labels[p] == labels[a] != labels[n]
        farthest = distances[a][labels != labels[a]].max().item()
        assert distances[a, n] == min(beyond.get((a, p), [farthest]))


def test_batch_hard_tells_large_labels_apart_that_single_precision_does_not():
    distances = torch.cdist(*[torch.tensor([[0.0], [1.0], [3.0], [7.0]])] * 2)
    small = torch.tensor([0, 0, 1, 1])
    for large in (2**24 + small, 2**62 + small, -(2**40) - small):
        for found, expected in zip(
            batch_hard(distances, large), batch_hard(distances, small), strict=True
        ):
            assert found.tolist() == expected.tolist()


def test_batch_hard_keeps_its_order_in_single_precision_when_nearly_collapsed():
    generator = torch.Generator().manual_seed(0)
    vectors = F.normalize(1 + 0.01 * torch.randn(60, 8, generator=generator), dim=1)
    labels = torch.arange(60) // 5
    exact = torch.cdist(vectors.double(), vectors.double())
    found, expected = batch_hard(exact.float(), labels), batch_hard(exact, labels)
    for ours, others in zip(found, expected, strict=True):
        torch.testing.assert_close(
            exact[found[0], ours], exact[expected[0], others], atol=1e-6, rtol=0
        )


@given(some_labels)
def test_all_triplets_are_all_that_pytorch_metric_learning_lists(labels):
    labels = torch.tensor(labels)
    found = all_triplets(torch.zeros(len(labels), len(labels)), labels)
    expected = get_all_triplets_indices(labels)
    assert set(zip(*map(torch.Tensor.tolist, found), strict=True)) == set(
        zip(*map(torch.Tensor.tolist, expected), strict=True)
    )
    assert len(found[0]) == len(expected[0])


@pytest.mark.parametrize("mine", [random_triplets, semi_hard])
@given(some_labels, st.integers(0, 20))
def test_each_anchor_that_can_has_one_triplet(mine, labels, seed):
    labels = torch.tensor(labels)
    vectors = unit(len(labels), 3, seed).detach()
    anchors, positives, negatives = mine(torch.cdist(vectors, vectors), labels)
    able = {a for a, _, _ in zip(*get_all_triplets_indices(labels), strict=True)}
    assert sorted(anchors.tolist()) == sorted({int(a) for a in able})
    assert (labels[positives] == labels[anchors]).all() and (positives != anchors).all()
    assert (labels[negatives] != labels[anchors]).all()


def test_random_triplets_come_to_each_positive_and_negative():
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    torch.manual_seed(0)
    drawn = [random_triplets(torch.zeros(6, 6), labels) for _ in range(200)]
    seen = {tuple(triplet) for triplets in drawn for triplet in torch.stack(triplets, 1).tolist()}
    assert len(seen) == len(all_triplets(torch.zeros(6, 6), labels)[0])


@pytest.mark.parametrize("margin", [0.2, 1.0])
def test_contrastive_loss_on_plain_distances_is_pytorch_metric_learnings(margin):
    vectors, labels = unit(30, 5), torch.arange(30) // 3
    theirs = ContrastiveLoss(
        pos_margin=0, neg_margin=margin, distance=euclidean(), reducer=MeanReducer()
    )
    expected, found = theirs(vectors, labels), contrastive_loss(vectors, labels, margin, False)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradient(found, vectors), gradient(expected, vectors))


@given(some_labels, st.floats(0.05, 2))
def test_contrastive_loss_is_hadsells(labels, margin):
    vectors, near, far = unit(len(labels), 3), [], []
    for i, a in enumerate(labels):
        for j, b in enumerate(labels[:i]):
            apart = math.dist(vectors[i].tolist(), vectors[j].tolist())
            near += [apart**2] * (a == b)
            far += [max(0, margin - apart) ** 2] * (a != b)
    expected = sum(np.mean(part) for part in (near, far) if part)
    found = contrastive_loss(vectors, torch.tensor(labels), margin)
    assert found.item() == pytest.approx(expected, abs=1e-6)


def test_both_losses_together_are_their_sum_and_the_prototypes_learn():
    vectors, labels = unit(20), torch.arange(20) // 4
    both = TripletAndCrossEntropy(5, 4, margin=0.3, mine=batch_hard).double()
    expected = triplet_loss(vectors, labels, 0.3, batch_hard)
    expected = expected + cosine_cross_entropy(vectors, both.prototypes, labels)
    found = both(vectors, labels)
    torch.testing.assert_close(found, expected)
    assert gradient(found, both.prototypes).abs().sum() > 0


@given(st.integers(2, 30), st.integers(0, 100))
def test_mean_cosine_is_the_mean_over_all_pairs(n, seed):
    vectors = unit(n, 5, seed).detach()
    cosines = F.cosine_similarity(vectors[:, None], vectors[None], dim=2)
    expected = cosines[~torch.eye(n, dtype=torch.bool)].mean().item()
    assert mean_cosine(vectors) == pytest.approx(expected, abs=1e-9)


@given(some_labels, st.floats(0.01, 1.5))
def test_active_share_counts_what_pytorch_metric_learning_mines(labels, margin):
    vectors, labels = unit(len(labels), 3).detach(), torch.tensor(labels)
    miner = TripletMarginMiner(margin, type_of_triplets="all", distance=euclidean())
    every = len(get_all_triplets_indices(labels)[0])
    expected = len(miner(vectors, labels)[0]) / max(every, 1)
    assert active_share(vectors, labels, margin) == pytest.approx(expected)


def test_active_share_runs_from_all_to_none():
    labels = torch.arange(12) // 4
    assert active_share(torch.ones(12, 2) / 2**0.5, labels) == 1
    assert active_share(torch.eye(3)[labels], labels) == 0


@given(st.integers(2, 5), st.integers(2, 5), st.integers(0, 1000), st.integers(0, 9))
def test_a_balanced_batch_has_each_of_some_labels_as_often(classes, each, step, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(6), 5))
    rows = balanced(labels, classes, each, seed)(step)
    found, counts = np.unique(labels[rows], return_counts=True)
    assert len(found) == classes and (counts == each).all()
    assert len(set(rows)) == len(rows)
    assert (labels[rows].reshape(classes, each) == labels[rows[::each], None]).all()
    assert (rows == balanced(labels, classes, each, seed)(step)).all()


def test_balanced_batches_come_to_every_picture():
    labels = np.repeat(np.arange(6), 5)
    draw = balanced(labels, 3, 2)
    assert set(np.concatenate([draw(step) for step in range(200)])) == set(range(30))
    assert any(draw(0) != balanced(labels, 3, 2, seed=1)(0))


def test_a_class_with_few_pictures_repeats_them_and_one_with_a_single_is_left_out():
    labels = [0, 0, 1, 1, 1, 1, 7]
    with pytest.warns(UserWarning, match=r"1 of 3 classes have a single picture.*class 7"):
        draw = balanced(labels, 2, 4)
    rows = draw(0)
    assert sorted(np.array(labels)[rows]) == [0] * 4 + [1] * 4


@pytest.mark.parametrize(
    "labels, classes, each, told",
    [
        ([0, 0, -1, 1, 1], 2, 2, r"1 of 5 pictures have no label"),
        ([0, 0, 1, 1], 1, 2, r"1 classes × 2 pictures holds no triplet"),
        ([0, 0, 1, 1], 2, 1, r"2 classes × 1 pictures holds no triplet"),
        ([0, 0, 1, 1], 3, 2, r"needs as many.*there are 2"),
    ],
)
def test_labels_that_make_no_batch_are_refused(labels, classes, each, told):
    with pytest.raises(ValueError, match=told):
        balanced(labels, classes, each)


def test_shuffled_batches_see_every_picture_once_an_epoch_in_new_orders():
    draw = shuffled(12, 4)
    epochs = [np.concatenate([draw(3 * epoch + i) for i in range(3)]) for epoch in range(2)]
    assert all(sorted(epoch) == list(range(12)) for epoch in epochs)
    assert (epochs[0] != epochs[1]).any()
    assert len(set(np.concatenate([shuffled(14, 4)(i) for i in range(3)]))) == 12
    with pytest.raises(ValueError, match="batch of 20 needs as many pictures"):
        shuffled(12, 20)


def test_batches_are_what_the_network_takes():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    pictures = ImageSet(images, np.arange(6) // 2, list("abc"), [str(i) for i in range(6)])
    draw = Batches(
        pictures,
        lambda x: x.permute(0, 3, 1, 2) / 255,
        lambda step: np.array([step, 5]),
        lambda x: -x,
    )
    x, labels = draw(2)
    np.testing.assert_allclose(x.permute(0, 2, 3, 1), images[[2, 5]] / -255, rtol=1e-6)
    assert labels.tolist() == [1, 2]


def test_a_flip_and_a_shift_move_each_picture_by_its_own_few_pixels():
    x = torch.arange(9 * 9.0).reshape(1, 1, 9, 9).repeat(300, 3, 1, 1)
    torch.manual_seed(0)
    moved = flip_and_shift(x, 2)
    assert moved.shape == x.shape and len(moved.unique(dim=0)) == 2 * 5 * 5
    padded = F.pad(x[:1], (2,) * 4, mode="reflect")
    windows = [whole.unfold(2, 9, 1).unfold(3, 9, 1)[0] for whole in (padded, padded.flip(3))]
    possible = [one.permute(1, 2, 0, 3, 4).reshape(-1, 3, 9, 9) for one in windows]
    found = {tuple(one.flatten().tolist()) for one in moved}
    assert found == {tuple(one.flatten().tolist()) for one in torch.cat(possible)}


def test_cut_out_blanks_one_square_that_may_reach_over_the_edge():
    torch.manual_seed(0)
    cut = cut_out(torch.ones(400, 3, 12, 12), 4) == 0
    assert (cut[:, 0] == cut[:, 1]).all() and (cut[:, 0] == cut[:, 2]).all()
    rows, columns = cut[:, 0].any(2).sum(1), cut[:, 0].any(1).sum(1)
    assert (cut[:, 0].sum((1, 2)) == rows * columns).all()
    assert rows.min() == columns.min() == 2 and rows.max() == columns.max() == 4


def test_mixing_colours_is_one_linear_map_for_all_pixels_of_a_picture():
    torch.manual_seed(0)
    x = torch.randn(5, 3, 6, 4)
    mixed = mix_colours(x, 0.3)
    for before, after in zip(x.flatten(2), mixed.flatten(2), strict=True):
        matrix = torch.linalg.lstsq(before.T, after.T).solution
        torch.testing.assert_close(before.T @ matrix, after.T, atol=1e-4, rtol=1e-4)
    assert len(mix_colours(x[:1].repeat(9, 1, 1, 1), 0.3).unique(dim=0)) == 9
    torch.testing.assert_close(mix_colours(x, 0), x)
