"""Distances and neighbours, against brute force, scikit-learn and faiss."""

import faiss
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

from utils.distances import (
    METRICS,
    Gallery,
    formulas,
    gallery,
    nearest,
    pairwise,
    whiten,
    within_class_covariance,
)

SIMPLE = [metric for metric in METRICS if metric != "mahalanobis"]  # which needs a covariance
SHARES = ("matusita", "bhattacharyya", "kl")  # metrics of distributions
BY_NAME = pytest.mark.parametrize("metric", SIMPLE)


def random(n, d=8, seed=0, metric=""):
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return usable(vectors, metric)


def one_pair(x, y, metric):
    """The formulas, in float64."""
    if metric == "cosine":
        return 1 - x @ y / np.sqrt((x @ x) * (y @ y))
    if metric == "manhattan":
        return sum(abs(x - y))
    if metric == "chebyshev":
        return max(abs(x - y))
    if metric == "euclidean":
        return sum((x - y) ** 2) ** 0.5
    if metric == "matusita":
        return sum((x**0.5 - y**0.5) ** 2) ** 0.5
    if metric == "bhattacharyya":
        common = sum((x * y) ** 0.5)
        return -np.log(common) if common else np.inf
    return sum(p * np.log(p / max(q, 1e-12)) for p, q in zip(x, y, strict=True) if p)


def brute(a, b, metric):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.array([[one_pair(x, y, metric) for y in b] for x in a]).reshape(len(a), len(b))


def ranked(distances, k):
    """Positions by distance, at equal distances the lower one first."""
    return np.argsort(distances, axis=1, kind="stable")[:, :k]


@st.composite
def searches(draw):
    """Queries, gallery and k; small whole numbers, so that ties and duplicates are common."""
    dim = draw(st.integers(1, 5))
    values = st.integers(-3, 3)
    a, b = (
        draw(hnp.arrays(np.int64, st.tuples(st.integers(1, 12), st.just(dim)), elements=values))
        for _ in range(2)
    )
    if draw(st.booleans()):
        b = np.concatenate([b, b[::-1], a])
    return a, b, draw(st.integers(1, len(b)))


def usable(vectors, metric):
    """As the metric needs them: rows with a direction, or that are distributions."""
    if metric == "cosine":
        return vectors[vectors.any(axis=1)]
    if metric in SHARES:
        size = np.abs(vectors[vectors.any(axis=1)]).astype(np.float64)
        return size / size.sum(axis=1, keepdims=True)
    return vectors


@BY_NAME
@given(case=searches())
def test_pairwise_is_the_formula(metric, case):
    a, b = (usable(v, metric) for v in case[:2])
    found = pairwise(a, b, metric)
    assert found.dtype == np.float32 and found.shape == (len(a), len(b))
    np.testing.assert_allclose(found, brute(a, b, metric), atol=1e-5)


@BY_NAME
def test_no_distance_is_below_zero(metric):
    v = usable(np.random.default_rng(0).normal(size=(200, 64)).astype(np.float32), metric)
    assert pairwise(v, v, metric).min() >= 0


@BY_NAME
@given(case=searches())
def test_the_nearest_have_the_smallest_distances_there_are(metric, case):
    a, b = (usable(v, metric) for v in case[:2])
    assume(len(b))
    k = min(case[2], len(b))
    positions, distances = nearest(a, b, k, metric)
    every = brute(a, b, metric)
    assert positions.shape == distances.shape == (len(a), k)
    assert (positions.dtype, distances.dtype) == (np.int64, np.float32)
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :k], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(every, positions, 1), distances, atol=1e-5)
    assert all(len(set(row)) == k for row in positions)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
@given(case=searches())
def test_at_equal_distances_the_lower_position_comes_first(metric, case):
    a, b, k = case
    positions, _ = nearest(a, b, k, metric)
    np.testing.assert_array_equal(positions, ranked(brute(a, b, metric), k))


