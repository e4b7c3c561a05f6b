"""The training loop, on handwritten digits: what it learns, keeps, resumes and refuses."""

import warnings
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

from tools.record import provenance
from utils import triplet
from utils.checkpoints import keep, resume
from utils.digits import read_digits
from utils.embed import embed
from utils.embedder import Embedder, Preprocess
from utils.metrics import recall_at_k
from utils.plots.training import training_figure
from utils.triplet import (
    Batches,
    CollapseWarning,
    TrainingDiverged,
    TripletAndCrossEntropy,
    all_triplets,
    balanced,
    batch_hard,
    semi_hard,
    training,
    triplet_loss,
)


@pytest.fixture(scope="module")
def digits():
    return read_digits("train")


def network(seed=0, deep=False):
    torch.manual_seed(seed)
    body = [nn.Linear(128, 128), nn.ReLU()] if deep else []
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 128), nn.ReLU(), *body, nn.Linear(128, 16))
    return Embedder("digits", 16, "random", Preprocess(8, (0.5,) * 3, (0.5,) * 3), module)


def batches(digits, model, seed=0):
    return Batches(digits, model.preprocess, balanced(digits.labels, 10, 6, seed))


def state(model):
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


# in full precision, so that numbers are the same on every machine
train = partial(triplet.train, half=False)


def learn(digits, model, steps=40, loss=triplet_loss, seed=0, **options):
    return train(model, batches(digits[:900], model, seed), loss, steps, seed=seed, **options)


def test_training_finds_unseen_digits_better_and_tells_how(digits):
    model, held_out = network(), digits[900:1200]
    before = recall_at_k(embed(model, held_out, cache=False), held_out.labels)
    history = learn(digits, model, 60, held_out=held_out, every=10)
    after = recall_at_k(embed(model, held_out, cache=False), held_out.labels)
    assert after > before + 0.02
    assert after == max(history.recall)
    assert history.step == [10, 20, 30, 40, 50, 60]
    assert history.loss[-1] < history.loss[0] / 2
    assert history.active[-1] < history.active[0]
    assert history.collapsed_at is None and not history.interrupted
    assert not model.module.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(digits):
    runs = []
    for seed in (1, 1, 2):
        model = network()
        learn(digits, model, 8, seed=seed)
        runs.append(state(model))
    assert same(runs[0], runs[1]) and not same(runs[0], runs[2])


def test_the_weights_that_end_a_training_are_the_best_on_the_held_out_pictures(digits):
    model, held_out = network(), digits[900:1100]
    kept = {}

    def draw(step):
        kept[step] = state(model)
        return batches(digits[:900], model)(step)

    history = train(model, draw, triplet_loss, 40, held_out=held_out, every=4, lr=0.05)
    best = history.best_step
    assert best == max(s for s, r in zip(history.step, history.recall, strict=True)
                       if r == max(history.recall))  # fmt: skip
    assert best == 40 or same(kept[best], state(model))


def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(digits, tmp_path):
    whole, cut, file = network(), network(), tmp_path / "digits.pt"
    loss = partial(TripletAndCrossEntropy, 10, 16)
    torch.manual_seed(5)
    told = learn(digits, whole, 20, loss(), held_out=digits[900:1000], every=5)

    def draw(step):
        if step == 13:
            raise OSError("power cut")
        return batches(digits[:900], cut)(step)

    torch.manual_seed(5)
    options = {"held_out": digits[900:1000], "every": 5, "checkpoint": file}
    with pytest.raises(OSError, match="power cut"):
        train(cut, draw, loss(), 20, **options, began={"commit": "older"})
    again = network()
    history = learn(digits, again, 20, loss(), **options, began={"commit": "newer"})
    assert same(state(whole), state(again))
    assert history.step == told.step and history.loss == told.loss
    assert history.recall == told.recall and history.best_step == told.best_step
    assert history.record()["began"] == {"commit": "older"} and "began" not in told.record()


