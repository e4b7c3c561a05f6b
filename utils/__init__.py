"""What lessons, recipes, app and service share: small functions over arrays.

Modules import only from their left: scenes, images, models, embed, distances, metrics,
index, plots, course.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]  # data/ and models/ lie beside utils/
