"""`start` and `check`: what a student reads in every lesson."""

import numpy as np
import pytest
import torch

from utils.course import ClaimFailed, check, measured, start


def test_start_fixes_the_seeds_and_says_what_is_used(capsys):
    start("00_start_here")
    first = np.random.random(), torch.rand(1).item()
    told = capsys.readouterr().out
    assert "Lesson 00 · start here" in told and "BIG = False" in told and "CPU" in told
    start("00_start_here", big=True)
    assert "BIG = True" in capsys.readouterr().out
    assert first == (np.random.random(), torch.rand(1).item())


@pytest.mark.parametrize("yes", [True, np.bool_(True), torch.tensor(True)])
def test_a_claim_that_holds_gets_a_tick(yes, capsys):
    check("Water is wet", yes)
    assert capsys.readouterr().out == "✓ Water is wet\n"


def test_a_claim_that_fails_gets_a_cross_and_the_lesson_goes_on(capsys, monkeypatch):
    monkeypatch.delenv("COURSE_STRICT", raising=False)
    check("Water is dry", False)
    assert capsys.readouterr().out == "✗ Water is dry\n"


def test_a_claim_that_fails_raises_where_tests_ask_for_it(monkeypatch):
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(ClaimFailed, match="Water is dry"):
        check("Water is dry", np.float64(1) > 2)


@pytest.mark.parametrize("vague", [np.array([True, False]), "yes", None, 0.7, [True]])
def test_a_condition_that_is_not_one_yes_or_no_is_refused(vague):
    with pytest.raises(TypeError, match="one yes or no"):
        check("Water is wet", vague)


def test_a_lesson_reads_what_a_recipe_has_measured():
    assert 0 < measured("cnn_photos")["cnn-photos"]["recall_at_1"] < 1


def test_a_result_that_is_not_there_is_named():
    with pytest.raises(FileNotFoundError, match=r"nothing\.json"):
        measured("nothing")
