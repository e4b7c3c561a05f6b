"""Figures made of numbers: bars, curves, matrices."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes

from utils.plots.style import COLOURS, GREY, INK, STYLE, Shown, put_title, show, written


def show_bars(
    values: Mapping[str, float],
    *,
    unit: str,
    title: str = "",
    intervals: Mapping[str, tuple[float, float]] | None = None,
) -> Shown:
    """Horizontal bars, one a name, in the order given, each with its number.

    intervals : (low, high) by name, drawn as a whisker; a name may have none.
    """
    names, numbers = list(values), [float(value) for value in values.values()]
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 0.62 * len(names) + 1.5), layout="tight")
        axes = figure.subplots()
        bars = axes.barh(names, numbers, color=COLOURS[0], height=0.62)
        intervals = intervals or {}
        for name, interval in intervals.items():
            axes.plot(interval, [names.index(name)] * 2, color=INK, linewidth=2)
        ends = [max(intervals.get(n, (0, 0))[1], v, 0) for n, v in values.items()]  # on no bar
        for bar, number, end in zip(bars, numbers, ends, strict=True):
            middle = bar.get_y() + bar.get_height() / 2
            axes.annotate(written(number), (end, middle), (6, 0), textcoords="offset points",
                          va="center")  # fmt: skip
        axes.invert_yaxis()
        lowest = min(0, *numbers, *(low for low, _ in intervals.values()))
        axes.set(xlabel=unit, xlim=(1.05 * lowest, max(0, *ends) * 1.12))
        axes.tick_params(axis="y", length=0)
        put_title(figure, title)
    told = ", ".join(f"{n} {written(number)}" for n, number in zip(names, numbers, strict=True))
    return show(figure, ": ".join(filter(None, (title, unit, told))))


def show_curve(
    x: Sequence[float],
    y: Sequence[float] | Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    levels: Mapping[str, float] | None = None,
    log: str = "",
) -> Shown:
    """One curve, or several by name, over x; levels are named horizontal lines to compare with.

    log : the axes on a logarithmic scale, "x", "y" or "xy".
    """
    curves: Mapping[str, Any] = y if isinstance(y, Mapping) else {"": y}
    strokes = ("-", "--", "-.", ":", (0, (1, 2)), (0, (5, 1, 1, 1, 1, 1)))
    with rc_context(STYLE):
        figure = Shown(figsize=(9, 4.6), layout="tight")
        axes = figure.subplots()
        for i, (name, values) in enumerate(curves.items()):
            axes.plot(x, values, color=COLOURS[i % 6], linestyle=strokes[i % 6], linewidth=2.5,
                      label=name, marker="o" if len(x) <= 20 else None)  # fmt: skip
        for name, level in (levels or {}).items():
            axes.axhline(level, color=GREY, linestyle=":", linewidth=1.5)
            at, side = _emptier(x, curves.values(), level, log)
            axes.annotate(name, (at, level), xycoords=("axes fraction", "data"), ha=side,
                          va="bottom", color=INK, fontsize=11)  # fmt: skip
        if len(curves) > 3:  # they leave no room inside
            axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        elif any(curves):
            axes.legend(frameon=False)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        _scale(axes, log)
        put_title(figure, title)
    told = "; ".join(
        f"{name or ylabel} from {written(values[0])} to {written(values[-1])}"
        for name, values in curves.items()
    )
    told += f" as {xlabel} goes from {x[0]} to {x[-1]}"
    return show(figure, ": ".join(filter(None, (title, told))))


def _scale(axes: Axes, log: str) -> None:
    """Linear or logarithmic axes, with numbers written out wherever they are not powers of ten."""
    if "x" in log:
        axes.set_xscale("log", base=2)
    if "y" in log:
        axes.set_yscale("log")
    else:
        axes.yaxis.set_major_formatter("{x:,.12g}")
    axes.xaxis.set_major_formatter("{x:,.12g}")
    if "x" in log:  # halves of halves have many digits
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.12g}" if x >= 0.1 else f"{x:.2g}")


def _emptier(
    x: Sequence[float], curves: Iterable[Sequence[float]], level: float, log: str
) -> tuple[float, Literal["left", "right"]]:
    """Where to name a level: at the end of the axis whose third is farther from every curve."""
    along = np.log(x) if "x" in log else np.asarray(x, float)
    along = (along - along.min()) / (np.ptp(along) or 1)
    near = {"left": along <= 1 / 3, "right": along >= min(2 / 3, along.max())}
    heights = np.array([*curves, np.full(len(along), level)], float)
    if "y" in log:
        heights = np.log(heights.clip(min=np.finfo(float).tiny))
    away = np.abs(heights[:-1] - heights[-1])
    apart = {side: away[:, there].min() for side, there in near.items()}
    return (0.01, "left") if apart["left"] > apart["right"] else (1, "right")


def show_matrix(
    matrices: Mapping[str, np.ndarray], names: Sequence[str], *, unit: str, title: str = ""
) -> Shown:
    """Square matrices side by side on one scale, such as the distances among some pictures.

    matrices : by name, float N×N. names : what the N rows are; equal neighbours are named once.

    Raises ValueError where a matrix is not N×N.
    """
    for name, matrix in matrices.items():
        if np.shape(matrix) != (len(names), len(names)):
            raise ValueError(
                f"{len(names)} names need a matrix of as many rows and columns, but {name!r} has "
                f"shape {np.shape(matrix)}."
            )
    low = min(float(np.min(matrix)) for matrix in matrices.values())
    high = max(float(np.max(matrix)) for matrix in matrices.values())
    starts = [i for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    ends = [*starts[1:], len(names)]
    with rc_context(STYLE):
        figure = Shown(figsize=(3.9 * len(matrices) + 1, 4.4), layout="constrained")
        grid = figure.subplots(1, len(matrices), squeeze=False)[0]
        for axes, (name, matrix) in zip(grid, matrices.items(), strict=True):
            painted = axes.imshow(matrix, cmap="cividis", vmin=low, vmax=high)
            axes.set_title(name, fontsize=13, fontweight="normal", loc="center")
            middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
            axes.set_xticks(middles, [names[i] for i in starts])
            axes.set_yticks(middles, [names[i] for i in starts], rotation=90, va="center")
            axes.tick_params(length=0)
            for start in starts[1:]:
                axes.axhline(start - 0.5, color="white", linewidth=1.5)
                axes.axvline(start - 0.5, color="white", linewidth=1.5)
        figure.colorbar(painted, ax=grid.tolist(), label=unit, shrink=0.85)
        put_title(figure, title)
    told = ", ".join(
        f"{name} from {written(np.min(matrix))} to {written(np.max(matrix))}"
        for name, matrix in matrices.items()
    )
    return show(figure, f"{title or 'Matrices'}: {unit}: {told}")
