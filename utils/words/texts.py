"""From a text to the words and letter n-grams it is made of, or one sentence why not."""

import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import cast

from utils.emoji import name_of

LONGEST = 200  # letters of a text; more than a query needs
SHORTEST_GRAM, LONGEST_GRAM = 3, 6  # as in Bojanowski et al. 2017, section 3.2


class TextError(ValueError):
    """A text that nothing can be looked for by; the message says what to write instead."""


def checked(texts: str | Sequence[str]) -> list[str]:
    """The texts as a list. Raises TextError for one that is empty, too long, or holds no word."""
    one = isinstance(texts, str) or not isinstance(texts, Iterable)
    listed = [cast(str, texts)] if one else list(texts)
    if not listed:
        raise TextError("There is no text to embed; write what the picture shows, or a list of it.")
    for text in listed:
        if not isinstance(text, str):
            raise TextError(f"A text must be a str, but is {type(text).__name__}: {text!r:.40}.")
        if not text.strip():
            raise TextError("The text is empty; write what the picture shows, such as “red apple”.")
        if len(text) > LONGEST:
            raise TextError(
                f"The text has {len(text):,} letters, and at most {LONGEST} are read; write a few "
                "words that name what the picture shows."
            )
        if not words_of(text):
            raise TextError(_wordless(text))
    return listed


def _wordless(text: str) -> str:
    """What to say of a text without a letter or digit."""
    names = [name for sign in text if (name := name_of(sign))]
    shown = text.strip()[:20]
    if names:
        return f"“{shown}” is a picture and no word; write “{' '.join(names)}” to look for it."
    return f"“{shown}” holds no word; write what the picture shows, such as “red apple”."


def fold(text: str) -> str:
    """One spelling for all: letters composed (Unicode's NFKC), case folded."""
    text = text.replace("\ufe0f", "").replace("\ufe0e", "")  # they choose how an emoji is drawn
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def plain(text: str) -> str:
    """Without its accents: “maçã” becomes “maca”."""
    parts = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def words_of(text: str) -> list[str]:
    """The runs of letters, accents and digits of a text, folded: “T-shirt!” is “t” and “shirt”."""
    kept = [
        letter if letter.isalnum() or unicodedata.category(letter).startswith("M") else " "
        for letter in fold(text)
    ]
    return [word for word in "".join(kept).split() if any(letter.isalnum() for letter in word)]


def grams_of(word: str, parts: str = "both") -> list[str]:
    """The word itself and its n-grams of 3 to 6 letters between < and >, with and without accents.

    Bojanowski et al. 2017, "Enriching Word Vectors with Subword Information", section 3.2. Both
    spellings, so that “maca” finds “maçã”.

    parts : "both", or "words" or "n-grams" alone.
    """
    found: dict[str, None] = {}
    for spelling in (word, plain(word)):
        marked = f"<{spelling}>"
        if parts != "n-grams":
            found[marked] = None
        for n in range(SHORTEST_GRAM, LONGEST_GRAM + 1) if parts != "words" else ():
            found |= {marked[i : i + n]: None for i in range(len(marked) - n + 1)}
    return list(found)


@lru_cache(100_000)
def rows_of(word: str, buckets: int, parts: str = "both") -> tuple[int, ...]:
    """Where the vectors of a word's grams stand in a table of so many rows.

    By CRC-32, the same on every machine, unlike `hash`; two grams may share a row.
    """
    return tuple(zlib.crc32(gram.encode()) % buckets for gram in grams_of(word, parts))
