"""A taste as a mean, and answers that are near but not all the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.recommend import mmr, taste


def unit(seed, n, d=6):
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_the_definition(query, vectors, k, balance):
    """Carbonell & Goldstein's argmax, candidate by candidate."""
    chosen = [int(np.argmax([v @ query for v in vectors]))]
    while len(chosen) < k:
        worth = {
            i: balance * float(vectors[i] @ query)
            - (1 - balance) * max(float(vectors[i] @ vectors[j]) for j in chosen)
            for i in range(len(vectors))
            if i not in chosen
        }
        chosen.append(max(worth, key=worth.get))
    return chosen


@given(st.integers(0, 10_000), st.integers(1, 12), st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]))
def test_mmr_is_the_definition(seed, k, balance):
    vectors, query = unit(seed, 12), unit(seed + 1, 1)[0]
    assert mmr(query, vectors, k, balance).tolist() == by_the_definition(
        query, vectors, k, balance
    )  # fmt: skip


@given(st.integers(0, 10_000))
def test_with_relevance_alone_it_is_the_nearest_in_order(seed):
    vectors, query = unit(seed, 30), unit(seed + 1, 1)[0]
    assert mmr(query, vectors, 30, 1.0).tolist() == np.argsort(-(vectors @ query)).tolist()


def test_twins_of_an_answer_wait_until_others_were_shown():
    a, b = np.eye(3, dtype=np.float32)[:2]
    query = (2 * a + b) / np.sqrt(5)
    gallery = np.stack([a, a, a, b])
    assert mmr(query, gallery, 4, 1.0).tolist() == [0, 1, 2, 3]
    assert mmr(query, gallery, 2, 0.5).tolist() == [0, 3]


def test_a_taste_is_the_mean_of_the_likes_made_long():
    likes = unit(0, 5)
    mean = likes.mean(0)
    assert np.allclose(taste(likes), mean / np.linalg.norm(mean), atol=1e-6)
    assert np.allclose(taste(likes[0]), likes[0], atol=1e-6)


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda v: mmr(v[0], v, 0), "k must be 1 to 4, as many as candidates, but is 0"),
        (lambda v: mmr(v[0], v, 5), "k must be 1 to 4"),
        (lambda v: mmr(v[0], v, 2, 1.5), "balance is from 0"),
        (lambda v: mmr(v[0, :3], v, 2), r"shape \(3,\), and the candidates are 6 long"),
        (lambda v: taste(v[:0]), "Nothing is liked yet"),
        (lambda v: taste(np.stack([v[0], -v[0]])), "cancel each other out"),
    ],
)
def test_what_cannot_be_recommended_is_told_in_a_sentence(call, told):
    with pytest.raises(ValueError, match=told):
        call(unit(0, 4))
