"""Train `cnn-simclr` and `cnn-moco`, and measure what carries learning without labels.

    python -m recipes.without_labels --workers 8           (a GPU; hours on two cores)
    CIFAR10_DIR=… python -m recipes.without_labels --cifar10 --minutes 4    (a GPU)

Every run, a setting and a seed, is kept in data/cache/without_labels, so an interrupted recipe
goes on, and several machines can share the work. All networks are the same compact CNN from
random weights on the same training scenes, without their labels but for the supervised one. Of
the seeds the best on the validation things is shipped; the test things choose nothing. Writes
models/cnn-simclr and cnn-moco with their cards and results/without_labels.json, or
results/without_labels_cifar10.json.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from recipes.without_labels.learn import file_of, run, scenes
from recipes.without_labels.settings import runs
from tools.record import provenance, write_json
from utils import ROOT


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1, help="runs side by side")
    parser.add_argument("--cifar10", action="store_true")
    parser.add_argument("--minutes", type=float, default=4)
    options = parser.parse_args()
    if options.cifar10:
        from recipes.without_labels.cifar10 import measure

        record = provenance() | {"data": "CIFAR-10 (JPEG)", "spread": "one seed"}
        record["what"] = "SimCLR without labels; leave-one-out retrieval, and a linear probe"
        told = record | measure(options.minutes)
        return write_json(ROOT / "results/without_labels_cifar10.json", told)
    scenes()  # composed once, before the workers ask for them
    missing = [one for one in runs() if not file_of(*one).exists()]
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run, *one) for one in missing]):
            done.result()
    from recipes.without_labels.report import report

    report()


if __name__ == "__main__":
    main()