@BY_NAME
@pytest.mark.parametrize("n", [20, 3000])
def test_of_many_copies_the_first_ones_are_found(metric, n):
    copies = np.repeat(random(2, metric=metric), n // 2, axis=0)
    positions, _ = nearest(copies[-1:], copies, 3, metric)
    np.testing.assert_array_equal(positions, [[n // 2, n // 2 + 1, n // 2 + 2]])


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
def test_one_long_row_leaves_the_answers_of_the_others_exact(metric):
    rows = random(300, 16)
    rows[100:200] = rows[0] + 1e-4 * random(100, 16, seed=1)  # hard to tell apart by products
    rows[7] *= 1e4
    found, apart = nearest(rows[:20], rows, 5, metric)
    expected = brute(rows[:20], rows, metric)
    np.testing.assert_array_equal(found, ranked(expected, 5))
    np.testing.assert_allclose(apart, np.sort(expected)[:, :5], rtol=1e-4)


@BY_NAME
@given(data=st.data())
def test_with_leave_one_out_no_row_is_its_own_answer(metric, data):
    rows = data.draw(st.integers(2, 12))
    values = st.integers(1, 3)  # duplicates everywhere
    vectors = usable(data.draw(hnp.arrays(np.int64, (rows, 2), elements=values)), metric)
    k = data.draw(st.integers(1, rows - 1))
    positions, distances = nearest(vectors, vectors, k, metric, leave_one_out=True)
    every = brute(vectors, vectors, metric)
    np.fill_diagonal(every, np.inf)
    assert not (positions == np.arange(rows)[:, None]).any()
    np.testing.assert_allclose(distances, np.sort(every, axis=1)[:, :k], atol=1e-5)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan", "chebyshev"])
def test_scikit_learn_gives_the_same_distances_and_neighbours(metric):
    a, b = random(40, 16), random(300, 16, seed=1)
    np.testing.assert_allclose(
        pairwise(a, b, metric), pairwise_distances(a, b, metric=metric), atol=1e-5
    )
    theirs = NearestNeighbors(n_neighbors=7, algorithm="brute", metric=metric).fit(b)
    distances, positions = theirs.kneighbors(a)
    found, apart = nearest(a, b, 7, metric)
    np.testing.assert_array_equal(found, positions)
    np.testing.assert_allclose(apart, distances, atol=1e-5)


def test_faiss_gives_the_same_neighbours():
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (random(30), random(500, seed=1)))
    for metric, index in (("cosine", faiss.IndexFlatIP(8)), ("euclidean", faiss.IndexFlatL2(8))):
        index.add(b)
        scores, positions = index.search(a, 10)
        found, apart = nearest(a, b, 10, metric)
        np.testing.assert_array_equal(found, positions)
        expected = 1 - scores if metric == "cosine" else np.sqrt(scores)
        np.testing.assert_allclose(apart, expected, atol=1e-5)


@BY_NAME
def test_working_in_blocks_does_not_change_the_answer(metric, monkeypatch):
    a, b = random(50, metric=metric), random(90, seed=1, metric=metric)
    whole, own = nearest(a, b, 5, metric), nearest(a, a, 5, metric, leave_one_out=True)
    every = pairwise(a, b, metric)
    for module in (formulas, gallery):
        monkeypatch.setattr(module, "BLOCK_BYTES", 1500)  # a few rows at a time
    np.testing.assert_array_equal(nearest(a, b, 5, metric)[0], whole[0])
    np.testing.assert_array_equal(nearest(a, a, 5, metric, leave_one_out=True)[0], own[0])
    np.testing.assert_allclose(nearest(a, b, 5, metric)[1], whole[1], atol=1e-6)
    np.testing.assert_allclose(pairwise(a, b, metric), every, atol=1e-6)


@BY_NAME
def test_a_picture_is_at_exactly_zero_from_its_copy(metric):
    vectors = random(200, 64, metric=metric)
    positions, distances = nearest(vectors[50:60], vectors, 1, metric)
    np.testing.assert_array_equal(positions[:, 0], np.arange(50, 60))
    assert (distances == 0).all()


@BY_NAME
def test_among_raw_pixels_that_differ_by_one_level_each_picture_still_finds_itself(metric):
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 256, (1, 3072), np.uint8), 30, axis=0)
    for i in range(1, 30):
        pixels[i, 100 * i] ^= 1
    pixels = usable(pixels, metric)
    positions, distances = nearest(pixels, pixels, 1, metric)
    np.testing.assert_array_equal(positions[:, 0], np.arange(30))
    assert (distances == 0).all()


@pytest.mark.parametrize("scale", [1e-25, 1e-3, 1e3, 1e25])
def test_cosine_does_not_depend_on_the_length_of_vectors(scale):
    a, b = random(5).astype(np.float64), random(9, seed=1).astype(np.float64)
    np.testing.assert_allclose(pairwise(scale * a, scale * b), pairwise(a, b), atol=1e-6)
    for one, other in zip(nearest(scale * a, scale * b, 3), nearest(a, b, 3), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1e3])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
