"""Texts and pictures in one space: reading a text, the loss, its temperature, pairs, the file."""

import itertools
import math
import warnings
from functools import cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from utils.embed import embed
from utils.embedder import ModelUnavailable
from utils.images import load_images
from utils.triplet import TrainingDiverged
from utils.words import (
    Batch,
    Pairs,
    Temperature,
    TextError,
    TextTower,
    clip_loss,
    embed_text,
    grams_of,
    load_dual_encoder,
    new_pair,
    random_text,
    read_things,
    save_pair,
    side_by_side,
    train_pair,
    words_of,
)
from utils.words import loading as loading_module

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def fresh():
    return new_pair(0, alphabet=LETTERS)


@cache
def load_once():
    return load_dual_encoder()


@pytest.fixture(scope="module")
def shipped():
    return load_once()


# Reading a text


def test_the_ngrams_of_a_word_are_those_of_the_paper():
    grams = grams_of("where", "n-grams")
    assert {g for g in grams if len(g) == 3} == {"<wh", "whe", "her", "ere", "re>"}
    assert grams_of("where", "words") == ["<where>"]
    assert set(grams_of("where")) == {*grams, "<where>"}


@given(st.text(LETTERS, min_size=1, max_size=12))
def test_ngrams_are_all_substrings_of_three_to_six_letters(word):
    marked = f"<{word}>"
    pieces = {
        marked[i:j] for i, j in itertools.combinations(range(len(marked) + 1), 2) if 3 <= j - i <= 6
    }
    assert set(grams_of(word, "n-grams")) == pieces


def test_accents_and_case_do_not_hide_a_word(fresh):
    assert words_of("Maçã-VERDE, 2!") == ["maçã", "verde", "2"]
    assert set(grams_of("maca")) < set(grams_of("maçã"))
    upper, lower, bare, other = embed_text(fresh, ["MAÇÃ", "maçã", "maca", "bolo"])
    assert np.allclose(upper, lower)
    assert bare @ lower > other @ lower


@given(st.lists(st.text(LETTERS, min_size=1, max_size=9), min_size=1, max_size=5), st.randoms())
def test_a_text_is_the_mean_of_its_words_in_any_order(words, chance):
    tower = TextTower(16, 512).eval()
    _, _, shares = tower.bags([" ".join(words)])
    assert shares.sum().item() == pytest.approx(1, abs=1e-5)
    with torch.inference_mode():
        mean = torch.stack([
            tower.grams.weight[list(tower.rows_of(word))].mean(0) for word in words
        ]).mean(0)  # fmt: skip
        expected = F.normalize(tower.project(mean), dim=0)
        shuffled = chance.sample(words, len(words))
        given_ = tower([" ".join(words), " ".join(shuffled)])
    assert torch.allclose(given_[0], expected, atol=1e-4)
    assert torch.allclose(given_[1], expected, atol=1e-4)


def test_one_text_or_many_unit_vectors_in_order(fresh):
    texts = ["red apple", "gato", "train"]
    many = embed_text(fresh, texts, batch_size=2)
    assert many.shape == (3, 64) and many.dtype == np.float32
    assert np.allclose(np.linalg.norm(many, axis=1), 1, atol=1e-5)
    assert np.allclose(embed_text(fresh, "gato"), many[1:2], atol=1e-6)


@pytest.mark.parametrize(
    "text, told",
    [
        ("", "The text is empty; write what the picture shows"),
        (" \n ", "The text is empty"),
        ("apple " * 50, "The text has 300 letters, and at most 200 are read"),
        ("🐯", "“🐯” is a picture and no word; write “tiger face” to look for it"),
        ("❗ !?", "holds no word; write what the picture shows"),
        ("красное яблоко", "Nothing in “красное яблоко” can be read: .* English and Portuguese"),
        ("苹果", "Nothing in “苹果” can be read"),
        ([], "There is no text to embed"),
        (["apple", ""], "The text is empty"),
        (3, "A text must be a str, but is int: 3"),
        ([None], "A text must be a str, but is NoneType"),
    ],
)
def test_a_text_that_nothing_can_be_looked_for_by_is_told_in_a_sentence(fresh, text, told):
    with pytest.raises(TextError, match=told):
        embed_text(fresh, text)


def test_a_known_word_is_read_beside_an_unknown_script(fresh):
    assert np.allclose(embed_text(fresh, "яблоко apple"), embed_text(fresh, "apple"), atol=1e-6)


@given(st.text(max_size=220))
def test_whatever_is_typed_becomes_a_unit_vector_or_a_sentence(text):
    try:
        vector = embed_text(load_once(), text)
    except TextError as error:
        assert str(error).endswith(".") and len(str(error)) < 200
    else:
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)


# The loss and its temperature


