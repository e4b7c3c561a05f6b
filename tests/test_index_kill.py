"""Kill -9 in the middle of a save or an upload: what was acknowledged is there afterwards."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from utils import ROOT
from utils.index import ExactIndex, FaissIndex, QdrantIndex

SAVE = """
import sys
import numpy as np
from utils.index import ExactIndex, FaissIndex
index = ExactIndex() if sys.argv[1] == "exact" else FaissIndex(sys.argv[1])
vectors = np.random.default_rng(0).normal(size=(20_000, 64))
for done in range(0, 20_000, 100):
    index.add([str(i) for i in range(done, done + 100)], vectors[done : done + 100])
    index.save(sys.argv[2])
    print(len(index), flush=True)
"""
UPLOAD = """
import sys
import numpy as np
from utils.index import QdrantIndex
index = QdrantIndex(sys.argv[2])
vectors = np.random.default_rng(0).normal(size=(20_000, 64))
for done in range(0, 20_000, 100):
    ids = [str(i) for i in range(done, done + 100)]
    index.add(ids, vectors[done : done + 100], [{"n": id} for id in ids])
    if done:
        index.remove([str(done - 1)])
    print(len(index), flush=True)
"""


def killed(script, kind, path, acknowledged, later):
    """Runs until so many lines were printed and a moment longer; gives the last line."""
    command = [sys.executable, "-c", script, kind, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(acknowledged):
            process.stdout.readline()
        time.sleep(later)
        process.send_signal(signal.SIGKILL)
        lines = process.stdout.read().splitlines(keepends=True)
    assert process.returncode == -signal.SIGKILL
    whole = [int(line) for line in lines if line.endswith("\n")]
    return whole[-1] if whole else None


@pytest.mark.parametrize("kind", ["exact", "flat", "hnsw"])
@pytest.mark.parametrize("later", [0, 0.003, 0.02])
def test_a_killed_save_leaves_the_last_whole_file(kind, later, tmp_path):
    path = tmp_path / "index"
    last = killed(SAVE, kind, path, 20, later) or 2_000
    index = (ExactIndex if kind == "exact" else FaissIndex).load(path)
    assert len(index) in (last, last + 100) and index.ids == [str(i) for i in range(len(index))]
    vectors = np.random.default_rng(0).normal(size=(20_000, 64))[last - 19 : last]
    assert index.search(vectors, 1)[0][:, 0].tolist() == [str(i) for i in range(last - 19, last)]


@pytest.mark.parametrize("later", [0, 0.005, 0.05])
def test_a_killed_upload_keeps_what_was_acknowledged(later, tmp_path):
    last = killed(UPLOAD, "qdrant", tmp_path, 3, later) or 298
    done = 100 * round((last + 2) / 100)  # of each hundred but the last, one was removed
    index = QdrantIndex(tmp_path)
    gone = {str(i) for i in range(99, done - 100, 100)}
    assert all((id in index) == (id not in gone) for id in map(str, range(done - 1)))
    assert not gone & set(index.payload) and index.payload["0"] == {"n": "0"}
    index.add(["new"], np.ones((1, 64)))
    assert index.search(np.ones((1, 64)), 1)[0].tolist() == [["new"]]
    index.close()
