"""Draw the figures that README and slides show, from the embedded pictures and results/.

    python -m tools.figures               draws all into slides/figures/
    python -m tools.figures neighbours    draws those that are named, or a whole deck's: start_here

Each PNG carries its alt text inside, where tools/slides.py finds it. OpenMoji, which is
share-alike, is left out of every one of them.
"""
