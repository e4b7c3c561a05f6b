"""The cell for Colab, on a stand-in for Colab: a bare Python, offline, and a local repository."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tools.build import EXTRAS, repository
from utils import ROOT

FOLDERS = (ROOT / "notebooks", ROOT / "notebooks" / "solutions")
NOTEBOOKS = [path for folder in FOLDERS for path in sorted(folder.glob("*.ipynb"))]
ADDRESS = f"https://github.com/{repository()}"
# What Colab brought at the end of February 2026, from github.com/googlecolab/backend-info.
# Its own package insists on this very pandas. What stands there as None it does not bring, or in a
# version that we do not know.
COLAB_PYTHON = "3.12.12"
COLAB = {
    "anywidget": "0.9.21",
    "faiss-cpu": None,
    "ipywidgets": "7.7.1",
    "matplotlib": "3.10.0",
    "numpy": "2.0.2",
    "onnxruntime": None,
    "opencv-python-headless": "4.13.0.92",
    "pandas": "2.2.2",
    "pillow": "11.3.0",
    "platformdirs": "4.9.2",
    "pytorch-metric-learning": None,
    "qdrant-client": None,
    "rembg": None,
    "safetensors": "0.7.0",
    "scikit-image": "0.25.2",
    "scikit-learn": "1.6.1",
    "scipy": "1.16.3",
    "timm": None,
    "torch": "2.10.0+cpu",
    "torchvision": "0.25.0+cpu",
    "tqdm": "4.67.3",
    "transformers": "5.0.0",
    "umap-learn": "0.5.11",
}
WHERE = "import utils; print(utils.ROOT)"


def cell(path, id):
    return next(c.source for c in nbformat.read(path, as_version=4).cells if c.id == id)


def git(*words, where):
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    quiet = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *who, *words], cwd=where, env=quiet, check=True, capture_output=True)


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """A repository with what the course installs and reads, in place of the public one."""
    course = tmp_path_factory.mktemp("public") / "course"
    for room in ("utils", "service", "data"):
        skip = shutil.ignore_patterns("__pycache__", "cache")
        shutil.copytree(ROOT / room, course / room, ignore=skip)
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, course)
    git("init", where=course)
    git("add", ".", where=course)
    git("commit", "-m", "The course", where=course)
    return course.as_uri()


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """run(code, folder) runs code as Colab's kernel does, on a Python that knows no course."""
    machine = tmp_path_factory.mktemp("colab")
    venv.create(machine / "python", symlinks=True)
    packages = machine / "packages"  # all that is installed here but the course
    packages.mkdir()
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if "lookalike" not in entry.name:
            (packages / entry.name).symlink_to(entry)
    for part in ("google", "google/colab"):
        (machine / "kernel" / part).mkdir(parents=True)
        (machine / "kernel" / part / "__init__.py").touch()
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    surroundings |= {
        "PYTHONPATH": f"{machine / 'kernel'}{os.pathsep}{packages}",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as --build-isolation=0
        "GIT_CONFIG_GLOBAL": os.devnull,
    }

    def run(code, folder):
        return subprocess.run(
            [machine / "python" / "bin" / "python", "-c", f"import google.colab\n{code}"],
            cwd=folder,
            env=surroundings,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="module")
def started(colab, public, tmp_path_factory):
    """A folder in which the cell of a built notebook has run once, and what its kernel said."""
    folder = tmp_path_factory.mktemp("content")
    setup = cell(NOTEBOOKS[0], "colab-setup").replace(ADDRESS, public)
    use = "from utils.images import load_images; print(len(load_images('emoji', 'validation')))"
    return folder, colab(f"{setup}\n{WHERE}\n{use}", folder)


def test_the_cell_brings_the_course_and_the_running_kernel_uses_it(started):
    folder, done = started
    assert done.returncode == 0, done.stderr
    where, pictures = done.stdout.split()
    assert Path(where) == folder / "lookalike"
    assert int(pictures) > 200
    assert [p.name for p in folder.iterdir()] == ["lookalike"]


