"""How long does each lesson take, from a clean kernel to its last cell?

    python -m benchmarks.lessons

Runs every notebook as a student's Run All does, without the embeddings that an earlier run cached,
and writes results/lessons.json.
"""

import shutil
import time

import nbformat
from nbclient import NotebookClient

from tools.record import provenance, write_json
from utils import ROOT


def main() -> None:
    record = provenance() | {
        "what": "seconds of Run All from a clean kernel with nothing cached",
        "command": "python -m benchmarks.lessons",
        "spread": "one run",
    }
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.rmtree(ROOT / "data/cache/embeddings", ignore_errors=True)
        notebook = nbformat.read(path, as_version=4)
        start = time.perf_counter()
        NotebookClient(
            notebook, timeout=600, resources={"metadata": {"path": path.parent}}
        ).execute()
        record[path.stem] = {"seconds": time.perf_counter() - start}
    write_json(ROOT / "results/lessons.json", record)


if __name__ == "__main__":
    main()