def test_a_checkpoint_of_another_training_is_refused(digits, tmp_path):
    file = tmp_path / "digits.pt"
    learn(digits, network(), 4, checkpoint=file)
    for model, steps, lr in (
        (network(), 6, 3e-3),
        (network(seed=1), 4, 3e-3),
        (network(), 4, 1e-3),
    ):
        before = state(model)
        with pytest.raises(ValueError, match=r"digits\.pt belongs to another training.*delete it"):
            learn(digits, model, steps, checkpoint=file, lr=lr)
        assert same(before, state(model))


def test_what_recipes_keep_beside_a_training_comes_back(tmp_path):
    about = provenance() | {"loss": [1.0]}
    keep(tmp_path / "kept.pt", {}, about)
    assert resume(tmp_path / "kept.pt", {}) == about


@pytest.mark.parametrize("kept", [b"", b"PK, cut off", "half"])
def test_a_damaged_checkpoint_is_one_clear_sentence(digits, tmp_path, kept):
    file, model = tmp_path / "digits.pt", network()
    learn(digits, network(), 4, checkpoint=file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if kept == "half" else kept)
    before = state(model)
    with pytest.raises(ValueError, match=r"digits\.pt is damaged.*delete it to begin anew"):
        learn(digits, model, 4, checkpoint=file)
    assert same(before, state(model))


def test_ctrl_c_keeps_the_best_weights(digits, capsys):
    model, held_out = network(), digits[900:1100]
    kept = {}

    def draw(step):
        kept[step] = state(model)
        if step == 13:
            raise KeyboardInterrupt
        return batches(digits[:900], model)(step)

    history = train(model, draw, triplet_loss, 40, held_out=held_out, every=4)
    assert history.interrupted and history.step == [4, 8, 12]
    assert same(kept[history.best_step], state(model))
    told = f"Stopped after 13 of 40 steps; the weights are those of step {history.best_step}, "
    assert told in capsys.readouterr().out
    assert not model.module.training


def test_ctrl_c_while_the_held_out_pictures_are_asked_leaves_a_whole_history(digits, monkeypatch):
    model, asked = network(), []

    def interrupted(*given, **options):
        asked.append(1)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return embed(*given, **options)

    monkeypatch.setattr(training, "embed", interrupted)
    history = learn(digits, model, 40, held_out=digits[900:1000], every=4)
    assert history.interrupted
    lists = (history.step, history.loss, history.recall, history.cosine, history.active)
    assert {len(values) for values in lists} == {2}
    training_figure(history, 40)


def test_weights_that_break_after_a_sound_loss_are_named(digits):
    model = network()

    def loss(vectors, labels):
        value = triplet_loss(vectors, labels)
        value.register_hook(lambda slope: slope * torch.nan)
        return value

    with pytest.raises(TrainingDiverged, match=r"before step 1: the weights 1\.weight hold NaN"):
        learn(digits, model, 4, loss, held_out=digits[900:1000], every=1)


def test_a_given_optimizer_keeps_its_rate_unless_a_schedule_is_given(digits):
    made = []

    def optimizer(weights):
        made.append(torch.optim.SGD(weights, 0.07))
        return made[-1]

    learn(digits, network(), 5, optimizer=optimizer)
    learn(digits, network(), 5, optimizer=optimizer, schedule=lambda o: StepLR(o, 2))
    assert [round(o.param_groups[0]["lr"], 6) for o in made] == [0.07, 0.0007]


def test_half_precision_is_the_networks_alone_and_learns_what_full_precision_does(digits):
    histories, changes, seen = [], [], []

    def loss(vectors, labels):  # of all triplets: rounding can choose no others
        seen.append(vectors.dtype)
        return triplet_loss(vectors, labels, mine=all_triplets)

    for half, computed in ((False, torch.float32), (True, torch.bfloat16)):
        model, dtypes = network(), set()
        before = state(model)
        last = model.module[-1]
        hook = last.register_forward_hook(lambda *given, dtypes=dtypes: dtypes.add(given[2].dtype))
        histories.append(
            learn(digits, model, 10, loss, half=half, optimizer=partial(torch.optim.SGD, lr=0.1))
        )
        hook.remove()
        assert dtypes == {computed}
        assert {value.dtype for value in state(model).values()} == {torch.float32}
        moved = [(value - before[name]).flatten() for name, value in state(model).items()]
        changes.append(torch.cat(moved))
    assert set(seen) == {torch.float32}
    # bfloat16 keeps 8 bits, each number within 1/256 of itself: a few such errors pile up
    assert histories[1].loss == pytest.approx(histories[0].loss, rel=0.03)
    assert 0 < (changes[1] - changes[0]).norm() < 0.1 * changes[0].norm()


