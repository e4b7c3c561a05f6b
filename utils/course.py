"""What makes a notebook a lesson: one start, claims that are checked, exercises that are graded."""

import dis
import functools
import importlib
import inspect
import json
import os
import random
import re
import traceback
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from utils import ROOT, replacing

if TYPE_CHECKING:
    import pandas as pd


class ClaimFailed(AssertionError):
    """A checked sentence turned out false, under COURSE_STRICT=1."""


def start(lesson: str, big: bool = False) -> None:
    """Fix the seeds and say what this lesson runs on and uses, and why.

    Parameters
    ----------
    lesson : its name, such as "00_start_here". big : the lesson's switch for the big downloads.
    """
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    if torch.cuda.is_available():
        device = f"GPU, {torch.cuda.get_device_name()}"
    else:
        device = f"CPU, {torch.get_num_threads()} threads; no GPU is needed"
    if big:
        uses = "BIG = True: the original data and large networks, downloaded on first use"
    else:
        uses = "BIG = False: what ships with the course; nothing is downloaded"
    print(f"Lesson {lesson[:2]} · {lesson[3:].replace('_', ' ')}")
    print(f"  runs on  {device}")
    print(f"  uses     {uses}")
    print("  seeds    fixed to 0: run it twice, see the same")


def check(sentence: str, condition: Any) -> None:
    """Print "✓ sentence" where the condition holds, else "✗ sentence".

    Under COURSE_STRICT=1, which the tests set, a false one raises ClaimFailed.

    Raises
    ------
    TypeError : the condition is not one yes or no, such as an array of several.
    """
    if np.ndim(condition) or not isinstance(condition, bool | np.bool_):
        if not (hasattr(condition, "numel") and condition.numel() == 1):
            raise TypeError(
                f"check() needs one yes or no for {sentence!r}, but got "
                f"{type(condition).__name__} of shape {np.shape(condition)}; use .all() or .any()."
            )
    held = bool(condition)
    print(f"{'✓' if held else '✗'} {sentence}")
    if not held and os.environ.get("COURSE_STRICT") == "1":
        raise ClaimFailed(sentence)


def measured(name: str) -> dict[str, Any]:
    """What a recipe or benchmark has measured: results/`name`.json.

    Raises FileNotFoundError where there is no such file.
    """
    path = ROOT / "results" / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"No result is in {path}; restore it with git.")
    return json.loads(path.read_text("utf-8"))


def exercise(number: str, *answer: Any) -> None:
    """Grade an answer: print a tick, "not done yet" for an untouched stub, or a hint.

    Each try is kept in the student's progress file.

    Parameters
    ----------
    number : lesson and position, such as "01.2". answer : what the exercise asked for, and
        whatever of the lesson its grader needs.
    """
    lesson, _, position = number.partition(".")
    grade = getattr(importlib.import_module(f"utils.exercises.{lesson}"), f"grade_{position}")
    if _untouched(answer[0]):
        print(f"○ Exercise {number}: not done yet")
        return
    given: list[Any] = []
    try:
        hint = grade(*(_watched(one, given) for one in answer))
    except Exception as error:
        hint = _what_stopped(error, answer, given)
    if hint and given and given[0] is None and "does it end with return" not in hint:
        hint += " (Your function gave None: does it end with return?)"
    print(f"✗ Exercise {number}: {hint}" if hint else f"✓ Exercise {number}: done")
    try:
        _keep(number, done=hint is None)
    except OSError as error:
        print(f"  This cannot be kept for progress(): {error}")


def _untouched(answer: Any) -> bool:
    """Is this still the stub: `...`, or a function that does nothing?"""
    if answer is Ellipsis:
        return True
    code = getattr(answer, "__code__", None)
    if code is None:
        return False
    steps = list(dis.get_instructions(code))
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
    constants = [s.argval for s in steps if s.opname in {"LOAD_CONST", "RETURN_CONST"}]
    return all(step.opname in idle for step in steps) and constants == [None]


