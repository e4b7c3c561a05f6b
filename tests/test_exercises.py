"""Every exercise from both sides: solved, untouched, and wrong in the usual ways."""

import ast
import importlib
import json

import jupytext
import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from tools.build import stub
from utils import ROOT, course
from utils.course import exercise, progress, progress_file
from utils.distances import nearest
from utils.embed import colour_histogram, embed
from utils.embedder import feature_maps
from utils.images import ImageSet, load_images
from utils.metrics import recall_at_k
from utils.models import load_model

LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("LOOKALIKE_PROGRESS", str(tmp_path / "me" / "progress.json"))


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(0).normal(size=(60, 8))


LABELS = np.arange(60) % 12


def histogram(part):
    return colour_histogram(ImageSet(part[None], np.array([-1]), [], ["one"]))[0]


def quarters(picture, order=(0, 1, 2, 3), divide=4):
    h, w = picture.shape[0] // 2, picture.shape[1] // 2
    parts = [picture[:h, :w], picture[:h, w:], picture[h:, :w], picture[h:, w:]]
    return np.concatenate([histogram(parts[i]) for i in order]) / divide


def search(folder, k, **wrong):
    pictures = load_images(folder)
    vectors = embed(load_model("cnn-photos"), pictures, cache=False)
    found, _ = nearest(vectors, vectors, k, leave_one_out=not wrong.get("own"))
    found = found[:, ::-1] if wrong.get("backwards") else found
    return found if wrong.get("positions") else np.array(pictures.ids)[found]


def farthest(folder, k):
    pictures = load_images(folder)
    vectors = embed(load_model("cnn-photos"), pictures, cache=False)
    return np.array(pictures.ids)[np.argsort(vectors @ vectors.T, axis=1)[:, :k]]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def place_of(channel, row, column, shape):
    return (channel * shape[1] + row) * shape[2] + column


def shorten(vectors, dim, which=slice(None), centre=True):
    centred = vectors - vectors.mean(0) * centre
    axes = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)[2]
    return unit(centred @ axes[which][:dim].T)


def layer_embedding(model, pictures, layer, read=lambda maps: maps.mean((2, 3))):
    return unit(read(feature_maps(model, pictures, [layer])[layer]))


def with_a_hook_left(model, pictures, layer):
    kept = []
    part = dict(model.module.named_modules())[layer]
    part.register_forward_hook(lambda module, inputs, out: kept.append(out))
    with torch.inference_mode():
        model.module(model.preprocess(torch.from_numpy(pictures.images)))
    return unit(kept[0].mean((2, 3)).numpy())


def unprocessed(model, pictures, layer):
    raw = torch.from_numpy(pictures.images).permute(0, 3, 1, 2) / 255
    part = dict(model.module.named_modules())[layer]
    with torch.inference_mode():
        return unit(part(raw).mean((2, 3)).numpy())


def with_gradients(model, pictures, layer):
    part = dict(model.module.named_modules())[layer]
    return part(model.preprocess(torch.from_numpy(pictures.images))).mean((2, 3))


WRONG = {
    "00.1": [
        (lambda v: recall_at_k(v, LABELS, 1), "is recall@1"),
        (lambda v: 100 * recall_at_k(v, LABELS, 5), "percentage"),
        (lambda v: v, "one number"),
        (lambda v: 0.123456, "is not it"),
    ],
    "00.2": [
        (histogram, "one histogram of 64"),
        (lambda p: quarters(p, divide=1), "sum to 4"),
        (lambda p: quarters(p, (0, 2, 1, 3)), "another order"),
        (lambda p: quarters(p).reshape(4, 64), "shape"),
        (lambda p: quarters(p[::-1]) * 0 + 1 / 256, "right pixels"),
    ],
    "00.3": [
        (lambda f, k: search(f, k, own=True), "its own answers"),
        (lambda f, k: search(f, k, positions=True), "positions"),
        (lambda f, k: search(f, k)[:, :1], "shape"),
        (lambda f, k: search(f, k, backwards=True), "farthest comes first"),
        (farthest, "are not the ones|own answers"),
    ],
    "01.1": [
        (lambda c, y, x, shape: (y * shape[2] + x) * shape[0] + c, "channel first"),
        (lambda c, y, x, shape: (c * shape[2] + x) * shape[1] + y, "changed places"),
        (lambda c, y, x, shape: place_of(c, y, x, shape) + 1, "one too high"),
        (lambda c, y, x, shape: place_of(c, y, x, shape) / 1, "whole number"),
        (lambda c, y, x, shape: c + y + x, "How many values come before"),
    ],
    "01.2": [
        (lambda v, dim: PCA(dim, random_state=0).fit_transform(v), "lengths from"),
        (lambda v, dim: unit(v[:, :dim]), "first three numbers"),
        (lambda v, dim: shorten(v, dim, slice(None, None, -1)), "vary least"),
        (lambda v, dim: shorten(v, dim, centre=False), "mean is still in"),
        (lambda v, dim: v, "80×3"),
        (lambda v, dim: unit(v[:, -dim - 1 : -1] - v.mean()), "main directions"),
    ],
    "01.3": [
        (lambda m, p, name: layer_embedding(m, p, name, lambda maps: maps.max((2, 3))), "maximum"),
        (
            lambda m, p, name: layer_embedding(m, p, name, lambda maps: maps.reshape(7, -1)),
            "whole maps",
        ),
        (lambda m, p, name: feature_maps(m, p, [name])[name].mean((2, 3)), "lengths from"),
        (lambda m, p, name: embed(m, p, cache=False), "last answer"),
        (lambda m, p, name: layer_embedding(m, p, name)[:3], "7×6"),
        (with_a_hook_left, "remove()"),
        (unprocessed, "model.preprocess"),
        (with_gradients, "inference_mode"),
    ],
}