def overflowing(vectors, labels):
    return triplet_loss(vectors, labels) / 0


def spoiled(x):
    x[0, 0, 0, 0] = torch.nan
    return x


@pytest.mark.parametrize(
    "loss, augment, lr, told",
    [
        (
            overflowing,
            None,
            1e-3,
            r"at step 0: .* are sound, so it is the loss",
        ),
        (triplet_loss, spoiled, 1e-3, r"at step 0: the pictures of this batch already hold NaN"),
        (triplet_loss, None, 1e38, r"at step \d+: .*lower the learning rate"),
    ],
)
def test_a_loss_that_is_no_number_stops_the_training_and_says_where(
    digits, loss, augment, lr, told
):
    model = network()
    draw = Batches(digits, model.preprocess, balanced(digits.labels, 10, 4), augment)
    with pytest.raises(TrainingDiverged, match=told):
        train(model, draw, loss, 20, lr=lr)


@pytest.mark.parametrize(
    "labels, told",
    [
        ([3, 3, 3], "one class only"),
        ([0, 0, -1], "without a label"),
        ([0, 1, 2], "a class of its own each"),
    ],
)
def test_batches_without_triplets_are_refused(digits, labels, told):
    with pytest.raises(ValueError, match=f"batch of step 0 holds pictures .*{told}"):
        train(network(), lambda _: (torch.zeros(3, 3, 8, 8), torch.tensor(labels)), triplet_loss, 5)


def test_held_out_pictures_without_labels_are_refused_before_the_first_step(digits):
    held_out, seen = digits[900:1000], []
    held_out.labels[3] = -1
    model = network()
    draw = batches(digits[:900], model)
    with pytest.raises(ValueError, match="held-out pictures have no label"):
        train(model, lambda s: seen.append(s) or draw(s), triplet_loss, 5, held_out=held_out)
    assert not seen


def test_weights_that_break_in_the_last_step_are_told(digits):
    huge = partial(torch.optim.SGD, lr=1e38)
    with pytest.raises(TrainingDiverged, match=r"weights .* hold NaN"):
        learn(digits, network(), 1, lambda *given: 1e9 * triplet_loss(*given), optimizer=huge)


def thesis_sgd(weights):
    return torch.optim.SGD(weights, 0.1, 0.9, weight_decay=5e-4)


def test_the_alarm_rings_where_squared_batch_hard_collapses(digits):
    loss = partial(triplet_loss, margin=0.3, mine=batch_hard, squared=True)
    with pytest.warns(
        CollapseWarning, match=r"mean cosine (0\.99|1\.00).*semi_hard instead"
    ) as told:
        history = learn(digits, network(deep=True), 100, loss, optimizer=thesis_sgd, every=10)
    assert len(told) == 1
    assert history.collapsed_at == 30
    assert history.loss[-1] == pytest.approx(0.3, abs=0.02)
    assert min(history.cosine[1:]) > 0.95


def test_no_alarm_where_semi_hard_triplets_spread_the_embeddings(digits):
    loss = partial(triplet_loss, margin=0.3, mine=semi_hard, squared=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = learn(digits, network(deep=True), 60, loss, optimizer=thesis_sgd, every=10)
    assert history.collapsed_at is None and history.cosine[-1] < 0.3


def test_the_figure_of_a_training_tells_it_without_the_picture(digits):
    history = learn(digits, network(), 20, held_out=digits[900:1000], every=10)
    figure = training_figure(history, 20)
    assert figure.alt.startswith("Step 20 of 20: recall@1 on held-out pictures ")
    assert len(figure.axes) == 4
    assert len(training_figure(history, 20, with_recall=False).axes) == 3
