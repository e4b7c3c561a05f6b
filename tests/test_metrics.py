"""Retrieval scores, against pytorch-metric-learning, brute force and SciPy."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.distances import CosineSimilarity, LpDistance
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from pytorch_metric_learning.utils.inference import CustomKNN

from utils.distances import pairwise, whiten
from utils.metrics import gain, mean_average_precision_at_r, recall_at_k

SCORES = pytest.mark.parametrize("score", [recall_at_k, mean_average_precision_at_r])
THEIRS = {
    "cosine": CosineSimilarity(),
    "euclidean": LpDistance(normalize_embeddings=False),
    "manhattan": LpDistance(normalize_embeddings=False, p=1),
}


def sample(labels, seed=0, dim=6, spread=1.5):
    """Vectors around one centre a label, mixed enough that some answers are wrong."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(labels) + 1, dim))
    return centres[np.asarray(labels)] + spread * rng.normal(size=(len(labels), dim))


labelings = st.lists(st.integers(0, 6), min_size=3, max_size=40).filter(
    lambda labels: len(set(labels)) < len(labels)
)


@pytest.mark.parametrize("metric", THEIRS)
@given(labels=labelings, seed=st.integers(0, 99))
def test_both_scores_agree_with_pytorch_metric_learning(metric, labels, seed):
    vectors = sample(labels, seed).astype(np.float32)
    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision_at_r"),
        k="max_bin_count",
        knn_func=CustomKNN(THEIRS[metric]),
    )
    theirs = calculator.get_accuracy(vectors, np.array(labels))
    assert recall_at_k(vectors, labels, 1, metric) == pytest.approx(theirs["precision_at_1"])
    assert mean_average_precision_at_r(vectors, labels, metric) == pytest.approx(
        theirs["mean_average_precision_at_r"]
    )


@pytest.mark.parametrize("metric", THEIRS)
@given(labels=labelings, data=st.data())
def test_recall_at_k_is_the_share_of_queries_with_a_right_answer_among_k(metric, labels, data):
    k = data.draw(st.integers(1, len(labels) - 1))
    vectors = sample(labels)
    every = pairwise(vectors, vectors, metric)
    hits = []
    for i, own in enumerate(labels):
        others = [j for j in np.argsort(every[i]) if j != i]
        if labels.count(own) > 1:
            hits.append(own in [labels[j] for j in others[:k]])
    score = recall_at_k(vectors, labels, k, metric)
    assert score == pytest.approx(np.mean(hits))
    np.testing.assert_array_equal(score.per_query, hits)


@SCORES
def test_queries_without_a_positive_are_left_out_and_counted(score):
    labels = [0, 0, 1, 2, 2, 3]
    found = score(sample(labels), labels)
    assert found.left_out == 2
    np.testing.assert_array_equal(found.queries, [0, 1, 3, 4])
    assert found.per_query.shape == (4,) and found == pytest.approx(found.per_query.mean())


@SCORES
def test_a_picture_without_positives_still_stands_in_the_way_as_an_answer(score):
    vectors = [[0.0, 1], [1, 0], [0, 1.1]]  # the third is nearest to the first, and no answer
    assert score(vectors, [0, 0, 1], metric="euclidean") == 0.5


@SCORES
@pytest.mark.parametrize("metric", THEIRS)
def test_the_query_is_never_its_own_answer_even_among_copies(score, metric):
    copies = np.ones((4, 3))
    assert score(copies, [5, 5, 5, 5], metric=metric) == 1
    far = np.array([[1.0, 0], [0, 1], [1, 0.1], [0.1, 1]])
    assert score(far, [0, 0, 1, 1], metric=metric) == 0


@SCORES
def test_perfect_groups_score_one_whatever_the_labels_are_called(score):
    labels = np.array([70, 70, 3, 3, 3, 500])
    vectors = np.eye(6)[[0, 0, 1, 1, 1, 2]] + 0.01 * np.random.default_rng(0).normal(size=(6, 6))
    assert score(vectors, labels) == 1
    assert score(vectors, labels.astype(np.uint64)) == 1


