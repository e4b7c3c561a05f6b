"""How long does each lesson take, from a clean kernel to its last cell?

    python -m benchmarks.lessons                  all of them
    python -m benchmarks.lessons 10_serve_it      some, the others staying as they were

Runs the code of every lesson as a student's Run All does, exercises untouched, without the
embeddings that an earlier run cached, and with UMAP yet to be compiled, which set-up does not do.
Writes results/lessons.json, which the lessons' prose quotes.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

from tools.build import stub
from tools.record import provenance, write_json
from utils import ROOT


def code_of(lesson: Path) -> nbformat.NotebookNode:
    """A notebook of the lesson's code alone, so that it runs before its prose can be filled."""
    read = jupytext.read(lesson, fmt="py:percent")
    cells = [cell for cell in read.cells if cell.cell_type == "code"]
    for cell in cells:
        if "solution" in cell.metadata.get("tags", []):
            cell.source = stub(cell.source)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c.source) for c in cells])


def main(names: list[str]) -> None:
    place = ROOT / "results/lessons.json"
    before = json.loads(place.read_text("utf-8")) if names else {}
    about = provenance()
    record = about | {
        "what": "seconds of Run All from a clean kernel with nothing cached, and at which commit",
        "command": "python -m benchmarks.lessons",
        "spread": "one run",
    }
    folder = {"metadata": {"path": str(ROOT / "notebooks")}}
    for path in sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py")):
        if names and path.stem not in names:
            record[path.stem] = {"commit": before["commit"]} | before[path.stem]
            continue
        shutil.rmtree(ROOT / "data/cache/embeddings", ignore_errors=True)
        with tempfile.TemporaryDirectory() as empty:
            if "umap" in path.read_text("utf-8"):
                os.environ["NUMBA_CACHE_DIR"] = empty
            client = NotebookClient(code_of(path), timeout=600, resources=folder)
            start = time.perf_counter()
            client.execute()
            seconds = time.perf_counter() - start
            record[path.stem] = {"seconds": seconds, "commit": about["commit"]}
            os.environ.pop("NUMBA_CACHE_DIR", None)
    write_json(place, record)


if __name__ == "__main__":
    main(sys.argv[1:])
