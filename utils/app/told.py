"""What the app tells: of the query, of its answers, and of each of them."""

import textwrap
from collections.abc import Mapping

from utils.app.query import Answers, Query
from utils.app.screen import figure
from utils.app.search import Search

SIGNS = {"like": "+", "dislike": "−"}


def question(search: Search, query: Query | None, wishes: Mapping[str, str]) -> str:
    """What is asked with, as HTML: a picture, words, or without a query what was wished for."""
    if query is None:
        known = [(search.query(id), SIGNS[wish]) for id, wish in wishes.items()]
        return "".join(figure(q.image, f"{sign} {q.name}", 64) for q, sign in known)
    figures = figure(query.image, query.name, 108)
    if search.plain and not query.words:
        image, mask = search.without_background(query)
        figures += figure(mask, "what stands in it", 108) + figure(image, "asked with", 108)
    return figures


def summary(search: Search, query: Query | None, answers: Answers, among: str) -> str:
    """One sentence on the answers. among : the label that they were narrowed to, or ""."""
    ids, _, seconds = answers
    if not len(search):
        return "Nothing found: the gallery is empty; add a picture of yours, or undo."
    if not ids:
        that_is = f" that is {among}" if among else ""
        return f"Nothing found: there is no other picture{that_is} in this gallery."
    told = f"{len(ids)} of {len(search):,} pictures"
    if query and query.words:
        told += f" for “{textwrap.shorten(query.words, 50, placeholder=' …')}” by cosine"
    told += f", in {1000 * seconds:.0f} ms"
    if not asked_label(search, query):
        return f"{told}."
    right = [frame(search, query, id) for id in ids].count("right")
    return f"{told}; {right} of {len(ids)} have its label, {asked_label(search, query)}."


def asked_label(search: Search, query: Query | None) -> str:
    """The label of what is asked with, "" where nothing can be right or wrong."""
    return search.label(query.id) if query else ""


def frame(search: Search, query: Query | None, id: str) -> str:
    """How an answer is framed: "right", "wrong" or ""."""
    asked, label = asked_label(search, query), search.label(id)
    if not asked or not label:
        return ""
    return "right" if label == asked else "wrong"