def test_average_precision_counts_only_the_first_r_answers():
    # query 0 has R = 2 positives, at ranks 2 and 3: AP@R = (1/2) (0 + 1/2) = 1/4
    line = np.array([[0.0], [1], [2], [3]])
    score = mean_average_precision_at_r(line, [0, 1, 0, 0], "euclidean")
    assert score.per_query[0] == pytest.approx(0.25)


def test_a_set_too_large_for_one_block_is_scored_right_on_both_sides_of_the_seam():
    labels = np.arange(3000) % 2  # R = 1,499: the answers of 3,000 queries overfill one block
    vectors = sample(labels.tolist(), dim=4)
    score = mean_average_precision_at_r(vectors, labels, "euclidean")
    for i in (0, 1500, 2796, 2797, 2798, 2999):
        order = np.argsort(((vectors - vectors[i]) ** 2).sum(1))[1:1500]
        right = labels[order] == labels[i]
        expected = (right * right.cumsum() / np.arange(1, 1500)).mean()
        assert score.per_query[i] == pytest.approx(expected, abs=1e-4), i


@SCORES
def test_a_score_is_a_number_that_prints_and_compares_like_one(score):
    labels = [0, 0, 1, 1]
    found = score(sample(labels), labels)
    assert isinstance(found, float) and 0 <= found <= 1
    assert f"{found:.3f}" == f"{float(found):.3f}" and found + 1 > found


@given(st.integers(0, 50))
def test_the_interval_is_the_percentile_bootstraps(seed):
    labels = np.random.default_rng(seed).integers(0, 5, 150).tolist()
    score = recall_at_k(sample(labels, seed), labels)
    low, high = score.interval()
    theirs = scipy.stats.bootstrap(
        (score.per_query,), np.mean, method="percentile", n_resamples=1000, rng=1
    ).confidence_interval
    assert low <= score <= high
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.02)
    assert score.interval() == (low, high)


@pytest.mark.parametrize("seed", range(3))
def test_an_interval_over_groups_draws_whole_groups(seed):
    labels = np.random.default_rng(seed).integers(0, 12, 150)
    score = recall_at_k(sample(labels.tolist(), seed), labels)
    groups = labels[score.queries]
    parts = [score.per_query[groups == group] for group in np.unique(groups)]
    rng = np.random.default_rng(9)
    means = [
        np.concatenate([parts[i] for i in rng.integers(0, len(parts), len(parts))]).mean()
        for _ in range(1000)
    ]
    expected = tuple(np.quantile(means, [0.025, 0.975]))
    assert score.interval(groups=groups) == pytest.approx(expected, abs=0.03)
    alone = score.interval(groups=np.arange(len(groups)))
    assert alone == pytest.approx(score.interval(), abs=0.02)
    with pytest.raises(ValueError, match="need as many groups"):
        score.interval(groups=groups[1:])


def test_a_wider_level_gives_a_wider_interval():
    labels = np.arange(100) % 5
    score = recall_at_k(sample(labels.tolist()), labels)
    (low, high), (lower, higher) = score.interval(0.8), score.interval(0.99)
    assert lower < low < score < high < higher


def twice(score, seed=0):
    """The same queries before and after their vectors came a little nearer to their centres."""
    labels = (np.arange(200) % 20).tolist()
    before, centres = sample(labels, seed, spread=1.2), sample(labels, seed, spread=0)
    return score(before, labels), score(before + 0.1 * (centres - before), labels)


@SCORES
@pytest.mark.parametrize("seed", range(3))
def test_a_gain_is_the_difference_of_the_two_means_query_by_query(score, seed):
    before, after = twice(score, seed)
    found = gain(before, after)
    assert found == pytest.approx(after - before) and found > 0
    np.testing.assert_array_equal(found.per_query, after.per_query - before.per_query)
    np.testing.assert_array_equal(found.queries, before.queries)
    assert gain(after, before) == pytest.approx(-found)
    assert gain(after, after).interval() == (0, 0)


