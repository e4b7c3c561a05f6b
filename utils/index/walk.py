"""The greedy walk of a small-world graph, in the open: what HNSW does on each of its layers.

Malkov, Ponomarenko, Logvinov and Krylov 2014, "Approximate nearest neighbor algorithm based on
navigable small world graphs"; HNSW (Malkov & Yashunin 2016) adds layers to start from nearer.
"""

import heapq

import numpy as np


def walk(
    query: np.ndarray, vectors: np.ndarray, links: list[list[int]], start: int = 0, ef: int = 8
) -> tuple[list[int], list[int]]:
    """Go to the nearest point seen so far, look at its neighbours, until none of them helps.

    Parameters
    ----------
    query : float, D. vectors : float, N×D. links : the neighbours of each point, `link_graph`.
    start : where the walk begins. ef : how many of the best are kept; more find more.

    Returns
    -------
    found : at most ef positions, nearest first (Euclidean). path : the points gone to, in order.
    """
    first = float(np.linalg.norm(vectors[start] - query))
    ahead, best = [(first, start)], [(-first, start)]  # heaps: the nearest and the farthest on top
    seen, path = {start}, []
    while ahead:
        apart, here = heapq.heappop(ahead)
        if len(best) == ef and apart > -best[0][0]:
            break  # even the nearest left is farther than all that we keep
        path.append(here)
        new = [i for i in links[here] if i not in seen]
        seen.update(new)
        for i, apart in zip(new, np.linalg.norm(vectors[new] - query, axis=1), strict=True):
            heapq.heappush(ahead, (apart, i))
            heapq.heappush(best, (-apart, i))
            if len(best) > ef:
                heapq.heappop(best)
    return [i for _, i in sorted(best, reverse=True)], path


def link_graph(vectors: np.ndarray, m: int = 5) -> list[list[int]]:
    """A small world: each point in turn is linked, both ways, with the m nearest a walk finds.

    The links of the first points are long, as there was nobody nearer yet: they are the motorways.
    """
    links: list[list[int]] = [[] for _ in vectors]
    for i in range(1, len(vectors)):
        for j in walk(vectors[i], vectors, links, 0, ef=32)[0][:m]:
            links[i].append(j)
            links[j].append(i)
    return links
