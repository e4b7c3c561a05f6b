"""What imports what: in the order of `utils`, along the arrows between rooms, names that exist."""

import ast
import re
from functools import cache
from symtable import symtable

import pytest

import utils
from utils import ROOT

ROOMS = ("utils", "service", "recipes", "benchmarks", "tools")
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def told(path):
    return path.relative_to(ROOT).as_posix()


def codes(path):
    """The Python in a file: all of it, or the blocks of a page."""
    text = path.read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if path in PAGES else [text]


def imports(path):
    """Each module of ours that is imported anywhere in a file, with the name taken from it."""
    for code in codes(path):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Import):
                found = [(one.name, None) for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{told(path)}:{node.lineno}: name the whole module"
                found = [(node.module, one.name) for one in node.names]
            else:
                continue
            yield from (one for one in found if one[0].split(".")[0] in ROOMS)


def file_of(module):
    path = ROOT.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.exists()), None)


@cache
def names_in(path):
    """What a module has at its top, those things that it imports among them."""
    top = symtable(path.read_text("utf-8"), str(path), "exec")
    return {one.get_name() for one in top.get_symbols() if one.is_assigned() or one.is_imported()}


@pytest.mark.parametrize("path", [*FILES, *PAGES], ids=told)
def test_every_name_of_ours_that_is_imported_exists(path):
    """Recipes and benchmarks run once in a while: a name that went missing is told now."""
    for module, name in imports(path):
        file = file_of(module)
        assert file, f"there is no {module}"
        is_there = name is None or name in names_in(file) or file_of(f"{module}.{name}")
        assert is_there, f"{module} has no {name}"


def order_in(text):
    listed = re.search(r"imports? only from (?:its|their) left: ([^.]+)\.", text)[1]
    return re.split(r"[,·\s]+", listed)


def place(path):
    """How far to the right a module of `utils` stands; its own `__init__` is left of all."""
    parts = path.relative_to(ROOT / "utils").with_suffix("").parts
    order = ["__init__", *order_in(utils.__doc__), "exercises"]
    return order.index(parts[0])


def test_both_pages_tell_the_same_order_of_utils():
    assert order_in(utils.__doc__) == order_in(PAGES[1].read_text("utf-8"))


@pytest.mark.parametrize("path", [path for path in FILES if told(path)[:6] == "utils/"], ids=told)
def test_a_module_of_utils_imports_only_from_its_left(path):
    for module, name in imports(path):
        assert module.split(".")[0] == "utils", f"utils imports none of the other rooms: {module}"
        wanted = file_of(f"{module}.{name}") or file_of(module)
        assert place(wanted) <= place(path), f"{module} stands to the right"


@pytest.mark.parametrize("path", [path for path in FILES if told(path)[:8] == "service/"], ids=told)
def test_the_service_imports_utils_alone(path):
    assert {module.split(".")[0] for module, _ in imports(path)} <= {"utils", "service"}
