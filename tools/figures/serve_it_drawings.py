"""The figures of the deck of lesson 10 that are drawn: checks, orders, machines."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib import rc_context
from matplotlib.axes import Axes

from tools.figures.shared import BIG, bare, save
from utils.plots.style import COLOURS, GREY, INK, RIGHT, WRONG, Shown


def canvas(height: float = 5.2) -> tuple[Shown, Axes]:
    """An empty figure, 12 inches wide, its coordinates in inches."""
    figure = Shown(figsize=(12, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 12), ylim=(0, height))
    bare(axes)
    return figure, axes


def block(axes: Axes, at: Sequence[float], size: Sequence[float], lines: Sequence[str],
          colour: str = COLOURS[0], first: float = 20, rest: float = 17) -> None:  # fmt: skip
    """A box by its lower left corner, its first line bold, the others below."""
    (x, y), (wide, high) = at, size
    axes.add_patch(plt.Rectangle(at, wide, high, facecolor=colour, alpha=0.15, zorder=1))
    axes.add_patch(plt.Rectangle(at, wide, high, fill=False, edgecolor=colour, linewidth=2))
    step = high / (len(lines) + 0.4)
    for i, line in enumerate(lines):
        axes.text(x + wide / 2, y + high - step * (i + 0.7), line, ha="center", va="center",
                  fontsize=rest if i else first, weight="normal" if i else "bold")  # fmt: skip


def arrow(axes: Axes, start: Sequence[float], end: Sequence[float], text: str = "",
          above: float = 0.2, colour: str = INK) -> None:  # fmt: skip
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>,head_width=0.4,head_length=0.7",
                                              "linewidth": 2.5, "color": colour})  # fmt: skip
    x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    axes.text(x, y + above, text, ha="center", va="center", fontsize=17)


def whose_fault() -> None:
    columns = (
        ("2xx", "here you are", COLOURS[2], ("200  the answer", "201  added", "204  removed")),
        ("4xx", "your fault: change it", COLOURS[1],
         ("401  no token", "413  too large", "415  no JSON, no form", "422  not a picture")),
        ("5xx", "our fault: try again", COLOURS[4], ("500  a bug of ours", "503  busy")),
    )  # fmt: skip
    with rc_context(BIG):
        figure, axes = canvas(5)
        for i, (name, meaning, colour, codes) in enumerate(columns):
            x = 4.05 * i
            block(axes, (x + 0.05, 3.1), (3.75, 1.8), [name, meaning], colour, first=40, rest=22)
            for j, code in enumerate(codes):
                axes.text(x + 0.15, 2.55 - 0.68 * j, code, va="center", fontsize=20)
    told = "; ".join(
        f"{name}, {meaning}: {', '.join(codes)}" for name, meaning, _, codes in columns
    )
    save(figure, "whose_fault", told)


def checks() -> None:
    """What is looked at before a file is opened, and who does not get further."""
    steps = (
        ("1  bytes", ("at most 10 MB", "told or counted,", "none decoded"), "11 MB", 413),
        ("2  format", ("the first bytes:", "JPEG, PNG, WebP,", "GIF or BMP"),
         "a text, an SVG", 422),
        ("3  pixels", ("at most 50 million,", "width × height in", "the file's head"),
         "a bomb", 413),
        ("4  decode", ("last, made small;", "as many at a time", "as there are cores"),
         "half a file", 422),
    )  # fmt: skip
    with rc_context(BIG):
        figure, axes = canvas(5)
        for i, (name, lines, stopped, code) in enumerate(steps):
            x = 3.08 * i + 0.05
            block(axes, (x, 2.4), (2.6, 2.5), [name, *lines], COLOURS[0], first=26, rest=18)
            if i:
                arrow(axes, (x - 0.48, 3.65), (x, 3.65))
            arrow(axes, (x + 1.3, 2.4), (x + 1.3, 1.3), colour=WRONG)
            axes.text(x + 1.3, 0.95, stopped, ha="center", va="center", fontsize=21)
            axes.text(x + 1.3, 0.35, str(code), ha="center", va="center", fontsize=28,
                      weight="bold", color="#a84a00")  # fmt: skip
    told = "; ".join(f"{name}, {' '.join(lines)}; stops {stopped} with {code}"
                     for name, lines, stopped, code in steps)  # fmt: skip
    save(figure, "checks", f"Four checks in a row. {told}")


def disk_first() -> None:
    """Two orders of the same two steps, and the process killed between them."""
    orders = (
        (3, ("say “added”", "write to the disk"),
         "They were told it is there.", "It is lost.", WRONG),
        (0.4, ("write to the disk", "say “added”"),
         "They were told nothing.", "They send it again.", RIGHT),
    )  # fmt: skip
    with rc_context(BIG):
        figure, axes = canvas(5.2)
        for y, (first, second), heard, end, colour in orders:
            block(axes, (0.05, y), (2.9, 1.4), [first], COLOURS[0], first=19)
            arrow(axes, (2.95, y + 0.7), (4.75, y + 0.7))
            block(axes, (4.75, y), (2.9, 1.4), [second], GREY, first=19)
            axes.text(3.85, y + 0.7, "✕", ha="center", va="center", fontsize=50, weight="bold",
                      color=WRONG, zorder=4)  # fmt: skip
            axes.text(3.85, y + 1.6, "kill -9", ha="center", va="center", fontsize=22,
                      weight="bold", family="monospace")  # fmt: skip
            axes.text(8, y + 1.0, heard, va="center", fontsize=21)
            axes.text(8, y + 0.4, end, va="center", fontsize=24, weight="bold",
                      color="#a84a00" if colour == WRONG else colour)  # fmt: skip
    told = "; ".join(f"{steps[0]}, killed before: {steps[1]}. {heard} {end}"
                     for _, steps, heard, end, _ in orders)  # fmt: skip
    save(figure, "disk_first", f"Two orders. {told}")


def on_aws() -> None:
    with rc_context(BIG):
        figure, axes = canvas(5.3)
        block(
            axes, (0.05, 1.55), (2.5, 2.2), ["browser", "sends a picture", "shows ten"], COLOURS[2]
        )
        block(axes, (5.2, 4.05), (2.9, 1.2), ["Amplify", "the page"], COLOURS[5])
        block(axes, (5.2, 2.05), (2.9, 1.2), ["an address", "open to all"], COLOURS[1])
        block(axes, (9.3, 1.3), (2.6, 2.7),
              ["Lambda", "the network", "the neighbours", "the addresses"], COLOURS[0])  # fmt: skip
        block(axes, (5.2, 0.05), (2.9, 1.2), ["S3", "the pictures"], COLOURS[3])
        arrow(axes, (5.2, 4.65), (2.55, 3.5), "HTML", 0.35)
        arrow(axes, (2.55, 2.85), (5.2, 2.85), "base64")
        arrow(axes, (5.2, 2.4), (2.55, 2.4), "ten addresses", -0.25)
        arrow(axes, (8.1, 2.85), (9.3, 2.85))
        arrow(axes, (9.3, 2.4), (8.1, 2.4))
        arrow(axes, (5.2, 0.65), (2.55, 1.8), "ten pictures", -0.42)
    told = "The browser gets the page from Amplify, sends base64 to the address of Lambda, "
    save(figure, "on_aws", f"{told}gets ten addresses back, and their pictures from S3")


def cold_start() -> None:
    """Two questions to a function that was put away, and one to a function that is awake."""
    rows = (
        (3.2, "first question", (("start the container", 2.6), ("import libraries", 2.4),
                                 ("load the network", 2.3), ("answer", 1.2))),
        (1.7, "the next one", (("answer", 1.2),)),
    )  # fmt: skip
    shades = {"answer": COLOURS[0]}
    with rc_context(BIG):
        figure, axes = canvas(4.9)
        for y, name, parts in rows:
            axes.text(0.1, y + 0.5, name, va="center", fontsize=22)
            x = 2.9
            for part, wide in parts:
                block(axes, (x, y), (wide, 1), [part], shades.get(part, COLOURS[1]), first=15.5)
                x += wide + 0.08
        axes.annotate("", (11.7, 4.5), (2.9, 4.5), arrowprops={"arrowstyle": "-|>", "linewidth": 2})
        axes.text(11.7, 4.7, "time", ha="right", va="center", fontsize=17)
        axes.text(0.1, 0.7, "five minutes without a question: it is put away, and all begins anew",
                  va="center", fontsize=22, weight="bold")  # fmt: skip
    told = "The first question waits for the container, the libraries and the network, the next "
    save(
        figure, "cold_start", f"{told}for its answer alone. After five idle minutes all begins anew"
    )


def workers() -> None:
    """Workers that keep nothing, before what keeps everything."""
    with rc_context(BIG):
        figure, axes = canvas(5.2)
        block(axes, (0.05, 2), (2.1, 1.3), ["balancer"], COLOURS[2])
        for i, y in enumerate((3.75, 2, 0.25)):
            block(axes, (4, y), (3, 1.3), [f"worker {i + 1}", "checks, embeds"], COLOURS[0])
            arrow(axes, (2.15, 2.65), (4, y + 0.65))
            arrow(axes, (7, y + 0.65), (9, 3.9))
            arrow(axes, (7, y + 0.65), (9, 1.3))
        block(axes, (9, 3.1), (2.95, 1.7), ["Qdrant", "vectors, on disk", "shards, replicas"],
              COLOURS[1])  # fmt: skip
        block(axes, (9, 0.4), (2.95, 1.7), ["S3", "pictures"], COLOURS[3])
    told = "A balancer, three workers that keep nothing, and behind them Qdrant and S3"
    save(figure, "workers", told)
