"""The builder: lessons to notebooks, the same bytes each time, and measured numbers into prose."""

import json
import re

import nbformat
import pytest

from tools.build import BuildError, fill, main, notebook, refresh, repository, stub

LESSON = '''# %% [markdown]
# # A lesson
# It takes {{results:times.00_a.seconds:.0f}} seconds.

# %%
x = 1
x

# %% tags=["solution"] id="ex-00-1"
def double(n):
    """Twice n."""
    return 2 * n

best = double(4)

# %% tags=["solution"] id="ex-00-2"
y = 5

# %% tags=["stub"]
y = ...  # how many?

# %% tags=["grader"] id="grade-00-1"
double(2)
'''

TIMES = {"00_a": {"seconds": 61.7, "each": [30.2, 31.5]}}


@pytest.fixture
def project(tmp_path):
    for room in ("lessons", "results", "notebooks"):
        (tmp_path / room).mkdir()
    (tmp_path / "lessons" / "00_a.py").write_text(LESSON)
    (tmp_path / "results" / "times.json").write_text(json.dumps(TIMES))
    (tmp_path / "README.md").write_text("It takes <!--results:times.00_a.seconds:.0f-->?<!--/-->.")
    live_at(tmp_path, "https://github.com/somebody/course")
    return tmp_path


def live_at(project, address):
    told = f'[project]\nname = "course"\n[project.urls]\nRepository = "{address}"\n'
    (project / "pyproject.toml").write_text(told)


def all_cells(project, solved):
    text = notebook(project / "lessons" / "00_a.py", solved, project)
    read = nbformat.reads(text, as_version=4)
    nbformat.validate(read)
    return read.cells


def cells(project, solved):
    """What comes from the lesson, without what the builder adds for Colab."""
    return [c for c in all_cells(project, solved) if "colab" not in c.metadata.get("tags", [])]


def test_two_builds_give_the_same_bytes(project):
    lesson = project / "lessons" / "00_a.py"
    assert notebook(lesson, False, project) == notebook(lesson, False, project)


def test_cell_ids_are_fixed_and_explicit_ones_are_kept(project):
    ids = [cell.id for cell in cells(project, False)]
    assert ids == [cell.id for cell in cells(project, False)]
    assert ids[2:] == ["ex-00-1", "ex-00-2", "grade-00-1"]
    assert len(set(ids)) == len(ids)


def test_the_student_gets_the_signature_and_the_docstring_but_not_the_answer(project):
    source = cells(project, False)[2].source
    assert source == 'def double(n):\n    """Twice n."""\n    ...\nbest = ...'
    assert cells(project, False)[3].source == "y = ...  # how many?"


def test_the_solved_notebook_has_the_solutions_and_no_stubs(project):
    solved = cells(project, True)
    assert "return 2 * n" in solved[2].source and solved[3].source == "y = 5"
    assert len(solved) == len(cells(project, False))


def test_a_stub_keeps_imports_and_signatures_over_several_lines():
    head = "import numpy as np\ndef f(\n    a,\n    b=1,\n):\n"
    source = head + "    return np.sum(a) + b\nz = w = 3\nf(1)"
    assert stub(source) == head + "    ...\nz = w = ..."


def test_a_stub_of_a_decorated_function_or_one_on_one_line_keeps_its_whole_head():
    heads = "@cache\n@other(1)\ndef f(é='é'):", "def g(a,\n      b):"
    source = f"{heads[0]}\n    return é\n{heads[1]} return a * b"
    assert stub(source) == "\n".join(f"{head}\n    ..." for head in heads)


def test_numbers_come_from_results_formatted(project):
    assert "It takes 62 seconds." in cells(project, False)[0].source


def test_a_number_of_a_list_goes_by_its_place(project):
    assert fill("{{results:times.00_a.each.1:.1f}}", "00_a.py", project) == "31.5"


@pytest.mark.parametrize(
    "mark",
    ["nothing.key", "times.00_a.minutes", "times.00_a.seconds.x", "times.00_a.each.2",
     "times.00_a.each.x"],
)  # fmt: skip
def test_a_missing_number_stops_the_build_and_names_lesson_and_mark(project, mark):
    with pytest.raises(BuildError, match=rf"00_a\.py quotes results:{mark}"):
        fill(f"{{{{results:{mark}:.0f}}}}", "00_a.py", project)


def test_a_readme_is_refreshed_in_place_again_and_again(project):
    once = refresh((project / "README.md").read_text(), "README.md", project)
    assert once == "It takes <!--results:times.00_a.seconds:.0f-->62<!--/-->."
    assert refresh(once, "README.md", project) == once