def test_the_other_distances_grow_with_the_vectors(metric, scale):
    a, b = random(5), random(9, seed=1)
    np.testing.assert_allclose(
        pairwise(scale * a, scale * b, metric), scale * pairwise(a, b, metric), rtol=1e-4
    )
    positions, distances = nearest(scale * a, scale * b, 3, metric)
    np.testing.assert_array_equal(positions, nearest(a, b, 3, metric)[0])
    np.testing.assert_allclose(distances, scale * nearest(a, b, 3, metric)[1], rtol=1e-4)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan", "chebyshev"])
@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32, np.uint8])
def test_any_kind_of_number_will_do(metric, dtype):
    a = np.random.default_rng(0).integers(1, 50, (6, 4)).astype(dtype)
    np.testing.assert_allclose(pairwise(a, a, metric), brute(a, a, metric), atol=1e-3)
    assert nearest(a.tolist(), a, 2, metric)[0].shape == (6, 2)


@BY_NAME
def test_searching_leaves_the_vectors_as_they_were(metric):
    a, b = (random(n, metric=metric).astype(np.float32) for n in (5, 9))
    before = a.copy(), b.copy()
    pairwise(a, b, metric)
    nearest(a, b, 3, metric)
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


@BY_NAME
def test_a_gallery_made_once_answers_again_and_again(metric):
    b = random(90, seed=1, metric=metric)
    made = Gallery(b, metric)
    assert len(made) == 90
    for seed in (2, 3):
        a = random(4, seed=seed, metric=metric)
        for one, other in zip(made.nearest(a, 5), nearest(a, b, 5, metric), strict=True):
            np.testing.assert_array_equal(one, other)


@BY_NAME
def test_no_queries_have_no_neighbours(metric):
    positions, distances = nearest(random(0), random(5, metric=metric), 2, metric)
    assert positions.shape == distances.shape == (0, 2)
    assert pairwise(random(0), random(5, metric=metric), metric).shape == (0, 5)
    assert pairwise(random(5, metric=metric), random(0), metric).shape == (5, 0)


@BY_NAME
def test_a_gallery_of_one_has_one_answer(metric):
    assert nearest(random(3, metric=metric), random(1, metric=metric), 1, metric)[0].tolist() == [
        [0],
        [0],
        [0],
    ]


@BY_NAME
@pytest.mark.parametrize(
    "k, most, loo", [(0, 5, False), (-1, 5, False), (6, 5, False), (5, 4, True)]
)
def test_k_out_of_range_is_refused_with_the_range(metric, k, most, loo):
    five = random(5, metric=metric)
    with pytest.raises(ValueError, match=f"k must be from 1 to {most}, .* but is {k}"):
        nearest(five, five, k, metric, leave_one_out=loo)


def test_nothing_can_be_found_in_an_empty_gallery():
    with pytest.raises(ValueError, match="k must be from 1 to 0"):
        nearest(random(2), random(0), 1)


def with_value(value):
    vectors = random(4)
    vectors[2, 3] = value
    return vectors


