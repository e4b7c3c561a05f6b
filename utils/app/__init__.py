"""The search app: `SearchApp` in a notebook, `python -m utils.app FOLDER` as a page of its own.

`search` is what the app does without a screen, `screen` what one sees, `app` what happens at each
click; `widgets`, with two scripts and a style sheet, the pictures to click and a place to drop one.
"""

from utils.app.app import SearchApp
from utils.app.search import Answers, Query, Search

__all__ = ["Answers", "Query", "Search", "SearchApp"]
