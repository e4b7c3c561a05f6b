"""Make what is made: notebooks from lessons, and measured numbers into prose.

    python -m tools.build            write notebooks/ and refresh README.md
    python -m tools.build --check    change nothing; exit 1 and name what is out of date

A lesson is a py:percent script. In its Markdown `{{results:file.key.key:format}}` becomes the
number from results/file.json; README.md holds `<!--results:file.key:format-->0.85<!--/-->` and is
refreshed in place. A cell tagged `solution` becomes a stub in the student's notebook, or the next
cell where that is tagged `stub`; the solved notebook has the solution itself.
"""

import argparse
import ast
import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from utils import ROOT

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
MARK = re.compile(r"\{\{results:([^:}]+):([^}]+)\}\}")
README_MARK = re.compile(r"<!--results:([^:]+?):([^:]+?)-->.*?<!--/-->")


class BuildError(ValueError):
    """A source file cannot be built; the message names it and says what is wrong."""


def number(key: str, form: str, where: str, root: Path = ROOT) -> str:
    """The value of "file.key.key" in results/, formatted; BuildError where there is none."""
    file, *keys = key.split(".")
    path = root / "results" / f"{file}.json"
    try:
        value: Any = json.loads(path.read_text("utf-8"))
        for part in keys:
            value = value[part]
        return format(value, form)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BuildError(
            f"{where} quotes results:{key}:{form}, which {path.name} does not give "
            f"({type(error).__name__}: {error}); run the recipe or correct the mark."
        ) from error


def fill(text: str, where: str, root: Path = ROOT) -> str:
    """`text` with every mark replaced by its number."""
    return MARK.sub(lambda m: number(m[1], m[2], where, root), text)


def refresh(text: str, where: str, root: Path = ROOT) -> str:
    """README text with the number inside every pair of marks made current."""

    def renew(m: re.Match) -> str:
        return f"<!--results:{m[1]}:{m[2]}-->{number(m[1], m[2], where, root)}<!--/-->"

    return README_MARK.sub(renew, text)


def stub(source: str) -> str:
    """What a solution leaves to the student: signatures and docstrings, `...` for the rest."""
    lines, kept = source.splitlines(), []
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            body, documented = node.body, ast.get_docstring(node, clean=False) is not None
            last = body[0].end_lineno if documented else body[0].lineno - 1
            kept += [*lines[node.lineno - 1 : last], "    ..."]
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
        made: dict[str, Any] = {
            "cell_type": cell.cell_type,
            "id": cell.metadata.get("id") or _id(lesson.stem, position),
            "metadata": {"tags": tags} if tags else {},
            "source": source.splitlines(keepends=True),
        }
        if cell.cell_type == "code":
            made |= {"execution_count": None, "outputs": []}
        cells.append(made)
    _refuse_twins(lesson, [cell["id"] for cell in cells])
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    whole = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


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
        made[root / "notebooks" / f"{lesson.stem}.ipynb"] = notebook(lesson, False, root)
        made[root / "notebooks/solutions" / f"{lesson.stem}.ipynb"] = notebook(lesson, True, root)
    readme = root / "README.md"
    made[readme] = refresh(readme.read_text("utf-8"), readme.name, root)
    return made


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
    orphans = [p for p in orphans if ".ipynb_checkpoints" not in p.parts]
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
