"""What `python -m utils.app` shows: Voilà runs this file as a notebook of one cell."""

import os
import pickle

from utils.app import SearchApp

with open(os.environ["PICTURES"], "rb") as file:
    pictures = pickle.load(file)  # the ImageSet that `python -m utils.app` has just read
SearchApp(pictures, os.environ["MODEL"], pair=os.environ["PAIR"])
