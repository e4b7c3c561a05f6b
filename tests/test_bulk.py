"""A folder embedded in shards: the same as at once, after any kill, and on Ray."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utils import ROOT
from utils.bulk import embed_folder, main
from utils.embed import embed
from utils.images import load_images
from utils.index import ExactIndex
from utils.models import load_model


def write_pictures(folder, n, seed=0):
    rng = np.random.default_rng(seed)
    for i in range(n):
        path = folder / ("cats" if i % 2 else "é dogs/old") / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    """23 pictures in two sub-folders, two files that are none."""
    write_pictures(tmp_path / "pictures", 23)
    (tmp_path / "pictures/empty.jpg").touch()
    (tmp_path / "pictures/cats/notes.txt").write_text("none")
    return tmp_path / "pictures"


SKIPPED = ["cats/notes.txt (not a picture)", "empty.jpg (an empty file)"]


def shards(out):
    """Each shard's file with what tells whether it was written again."""
    return {path.name: path.stat().st_mtime_ns for path in sorted(out.glob("shard-*.npz"))}


def same(a, b):
    return a.ids == b.ids and a.model == b.model and np.allclose(a.vectors, b.vectors, atol=1e-5)


def test_the_embeddings_are_those_of_the_folder_at_once(folder, tmp_path, caches):
    out = tmp_path / "deep/out"
    index, skipped = embed_folder(folder, out, shard=4)
    model = load_model("cnn-photos")
    with pytest.warns(UserWarning, match="Skipped 2 files"):
        pictures = load_images(folder)
    assert index.ids == pictures.ids and skipped == SKIPPED
    np.testing.assert_allclose(index.vectors, embed(model, pictures), atol=1e-5)
    assert same(ExactIndex.load(out / "index.npz", model.digest), index)
    assert (out / "skipped.txt").read_text("utf-8").splitlines() == SKIPPED
    assert len(shards(out)) == 7 and len(index) == 23


def test_a_name_that_is_no_text_does_not_stop_the_others(folder, tmp_path):
    (Path(os.fsdecode(os.fsencode(folder) + b"/bad\xfe.txt"))).write_text("none")
    index, _ = embed_folder(folder, tmp_path / "out")
    assert len(index) == 23 and r"bad\udcfe.txt" in (tmp_path / "out/skipped.txt").read_text()


def command(folder, out, *more):
    return [sys.executable, "-m", "utils.bulk", str(folder), "--out", str(out), *more]


def test_a_run_that_was_killed_goes_on_where_it_stopped(tmp_path):
    folder, out = tmp_path / "pictures", tmp_path / "out"
    write_pictures(folder, 120)
    asked = command(folder, out, "--shard", "2", "--model", "cnn-photos")
    with subprocess.Popen(asked, cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        while len(shards(out)) < 3:
            assert run.poll() is None, "the run ended before it could be killed"
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
    done = shards(out)
    assert 3 <= len(done) < 60 and not (out / "index.npz").exists()
    (out / ".shard-00059.npz.1").write_bytes(b"half of what a killed run was writing")
    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"120 pictures are in {out / 'index.npz'}." in told.stdout
    after = shards(out)
    assert len(after) == 60 and {name: after[name] for name in done} == done
    at_once = embed(load_model("cnn-photos"), load_images(folder), cache=False)
    index = ExactIndex.load(out / "index.npz")
    np.testing.assert_allclose(index.vectors, at_once, atol=1e-5)
    assert not list(out.glob(".*"))
    embed_folder(folder, out, "cnn-photos", shard=2)  # nothing is left to do
    assert shards(out) == after


def test_a_lost_shard_is_made_again_and_the_others_are_not(folder, tmp_path):
    out = tmp_path / "out"
    whole, _ = embed_folder(folder, out, shard=4)
    before = shards(out)
    (out / "shard-00003.npz").unlink()
    again, skipped = embed_folder(folder, out, shard=4)
    assert same(again, whole) and skipped == SKIPPED
    now = shards(out)
    assert [name for name in now if now[name] != before[name]] == ["shard-00003.npz"]


def changes(folder):
    path = folder / "cats/001.png"
    return {
        "a new file": lambda: shutil.copy(path, folder / "new.png"),
        "a file less": path.unlink,
        "another file": lambda: path.write_bytes(path.read_bytes() + b" "),
        "a touched file": lambda: os.utime(path, (1, 1)),
    }


@pytest.mark.parametrize("change", ["a new file", "a file less", "another file", "a touched file"])
def test_a_folder_that_changed_is_not_mixed_with_what_was_done(folder, tmp_path, change):
    embed_folder(folder, tmp_path / "out", shard=4)
    before = shards(tmp_path / "out")
    changes(folder)[change]()
    name = "new.png" if change == "a new file" else "cats/001.png"
    with pytest.raises(ValueError, match=f"another run: 1 file has changed, such as '{name}'"):
        embed_folder(folder, tmp_path / "out", shard=4)
    assert shards(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"model": "cnn-photos"}, "its model is cnn, not cnn-photos; its digest is"),
        ({"size": 32}, "its size is 64, not 32"),
        ({"shard": 5}, "its shard is 4, not 5"),
    ],
)
def test_another_model_or_size_is_not_mixed_with_what_was_done(folder, tmp_path, other, said):
    asked = {"model": "cnn", "size": 64, "shard": 4}
    embed_folder(folder, tmp_path / "out", **asked)
    with pytest.raises(ValueError, match=f"another run: {said}.*begin anew"):
        embed_folder(folder, tmp_path / "out", **asked | other)


