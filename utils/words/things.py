"""What the things of the emoji set are called, in English and in Portuguese."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from utils.emoji import read_rows
from utils.words.texts import LONGEST, words_of

LANGUAGES = ("en", "pt")


@dataclass(frozen=True)
class Thing:
    """One thing that the artists drew.

    Attributes
    ----------
    names : by language, "en" and "pt". keywords : by language.
    """

    names: Mapping[str, str]
    keywords: Mapping[str, list[str]]

    def text(self, language: str, keywords: bool = True) -> str:
        """Its name in a language, with or without the keywords after it."""
        words = self.keywords[language] if keywords else []
        return " ".join([self.names[language], *words])[:LONGEST]


def read_things(split: str) -> dict[str, Thing]:
    """The things of a split by their English name, the class name of `load_images`."""
    return {
        row["name_en"]: Thing(
            {language: row[f"name_{language}"] for language in LANGUAGES},
            {
                language: [k for k in row[f"keywords_{language}"].split("|") if words_of(k)]
                for language in LANGUAGES
            },
        )
        for row in read_rows([split])
    }


def random_text(
    thing: Thing, rng: np.random.Generator, languages: str | Sequence[str] = (*LANGUAGES, "both")
) -> str:
    """One way to ask for a thing: its name, some of its keywords, or both, in a language or two.

    Of three texts one is the name alone, one is keywords alone, one is both.
    """
    choice = [languages] if isinstance(languages, str) else languages
    chosen = choice[int(rng.integers(len(choice)))]
    kind, told = rng.integers(3), list[str]()
    for language in LANGUAGES if chosen == "both" else (chosen,):
        keywords = thing.keywords[language]
        if kind < 2 or not keywords:
            told.append(thing.names[language])
        if kind > 0 and keywords:
            order = rng.permutation(len(keywords))
            told += [keywords[i] for i in order[: max(1, rng.binomial(len(order), 0.5))]]
    return " ".join(told)[:LONGEST]
