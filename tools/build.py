"""Make what is made: notebooks from lessons, and measured numbers into prose.

    python -m tools.build            write notebooks/ and refresh README.md
    python -m tools.build --check    change nothing; exit 1 and name what is out of date

A lesson is a py:percent script. In its Markdown `{{results:file.key.key:format}}` becomes the
number from results/file.json; README.md holds `<!--results:file.key:format-->0.85<!--/-->` and is
refreshed in place. A cell tagged `solution` becomes a stub in the student's notebook, or the next
cell where that is tagged `stub`; the solved notebook has the solution itself. Below the title come
a link that opens the notebook in Colab and the cell that brings the course there.
"""

import argparse
import ast
import base64
import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from utils import ROOT

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
MARK = re.compile(r"\{\{results:([^:}]+):([^}]+)\}\}")
README_MARK = re.compile(r"<!--results:([^:\n]+):([^:\n]+?)-->.*?<!--/-->")
# Drawn into the notebook: a badge that is fetched would be a request to the network from everyone
# who opens it. A viewer that shows no such picture shows its text, which is a link as well.
BADGE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="124" height="24"><rect width="124" height="24" rx="4"
fill="#1b1b1b"/><circle cx="16" cy="12" r="5" fill="none" stroke="#e69f00" stroke-width="3"/><text
x="28" y="16" fill="#fff" font-family="sans-serif" font-size="12">Open in Colab</text></svg>"""
COLAB = "https://colab.research.google.com/github/{repository}/blob/main/{path}"
COLAB_LINK = """\
[![Open in Colab](data:image/svg+xml;base64,{badge})]({link})

On Colab the next cell fetches the course, in a minute or two; anywhere else it does nothing.
"""
# The commands' own words are raised because Colab does not show what they print. What Colab brings
# is listed for pip as what to keep: without that, a newer rembg would exchange NumPy and Pillow.
SETUP = "colab-setup"  # the id of a cell that each notebook has
EXTRAS = {"10_serve_it": ("[serve]", " | grep -vE '^(fastapi|starlette)='")}  # and what to let go
COLAB_SETUP = """\
# Colab starts without the course, so it is fetched and installed there.
import subprocess
import sys
from pathlib import Path
if "google.colab" in sys.modules:
    course, pip = Path("lookalike").resolve(), f"{{sys.executable}} -m pip"
    clone = f"[ -e {{course}} ] || git clone --depth=1 https://github.com/{repository} {{course}}"
    install = f"{{pip}} install --quiet --constraint /tmp/kept.txt --editable {{course}}{extra}"
    for command in [clone, f"{{pip}} list --format=freeze{let} > /tmp/kept.txt", install]:
        if (done := subprocess.run(command, shell=True, capture_output=True, text=True)).returncode:
            raise RuntimeError(done.stderr)
    sys.path.insert(0, str(course))  # a running kernel does not see what was just installed
