"""The command; tools/figures/__init__.py says how it is used."""

import sys

from tools.figures import (
    cnn_embeddings,
    distances,
    growing_index,
    maps_and_clusters,
    search_demo,
    serve_it,
    start_here,
    triplet_training,
    vit_background,
    without_labels,
    words_and_pictures,
)
from tools.figures.shared import FIGURES

DECKS = (
    start_here,
    cnn_embeddings,
    vit_background,
    triplet_training,
    distances,
    maps_and_clusters,
    search_demo,
    growing_index,
    without_labels,
    words_and_pictures,
    serve_it,
)


def main(names: list[str]) -> int:
    known = {deck.__name__.rpartition(".")[2]: deck.DRAWN for deck in DECKS}
    known |= {draw.__name__: (draw,) for deck in DECKS for draw in deck.DRAWN}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"There is no figure {unknown[0]!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 1
    FIGURES.mkdir(parents=True, exist_ok=True)
    wanted = [known[name] for name in names] if names else [deck.DRAWN for deck in DECKS]
    for drawn in wanted:
        for draw in drawn:
            draw()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
