"""The greedy walk finds what comparing with everybody finds, and shows its way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.distances import nearest
from utils.index.walk import link_graph, walk

POINTS = np.random.default_rng(0).normal(size=(600, 2))
LINKS = link_graph(POINTS)


def test_a_walk_finds_the_nearest_and_looks_at_few():
    queries = np.random.default_rng(1).normal(size=(200, 2))
    truth = nearest(queries, POINTS, 3, "euclidean")[0]
    walks = [walk(query, POINTS, LINKS) for query in queries]
    right = [found[:3] == best for (found, _), best in zip(walks, truth.tolist(), strict=True)]
    assert np.mean(right) > 0.97
    assert np.mean([len(path) for _, path in walks]) < 30


def test_keeping_more_on_the_way_finds_more():
    space = np.random.default_rng(2).normal(size=(1_000, 12))
    links, queries = link_graph(space), np.random.default_rng(3).normal(size=(100, 12))
    truth = nearest(queries, space, 1, "euclidean")[0][:, 0]
    scores = []
    for ef in (1, 8, 64):
        found = [walk(query, space, links, 0, ef)[0][0] for query in queries]
        scores.append(np.mean(found == truth))
    assert scores[0] < scores[1] < scores[2] and scores[2] > 0.9


@given(start=st.integers(0, 599), ef=st.integers(1, 30), seed=st.integers(0, 99))
def test_the_path_goes_along_links_and_what_is_found_is_in_order(start, ef, seed):
    query = np.random.default_rng(seed).normal(size=2)
    found, path = walk(query, POINTS, LINKS, start, ef)
    apart = np.linalg.norm(POINTS[found] - query, axis=1)
    assert path[0] == start and len(found) == len(set(found)) <= ef
    assert (np.diff(apart) >= 0).all() and apart[0] <= np.linalg.norm(
        POINTS[path] - query, axis=1
    ).min()
    for before, here in enumerate(path[1:]):  # everyone was seen from someone visited earlier
        assert any(here in LINKS[i] for i in path[: before + 1])


def test_links_go_both_ways_and_reach_everyone():
    assert all(i in LINKS[j] for i in range(600) for j in LINKS[i])
    reached, new = {0}, [0]
    while new:
        new = [j for i in new for j in LINKS[i] if j not in reached]
        reached.update(new)
    assert reached == set(range(600))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_walk_that_keeps_everyone_sorts_them_all(n):
    points, query = POINTS[:n], POINTS[500]
    order = np.argsort(np.linalg.norm(points - query, axis=1))
    assert walk(query, points, link_graph(points), n - 1, 10)[0] == order.tolist()
