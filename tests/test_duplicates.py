"""Near-duplicates against brute force: every pair, every group, the threshold, the hash."""

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

import utils.duplicates
from utils.duplicates import choose_threshold, dhash, groups, make_copies, pairs_within
from utils.images import load_images

METRICS = ("cosine", "euclidean", "hamming")


def by_hand(a, b, threshold, metric):
    """The pairs of a full table, in float64."""
    apart = cdist(np.float64(a), np.float64(b), "cityblock" if metric == "hamming" else metric)
    near = apart <= threshold
    return [[int(i), int(j)] for i, j in zip(*np.nonzero(near), strict=True)], apart[near]


def rows(metric, n, seed=0):
    values = np.random.default_rng(seed).normal(size=(n, 6)).astype(np.float32)
    return values > 0 if metric == "hamming" else values


@pytest.fixture(params=[64, 1000, 64 << 20], ids="block of {} bytes".format)
def block(request, monkeypatch):
    monkeypatch.setattr(utils.duplicates, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("metric", METRICS)
def test_the_pairs_are_those_of_the_full_table(metric):
    a, b = rows(metric, 70), rows(metric, 50, seed=1)
    threshold = {"cosine": 0.3, "euclidean": 1.7, "hamming": 1}[metric]
    wanted, apart = by_hand(a, b, threshold, metric)
    pairs, distances = pairs_within(a, threshold, metric, b=b)
    assert pairs.dtype == np.int64 and distances.dtype == np.float32
    assert pairs.tolist() == wanted and 50 < len(wanted) < 3000
    np.testing.assert_allclose(distances, apart, atol=1e-5)
    once, apart = by_hand(a, a, threshold, metric)
    upper = [i < j for i, j in once]
    pairs, distances = pairs_within(a, threshold, metric)
    assert pairs.tolist() == [pair for pair, is_upper in zip(once, upper, strict=True) if is_upper]
    np.testing.assert_allclose(distances, apart[upper], atol=1e-5)


whole = arrays(np.int8, st.tuples(st.integers(0, 9), st.just(3)), elements=st.integers(-3, 3))


@given(a=whole, squared=st.integers(0, 30))
def test_a_pair_exactly_at_the_threshold_counts(a, squared):
    wanted, _ = by_hand(a, a, np.sqrt(squared), "euclidean") if len(a) else ([], [])
    pairs, _ = pairs_within(a, np.sqrt(squared), "euclidean")
    assert pairs.tolist() == [[i, j] for i, j in wanted if i < j]


@pytest.mark.parametrize("metric", METRICS)
def test_copies_are_at_exactly_zero_whatever_their_length(metric):
    a = rows(metric, 300)
    far = a if metric == "hamming" else 1000 * a
    pairs, distances = pairs_within(np.concatenate([far, far]), 0, metric)
    assert {(i, i + 300) for i in range(300)} <= set(map(tuple, pairs.tolist()))
    assert (distances == 0).all()


def test_nothing_and_one_picture_have_no_pairs():
    for n in (0, 1):
        pairs, distances = pairs_within(rows("euclidean", n), 9, "euclidean")
        assert pairs.shape == (0, 2) and distances.shape == (0,)
    assert len(pairs_within(rows("cosine", 3), 9, b=rows("cosine", 0))[0]) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((rows("cosine", 9), -0.1), ValueError, "at least 0, but is -0.1"),
        ((rows("cosine", 9), np.nan), ValueError, "at least 0, but is nan"),
        ((rows("cosine", 9), 1, "manhattan"), ValueError, "choose one of: cosine, euclidean"),
        ((rows("cosine", 9), 1, "hamming"), ValueError, "bool N×D, but a is float32"),
        ((np.zeros((3, 2)), 1), ValueError, "row 0 of a is all zeros"),
        ((np.full((3, 2), np.nan), 1, "euclidean"), ValueError, "must be finite"),
    ],
)  # fmt: skip
def test_bad_input_is_answered_in_a_sentence(arguments, error, said):
    with pytest.raises(error, match=said):
        pairs_within(*arguments)


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="6 numbers a row and the gallery 2"):
        pairs_within(rows("cosine", 3), 1, b=np.ones((3, 2)))


def test_a_threshold_that_nearly_all_meet_stops_before_memory_does():
    same = np.ones((50, 4))
    assert len(pairs_within(same, 0, max_pairs=1225)[0]) == 1225
    with pytest.raises(MemoryError, match="More than 1,224 pairs are within 0"):
        pairs_within(same, 0, max_pairs=1224)


