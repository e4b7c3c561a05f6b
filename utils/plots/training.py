"""The curves of a training, drawn while it learns."""

import time
from typing import Any

from matplotlib import rc_context

from utils.plots.style import COLOURS, GREY, STYLE, Shown, as_html, put_title
from utils.progress import in_notebook

PANELS = {
    "loss": "loss",
    "recall": "recall@1, held-out",
    "found": "recall@10, held-out",
    "cosine": "mean pairwise cosine",
    "active": "share of active triplets",
    "scale": "1 / temperature",
}


def training_figure(history: Any, steps: int, with_recall: bool = True) -> Shown:
    """What there is of loss, recall, mean pairwise cosine, active triplets and scale over steps.

    history : what a training returns, finished or not. steps : where the axes end.
    """
    skipped = set() if with_recall else {"recall", "found"}
    panels = {k: v for k, v in PANELS.items() if hasattr(history, k) and k not in skipped}
    with rc_context(STYLE):
        figure = Shown(figsize=(3.2 * len(panels), 3.0), layout="constrained")
        grid = figure.subplots(1, len(panels))
        for axes, (name, label) in zip(grid, panels.items(), strict=True):
            axes.plot(history.step, getattr(history, name), color=COLOURS[0], linewidth=2.5)
            axes.set_title(label, fontsize=12, fontweight="normal")
            axes.set(xlim=(0, steps), xlabel="step")
            if name not in ("loss", "scale"):
                axes.set_ylim(min([0, *getattr(history, name)]), 1.02)
            if name == "cosine":
                axes.axhline(1, color=GREY, linestyle=":")
                axes.annotate("collapsed", (0, 0.99), va="top", fontsize=10, color=GREY)
        done = history.step[-1] if history.step else 0
        told = f"Step {done} of {steps}"
        for name in ("recall", "found") if with_recall else ():
            if values := getattr(history, name, None):
                told += f": {PANELS[name].replace(', held-out', '')} on held-out pictures "
                told += f"{values[-1]:.2f}"
        put_title(figure, told)
    figure.alt = f"{told}; loss {history.loss[-1]:.3f}" if done else told
    return figure


class LivePlot:
    """In a notebook, one figure that is redrawn at most once a second; elsewhere nothing.

    live : whether there is a notebook to draw in.
    """

    def __init__(self, steps: int, with_recall: bool) -> None:
        self.steps, self.with_recall = steps, with_recall
        self.live = in_notebook()
        self.handle: Any = None
        self.drawn = -1.0

    def update(self, history: Any) -> None:
        done = history.step[-1] == self.steps
        if not self.live or (time.monotonic() - self.drawn < 1 and not done):
            return
        from IPython.display import HTML, display

        figure = training_figure(history, self.steps, self.with_recall)
        picture = HTML(as_html(figure))  # always of one size: no jumping
        if self.handle is None:
            self.handle = display(picture, display_id=True)
        else:
            self.handle.update(picture)
        self.drawn = time.monotonic()