@SCORES
def test_a_gain_is_surer_than_two_intervals_side_by_side(score):
    before, after = twice(score)
    assert before.interval()[1] > after.interval()[0], "they should overlap, to show something"
    low, high = gain(before, after).interval()
    widths = [high - low for low, high in (before.interval(), after.interval())]
    assert 0 < low and high - low < np.hypot(*widths) < sum(widths)
    theirs = scipy.stats.bootstrap(
        (after.per_query, before.per_query),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=1000,
        rng=1,
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_a_gain_leaves_out_what_both_scores_left_out():
    labels = [0, 0, 1, 2, 2, 3]
    before, after = (recall_at_k(sample(labels, seed), labels) for seed in (0, 1))
    found = gain(before, after)
    assert found.left_out == 2 and found.queries.tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize("others", [[0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 3], [0, 0, 1, 1]])
def test_a_gain_between_other_queries_is_refused_in_one_sentence(others):
    labels = [0, 0, 1, 2, 2, 3]
    before, after = (recall_at_k(sample(given), given) for given in (labels, others))
    with pytest.raises(ValueError, match="compares the same queries") as caught:
        gain(before, after)
    assert "\n" not in str(caught.value)


BAD = {
    "no label": ([0, 0, -1, 1], r"1 of 4 pictures have no label \(−1\)"),
    "no labels at all": ([-1, -1, -1, -1], "4 of 4 pictures have no label"),
    "all different": ([0, 1, 2, 3], "None of the 4 pictures shares its label"),
    "too few": ([0, 0, 1], r"4 vectors need as many labels, .* \(3,\)"),
    "too many": ([0] * 5, r"4 vectors need as many labels, .* \(5,\)"),
    "one-hot": (np.eye(4, dtype=int), r"labels have shape \(4, 4\)"),
    "fractions": ([0.0, 0.0, 1.0, 1.0], "labels must be whole numbers, but are float64"),
    "names": (["a", "a", "b", "b"], "labels must be whole numbers, but are <U1"),
}


@SCORES
@pytest.mark.parametrize("kind", BAD)
def test_labels_that_tell_nothing_are_refused_in_one_sentence(score, kind):
    labels, says = BAD[kind]
    with pytest.raises(ValueError, match=says) as caught:
        score(np.random.default_rng(0).normal(size=(4, 3)), labels)
    assert "\n" not in str(caught.value)


@SCORES
@pytest.mark.parametrize("value, says", [(np.nan, "NaN or infinity"), (0, "all zeros")])
def test_vectors_that_cannot_be_compared_are_refused(score, value, says):
    vectors = np.random.default_rng(0).normal(size=(4, 3))
    vectors[1] = value
    with pytest.raises(ValueError, match=says):
        score(vectors, [0, 0, 1, 1])


@SCORES
def test_no_pictures_cannot_be_scored(score):
    with pytest.raises(ValueError, match="None of the 0 pictures"):
        score(np.zeros((0, 3)), np.zeros(0, int))


@pytest.mark.parametrize("k", [0, 4, -1])
def test_recall_refuses_more_answers_than_there_are_others(k):
    with pytest.raises(ValueError, match="k must be from 1 to 3"):
        recall_at_k(np.eye(4), [0, 0, 1, 1], k)


@SCORES
def test_an_unknown_metric_is_refused(score):
    with pytest.raises(ValueError, match="choose one of: cosine, euclidean, manhattan"):
        score(np.eye(4), [0, 0, 1, 1], metric="l2")


@SCORES
def test_under_mahalanobis_the_score_is_that_of_whitened_vectors(score):
    labels = np.arange(60) % 6
    vectors = sample(labels) @ np.triu(np.ones((6, 6)))
    covariance = np.cov(vectors.T)
    found = score(vectors, labels, metric="mahalanobis", covariance=covariance)
    assert found == score(whiten(vectors, covariance), labels, metric="euclidean")
    assert found != score(vectors, labels, metric="euclidean")
