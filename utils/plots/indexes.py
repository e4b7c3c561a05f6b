"""What an index does, drawn: its walk over a graph, and what its knobs trade."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.collections import LineCollection

from utils.plots.maps import MARKERS
from utils.plots.style import COLOURS, GREY, HALO, INK, PAPER, STYLE, WRONG, Shown, put_title, show


def show_walk(
    xy: np.ndarray,
    links: Sequence[Sequence[int]],
    path: Sequence[int],
    query: np.ndarray,
    *,
    title: str = "",
) -> Shown:
    """A walk over a graph in two dimensions: where it went, in numbered steps.

    Parameters
    ----------
    xy : float, N×2. links : the neighbours of each point. path : the points gone to, in order.
    query : float, 2; what was looked for.
    """
    lines = [xy[[i, j]] for i, near in enumerate(links) for j in near if i < j]
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 6), layout="constrained")
        axes = figure.subplots()
        axes.add_collection(LineCollection(lines, colors=GREY, linewidths=0.5, alpha=0.5))
        axes.scatter(xy[:, 0], xy[:, 1], s=14, color=GREY, linewidth=0)
        axes.plot(xy[path, 0], xy[path, 1], color=COLOURS[0], linewidth=2.5)
        axes.scatter(xy[path, 0], xy[path, 1], s=50, color=COLOURS[0], zorder=3)
        for step, at in enumerate(path, start=1):
            left, below = xy[at] < query  # away from the query, so that no number lies on it
            axes.annotate(
                str(step), xy[at], (-5 if left else 5, -4 if below else 4), fontsize=11,
                textcoords="offset points", ha="right" if left else "left",
                va="top" if below else "bottom", color=INK, path_effects=[HALO], zorder=5,
            )  # fmt: skip
        axes.scatter(
            query[0],
            query[1],
            s=260,
            marker="*",
            color=WRONG,
            edgecolor=PAPER,
            zorder=4,
            label="query",
        )
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        axes.set(xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
        put_title(figure, title)
    told = f"{len(path) - 1} steps of a walk over {len(xy)} points to a query"
    return show(figure, f"{title or 'Walk'}: {told}")


def show_frontier(
    points: Mapping[str, Sequence[tuple[float, float]]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
) -> Shown:
    """What each kind offers: its points (x, y), joined in the order of its knob; y is logarithmic.

    Parameters
    ----------
    points : by name, at most 8 kinds.

    Raises ValueError for more.
    """
    if len(points) > len(MARKERS):
        raise ValueError(
            f"A frontier can tell {len(MARKERS)} kinds apart, but there are {len(points)}: leave "
            "some out."
        )
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 5.2), layout="constrained")
        axes = figure.subplots()
        for i, (name, some) in enumerate(points.items()):
            x, y = np.asarray(some, float).T
            axes.plot(
                x, y, color=COLOURS[i % len(COLOURS)], marker=MARKERS[i], markersize=8,
                linewidth=2, label=name,
            )  # fmt: skip
        axes.set(xlabel=xlabel, ylabel=ylabel, yscale="log")
        axes.grid(axis="y", color=GREY, alpha=0.25)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        put_title(figure, title)
    best = {name: max(some) for name, some in points.items()}
    told = "; ".join(f"{name} {y:,.0f} at {x:.3g}" for name, (x, y) in best.items())
    return show(figure, f"{title or 'Frontier'}: {ylabel} at the best {xlabel}: {told}")