def test_other_weights_of_the_same_name_are_another_run(folder, tmp_path):
    embed_folder(folder, tmp_path / "out")
    plan = json.loads((tmp_path / "out/plan.json").read_text("utf-8"))
    plan["digest"] = "0123456789abcdef"
    (tmp_path / "out/plan.json").write_text(json.dumps(plan), "utf-8")
    with pytest.raises(ValueError, match="its digest is 0123456789abcdef, not"):
        embed_folder(folder, tmp_path / "out")


def test_a_damaged_shard_is_named(folder, tmp_path):
    embed_folder(folder, tmp_path / "out", shard=4)
    path = tmp_path / "out/shard-00002.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"shard-00002.npz' is not a whole shard .* run again"):
        embed_folder(folder, tmp_path / "out", shard=4)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["nowhere", "--out", "out"], "There is no folder .*nowhere"),
        (["pictures", "--out", "pictures/out"], "would land among the pictures"),
        (["pictures", "--out", "out", "--shard", "0"], "must be at least 1, but are 0 and 64"),
        (["pictures", "--out", "out", "--model", "resnet"], "There is no model named 'resnet'"),
        (["bare", "--out", "out"], "There is no file in .*bare"),
        (["texts", "--out", "out"], r"Of 1 file none is a picture, such as a.txt \(not a"),
    ],
)
def test_the_command_answers_bad_input_in_a_sentence(folder, tmp_path, monkeypatch, asked, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bare").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("a")
    with pytest.raises(SystemExit, match=said):
        main(asked)


def test_the_command_tells_what_it_skipped(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    main([f"~/{folder.name}", "--out=~/out"])
    assert len(ExactIndex.load(tmp_path / "out" / "index.npz")) == 23
    told = capsys.readouterr().out
    assert "23 pictures are in" in told and "skipped.txt lists 2 that could not" in told


def test_without_ray_the_command_says_how_to_get_it(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SystemExit, match=r"Ray is not installed here .* or leave --ray out"):
        main([str(folder), "--out", str(tmp_path / "out"), "--ray"])


def test_ray_makes_the_shards_that_are_missing_and_the_same_ones(folder, tmp_path):
    import ray

    plain, out = tmp_path / "plain", tmp_path / "out"
    index, _ = embed_folder(folder, plain, shard=6)
    shutil.copytree(plain, out)
    for name in ("index.npz", "skipped.txt", "shard-00001.npz", "shard-00003.npz"):
        (out / name).unlink()
    before = shards(out)
    ray.init("local", num_cpus=2, object_store_memory=100 << 20, include_dashboard=False)
    try:
        on_ray, skipped = embed_folder(folder, out, shard=6, on_ray=True)
    finally:
        ray.shutdown()
    assert same(on_ray, index) and skipped == SKIPPED
    after = shards(out)
    assert len(after) == 5 and {name: after[name] for name in before} == before
