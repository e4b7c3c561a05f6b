"""The figures of the deck of lesson 10 that count: waits, queues, dollars."""

import numpy as np
from matplotlib import rc_context

from tools.figures.shared import BIG, larger, save
from utils.course import measured
from utils.plots import show_curve
from utils.plots.style import COLOURS, GREY, INK, Shown

QUEUE = 32  # as the service has it


def percentiles() -> None:
    """A hundred made-up waits, sorted: what mean, median and 99th percentile tell of them."""
    rng = np.random.default_rng(0)
    waits = np.sort(np.concatenate([rng.normal(20, 2, 96), [90, 160, 240, 310]]))
    median, last = waits[49], waits[98]
    with rc_context(BIG):
        figure = Shown(figsize=(12, 5.2), layout="constrained")
        axes = figure.subplots()
        colours = [COLOURS[0]] * 100
        colours[49] = colours[98] = COLOURS[1]
        axes.bar(np.arange(1, 101), waits, color=colours, width=0.8)
        mean = waits.mean()
        axes.axhline(mean, color=GREY, linestyle="--", linewidth=2)
        axes.text(1, mean + 6, f"the mean, {mean:.0f} ms: nobody's wait", fontsize=19)
        arrows = {"arrowstyle": "-|>", "linewidth": 2, "color": INK}
        axes.annotate(f"median: {median:.0f} ms", (50, median), (44, 130), ha="center",
                      fontsize=21, arrowprops=arrows)  # fmt: skip
        axes.annotate(f"99th percentile: {last:.0f} ms", (98.4, last), (66, 262), ha="center",
                      fontsize=21, arrowprops=arrows)  # fmt: skip
        axes.set(xlabel="a hundred waits, made up, from short to long", ylabel="milliseconds")
        axes.set_xticks([1, 50, 99])
        axes.margins(x=0.01)
    told = f"A hundred waits, made up and sorted: median {median:.0f} ms, mean {mean:.0f}, "
    save(figure, "percentiles", f"{told}99th percentile {last:.0f}")


def queue() -> None:
    """How long whoever comes waits, in a queue without an end and in one with."""
    comes, done = 120, 100  # a second
    seconds = np.linspace(0, 30, 121)
    endless = (comes - done) * seconds / done
    figure = show_curve(
        seconds,
        {"no end": endless, f"at most {QUEUE}": np.minimum(endless, QUEUE / done)},
        xlabel=f"seconds in which {comes} a second come and {done} are answered",
        ylabel="seconds that the next one waits",
    )
    axes = figure.axes[0]
    axes.annotate(f"one in {comes / (comes - done):.0f} reads 503 at once,\nthe others wait "
                  f"{QUEUE / done:.2f} s", (22, QUEUE / done), (17, 1.1), fontsize=13,
                  arrowprops={"arrowstyle": "-|>", "color": INK})  # fmt: skip
    larger(figure, 1.25)
    save(figure, "queue", figure.alt)


def cost() -> None:
    """Dollars a month by questions a month, from what was measured and AWS's list prices."""
    kept, asked = measured("service")["cost"], np.logspace(5, 9, 2001)
    even, month = kept["as_dear_at_queries_a_month"], kept["standing_a_month"]
    servers = np.ceil(asked / kept["standing_carries_a_month"])
    with rc_context(BIG):
        figure = Shown(figsize=(12, 5.3), layout="constrained")
        axes = figure.subplots()
        axes.plot(asked, asked / 1e6 * kept["serverless_a_million"], color=COLOURS[0],
                  linewidth=3, label="serverless")  # fmt: skip
        axes.plot(asked, servers * month, color=COLOURS[4], linewidth=3, linestyle="--",
                  label="standing servers")  # fmt: skip
        axes.plot(even, month, "o", markersize=13, color=INK, zorder=4)
        axes.annotate(f"{even / 1e6:.2g} million questions,\n{month:.0f} dollars", (even, month),
                      (14, -40), textcoords="offset points", fontsize=20, va="center")  # fmt: skip
        axes.set(xscale="log", yscale="log", xlabel="questions a month", ylabel="dollars a month",
                 xlim=(1e5, 1e9), ylim=(0.06, 2e3))  # fmt: skip
        ticks = {10**5: "100,000", 10**6: "a million", 10**7: "ten million",
                 10**8: "a hundred million", 10**9: "a billion"}  # fmt: skip
        axes.set_xticks(list(ticks), list(ticks.values()))
        money = (0.1, 1, 10, 100, 1000)
        axes.set_yticks(money, [f"{dollars:,g}" for dollars in money])
        axes.minorticks_off()
        axes.legend(frameon=False, loc="upper left", fontsize=20)
        axes.grid(color=GREY, alpha=0.25)
    told = f"Standing servers are cheaper from {even / 1e6:.2g} million questions a month on"
    save(figure, "cost", f"Dollars a month by questions a month. {told}")
