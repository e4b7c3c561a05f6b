"""What ipywidgets does not have: pictures to click, a place to drop one, a box to search from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from utils.images import data_url

HERE = Path(__file__).parent
STYLE = HERE / "app.css"


class Tiles(anywidget.AnyWidget):
    """Pictures in a grid, each a button with a caption and a few tools below it.

    Attributes
    ----------
    tiles : what is shown, from `tile`. tools : (event, glyph, what it does), a button each.
    side : of a picture, in pixels. room : pictures that there is always room for, so that nothing
        moves when there are fewer.
    message, kind : a sentence above the grid, which screen readers say; kind "problem" marks it.
    """

    _esm = HERE / "tiles.js"
    _css = STYLE
    tiles: Any = traitlets.List().tag(sync=True)
    tools: Any = traitlets.List().tag(sync=True)
    side = traitlets.Int(96).tag(sync=True)
    room = traitlets.Int(0).tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Unicode("").tag(sync=True)

    def on(self, do: Callable[[str, str], None]) -> None:
        """Call do(event, id) at each click: the event is "open" or a tool's."""
        self.on_msg(lambda _, told, __: do(told["event"], told["id"]))

    def say(self, sentence: str, problem: bool = False) -> None:
        with self.hold_sync():
            self.message, self.kind = sentence, "problem" if problem else ""


class DropBox(anywidget.AnyWidget):
    """A place for one picture from outside: chosen, dropped or pasted; at most `most_bytes`."""

    _esm = HERE / "drop.js"
    _css = STYLE
    most_bytes = traitlets.Int(10_000_000).tag(sync=True)

    def on(self, do: Callable[[str, bytes | None], None]) -> None:
        """Call do(name, bytes) at each picture; bytes is None where it was too big to be sent."""

        def heard(_: Any, told: dict[str, Any], buffers: list[Any]) -> None:
            do(told["name"], bytes(buffers[0]) if buffers else None)

        self.on_msg(heard)


class WordBox(anywidget.AnyWidget):
    """A box for words, asked by Enter or its button.

    hint : what belongs in it. text : what stands in it when it is set from here.
    """

    _esm = HERE / "words.js"
    _css = STYLE
    hint = traitlets.Unicode("").tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)

    def on(self, do: Callable[[str], None]) -> None:
        """Call do(text) each time it is asked, whatever stands there."""
        self.on_msg(lambda _, told, __: do(told["text"]))


def tile(id: str, image: np.ndarray, name: str, note: str = "", frame: str = "", pressed: str = "",
         said: str = "") -> dict[str, str]:  # fmt: skip
    """One picture of `Tiles`.

    Parameters
    ----------
    image : uint8, H×W×3. name, note : written below it. frame : "right", "wrong" or "".
    pressed : the event of the tool that is pressed. said : what a screen reader says; the name.
    """
    return {"id": id, "src": data_url(image), "name": name, "note": note, "frame": frame,
            "pressed": pressed, "said": said or name}  # fmt: skip