@given(
    n=st.integers(1, 12),
    numbers=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=14),
)
def test_groups_are_the_connected_components(n, numbers):
    pairs = [(i % n, j % n) for i, j in numbers]
    graph = networkx.Graph(pairs)
    wanted = [sorted(part) for part in networkx.connected_components(graph) if len(part) > 1]
    found = groups(np.array(pairs), n)
    assert [part.tolist() for part in found] == sorted(wanted, key=lambda p: (-len(p), p[0]))


def test_groups_refuse_positions_that_are_not_there():
    with pytest.raises(ValueError, match="from 0 to 4, but hold 0 to 5"):
        groups(np.array([[0, 5]]), 5)


pair = st.tuples(st.integers(0, 8), st.booleans())


@given(told=st.lists(pair, min_size=1), more=st.integers(0, 3), precision=st.floats(0.05, 1))
def test_the_threshold_is_the_largest_that_is_precise_enough(told, more, precision):
    distances, is_copy = (np.array(values) for values in zip(*told, strict=True))
    copies = int(is_copy.sum()) + more
    every = []
    for distance in np.unique(distances):
        inside = is_copy[distances <= distance]
        if inside.sum() >= precision * len(inside):
            every.append((distance, inside.mean(), inside.sum() / max(1, copies)))
    if every:
        found = choose_threshold(distances, is_copy, copies, precision)
        np.testing.assert_allclose(found, every[-1])
    else:
        with pytest.raises(ValueError, match=r"needs copies to find|At no distance"):
            choose_threshold(distances, is_copy, copies, precision)


@pytest.mark.parametrize(
    ("distances", "is_copy", "more", "said"),
    [
        ([1.0], [True, False], {}, r"shapes \(1,\) and \(2,\)"),
        ([1.0], [False], {}, r"\(0 of 0 are among the pairs\)"),
        ([1.0], [True], {"copies": 0}, "1 of 0"),
        ([1.0], [True], {"precision": 0}, "not 0"),
    ],
)
def test_a_threshold_from_nonsense_is_refused(distances, is_copy, more, said):
    with pytest.raises(ValueError, match=said):
        choose_threshold(distances, is_copy, **more)


def test_the_hash_of_a_picture_of_72_squares_is_read_off_it():
    levels = np.random.default_rng(0).permutation(72).reshape(8, 9).astype(np.uint8)
    picture = np.kron(levels, np.ones((4, 4), np.uint8))[None, ..., None].repeat(3, axis=3)
    found = dhash(picture)
    assert found.shape == (1, 64) and found.dtype == bool
    assert found[0].tolist() == (levels[:, :-1] > levels[:, 1:]).ravel().tolist()


def test_the_hash_weighs_colours_as_the_eye_does():
    green_then_blue = np.zeros((1, 8, 9, 3), np.uint8)
    green_then_blue[:, :, :4, 1] = green_then_blue[:, :, 4:, 2] = 200
    assert dhash(green_then_blue).reshape(8, 8).sum(0).tolist() == [0, 0, 0, 8, 0, 0, 0, 0]


def test_each_kind_of_copy_is_the_picture_changed_a_little():
    drawings = load_images("emoji", "validation")[:60]
    copies = make_copies(drawings.images)
    assert list(copies) == ["re-encoded", "rescaled", "cropped", "brighter"]
    for copy in copies.values():
        assert copy.shape == drawings.images.shape and copy.dtype == np.uint8
        changed = np.abs(copy.astype(int) - drawings.images).mean((1, 2, 3))
        assert (changed > 0).all() and changed.mean() < 40
    bright = np.minimum(255, np.round(drawings.images * 1.25))
    np.testing.assert_array_equal(copies["brighter"], bright)
    # Enlarged, what is in the middle stays and what is near the edge moves outwards.
    spot = np.zeros((1, 64, 64, 3), np.uint8)
    spot[:, 30:34, 30:34], spot[:, 30:34, 8:12] = 255, 128
    moved = make_copies(spot)["cropped"][0, 32, :, 0].astype(float)
    assert np.average(np.arange(20), weights=moved[:20]) < 8
    assert abs(np.average(np.arange(20, 64), weights=moved[20:]) - 31.5) < 0.5


def test_copies_find_their_drawing_by_the_hash_and_make_groups_of_five():
    drawings = load_images("emoji", "validation")[::9]
    n = len(drawings)
    every = np.concatenate([drawings.images, *make_copies(drawings.images).values()])
    pairs, apart = pairs_within(dhash(every), 12, "hamming")
    is_copy = pairs[:, 0] % n == pairs[:, 1] % n
    at = choose_threshold(apart, is_copy, n * 10, precision=0.9)
    assert at.precision >= 0.9 and at.recall > 0.3
    found = groups(pairs[apart <= at.distance], len(every))
    assert sum(len(np.unique(part % n)) == 1 for part in found) > n / 3
