"""Which distance finds most, and what lesson 04 computes in the open, measured once.

    CIFAR10_DIR=… python -m recipes.distances           (a few minutes on 2 cores)

For Mahalanobis and for whitening the covariance is that of the training pictures within their
classes, its shrinkage the best of a few on the validation pictures; the test pictures choose
nothing. Writes results/distances.json.
"""

import time

from recipes.distances.spaces import fooled, hubs, learned, on_raw, palettes
from recipes.distances.table import borrowed, table, whitening
from tools.record import provenance, write_json
from utils import ROOT


def main() -> None:
    record, begin = provenance(), time.perf_counter()
    drawings = borrowed()
    record |= {
        "what": "leave-one-out retrieval by metric and data, on unit vectors, and what lies behind",
        "data": "test things of scenes and drawings; test photos of CIFAR-10 (JPEG)",
        "command": "python -m recipes.distances",
        "spread": "95 % intervals by bootstrap over queries; nothing here has a seed",
        "table": table(drawings),
        "whitening": whitening(drawings),
        "fooled": fooled(drawings),
        "learned": learned(drawings),
        "raw": on_raw(),
        "hubs": hubs(drawings),
        "palettes": palettes(),
    }
    record["seconds"] = time.perf_counter() - begin
    write_json(ROOT / "results/distances.json", record)


if __name__ == "__main__":
    main()