def test_a_restarted_kernel_has_the_course_without_the_cell(started, colab):
    folder, _ = started
    done = colab(WHERE, folder)
    assert done.stdout.strip() == str(folder / "lookalike"), done.stderr


def test_the_cell_run_again_clones_nothing_and_keeps_what_was_changed(started, colab):
    folder, _ = started
    (folder / "lookalike" / "mine.txt").write_text("a note")
    setup = cell(NOTEBOOKS[0], "colab-setup").replace(ADDRESS, "file:///nowhere")
    done = colab(f"{setup}\n{setup}\n{WHERE}", folder)
    assert done.stdout.strip() == str(folder / "lookalike"), done.stderr
    assert (folder / "lookalike" / "mine.txt").read_text() == "a note"


def test_an_address_that_does_not_answer_stops_the_cell_in_gits_own_words(colab, tmp_path):
    setup = cell(NOTEBOOKS[0], "colab-setup").replace(ADDRESS, "file:///nowhere")
    done = colab(setup, tmp_path)
    assert done.returncode == 1
    assert "RuntimeError: " in done.stderr and "'/nowhere'" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_installation_that_fails_stops_the_cell_in_pips_own_words(colab, tmp_path):
    (tmp_path / "lookalike").mkdir()
    done = colab(cell(NOTEBOOKS[0], "colab-setup"), tmp_path)
    assert done.returncode == 1
    assert "RuntimeError: " in done.stderr and "pyproject.toml" in done.stderr


@pytest.mark.parametrize("tag", [{}, {"COLAB_RELEASE_TAG": "as on Kaggle"}])
def test_anywhere_else_the_cell_starts_no_process_and_writes_nothing(tag, tmp_path):
    watch = (
        "import sys\n"
        "def watch(event, args):\n"
        "    if event in {'subprocess.Popen', 'os.fork', 'os.posix_spawn', 'os.system'}:\n"
        "        sys.exit(f'{event}{args}')\n"
        "sys.addaudithook(watch)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", watch + cell(NOTEBOOKS[0], "colab-setup")],
        cwd=tmp_path,
        env=os.environ | tag,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_notebook_links_to_itself_in_colab_and_has_the_same_cell_but_for_extras(path):
    place = f"github/{repository()}/blob/main/{path.relative_to(ROOT).as_posix()}"
    assert f"(https://colab.research.google.com/{place})" in cell(path, "colab-link")
    extra, let = EXTRAS.get(path.stem, ("", ""))
    same = cell(path, "colab-setup").replace(f"{let} > /tmp", " > /tmp")
    same = same.replace(f'{{course}}{extra}"', '{course}"')
    assert same == cell(NOTEBOOKS[0], "colab-setup")


def test_the_address_stands_in_one_place():
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]
    sources = [path for path in files if path not in NOTEBOOKS]
    told = [path for path in sources if repository().encode() in path.read_bytes()]
    assert told == [ROOT / "pyproject.toml"]
    assert told[0].read_text("utf-8").count(repository()) == 1


def test_pip_leaves_what_colab_brings_as_it_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert COLAB_PYTHON in SpecifierSet(project["requires-python"])
    for requirement in map(Requirement, project["dependencies"]):
        brought = COLAB[requirement.name]
        assert brought is None or brought in requirement.specifier, requirement


def test_the_readme_tells_the_versions_that_are_expected_on_colab():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    readme = (ROOT / "README.md").read_text("utf-8")
    section = re.search(r"^## On Colab\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)[1]
    told = re.findall(r"(?:Python|torch) ≥ ([\d.]+)", section)
    ranges = {r.name: str(r.specifier) for r in map(Requirement, project["dependencies"])}
    assert [f">={version}" for version in told] == [project["requires-python"], ranges["torch"]]
