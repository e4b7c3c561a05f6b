"""The builder: lessons to notebooks, the same bytes each time, and measured numbers into prose."""

import json

import nbformat
import pytest

from tools.build import BuildError, fill, main, notebook, refresh, stub

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


@pytest.fixture
def project(tmp_path):
    for room in ("lessons", "results", "notebooks"):
        (tmp_path / room).mkdir()
    (tmp_path / "lessons" / "00_a.py").write_text(LESSON)
    (tmp_path / "results" / "times.json").write_text(json.dumps({"00_a": {"seconds": 61.7}}))
    (tmp_path / "README.md").write_text("It takes <!--results:times.00_a.seconds:.0f-->?<!--/-->.")
    return tmp_path


def cells(project, solved):
    text = notebook(project / "lessons" / "00_a.py", solved, project)
    read = nbformat.reads(text, as_version=4)
    nbformat.validate(read)
    return read.cells


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


def test_numbers_come_from_results_formatted(project):
    assert "It takes 62 seconds." in cells(project, False)[0].source


@pytest.mark.parametrize("mark", ["nothing.key", "times.00_a.minutes", "times.00_a.seconds.x"])
def test_a_missing_number_stops_the_build_and_names_lesson_and_mark(project, mark):
    with pytest.raises(BuildError, match=rf"00_a\.py quotes results:{mark}"):
        fill(f"{{{{results:{mark}:.0f}}}}", "00_a.py", project)


def test_a_readme_is_refreshed_in_place_again_and_again(project):
    once = refresh((project / "README.md").read_text(), "README.md", project)
    assert once == "It takes <!--results:times.00_a.seconds:.0f-->62<!--/-->."
    assert refresh(once, "README.md", project) == once


def test_check_changes_nothing_and_names_what_is_stale_then_all_is_well_after_a_build(
    project, capsys
):
    (project / "notebooks" / "99_gone.ipynb").write_text("{}")
    assert main(["--check"], project) == 1
    told = capsys.readouterr().out
    assert "00_a.ipynb" in told and "99_gone.ipynb" in told and "README.md" in told
    assert [p.name for p in (project / "notebooks").iterdir()] == ["99_gone.ipynb"]
    assert main([], project) == 0
    assert not (project / "notebooks" / "99_gone.ipynb").exists()
    assert main(["--check"], project) == 0


def test_two_cells_of_one_id_are_refused(project):
    lesson = project / "lessons" / "00_a.py"
    lesson.write_text(LESSON.replace("ex-00-2", "ex-00-1"))
    with pytest.raises(BuildError, match="ex-00-1"):
        notebook(lesson, False, project)
