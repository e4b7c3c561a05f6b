"""What the app is asked with, and what it answers."""

import textwrap
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from utils.images import ImageSet, Labeling

CARD = 192  # pixels of a card's sides
# Letters on a card, the largest that fit: their height in pixels, and how wide one is taken to be.
LETTERS = ((44, 0.6), (36, 0.6), (28, 0.6), (22, 0.6), (17, 0.6), (17, 1.1))
INK, PAPER = (27, 27, 27), (238, 238, 238)


@dataclass(frozen=True)
class Query:
    """What is asked with: a picture of the gallery by its id, one from outside, or words.

    id : of the gallery's picture, or "". image : uint8, H×W×3; for words a card that shows them.
    name : what to call it. words : what is asked for in words, or "".
    """

    id: str
    image: np.ndarray
    name: str
    words: str = ""


class Answers(NamedTuple):
    """ids of the gallery, nearest first; their distances; the seconds it took."""

    ids: list[str]
    distances: list[float]
    seconds: float


def in_words(text: str) -> Query:
    """Words as a query, with a card for where a picture would be shown."""
    words = " ".join(text.split())
    return Query("", card(words), f"“{words}”", words)


def card(words: str) -> np.ndarray:
    """The words as a picture, as large as they fit: uint8, CARD×CARD×3."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    # the font that comes with matplotlib has the accents, Pillow's own has not
    font = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    image = Image.new("RGB", (CARD, CARD), PAPER)
    draw, middle, room = ImageDraw.Draw(image), CARD / 2, CARD - 16
    for height, width in LETTERS:
        letters = ImageFont.truetype(font, height)
        smallest = height == LETTERS[-1][0]  # and then what has no place is left out
        lines = textwrap.wrap(
            words, int(room / (width * height)), max_lines=int(room / (1.2 * height + 4)),
            placeholder=" …", break_long_words=smallest,
        )  # fmt: skip
        shown = "\n".join(lines)
        left, _, right, _ = draw.multiline_textbbox((0, 0), shown, letters)
        if right - left <= room and (smallest or " ".join(lines) == words):
            break
    draw.multiline_text((middle, middle), shown, INK, letters, "mm", align="center")
    return np.asarray(image)


def single(query: Query) -> ImageSet:
    """The query's picture alone."""
    return ImageSet(query.image[None], np.array([-1]), [], [query.id or "query"])


def with_one_more(pictures: ImageSet, image: np.ndarray, id: str, label: str) -> ImageSet:
    """The pictures and one more; a label that is new becomes a class."""
    classes = list(pictures.classes)
    if label and label not in classes:
        classes.append(label)
    others = {
        name: Labeling(np.append(labels, -1), names)
        for name, (labels, names) in pictures.others.items()
    }
    return replace(
        pictures,
        images=np.concatenate([pictures.images, image[None]]),
        labels=np.append(pictures.labels, classes.index(label) if label else -1),
        classes=classes,
        ids=[*pictures.ids, id],
        masks=None,
        others=others,
    )
