"""What `python -m utils.app` shows: Voilà runs this file as a notebook of one cell."""

import os

from utils.app import SearchApp
from utils.images import load_images

SearchApp(load_images(os.environ.get("IMAGES", "scenes")), pair=os.environ.get("PAIR", "pair"))