BAD = {
    "one vector": (
        random(4)[0],
        r"one row each, but have shape \(8,\); for one vector write v\[None\]",
    ),
    "a cube": (np.zeros((2, 3, 4)), r"but have shape \(2, 3, 4\)"),
    "no columns": (np.zeros((2, 0)), r"but have shape \(2, 0\)"),
    "a number": (3.0, r"but have shape \(\)"),
    "text": (np.array([["a", "b"]]), "must be numbers, but are <U1"),
    "objects": (np.array([[None, 1]]), "must be numbers, but are object"),
    "booleans": (np.ones((2, 8), bool), "must be numbers, but are bool"),
    "complex": (np.ones((2, 8), complex), "must be numbers, but are complex"),
    "NaN": (with_value(np.nan), "1 of 4 rows hold NaN or infinity, the first being row 2"),
    "infinity": (with_value(-np.inf), "1 of 4 rows hold NaN or infinity, the first being row 2"),
    "another width": (random(4, 7), "7 numbers a row"),
}


@BY_NAME
@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("side", ["queries", "gallery"])
def test_vectors_that_cannot_be_compared_are_refused_in_one_sentence(metric, kind, side):
    bad, says = BAD[kind]
    says = "numbers a row and the gallery" if kind == "another width" else says
    if metric in SHARES and kind == "another width":
        bad = usable(bad, metric)
    good = random(4, metric=metric)
    a, b = (bad, good) if side == "queries" else (good, bad)
    for compare in (lambda: nearest(a, b, 1, metric), lambda: pairwise(a, b, metric)):
        with pytest.raises(ValueError, match=says) as caught:
            compare()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("side", [0, 1])
def test_cosine_refuses_a_vector_without_a_direction_and_the_others_do_not(side):
    sides = [random(4), random(4)]
    sides[side][1] = 0
    for compare in (pairwise, lambda a, b, metric: nearest(a, b, 1, metric)):
        with pytest.raises(ValueError, match=r"row 1 of .* is all zeros; .*euclidean"):
            compare(*sides, "cosine")
        compare(*sides, "euclidean")
        compare(*sides, "manhattan")


@pytest.mark.parametrize("metric", ["Cosine", "l2", ""])
def test_an_unknown_metric_is_refused_with_the_names_there_are(metric):
    for compare in (pairwise, lambda a, b, metric: nearest(a, b, 1, metric)):
        with pytest.raises(ValueError, match=r"choose one of: cosine, euclidean, .*, kl"):
            compare(random(2), random(2), metric)


def test_leave_one_out_needs_the_same_rows_twice():
    with pytest.raises(ValueError, match="the same rows twice, not 3 and 4"):
        nearest(random(3), random(4), 1, leave_one_out=True)


def test_too_many_distances_at_once_are_refused_and_nearest_is_named():
    a = random(20)
    with pytest.raises(MemoryError, match=r"20 × 20 distances .* use nearest\(a, b, k\)"):
        pairwise(a, a, max_bytes=4 * 20 * 20 - 1)
    assert pairwise(a, a, max_bytes=4 * 20 * 20).shape == (20, 20)


@pytest.mark.parametrize("metric", SHARES)
@pytest.mark.parametrize("side", ["queries", "gallery"])
@pytest.mark.parametrize(
    "row, says",
    [
        ([0.6, 0.6, -0.2], r"row 1 of .* holds -0.2, and a share cannot be negative.*euclidean"),
        ([0.3, 0.3, 0.2], r"row 1 of .* sums to 0.8 and not to 1; divide each row by its sum"),
        ([0, 0, 0], r"row 1 of .* sums to 0 and not to 1"),
    ],
)
def test_what_is_no_distribution_is_refused(metric, side, row, says):
    good = np.full((2, 3), 1 / 3)
    bad = np.array([good[0], row])
    a, b = (bad, good) if side == "queries" else (good, bad)
    for compare in (lambda: nearest(a, b, 1, metric), lambda: pairwise(a, b, metric)):
        with pytest.raises(ValueError, match=says):
            compare()


def test_matusita_is_the_root_of_two_times_the_hellinger_distance():
    from scipy.spatial.distance import euclidean

    p, q = random(1, metric="kl")[0], random(1, seed=1, metric="kl")[0]
    hellinger = euclidean(np.sqrt(p), np.sqrt(q)) / np.sqrt(2)
    assert pairwise([p], [q], "matusita")[0, 0] == pytest.approx(2**0.5 * hellinger, rel=1e-5)


