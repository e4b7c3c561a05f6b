"""The figures of the deck of lesson 07 that are made of results/."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from tools.figures.shared import BIG, larger, save
from utils.course import measured
from utils.plots import show_bars, show_curve, show_frontier
from utils.plots.style import COLOURS, GREY, INK, Shown, written

NAMES = {
    "exact": "exact",
    "kd-tree": "k-d tree",
    "ivf": "lists (IVF)",
    "hnsw": "graph (HNSW)",
    "pq, 16 bytes": "codes, 16 bytes",
    "pq, 32 bytes": "codes, 32 bytes",
}
HATCHES = ("", "//", "..")
MACHINE, QUERIES_A_SECOND, REPLICAS = {"memory": 64e9, "cores": 16}, 100, 2


def rows(size: int, structure: str) -> list[dict[str, Any]]:
    """What was measured of a structure at a size, one value of its knob after the other."""
    return [r for r in measured("index")["synthetic"][str(size)] if r["structure"] == structure]


def sizes() -> list[int]:
    return [int(size) for size in measured("index")["synthetic"]]


def grouped(values: Mapping[str, Mapping[str, float]], unit: str) -> Shown:
    """Bars by row, and in each row by kind, each with its number."""
    kinds = list(next(iter(values.values())))
    height = 0.8 / len(kinds)
    with rc_context(BIG):
        figure = Shown(figsize=(10.5, 5.2), layout="constrained")
        axes = figure.subplots()
        for i, kind in enumerate(kinds):
            numbers = [row[kind] for row in values.values()]
            at = np.arange(len(values)) + height * i
            bars = axes.barh(at, numbers, height=0.92 * height, label=kind, color=COLOURS[i],
                             hatch=HATCHES[i], edgecolor="white", linewidth=0)  # fmt: skip
            axes.bar_label(bars, map(written, numbers), padding=5)
        axes.set_yticks(np.arange(len(values)) + height * (len(kinds) - 1) / 2, list(values))
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.margins(x=0.1)
        axes.tick_params(axis="y", length=0)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.alt = f"{unit}: " + "; ".join(
        f"{name}: " + ", ".join(f"{kind} {written(number)}" for kind, number in row.items())
        for name, row in values.items()
    )
    return figure


def clock(axes: Axes, structures: tuple[str, ...]) -> None:
    """Milliseconds a query by the size of the gallery, each point with its number."""
    for i, structure in enumerate(structures):
        times = [rows(size, structure)[0]["milliseconds"] for size in sizes()]
        axes.plot(sizes(), times, color=COLOURS[i], linestyle=("-", "--")[i], linewidth=2.5,
                  marker="os"[i], markersize=9, label=NAMES[structure])  # fmt: skip
        for size, time in zip(sizes(), times, strict=True):
            axes.annotate(f"{time:.3g}", (size, time), ((8, -20), (-8, 8))[i], color=INK,
                          ha=("left", "right")[i], textcoords="offset points")  # fmt: skip
    axes.set(xlabel="vectors of 64 numbers", ylabel="milliseconds a query", xscale="log",
             yscale="log")  # fmt: skip
    axes.set_xticks(sizes(), [f"{size:,}" for size in sizes()])
    axes.minorticks_off()
    axes.margins(x=0.28, y=0.2)


def exact_line() -> None:
    """The time of exact search by the size of the gallery, on even axes: a line."""
    times = [rows(size, "exact")[0]["milliseconds"] for size in sizes()]
    figure = show_curve(
        sizes(), times, xlabel="vectors of 64 numbers", ylabel="milliseconds a query, exact search"
    )
    for size, time in zip(sizes(), times, strict=True):
        figure.axes[0].annotate(f"{time:.3g} ms", (size, time), (14, -6), fontsize=13,
                                textcoords="offset points")  # fmt: skip
    figure.axes[0].margins(x=0.12, y=0.12)
    larger(figure, 1.15)
    save(figure, "exact_line", figure.alt)


def tree_lost() -> None:
    """The share that a k-d tree compares by dimension, and its time beside exact search's."""
    kept = measured("index")["trees"]
    dims = [int(dim) for dim in kept["normal"]]
    with rc_context(BIG):
        figure = Shown(figsize=(12, 5.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(dims, list(kept["normal"].values()), color=COLOURS[0], linewidth=2.5, marker="o",
                  label="random points")  # fmt: skip
        left.plot(dims, list(kept["of_64"].values()), color=COLOURS[1], linewidth=2.5, marker="s",
                  linestyle="--", label="64 numbers,\nso many free")  # fmt: skip
        left.axhline(kept["photos"], color=GREY, linestyle=":", linewidth=2)
        left.annotate("photos of CIFAR-10", (64, kept["photos"]), (0, 6), ha="right",
                      textcoords="offset points")  # fmt: skip
        left.set(xlabel="dimensions", ylabel="share that the tree compares", xscale="log")
        left.set_xticks(dims, [str(dim) for dim in dims])
        left.minorticks_off()
        left.legend(frameon=False, loc="center right")
        clock(right, ("exact", "kd-tree"))
        right.legend(frameon=False, loc="upper left")
    tree, exact = (rows(10**6, name)[0]["milliseconds"] for name in ("kd-tree", "exact"))
    with rc_context(BIG):
        left.set_title("Soon it compares all")
        right.set_title(f"Of a million: {tree:.0f} ms, exact {exact:.0f} ms")
    shares = ", ".join(f"{share:.2f} in {dim}" for dim, share in kept["of_64"].items())
    told = f"A k-d tree compares, by free dimensions: {shares}; a million take it {tree:.0f} ms"
    save(figure, "tree_lost", f"{told}, exact search {exact:.0f}")


def frontier(name: str, size: int, least: float = 0.95) -> None:
    """Recall against queries a second, and who is fastest at that recall."""
    points, fast = {}, {}
    for structure, words in NAMES.items():
        points[words] = [(r["recall"], r["queries_per_second"]) for r in rows(size, structure)]
        fast[words] = max((speed for recall, speed in points[words] if recall >= least), default=0)
    first, second = sorted(fast, key=fast.__getitem__)[:-3:-1]
    times = {words: f"{speed / fast['exact']:.0f}" for words, speed in fast.items()}
    title = f"{least:.0%} found: {first} at {times[first]} times exact's speed, "
    title += f"{second} at {times[second]}"
    figure = show_frontier(points, xlabel="recall@10", ylabel="queries a second", title=title)
    larger(figure, 1.1)
    save(figure, name, figure.alt)


def frontier_hundred_thousand() -> None:
    frontier("frontier_hundred_thousand", 100_000)


def frontier_million() -> None:
    frontier("frontier_million", 10**6)


def bytes_each() -> None:
    weights = {words: rows(10**6, name)[0]["bytes_per_vector"] for name, words in NAMES.items()}
    figure = show_bars(weights, unit="bytes a vector, of a million; its numbers alone are 256")
    larger(figure, 1.15)
    save(figure, "bytes_each", figure.alt)


def changes() -> None:
    kept = measured("index")["changes"]
    kinds = {
        "add": "add_milliseconds",
        "remove": "remove_milliseconds",
        "first search after": "first_search_milliseconds",
    }
    names = {"exact": "exact", "ivf": NAMES["ivf"], "hnsw": NAMES["hnsw"], "pq": "codes (PQ)"}
    values = {
        words: {kind: kept[name][key] for kind, key in kinds.items()}
        for name, words in names.items()
    }
    figure = grouped(values, "milliseconds, for 1,000 of 100,000 vectors")
    save(figure, "changes", figure.alt)


def copies_found() -> None:
    kept = measured("duplicates")
    values = {
        name: {way: kept[name][way]["recall"] for way in ("embedding", "hash", "pixels")}
        for name in ("photos", "drawings", "scenes")
    }
    figure = grouped(values, "share of the copies found, thresholds chosen for 95% precision")
    save(figure, "copies_found", figure.alt)


def machines(n: int, structure: str, least: float = 0.9) -> int:
    """As lesson 07 has it: shards by memory, machines by shards × replicas or by cores."""
    fits = {size: [r for r in rows(size, structure) if r["recall"] >= least] for size in sizes()}
    seconds = [min(r["milliseconds"] for r in fits[size]) / 1000 for size in sizes()]
    if structure == "exact":
        slope, start = 1.0, np.log(seconds[-1] / sizes()[-1])
    else:
        slope, start = np.polyfit(np.log(sizes()), np.log(seconds), 1)
    weight = fits[sizes()[-1]][0]["bytes_per_vector"]
    shards = np.ceil(n * weight / (0.7 * MACHINE["memory"]))
    each = np.exp(start) * (n / shards) ** max(slope, 0)
    busy = QUERIES_A_SECOND * shards * each / MACHINE["cores"]
    return int(max(shards * REPLICAS, np.ceil(busy)))


def billion() -> None:
    """Machines by structure and by how many pictures."""
    counts = {"a million": 10**6, "a hundred million": 10**8, "a billion": 10**9}
    values = {
        NAMES[structure]: {words: machines(n, structure) for words, n in counts.items()}
        for structure in ("exact", "ivf", "hnsw", "pq, 32 bytes")
    }
    figure = grouped(values, "machines of 64 GB and 16 cores, two copies of each shard")
    save(figure, "billion", f"{figure.alt}, for 100 queries a second")