def by_the_definition(images, texts, scale):
    """Radford et al. 2021, figure 3, pair by pair."""
    n, total = len(images), 0.0
    for i in range(n):
        scores = [scale * float(images[i] @ texts[j]) for j in range(n)]
        total -= scores[i] - math.log(sum(map(math.exp, scores)))
        scores = [scale * float(images[j] @ texts[i]) for j in range(n)]
        total -= scores[i] - math.log(sum(map(math.exp, scores)))
    return total / (2 * n)


@given(st.integers(0, 1000), st.integers(2, 8), st.floats(1, 30))
def test_the_loss_is_the_definition(seed, n, scale):
    images, texts = F.normalize(
        torch.randn(2, n, 5, generator=torch.Generator().manual_seed(seed)), dim=2
    )
    value = clip_loss(images, texts, scale).item()
    assert value == pytest.approx(by_the_definition(images, texts, scale), rel=1e-3, abs=1e-4)
    assert value == pytest.approx(clip_loss(texts, images, scale).item(), rel=1e-4, abs=1e-5)


def test_all_alike_costs_log_n_and_all_told_apart_nothing():
    same = F.normalize(torch.ones(8, 3), dim=1)
    assert clip_loss(same, same, 10.0).item() == pytest.approx(math.log(8))
    assert clip_loss(torch.eye(8), torch.eye(8), 100.0).item() == pytest.approx(0, abs=1e-6)


def test_a_batch_of_one_pair_is_refused():
    with pytest.raises(ValueError, match="A batch of one pair teaches nothing"):
        clip_loss(torch.ones(1, 3), torch.ones(1, 3), 1.0)
    with pytest.raises(ValueError, match=r"Each picture needs its text .* 2×3 and 4×3"):
        clip_loss(torch.ones(2, 3), torch.ones(4, 3), 1.0)


def test_the_temperature_begins_as_the_papers_and_is_held_at_its_limit():
    heat = Temperature()
    assert heat().item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        heat.log_scale.fill_(math.log(300))
    assert heat().item() == heat.scale == 100


@pytest.mark.parametrize("free", [math.nan, math.inf, -1.0, math.log(1001)])
def test_a_temperature_that_ran_away_stops_with_a_sentence(free):
    heat = Temperature()
    with torch.no_grad():
        heat.log_scale.fill_(free)
    with pytest.raises(TrainingDiverged, match=r"The temperature ran away.* lower the learning"):
        heat()


def test_a_training_at_far_too_high_a_rate_is_stopped():
    pair = new_pair(0)
    with pytest.raises(TrainingDiverged):
        train_pair(pair, some_pairs(), 30, lr=50.0)


# Pairs, and learning from them


def some_pairs(size=32, **how):
    pictures, told = load_images("emoji", "train"), read_things("train")
    chance = np.random.default_rng(0).normal(size=(len(pictures.classes), 192))
    vectors = torch.from_numpy(chance[pictures.labels].astype(np.float32))
    things = [told[name] for name in pictures.classes]
    return Pairs(F.normalize(vectors, dim=1), pictures.labels, things, size, **how)


def test_a_batch_shows_each_thing_once_with_a_text_of_its_own():
    draw = some_pairs(64)
    batch = draw(5)
    labels = [int((draw.vectors == v).all(1).nonzero()[0, 0]) for v in batch.vectors]
    labels = draw.labels[labels]
    assert len(set(labels)) == 64
    for label, text, english, portuguese in zip(labels, *batch[1:], strict=True):
        thing = draw.things[label]
        known = {lang: set(words_of(thing.text(lang))) for lang in ("en", "pt")}
        assert set(words_of(text)) <= known["en"] | known["pt"]
        assert set(words_of(english)) <= known["en"]
        assert set(words_of(portuguese)) <= known["pt"]


def test_a_step_has_its_own_chance_and_no_memory():
    first, second = some_pairs(seed=3), some_pairs(seed=3)
    first(0)
    assert first(7).texts == second(7).texts != second(8).texts
    assert some_pairs(seed=4)(7).texts != second(7).texts


def test_one_of_several_looks_of_a_picture_is_drawn():
    draw = some_pairs(16)
    looks = torch.stack([draw.vectors, draw.vectors + 10], 1)
    batch = Pairs(looks, draw.labels, draw.things, 16)(0).vectors
    assert batch.shape == (16, 192)
    assert {bool(v.mean() > 5) for v in batch} == {True, False}


@pytest.mark.parametrize("size", [0, 1, 368])
def test_a_batch_that_cannot_be_drawn_is_refused(size):
    with pytest.raises(ValueError, match=rf"2 to 367 pairs, not {size}"):
        some_pairs(size)


def test_texts_name_the_thing_in_the_languages_asked_for():
    thing = next(iter(read_things("train").values()))
    rng = np.random.default_rng(0)
    texts = {random_text(thing, rng, "pt") for _ in range(200)}
    assert thing.names["pt"] in texts and len(texts) > 1
    assert not any(set(words_of(t)) - set(words_of(thing.text("pt"))) for t in texts)


