"""What the project says of itself is true: ranges, links, licences, sizes."""

import json
import re
import subprocess
import tomllib

import pytest
import yaml

from utils import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONDA_NAMES = {"pytorch": "torch", "py-opencv": "opencv-python-headless"}
CARDS = sorted(path for path in (ROOT / "models").glob("*.json"))


def tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def test_conda_and_pip_users_get_the_same_ranges():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    named = {re.split(r"[<>=]", line)[0]: line for line in conda if isinstance(line, str)}
    ranges = {CONDA_NAMES.get(k, k) + line[len(k) :] for k, line in named.items()}
    project = PYPROJECT["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["lab"], "pip"}
    assert ranges == wanted | {"python" + project["requires-python"]}


def test_every_local_link_in_the_pages_leads_somewhere():
    for page in ROOT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)|src=\"([^\"]+)\"", page.read_text("utf-8")):
            link = target[0] or target[1]
            assert link.startswith("http") or (ROOT / link).exists(), f"{page.name}: {link}"


def test_every_target_the_readme_names_exists():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"`?make ([a-z-]+)`?", (ROOT / page).read_text("utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page}: make {target}"


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
                found = local.search(path.read_text("utf-8"))
                assert not found or "C:/Users/me" in found.string, f"{path}: {found}"