def _watched(answer: Any, given: list[Any]) -> Any:
    """A function that leaves in `given` what it has returned last; anything else as it is."""
    if not inspect.isroutine(answer):
        return answer

    @functools.wraps(answer)
    def call(*args: Any, **named: Any) -> Any:
        given.clear()
        given.append(answer(*args, **named))
        return given[0]

    return call


def _what_stopped(error: Exception, answers: tuple[Any, ...], given: list[Any]) -> str:
    """One sentence on an error in the student's code, or on an answer that no grader can read."""
    told = str(error) or "no message"
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(str(ROOT / "utils"))]
    theirs = [f for f in own if "site-packages" not in f.filename]
    for answer in answers:
        kind = type(answer).__name__
        if not theirs and not callable(answer) and told == f"'{kind}' object is not callable":
            return f"a function is asked for, but this is {kind}"
        name = getattr(answer, "__name__", "")
        if isinstance(error, TypeError) and told.startswith(f"{name}() "):
            return f"your function cannot be called as the exercise asks: {told}"
    if not theirs and given and given[0] is None:
        return "your function returns nothing (None): does it end with return?"
    if not theirs and given:
        kind = type(given[0]).__name__
        kind = f"an {kind}" if kind[0] in "AEIOUaeiou" else f"a {kind}"
        return f"your function returns {kind} that is not what is asked for here ({told})"
    if not theirs:
        raise error
    return f"your code stopped at line {theirs[0].lineno} with {type(error).__name__}: {told}"


def progress_file() -> Path:
    """Where this student's progress is kept; $LOOKALIKE_PROGRESS names another file."""
    from platformdirs import user_data_path

    named = os.environ.get("LOOKALIKE_PROGRESS")
    return Path(named) if named else user_data_path("lookalike") / "progress.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text("utf-8"))
        return kept if isinstance(kept.get("exercises"), dict) else {}
    except (FileNotFoundError, ValueError, AttributeError):
        return {}  # none yet, or damaged: nothing that can be shown


def _keep(number: str, done: bool) -> None:
    """Note a try; the file is replaced whole or not at all. Once done, done stays."""
    path = progress_file()
    kept = _read(path) or {"exercises": {}}
    entry = kept["exercises"].setdefault(number, {"tries": 0, "done": ""})
    entry["tries"] += 1
    if done and not entry["done"]:
        entry["done"] = date.today().isoformat()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        partial.write_text(json.dumps(kept, indent=1, sort_keys=True), "utf-8")


def progress(folder: str | Path | None = None) -> "pd.DataFrame":
    """How far one has come; with a folder of students' files, how far each of them has.

    Returns
    -------
    One row an exercise of the course (tries, day it was done); with `folder`, one row a student's
    .json file and one column an exercise: the day it was done, "tried", or "".

    Raises
    ------
    FileNotFoundError : no progress file in `folder`.
    """
    import pandas as pd

    if folder is None:
        kept = _read(progress_file()).get("exercises", {})
        rows = {n: kept.get(n, {"tries": 0, "done": ""}) for n in sorted({*_all(), *kept})}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["tries", "done"])
    read = {path.stem: _read(path) for path in sorted(Path(folder).glob("*.json"))}
    read = {name: kept for name, kept in read.items() if kept}
    if not read:
        raise FileNotFoundError(
            f"No progress file (*.json) is in {str(folder)!r}; ask the students for the file that "
            "utils.course.progress_file() names."
        )
    numbers = sorted({*_all(), *(n for kept in read.values() for n in kept["exercises"])})
    none = {"done": "", "tries": 0}
    table = {}
    for name, kept in read.items():
        entries = [kept["exercises"].get(number, none) for number in numbers]
        table[name] = [entry["done"] or "tried" * bool(entry["tries"]) for entry in entries]
    return pd.DataFrame.from_dict(table, orient="index", columns=numbers)


def _all() -> list[str]:
    """The numbers of all exercises, read from the graders."""
    folder = ROOT / "utils" / "exercises"
    return [
        f"{path.stem}.{position}"
        for path in sorted(folder.glob("[0-9][0-9].py"))
        for position in re.findall(r"^def grade_(\d+)\(", path.read_text("utf-8"), re.MULTILINE)
    ]
