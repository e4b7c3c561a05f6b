"""What the project says of itself is true: ranges, links, licences, sizes."""

import ast
import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service.ingest import GALLERIES
from utils import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONDA_NAMES = {"pytorch": "torch", "py-opencv": "opencv-python-headless"}
LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))
CARDS = sorted(path for path in (ROOT / "models").glob("*.json"))
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "service/README.md")]


def tracked():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_conda_and_pip_users_get_the_same_ranges():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    assert all(isinstance(line, str) for line in conda)  # conda's pip refuses options, as --no-deps
    named = {re.split(r"[<>=]", line)[0]: line for line in conda}
    ranges = {CONDA_NAMES.get(k, k) + line[len(k) :] for k, line in named.items()}
    project = PYPROJECT["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["lab"], "pip"}
    assert ranges == wanted | {"python" + project["requires-python"]}


def brought_by(requirements):
    """Names of the distributions that pip installs for these, and for what they require in turn."""
    names, asked = set(), [Requirement(one) for one in requirements]
    while asked:
        requirement = asked.pop()
        name = canonicalize_name(requirement.name)
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if not needed or name in names:
            continue
        names.add(name)
        asked += [Requirement(one) for one in importlib.metadata.requires(name) or []]
    return names


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_what_a_lesson_imports_is_installed_with_the_course(lesson):
    """Else it runs here, where maintainers' packages are, and on no student's machine."""
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    installed = brought_by(project["dependencies"] + extras["lab"] + extras["serve"])
    providers = importlib.metadata.packages_distributions()
    nodes = list(ast.walk(ast.parse(lesson.read_text("utf-8"))))
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    roots = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    for module in roots - {"utils", "service"}:
        given = {canonicalize_name(name) for name in providers[module]}
        assert given & installed, f"{module} comes with {given}, which the course does not install"


def test_every_local_link_in_the_pages_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", page.read_text("utf-8")):
            link = target[0] or target[1]
            assert link.startswith("http") or (page.parent / link).exists(), f"{page}: {link}"


def test_every_target_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in PAGES:
        for target in re.findall(r"`?make ([a-z-]+)`?", page.read_text("utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: make {target}"


def ignored(*paths):
    done = subprocess.run(["git", "check-ignore", *paths], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.split()


def test_what_the_service_makes_leaves_the_tree_clean():
    """The galleries of `make serve`, and what service/Dockerfile and template.yaml say to type."""
    made = [str(GALLERIES.relative_to(ROOT) / "drawings-cnn" / "index.sqlite")]
    made += [
        "gallery/model.onnx",
        ".aws-sam/build.toml",
        "samconfig.toml",
        "service/samconfig.toml",
    ]
    assert ignored(*made) == made
    assert not ignored("service/gallery.py", "service/template.yaml")


def test_make_clean_keeps_the_galleries():
    """A picture that was added over HTTP is nowhere else."""
    done = subprocess.run(["make", "-n", "clean"], cwd=ROOT, capture_output=True, text=True)
    removed = [ROOT / word for word in done.stdout.split()[2:]]
    assert ROOT / "data/cache" in removed
    assert not {GALLERIES, *GALLERIES.parents} & {*removed}


@pytest.mark.parametrize(
    ("target", "given", "run"),
    [
        ("app", [], "-m utils.app"),
        ("app", ["MODEL=resnet50", "SIZE=224"], "-m utils.app --size 224 --model resnet50"),
        ("app", ["IMAGES=my pictures", "PORT=9000"], "-m utils.app 'my pictures' --port 9000"),
        ("serve", [], "-m service"),
        ("serve", ["MODEL=resnet50", "PORT=9000"], "-m service --model resnet50 --port 9000"),
    ],
)
def test_make_passes_on_what_it_is_given_and_nothing_else(target, given, run):
    around = {k: v for k, v in os.environ.items() if k not in {"IMAGES", "MODEL", "PORT", "SIZE"}}
    told = subprocess.run(
        ["make", "-n", "--no-print-directory", target, *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=around,
    )
    assert shlex.split(told.stdout.splitlines()[-1])[1:] == shlex.split(run)


@pytest.mark.parametrize("card", CARDS, ids=lambda path: path.stem)
def test_every_model_has_weights_and_a_card_that_tells_where_they_come_from(card):
    told = json.loads(card.read_text("utf-8"))
    for field in ("recipe", "commit", "tree_clean", "data", "seconds", "machine", "metrics",
                  "licence"):  # fmt: skip
        assert field in told, field
    weights = [card.with_suffix(end) for end in (".safetensors", ".onnx", ".npz", "")]
    files = [f for w in weights for f in (w.rglob("*") if w.is_dir() else [w]) if f.is_file()]
    assert files and sum(file.stat().st_size for file in files) <= 6_000_000


def test_all_weights_together_stay_small():
    assert len(CARDS) >= 2
    total = sum(p.stat().st_size for p in (ROOT / "models").rglob("*") if p.is_file())
    assert total <= 30_000_000


def test_no_file_stores_a_path_of_one_machine_or_a_registrys_address():
    local = re.compile(r"/(home|Users|root|work)/\w+/|pythonhosted|registry\.npmjs|pypi\.org")
    for path in tracked():
        if path.suffix in {".py", ".md", ".json", ".toml", ".yml", ".ipynb", ".cff", ".txt"}:
            if path.name != "test_project.py":
                text = path.read_text("utf-8").replace("C:/Users/me", "")  # an example for readers
                assert not local.search(text), f"{path}: {local.search(text)}"