@pytest.mark.parametrize(
    "mark",
    [
        "<!--results:times.00_a.seconds-->62<!--/-->",
        "<!--results:times.00_a.seconds:.0f-->62\nsix<!--/-->",
        "<!--results:times.00_a.seconds:\n.0f-->62<!--/-->",
        "<!--results:times.00_a\n.seconds:.0f-->62<!--/-->",
        "<!--results:times.00_a.seconds:.0f-->62",
        "<!--results times.00_a.seconds:.0f-->62<!--/-->",
    ],
)
def test_a_mark_that_would_never_be_refreshed_stops_the_build(project, mark):
    whole = (project / "README.md").read_text()
    with pytest.raises(BuildError, match=r"README.md holds '<!--results.times.* on one line"):
        refresh(f"{mark} and {whole}", "README.md", project)


def test_check_changes_nothing_and_names_what_is_stale_then_all_is_well_after_a_build(
    project, capsys
):
    (project / "notebooks" / "99_gone.ipynb").write_text('{"id": "colab-setup"}')
    for mine in ("my_notes", "00_a-Copy1", "12_my_lesson"):  # nobody built these here
        (project / "notebooks" / f"{mine}.ipynb").write_text("{}")
    assert main(["--check"], project) == 1
    told = capsys.readouterr().out
    assert "00_a.ipynb" in told and "99_gone.ipynb" in told and "README.md" in told
    assert "my_notes" not in told and len(list((project / "notebooks").iterdir())) == 4
    assert main([], project) == 0
    assert not (project / "notebooks" / "99_gone.ipynb").exists()
    assert len(list((project / "notebooks").glob("*my*"))) == 2
    assert (project / "notebooks" / "00_a-Copy1.ipynb").exists()
    assert main(["--check"], project) == 0


@pytest.mark.parametrize("broken", ["{{results:cnn.score}}", "{{results cnn.score:.2f}}"])
def test_a_mark_without_a_format_stops_the_build(broken):
    with pytest.raises(BuildError, match=r"a mark is \{\{results:file\.key:format\}\}"):
        fill(f"It is {broken}.", "a lesson")


@pytest.mark.parametrize("solved", [False, True])
def test_the_link_to_colab_and_the_setup_cell_stand_between_the_title_and_the_lesson(
    project, solved
):
    built = all_cells(project, solved)
    assert built[0].source.startswith("# A lesson")
    assert [cell.id for cell in built[1:3]] == ["colab-link", "colab-setup"]
    assert [cell.cell_type for cell in built[1:3]] == ["markdown", "code"]
    assert built[3:] == cells(project, solved)[1:]


def test_the_link_to_colab_names_the_notebook_it_stands_in(project):
    for solved, folder in ((False, "notebooks"), (True, "notebooks/solutions")):
        link = re.search(r"\((https:.*?)\)", all_cells(project, solved)[1].source)[1]
        place = f"github/somebody/course/blob/main/{folder}/00_a.ipynb"
        assert link == f"https://colab.research.google.com/{place}"


def test_nothing_of_the_colab_cells_is_fetched_when_a_notebook_is_opened(project):
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", all_cells(project, False)[1].source)
    assert pictures and all(picture.startswith("data:image/") for picture in pictures)


def test_the_setup_cell_is_short_plain_python_and_folded(project):
    setup = all_cells(project, False)[2]
    assert len(setup.source.splitlines()) <= 12
    compile(setup.source, "colab-setup", "exec")
    assert setup.metadata.jupyter.source_hidden


def test_a_forks_address_goes_into_the_link_and_the_setup_cell_and_changes_no_other_byte(project):
    before = notebook(project / "lessons" / "00_a.py", False, project)
    live_at(project, "https://github.com/a-school/fork.git")
    after = notebook(project / "lessons" / "00_a.py", False, project)
    assert after.count("github.com/a-school/fork") == after.count("github/a-school/fork/blob") == 1
    assert after.replace("a-school/fork", "somebody/course") == before


@pytest.mark.parametrize("end", ["", "/", ".git"])
def test_an_address_is_understood_however_it_ends(project, end):
    live_at(project, "https://github.com/a-school/fork" + end)
    assert repository(project) == "a-school/fork"


@pytest.mark.parametrize("address", ["", "https://example.org/a/b", "https://github.com/a"])
def test_an_address_that_colab_cannot_open_stops_the_build_with_a_sentence(
    project, address, capsys
):
    live_at(project, address)
    assert main([], project) == 1
    told = capsys.readouterr().err
    assert f"pyproject.toml gives {address!r}" in told and "https://github.com/OWNER/NAME" in told


def test_two_cells_of_one_id_are_refused(project):
    lesson = project / "lessons" / "00_a.py"
    lesson.write_text(LESSON.replace("ex-00-2", "ex-00-1"))
    with pytest.raises(BuildError, match="ex-00-1"):
        notebook(lesson, False, project)