def test_training_brings_pictures_to_their_texts():
    pair, draw = new_pair(0), some_pairs()
    names = [thing.names["en"] for thing in draw.things]

    def found(pair):
        with torch.inference_mode():
            placed = pair.images.module.place(draw.vectors).numpy()
        nearest = (placed @ embed_text(pair, names).T).argmax(1)
        return (nearest == draw.labels).mean()

    history = train_pair(pair, draw, 60, lr=1e-2, measure=found, every=20)
    assert history.step == [20, 40, 60]
    assert history.loss[-1] < history.loss[0] < 1.5 * math.log(32) * 1.5
    assert len(history.found) == 3 and history.found[-1] == found(pair) > 0.5


def test_training_is_repeatable_and_leaves_the_trunk_alone():
    pairs = [new_pair(1), new_pair(1)]
    before = pairs[0].images.module.trunk.state_dict()["stages.0.0.weight"].clone()
    for pair in pairs:
        train_pair(pair, some_pairs(), 5)
    one, two = (pair.texts.state_dict() for pair in pairs)
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert torch.equal(pairs[0].images.module.trunk.state_dict()["stages.0.0.weight"], before)


def test_a_loss_of_nan_stops_the_training():
    draw = some_pairs(8)
    broken = lambda step: Batch(draw(step).vectors * math.nan, *draw(step)[1:])  # noqa: E731
    with pytest.raises(TrainingDiverged, match="The loss is no number at step 0"):
        train_pair(new_pair(0), broken, 3)


# The file


def test_a_saved_pair_comes_back(tmp_path, monkeypatch, fresh):
    train_pair(fresh, some_pairs(), 3)
    save_pair(fresh, tmp_path / "pair.safetensors")
    monkeypatch.setattr(loading_module, "MODELS", tmp_path)
    back = load_dual_encoder()
    assert (back.images.name, back.images.source, back.images.dim) == ("pair", "shipped", 64)
    texts = ["red apple", "gato"]
    assert np.allclose(embed_text(back, texts), embed_text(fresh, texts), atol=5e-3)
    pictures = load_images("emoji", "ood")
    assert np.allclose(
        embed(back.images, pictures, cache=False), embed(fresh.images, pictures, cache=False),
        atol=5e-3,
    )  # fmt: skip
    assert back.temperature.scale == pytest.approx(fresh.temperature.scale)


@pytest.mark.parametrize("damage", ["missing", "cut", "another file"])
def test_a_damaged_pair_is_told_in_one_sentence(tmp_path, monkeypatch, fresh, damage):
    path = tmp_path / "pair.safetensors"
    if damage != "missing":
        save_pair(fresh, path)
        path.write_bytes(path.read_bytes()[:1000] if damage == "cut" else b"no weights")
    monkeypatch.setattr(loading_module, "MODELS", tmp_path)
    with pytest.raises(ModelUnavailable, match=r"python -m recipes\.pair` to train them again"):
        load_dual_encoder()


def test_pairs_side_by_side_answer_with_the_mean_of_their_cosines():
    pairs = [new_pair(seed) for seed in range(3)]
    for seed, pair in enumerate(pairs):
        train_pair(pair, some_pairs(seed=seed), 3)
    joined, pictures = side_by_side(pairs), load_images("emoji", "ood")
    texts = ["red apple", "gato"]
    cosines = [embed_text(p, texts) @ embed(p.images, pictures, cache=False).T for p in pairs]
    together = embed_text(joined, texts) @ embed(joined.images, pictures, cache=False).T
    assert joined.images.dim == 3 * 64
    assert np.allclose(together, np.mean(cosines, axis=0), atol=1e-5)


# What ships


def test_what_ships_is_small_and_needs_no_warning(shipped):
    assert (loading_module.MODELS / "pair.safetensors").stat().st_size <= 4_000_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_dual_encoder()
    assert 1 <= shipped.temperature.scale <= 100


def test_a_word_finds_pictures_of_what_was_never_seen_far_more_often_than_chance(shipped):
    pictures, told = load_images("emoji", "test"), read_things("test")
    texts = embed_text(shipped, [told[name].text("en") for name in pictures.classes])
    first = (texts @ embed(shipped.images, pictures).T).argsort(1)[:, -10:]
    found = (pictures.labels[first] == np.arange(len(texts))[:, None]).any(1).mean()
    assert found > 0.15  # by chance: .05


@pytest.mark.parametrize(
    "english, portuguese", [("cat", "gato"), ("fruit", "fruta"), ("car", "carro")]
)
def test_the_same_thing_asked_in_two_languages_lands_in_one_place(shipped, english, portuguese):
    one, two, other = embed_text(shipped, [english, portuguese, "guitarra"])
    assert one @ two > 0.5 > one @ other