"""


class BuildError(ValueError):
    """A source file cannot be built; the message names it and says what is wrong."""


def number(key: str, form: str, where: str, root: Path = ROOT) -> str:
    """The value of "file.key.key" in results/, formatted; BuildError where there is none."""
    file, *keys = key.split(".")
    path = root / "results" / f"{file}.json"
    try:
        value: Any = json.loads(path.read_text("utf-8"))
        for part in keys:
            value = value[int(part) if isinstance(value, list) else part]
        return format(value, form)
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise BuildError(
            f"{where} quotes results:{key}:{form}, which {path.name} does not give "
            f"({type(error).__name__}: {error}); run the recipe or correct the mark."
        ) from error


def fill(text: str, where: str, root: Path = ROOT) -> str:
    """`text` with every mark replaced by its number; BuildError for one that has no format."""
    filled = MARK.sub(lambda m: number(m[1], m[2], where, root), text)
    if "{{results" in filled:
        broken = filled[filled.index("{{results") :][:60].splitlines()[0]
        raise BuildError(f"{where} holds {broken!r}; a mark is {{{{results:file.key:format}}}}.")
    return filled


def refresh(text: str, where: str, root: Path = ROOT) -> str:
    """README text with the number inside every pair of marks made current.

    Raises BuildError for a mark that would stay as it is: without a format, or over two lines.
    """

    def renew(m: re.Match) -> str:
        return f"<!--results:{m[1]}:{m[2]}-->{number(m[1], m[2], where, root)}<!--/-->"

    whole = {mark.start() for mark in README_MARK.finditer(text)}
    begun = [mark.start() for mark in re.finditer("<!--results", text)]
    for start in (start for start in begun if start not in whole):
        broken = text[start : start + 60].splitlines()[0]
        raise BuildError(
            f"{where} holds {broken!r}; a mark is <!--results:file.key:format-->0.85<!--/--> on "
            "one line."
        )
    return README_MARK.sub(renew, text)


def stub(source: str) -> str:
    """What a solution leaves to the student: signatures and docstrings, `...` for the rest."""
    lines, kept = source.splitlines(), []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            first = min(part.lineno for part in (*node.decorator_list, node))
            body, documented = node.body[0], ast.get_docstring(node, clean=False) is not None
            before = lines[body.lineno - 1].encode()[: body.col_offset].decode().rstrip()
            head = [before] if before else []  # of a function on one line
            last = body.end_lineno if documented and not before else body.lineno - 1
            kept += [*lines[first - 1 : last], *head, "    ..."]
        elif isinstance(node, ast.Assign):
            kept.append(" = ".join(ast.unparse(target) for target in node.targets) + " = ...")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            kept += lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(kept)


def notebook(lesson: Path, solved: bool, root: Path = ROOT) -> str:
    """The notebook of a lesson as JSON text, the same bytes each time."""
    import jupytext  # not needed by those who only show slides

    read = jupytext.read(lesson, fmt="py:percent").cells
    cells: list[dict[str, Any]] = []
    for position, cell in enumerate(read):
        tags = cell.metadata.get("tags", [])
        source = cell.source
        if "stub" in tags:
            if solved:
                continue
            cells[-1]["source"] = source.splitlines(keepends=True)
            continue
        if "solution" in tags and not solved:
            source = stub(source)
        if cell.cell_type == "markdown":
            source = fill(source, lesson.name, root)
        id = cell.metadata.get("id") or _id(lesson.stem, position)
        cells.append(_cell(cell.cell_type, id, source, {"tags": tags} if tags else {}))
    cells[1:1] = colab(path_of(lesson, solved), root)
    _refuse_twins(lesson, [cell["id"] for cell in cells])
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    whole = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _cell(kind: str, id: str, source: str, metadata: dict[str, Any]) -> dict[str, Any]:
    lines = source.splitlines(keepends=True)
    made = {"cell_type": kind, "id": id, "metadata": metadata, "source": lines}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def path_of(lesson: Path, solved: bool) -> str:
    """Where the notebook of a lesson lies in the repository."""
    return f"notebooks/{'solutions/' * solved}{lesson.stem}.ipynb"


def colab(path: str, root: Path = ROOT) -> list[dict[str, Any]]:
    """The cells of the notebook at `path` that open it in Colab and bring the course there."""
    place = repository(root)
    badge = base64.b64encode(BADGE.encode()).decode()
    link = COLAB_LINK.format(badge=badge, link=COLAB.format(repository=place, path=path))
    extra, let = EXTRAS.get(Path(path).stem, ("", ""))
    setup = COLAB_SETUP.format(repository=place, extra=extra, let=let)
    folded = {"jupyter": {"source_hidden": True}}  # JupyterLab shows its first line alone
    return [
        _cell("markdown", "colab-link", link.strip(), {"tags": ["colab"]}),
        _cell("code", SETUP, setup.strip(), {"tags": ["colab"]} | folded),
    ]


def repository(root: Path = ROOT) -> str:
    """OWNER/NAME on GitHub, from the one place where the address stands."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    address = project.get("urls", {}).get("Repository", "")
    found = re.fullmatch(r"https://github\.com/([^/]+/[^/]+?)(\.git|/)?", address)
    if not found:
        raise BuildError(
            f"pyproject.toml gives {address!r} as the Repository, but Colab opens notebooks from "
            "https://github.com/OWNER/NAME."
        )
    return found[1]


def _id(lesson: str, position: int) -> str:
    return hashlib.blake2b(f"{lesson} {position}".encode(), digest_size=4).hexdigest()


def _refuse_twins(lesson: Path, ids: list[str]) -> None:
    twins = sorted({id for id in ids if ids.count(id) > 1})
    if twins:
        raise BuildError(f"{lesson.name} gives the id {twins[0]!r} to two cells; rename one.")


def everything(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file with the text it should have."""
    made: dict[Path, str] = {}
    for lesson in sorted((root / "lessons").glob("[0-9][0-9]_*.py")):
        for solved in (False, True):
            made[root / path_of(lesson, solved)] = notebook(lesson, solved, root)
    readme = root / "README.md"
    made[readme] = refresh(readme.read_text("utf-8"), readme.name, root)
    return made


def _is_ours(path: Path) -> bool:
    """Was this notebook built here, and not written beside or copied by somebody?"""
    named = re.fullmatch(r"\d\d_[a-z_]+", path.stem) and ".ipynb_checkpoints" not in path.parts
    return bool(named) and f'"id": "{SETUP}"' in path.read_text("utf-8")


def main(words: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, name what is stale")
    options = parser.parse_args(words)
    try:
        made = everything(root)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    stale = [p for p, text in made.items() if not p.exists() or p.read_text("utf-8") != text]
    orphans = [p for p in (root / "notebooks").rglob("*.ipynb") if p not in made]
    orphans = [p for p in orphans if _is_ours(p)]
    if not options.check:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[path], "utf-8")
        for path in orphans:
            path.unlink()
    for path in stale + orphans:
        verb = "out of date" if options.check else ("removed" if path in orphans else "wrote")
        print(f"{verb}: {path.relative_to(root)}")
    return int(options.check and bool(stale + orphans))


if __name__ == "__main__":
    sys.exit(main())