def hand_in(number, answer, vectors):
    rest = (vectors, LABELS) if number == "00.1" else ()
    if number == "00.1" and callable(answer):
        answer = answer(vectors)
    exercise(number, answer, *rest)


@pytest.mark.parametrize(
    "number, answer, hint", [(n, *case) for n, cases in WRONG.items() for case in cases]
)
def test_a_typical_mistake_gets_the_hint_that_names_it(number, answer, hint, vectors, capsys):
    hand_in(number, answer, vectors)
    told = capsys.readouterr().out
    assert told.startswith(f"✗ Exercise {number}: ")
    assert any(part in told for part in hint.split("|")), told
    assert progress().loc[number].tolist() == [1, ""]


RIGHT = {
    "00.1": lambda v: recall_at_k(v, LABELS, 5),
    "00.2": quarters,
    "00.3": search,
    "01.1": place_of,
    "01.2": shorten,
    "01.3": layer_embedding,
}


@pytest.mark.parametrize("number, answer", RIGHT.items())
def test_a_right_answer_gets_a_tick_and_is_kept(number, answer, vectors, capsys):
    hand_in(number, answer, vectors)
    assert capsys.readouterr().out == f"✓ Exercise {number}: done\n"
    assert progress().loc[number, "done"]


def cells(lesson, tag):
    read = jupytext.read(lesson, fmt="py:percent").cells
    return [cell for cell in read if tag in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_three_exercises_each_with_a_grader_and_two_known_mistakes(lesson):
    number = lesson.stem[:2]
    assert [cell.metadata["id"] for cell in cells(lesson, "solution")] == [
        f"ex-{number}-{i}" for i in (1, 2, 3)
    ]
    graders = cells(lesson, "grader")
    assert [cell.metadata["id"] for cell in graders] == [f"grade-{number}-{i}" for i in (1, 2, 3)]
    module = importlib.import_module(f"utils.exercises.{number}")
    for i in (1, 2, 3):
        assert hasattr(module, f"grade_{i}") and len(WRONG[f"{number}.{i}"]) >= 2


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_an_untouched_stub_is_not_done_yet_and_no_try_is_counted(lesson, capsys):
    for cell, grader in zip(cells(lesson, "solution"), cells(lesson, "grader"), strict=True):
        scope: dict = {}
        call = ast.parse(grader.source).body[-1].value
        exec(stub(cell.source), scope)
        exercise(ast.literal_eval(call.args[0]), scope[call.args[1].id])
        assert "not done yet" in capsys.readouterr().out
    assert not progress_file().exists()


def broken(picture):
    return picture + undefined_name  # noqa: F821


def test_an_error_in_the_students_code_becomes_a_sentence(capsys):
    exercise("00.2", broken)
    told = capsys.readouterr().out
    assert "your code stopped at line" in told and "NameError" in told
    assert "Traceback" not in told


def test_done_stays_done_and_tries_are_counted(capsys):
    exercise("00.2", quarters)
    exercise("00.2", histogram)
    assert progress().loc["00.2", "tries"] == 2 and progress().loc["00.2", "done"]


def test_a_damaged_progress_file_does_not_stop_a_student(capsys):
    progress_file().parent.mkdir(parents=True)
    progress_file().write_text("{ not json")
    exercise("00.2", quarters)
    assert "✓" in capsys.readouterr().out
    assert json.loads(progress_file().read_text())["exercises"]["00.2"]["done"]


def test_a_teacher_reads_a_folder_of_progress_files_as_one_table(tmp_path, monkeypatch):
    for student, answer in (("ana", quarters), ("bruno", histogram)):
        monkeypatch.setenv("LOOKALIKE_PROGRESS", str(tmp_path / "class" / f"{student}.json"))
        exercise("00.2", answer)
    (tmp_path / "class" / "notes.json").write_text("[]")
    table = progress(tmp_path / "class")
    assert list(table.index) == ["ana", "bruno"]
    assert table.loc["ana", "00.2"] and table.loc["bruno", "00.2"] == "tried"
    assert table.loc["ana", "00.1"] == ""


def test_a_folder_without_progress_says_what_to_ask_for(tmp_path):
    with pytest.raises(FileNotFoundError, match="ask the students"):
        progress(tmp_path)


@pytest.mark.parametrize("answer", [..., lambda a, b=1: None])
def test_ellipsis_and_a_function_that_does_nothing_are_untouched(answer):
    assert course._untouched(answer)


@pytest.mark.parametrize("answer", [3, lambda a: a, lambda a: 3, print, np.zeros(3)])
def test_anything_else_is_an_answer(answer):
    assert not course._untouched(answer)
