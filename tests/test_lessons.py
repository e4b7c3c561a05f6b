"""Every notebook runs from a clean kernel with no network, and is built the way lessons are."""

import ast
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from utils import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLVED = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
MOST_LINES = 25
NO_NETWORK = ROOT / "tests" / "no_network"


def name(path):
    return path.stem


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def lesson_cells(notebook):
    """The lesson's own code, without the cell that brings the course to Colab."""
    return [cell for cell in code_cells(notebook) if "colab" not in cell.metadata.get("tags", [])]


def run(path, progress, monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    monkeypatch.setenv("LOOKALIKE_PROGRESS", str(progress))
    monkeypatch.setenv("PYTHONPATH", str(NO_NETWORK))
    monkeypatch.delenv("CIFAR10_DIR", raising=False)
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(ROOT / "notebooks")}}
    return NotebookClient(notebook, timeout=300, resources=folder).execute()


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def html(output):
    return output.get("data", {}).get("text/html", "")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_runs_from_a_clean_kernel_offline_and_every_claim_holds(path, tmp_path, monkeypatch):
    notebook = run(path, tmp_path / "progress.json", monkeypatch)
    printed = "".join(output.get("text", "") for output in outputs(notebook))
    assert printed.count("✓") >= 5
    assert "✗" not in printed
    figures = [tag for o in outputs(notebook) for tag in re.findall(r"<img [^>]*>", html(o))]
    assert len(figures) >= 2
    assert all(re.search(r'alt="[^"]+"', tag) for tag in figures)
    early = [o for cell in lesson_cells(notebook)[:3] for o in cell.outputs]
    assert any("<img" in html(output) for output in early), "no picture within three cells"
    assert code_cells(notebook)[0].id == "colab-setup" and not code_cells(notebook)[0].outputs
    assert not [o for o in outputs(notebook) if o.get("name") == "stderr" and "Traceback" in o.text]


@pytest.mark.solutions
@pytest.mark.parametrize("path", SOLVED, ids=name)
def test_the_solved_notebook_runs_offline_and_solves_all(path, tmp_path, monkeypatch):
    progress = tmp_path / "progress.json"
    notebook = run(path, progress, monkeypatch)
    assert "✗" not in "".join(output.get("text", "") for output in outputs(notebook))
    exercises = json.loads(progress.read_text("utf-8"))["exercises"]
    solved = [number for number in sorted(exercises) if exercises[number]["done"]]
    assert solved == [f"{path.stem[:2]}.{i}" for i in (1, 2, 3)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_cells_are_short_and_no_output_is_stored(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source
        assert cell.outputs == [] and cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_the_first_cell_holds_the_switch_and_starts_this_lesson(path):
    first = lesson_cells(nbformat.read(path, as_version=4))[0].source
    assert re.search(r"^BIG = False\b", first, re.MULTILINE)
    assert f'start("{path.stem}", big=BIG)' in first


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_no_time_is_measured_inside_a_check(path):
    clock = r"seconds|\bms\b|perf_counter|monotonic"
    for cell in code_cells(nbformat.read(path, as_version=4)):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check":
                assert not re.search(clock, ast.unparse(node.args[1])), ast.unparse(node)


def test_every_lesson_has_its_notebooks():
    lessons = {path.stem for path in (ROOT / "lessons").glob("[0-9][0-9]_*.py")}
    assert lessons
    assert {path.stem for path in NOTEBOOKS} == {path.stem for path in SOLVED} == lessons


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('192.0.2.1', 80), 2)",
        "socket.getaddrinfo('example.org', 80)",
        "socket.socket().connect(('192.0.2.1', 80))",
    ],
)
def test_the_kernels_network_is_blocked_indeed(attempt):
    done = subprocess.run(
        [sys.executable, "-c", f"import socket; {attempt}"],
        env=os.environ | {"PYTHONPATH": str(NO_NETWORK)},
        capture_output=True,
        text=True,
    )
    assert "the tests allow no network" in done.stderr


def test_the_blocked_network_leaves_this_machine_reachable():
    talk = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(s.getsockname(), 2); print('reached')"
    )
    done = subprocess.run(
        [sys.executable, "-c", talk],
        env=os.environ | {"PYTHONPATH": str(NO_NETWORK)},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "reached\n"
