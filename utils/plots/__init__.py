"""The course's figures: one style, titles that state the finding, readable in greyscale.

Every `show_…` shows its figure at once, with alt text, and returns it for `savefig`.
"""

from utils.plots.charts import show_bars, show_curve, show_matrix
from utils.plots.indexes import show_frontier, show_walk
from utils.plots.maps import explore_map, map_sliders, show_map, show_picture_map
from utils.plots.pictures import show_grid, show_images, show_matches, show_neighbours

__all__ = [
    "explore_map",
    "map_sliders",
    "show_bars",
    "show_curve",
    "show_frontier",
    "show_grid",
    "show_images",
    "show_map",
    "show_matches",
    "show_matrix",
    "show_neighbours",
    "show_picture_map",
    "show_walk",
]
