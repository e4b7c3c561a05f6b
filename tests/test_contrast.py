"""Learning without labels: losses against a library and the definition, MoCo step by step."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import NTXentLoss
from torch import nn

from utils.cnn import CompactCNN
from utils.contrast import (
    MoCo,
    Projected,
    Queue,
    TwoViews,
    ViewPairs,
    Views,
    alike,
    as_pictures,
    blur,
    colour,
    crop,
    flip,
    info_nce,
    nt_xent,
    with_projection,
)
from utils.embed import embed
from utils.embedder import PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.triplet import CollapseWarning, TrainingDiverged, shuffled, train

PARTS = {
    "crop": lambda x: crop(x, 0.2, 32),
    "flip": flip,
    "colour": lambda x: colour(x, 0.5),
    "blur": lambda x: blur(x, 1.0),
}


def two(n: int, dim: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.randn(n, dim), torch.randn(n, dim)


def tiny(seed: int = 0) -> CompactCNN:
    torch.manual_seed(seed)
    return CompactCNN(None, (8, 8, 12))


def pixels(n: int, side: int = 64, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, side // 8, side // 8, 3), np.uint8)
    return torch.from_numpy(coarse.repeat(8, 1).repeat(8, 2))


@given(st.integers(2, 20), st.integers(2, 9), st.floats(0.05, 2), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_nt_xent_agrees_with_the_library(n: int, dim: int, temperature: float, seed: int) -> None:
    a, b = two(n, dim, seed)
    theirs = NTXentLoss(temperature)(torch.cat([a, b]), torch.arange(n).repeat(2))
    assert float(nt_xent(a, b, temperature)) == pytest.approx(float(theirs), rel=1e-4, abs=1e-5)


@given(st.integers(2, 12), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_nt_xent_cares_neither_for_order_nor_for_which_view_is_first(n: int, seed: int) -> None:
    a, b = two(n, 5, seed)
    order = torch.randperm(n)
    told = float(nt_xent(a, b))
    assert float(nt_xent(b, a)) == pytest.approx(told, rel=1e-5)
    assert float(nt_xent(a[order], b[order])) == pytest.approx(told, rel=1e-5)
    assert float(nt_xent(3 * a, b / 7)) == pytest.approx(told, rel=1e-5)


def test_info_nce_is_its_definition() -> None:
    queries, keys = two(6, 8, 1)
    queue = torch.randn(9, 8)
    q, k, old = (F.normalize(x, dim=1).numpy() for x in (queries, keys, queue))
    each = []
    for i in range(6):
        right = np.exp(q[i] @ k[i] / 0.3)
        wrong = sum(np.exp(q[i] @ one / 0.3) for one in old)
        each.append(-np.log(right / (right + wrong)))
    assert float(info_nce(queries, keys, queue, 0.3)) == pytest.approx(np.mean(each), rel=1e-5)


@pytest.mark.parametrize("temperature", [0, -1, float("nan")])
def test_a_temperature_that_is_not_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        nt_xent(*two(4, 3, 0), temperature)


def test_batches_that_teach_nothing_say_so() -> None:
    a, b = two(1, 4, 0)
    with pytest.raises(ValueError, match="two pictures or more"):
        nt_xent(a, b)
    with pytest.raises(ValueError, match="N×D each"):
        nt_xent(torch.zeros(3, 4), torch.zeros(2, 4))
    with pytest.raises(ValueError, match="The queue has shape"):
        info_nce(*two(3, 4, 0), torch.zeros(0, 4))
    with pytest.raises(ValueError, match="one key or more"):
        Queue(0, 8)
    with pytest.raises(ValueError, match="0 to 1"):
        MoCo(Projected(tiny(), 4), 1.5)


@given(st.integers(1, 12), st.lists(st.integers(1, 7), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_the_queue_holds_the_last_keys_newest_first(size: int, batches: list[int]) -> None:
    queue, seen = Queue(size, 3), []
    for count in batches:
        keys = torch.randn(count, 3)
        seen += list(keys)
        queue.put(keys)
    held = int(queue.filled)
    assert held == min(size, len(seen))
    assert torch.equal(queue.keys[:held], torch.stack(seen[::-1][:held]))


def test_a_key_is_no_negative_of_its_own_query() -> None:
    queue, old = Queue(8, 4), torch.randn(5, 4)
    queue.put(F.normalize(old, dim=1))
    queries, keys = (F.normalize(x, dim=1) for x in two(3, 4, 2))
    loss = queue(torch.cat([queries, keys]), torch.arange(3).repeat(2))
    assert float(loss) == pytest.approx(float(info_nce(queries, keys, old.flip(0))), rel=1e-5)
    assert torch.equal(queue.keys[:3], keys.flip(0))


def test_the_follower_is_a_moving_average_of_the_learner() -> None:
    moco = MoCo(Projected(tiny(), 4), momentum=0.9).train()
    before = {name: value.clone() for name, value in moco.follower.named_parameters()}
    with torch.no_grad():
        for value in moco.learner.parameters():
            value.add_(torch.randn_like(value))
    learner = dict(moco.learner.named_parameters())
    moco(torch.randn(6, 3, 32, 32))
    for name, value in moco.follower.named_parameters():
        torch.testing.assert_close(value, 0.9 * before[name] + 0.1 * learner[name])


def test_only_the_learner_gets_a_gradient() -> None:
    moco = MoCo(Projected(tiny(), 4)).train()
    vectors = moco(torch.randn(8, 3, 32, 32))
    assert not vectors[4:].detach().eq(0).all()
    Queue(4, 4)(vectors, torch.arange(4).repeat(2)).backward()
    assert all(p.grad is None for p in moco.follower.parameters())
    assert any(p.grad is not None and p.grad.any() for p in moco.learner.parameters())


def test_the_head_is_there_only_while_it_learns() -> None:
    learner = Projected(tiny(), 5)
    x = torch.randn(4, 3, 32, 32)
    assert learner.train()(x).shape == (4, 5)
    assert torch.equal(learner.eval()(x), learner.trunk(x))
    assert Projected(tiny(), None).train()(x).shape == (4, 12)


@pytest.mark.parametrize("dim", [7, 12])  # also one as wide as the maps
def test_a_network_with_a_head_is_refused(dim: int) -> None:
    module = CompactCNN(dim, (8, 8, 12))
    model = Embedder("mine", dim, "random", Preprocess(32, PHOTO_MEAN, PHOTO_STD), module)
    with pytest.raises(ValueError, match="without a head"):
        with_projection(model)


@pytest.mark.parametrize("part", PARTS)
def test_a_view_is_a_picture_and_no_two_are_changed_alike(part: str) -> None:
    same = pixels(1).permute(0, 3, 1, 2).float().div(255).repeat(40, 1, 1, 1)
    torch.manual_seed(4)
    seen = PARTS[part](same)
    assert seen.shape == (40, 3, *((32, 32) if part == "crop" else (64, 64)))
    assert seen.min() > -1e-5 and seen.max() < 1 + 1e-5
    different = len(torch.unique(seen.flatten(1).mul(1e4).round(), dim=0))
    assert different == 2 if part == "flip" else different == 40
    torch.manual_seed(4)
    assert torch.equal(PARTS[part](same), seen)


def test_what_is_switched_off_is_not_done() -> None:
    images = pixels(5)
    plain = Views(crop=None, flip=False, colour=0, blur=0)
    assert torch.equal(plain(images), Preprocess(32, PHOTO_MEAN, PHOTO_STD)(images))
    torch.testing.assert_close(Views(crop=1.0, flip=False, colour=0, blur=0).pixels(images).mean(),
                               plain.pixels(images).mean(), atol=0.01, rtol=0)  # fmt: skip


def test_grey_stays_grey() -> None:
    grey = torch.rand(30, 1, 8, 8).expand(-1, 3, -1, -1)
    seen = colour(grey, 1.0)
    torch.testing.assert_close(seen[:, 0], seen[:, 2], atol=1e-5, rtol=0)


def test_pairs_of_views_are_of_the_same_picture() -> None:
    images, plain = pixels(20), Views(crop=None, flip=False, colour=0, blur=0)
    x, labels = ViewPairs(images, plain, shuffled(20, 6))(3)
    assert torch.equal(x[:6], x[6:]) and labels.tolist() == [*range(6)] * 2
    x, _ = ViewPairs(images, Views(), shuffled(20, 6))(3)
    assert (x[:6] != x[6:]).flatten(1).any(1).all()


def learned(loss: nn.Module, moco: bool = False) -> tuple[Embedder, list[float]]:
    """A tiny network after a little training on 48 patterns: itself, its mean cosines."""
    trunk, images = tiny(), pixels(48)
    model = Embedder("tiny", 12, "random", Preprocess(32, PHOTO_MEAN, PHOTO_STD), trunk)
    learner = with_projection(model, 8).module
    module = MoCo(learner, 0.9) if moco else learner
    taught = Embedder("tiny", 12, "random", model.preprocess, module)
    draw = ViewPairs(images, Views(crop=0.5, colour=0.2), shuffled(48, 16))
    history = train(taught, draw, loss, 150, lr=1e-2, seed=1, half=False)
    return model, history.cosine


@pytest.mark.parametrize("way", ["simclr", "moco"])
def test_views_of_a_picture_come_together(way: str) -> None:
    loss = TwoViews(0.2) if way == "simclr" else Queue(16, 8)

    def found(model: Embedder) -> float:
        torch.manual_seed(9)
        views = Views(crop=0.5, colour=0.2).pixels(pixels(48).repeat(2, 1, 1, 1))
        vectors = embed(model, as_pictures(views), cache=False)
        nearest = (vectors @ vectors.T - 2 * np.eye(96)).argmax(1)
        return float((nearest % 48 == np.arange(96) % 48).mean())

    untrained = Embedder("tiny", 12, "random", Preprocess(32, PHOTO_MEAN, PHOTO_STD), tiny())
    untrained.module.eval()
    assert found(learned(loss, way == "moco")[0]) > 2 * found(untrained)


class Attraction(nn.Module):
    def forward(self, vectors: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return alike(*vectors.chunk(2))


def test_attraction_alone_collapses_and_repulsion_cures_it() -> None:
    with pytest.warns(CollapseWarning, match="Collapse"):
        _, fallen = learned(Attraction())
    _, cured = learned(TwoViews(0.2))
    assert fallen[-1] > 0.95 > 0.8 > cured[-1]


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    trunk = tiny()
    with torch.no_grad():
        trunk.stages[0][0].weight.fill_(float("nan"))
    model = Embedder("tiny", 12, "random", Preprocess(32, PHOTO_MEAN, PHOTO_STD), trunk)
    draw = ViewPairs(pixels(8), Views(), shuffled(8, 8))
    with pytest.raises(TrainingDiverged):
        train(with_projection(model, 8), draw, TwoViews(), 3, half=False)
