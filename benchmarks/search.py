"""How fast is the exact search, beside the least work that could do it?

    python -m benchmarks.search

In one run, in turn, several times: `nearest` on 10,000 × 64 leave-one-out against a bare product
and top-k in torch; one query through the index against the same in NumPy and in faiss. Ratios are
medians over the rounds. Writes results/search.json.
"""

import statistics

import faiss
import numpy as np
import torch

from benchmarks.timing import ROUNDS, ratio, seconds
from tools.record import provenance, write_json
from utils import ROOT
from utils.distances import nearest
from utils.embed import load_embeddings
from utils.index import ExactIndex

K = 10


def main() -> None:
    vectors, _ = load_embeddings("cifar10-test")
    gallery, one = torch.from_numpy(vectors), vectors[:1]

    def bare() -> None:
        (gallery @ gallery.T).fill_diagonal_(-2).topk(K)

    whole = seconds({
        "nearest": lambda: nearest(vectors, vectors, K, leave_one_out=True),
        "nearest, euclidean": lambda: nearest(vectors, vectors, K, "euclidean", leave_one_out=True),
        "bare": bare,
    })  # fmt: skip
    index, flat = ExactIndex(), faiss.IndexFlatIP(vectors.shape[1])
    index.add([str(i) for i in range(len(vectors))], vectors)
    flat.add(vectors)

    def in_numpy() -> None:
        close = vectors @ one[0]
        best = np.argpartition(-close, K)[:K]
        best[np.argsort(-close[best])]

    single = seconds({
        "index": lambda: index.search(one, K),
        "numpy": in_numpy,
        "faiss": lambda: flat.search(one, K),
    }, 200)  # fmt: skip
    record = provenance() | {
        "what": "exact search of 10,000 × 64, ten nearest; ratios of times in one run, medians",
        "data": "CIFAR-10 (JPEG) test embeddings",
        "command": "python -m benchmarks.search",
        "spread": f"{ROUNDS} rounds for the whole set, 200 for one query",
        "leave_one_out": {
            "seconds": statistics.median(whole["nearest"]),
            "over_bare_torch": ratio(whole, "nearest", "bare"),
            "euclidean_over_bare_torch": ratio(whole, "nearest, euclidean", "bare"),
        },
        "one_query": {
            "milliseconds": 1000 * statistics.median(single["index"]),
            "over_numpy": ratio(single, "index", "numpy"),
            "over_faiss": ratio(single, "index", "faiss"),
        },
    }
    write_json(ROOT / "results/search.json", record)


if __name__ == "__main__":
    main()
