"""The search app: `SearchApp` in a notebook, `python -m utils.app FOLDER` as a page of its own.

`search` is what the app does without a screen, `known` the pictures it has seen, and `query` what
it is asked with, by pictures or by words; `screen` is what one sees, `told` what it says, `app`
what happens at each click; `widgets`, with three scripts and a style sheet, the pictures to click,
a place to drop one, a box for words.
"""

from utils.app.app import SearchApp
from utils.app.query import Answers, Query
from utils.app.search import Search

__all__ = ["Answers", "Query", "Search", "SearchApp"]
