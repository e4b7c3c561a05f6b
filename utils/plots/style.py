"""What all figures have in common: colours, sizes, alt text, how they are shown."""

import base64
import html
import io
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from utils.progress import in_notebook

INK, PAPER, GREY = "#1b1b1b", "#ffffff", "#8a8a8a"
# Okabe & Ito 2008, dark and light in turn, so that greyscale keeps neighbours apart
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
RIGHT, WRONG = "#0072b2", "#d55e00"
STYLE: dict[Any, Any] = {
    "font.size": 13,
    "axes.titlesize": 15,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "figure.facecolor": PAPER,
}
DPI = 100
HALO = withStroke(linewidth=2.5, foreground=PAPER)  # behind what is written on a picture


def written(number: float) -> str:
    """To three digits; from 1,000 on to the unit, since nobody reads powers of ten off a bar."""
    return f"{number:.3g}" if abs(number) < 999.5 else f"{number:,.0f}"


class Shown(Figure):
    """A figure that has been shown: as the last line of a cell it is not shown a second time."""

    alt: str

    def _ipython_display_(self) -> None:
        pass


def show(figure: Shown, alt: str) -> Shown:
    """Show the figure with its alt text where there is a notebook; elsewhere only keep that."""
    figure.alt = alt
    if in_notebook():
        display_html(as_html(figure, bbox_inches="tight"))
    return figure


def display_html(page: str) -> None:
    """Show a page below the running cell."""
    from IPython.display import HTML, display

    display(HTML(page))


def as_html(figure: Shown, **options: Any) -> str:
    """The figure as one <img> with its alt text; options go to `savefig`."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, **options)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{html.escape(figure.alt)}" src="data:image/png;base64,{data}">'


def put_title(figure: Shown, title: str) -> None:
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=15, fontweight="bold")