def test_kl_is_scipys_relative_entropy_of_the_query_and_depends_on_who_asks():
    from scipy.stats import entropy

    p, q = random(6, metric="kl"), random(7, seed=1, metric="kl")
    expected = np.array([[entropy(x, y) for y in q] for x in p])
    np.testing.assert_allclose(pairwise(p, q, "kl"), expected, atol=1e-6)
    assert not np.allclose(pairwise(p, q, "kl"), pairwise(q, p, "kl").T, atol=1e-2)


def test_with_nothing_in_common_bhattacharyya_is_infinite_and_kl_is_not():
    apart = np.eye(3)
    assert np.isinf(pairwise(apart[:1], apart[1:], "bhattacharyya")).all()
    assert pairwise(apart[:1], apart[1:], "kl") == pytest.approx(-np.log(1e-12), rel=1e-6)
    positions, distances = nearest(apart[:1], apart[[2, 1, 1, 0]], 4, "bhattacharyya")
    assert positions.tolist() == [[3, 0, 1, 2]]
    assert distances.tolist() == [[0, np.inf, np.inf, np.inf]]


def correlated(n, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d))).astype(np.float32)


def test_mahalanobis_is_scipys_and_its_neighbours_are_those_of_all_pairs():
    from scipy.spatial.distance import cdist

    a, b = correlated(30), correlated(200, seed=0)[::-1]
    covariance = np.cov(b.T)
    expected = cdist(a, b, "mahalanobis", VI=np.linalg.inv(covariance))
    found = pairwise(a, b, "mahalanobis", covariance=covariance)
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    positions, distances = nearest(a, b, 5, "mahalanobis", covariance=covariance)
    np.testing.assert_array_equal(positions, ranked(expected, 5))
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :5], rtol=1e-3)


def test_whitened_by_their_own_covariance_vectors_have_the_unit_matrix():
    vectors = correlated(500)
    white = whiten(vectors, np.cov(vectors.T))
    np.testing.assert_allclose(np.cov(white.T), np.eye(6), atol=1e-3)


def test_the_covariance_within_classes_is_that_of_discriminant_analysis():
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    vectors, labels = correlated(90), np.arange(90) % 5 * 10  # any numbers as labels
    lda = LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True).fit(vectors, labels)
    expected = lda.covariance_ * 90 / (90 - 5)  # theirs divides by the number of pictures
    np.testing.assert_allclose(within_class_covariance(vectors, labels), expected, rtol=1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_a_column_that_is_the_sum_of_two_makes_a_covariance_without_inverse(seed):
    rows = np.random.default_rng(seed).normal(size=(50, 3))
    rows = np.c_[rows, rows[:, 0] + rows[:, 1]]
    with pytest.raises(ValueError, match="has no inverse"):  # though rounding leaves a little
        whiten(rows, np.cov(rows.T))


def test_a_covariance_that_cannot_be_used_is_refused_with_advice():
    a = random(9, 3)
    flat = np.diag([1.0, 1.0, 0.0])
    skew = np.eye(3) + np.triu(np.ones((3, 3)), 1)
    for covariance, says in (
        (None, "needs covariance="),
        (np.eye(2), r"need a covariance of 3×3, but it has shape \(2, 2\)"),
        (skew, "is symmetric, but this one is not"),
        (flat, "has no inverse.*shrunk_covariance"),
        (-np.eye(3), "has no inverse"),
    ):
        for compare in (pairwise, lambda a, b, m, **kw: nearest(a, b, 1, m, **kw)):
            with pytest.raises(ValueError, match=says):
                compare(a, a, "mahalanobis", covariance=covariance)
    with pytest.raises(ValueError, match="belongs to mahalanobis; cosine has no use"):
        pairwise(a, a, covariance=np.eye(3))
    with pytest.raises(ValueError, match="a label of its own"):
        within_class_covariance(a, np.arange(9))
    with pytest.raises(ValueError, match="need as many labels, not 4"):
        within_class_covariance(a, np.arange(4))
