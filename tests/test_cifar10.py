"""CIFAR-10 by every way a student may have it, in the files' real formats."""

import hashlib
import http.server
import io
import pickle
import struct
import tarfile
import threading

import numpy as np
import pytest
import torchvision
from PIL import Image

from utils.cifar10 import BATCHES, CLASSES
from utils.images import DatasetUnavailable, load_images

RNG = np.random.default_rng(0)
FILES = [*BATCHES["train"], *BATCHES["test"]]
PIXELS = {name: RNG.integers(0, 256, (4, 3072), np.uint8) for name in FILES}
LABELS = {name: [(3 * i + j) % 10 for j in range(4)] for i, name in enumerate(FILES)}

pytestmark = pytest.mark.usefixtures("caches")


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings, which is what the real files hold."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_string(self, value):
        short = len(value) < 256
        size = bytes([len(value)]) if short else struct.pack("<i", len(value))
        self.write((pickle.SHORT_BINSTRING if short else pickle.BINSTRING) + size + value)
        self.memoize(value)

    dispatch[bytes] = save_string


def python2(content):
    buffer = io.BytesIO()
    Python2Pickler(buffer, protocol=2).dump(content)
    return buffer.getvalue().replace(b"numpy._core.", b"numpy.core.")  # its name in 2009


def batch_of(name):
    names = [f"{CLASSES[label]}_s_{i:06d}.png" for i, label in enumerate(LABELS[name])]
    return {
        b"batch_label": b"training batch",
        b"labels": LABELS[name],
        b"data": PIXELS[name],
        b"filenames": [f"{name}_{one}".encode() for one in names],
    }


def write_batches(root):
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(python2(batch_of(name)))
    meta = {b"label_names": [name.encode() for name in CLASSES], b"num_vis": 3072}
    (folder / "batches.meta").write_bytes(python2(meta))
    return folder


def write_class_folders(root, suffix, split="test", classes=CLASSES):
    for i, name in enumerate(classes):
        folder = root / split / name
        folder.mkdir(parents=True)
        for j in range(2):
            picture = np.full((32, 32, 3), 20 * i + j, np.uint8)
            Image.fromarray(picture).save(folder / f"{j:04}.{suffix}")


def expected(split):
    rows = np.concatenate([PIXELS[name] for name in BATCHES[split]])
    pictures = rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return pictures, [label for name in BATCHES[split] for label in LABELS[name]]


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    """A folder of the student's own, which $CIFAR10_DIR names."""
    monkeypatch.setenv("CIFAR10_DIR", str(tmp_path / "mine"))
    return tmp_path / "mine"


@pytest.mark.parametrize("split, count", [("train", 20), ("test", 4)])
def test_torchvisions_batches_are_read_from_cifar10_dir(at_home, split, count):
    write_batches(at_home)
    photos = load_images("cifar10", split)
    pictures, labels = expected(split)
    assert len(photos) == count and photos.name == "CIFAR-10"
    np.testing.assert_array_equal(photos.images, pictures)
    np.testing.assert_array_equal(photos.labels, labels)
    assert tuple(photos.classes) == CLASSES and photos.label_of(1) == CLASSES[labels[1]]
    assert len(set(photos.ids)) == count
    assert photos.ids[0] == f"{BATCHES[split][0]}_{CLASSES[labels[0]]}_s_000000.png"


def test_without_a_split_both_come_training_first(at_home):
    write_batches(at_home)
    photos = load_images("cifar10")
    assert len(photos) == 24 and len(set(photos.ids)) == 24
    np.testing.assert_array_equal(photos.images[20:], expected("test")[0])
    assert "train and test" in photos.note


def test_the_cache_folder_is_read_where_cifar10_dir_is_not_set(caches):
    write_batches(caches)
    np.testing.assert_array_equal(load_images("cifar10", "test").images, expected("test")[0])


def test_cifar10_dir_comes_before_the_cache(at_home, caches):
    write_batches(caches)
    write_class_folders(at_home, "png")
    assert len(load_images("cifar10", "test")) == 20


@pytest.mark.parametrize(
    "suffix, name", [("png", "CIFAR-10"), ("jpg", "CIFAR-10 (JPEG)"), ("JPEG", "CIFAR-10 (JPEG)")]
)
def test_class_folders_are_read_and_jpegs_are_called_so(at_home, suffix, name):
    write_class_folders(at_home, suffix)
    photos = load_images("cifar10", "test")
    assert photos.name == name and name in photos.note
    assert tuple(photos.classes) == CLASSES
    np.testing.assert_array_equal(photos.labels, np.repeat(np.arange(10), 2))
    shades = 20 * np.repeat(np.arange(10), 2) + np.tile([0, 1], 10)
    np.testing.assert_allclose(
        photos.images[:, 5, 5].astype(int), shades[:, None] + [0, 0, 0], atol=2
    )
    assert photos.ids[0] == f"test/airplane/0000.{suffix}"


def test_class_folders_in_the_cache_are_read_too(caches):
    write_class_folders(caches, "png", "train")
    assert load_images("cifar10", "train").ids[0] == "train/airplane/0000.png"


@pytest.mark.parametrize("named", [True, False])
def test_where_it_is_missing_the_three_ways_to_provide_it_are_named(
    tmp_path, caches, monkeypatch, named
):
    if named:
        monkeypatch.setenv("CIFAR10_DIR", str(tmp_path))
    with pytest.raises(DatasetUnavailable) as caught:
        load_images("cifar10", "train")
    text = str(caught.value)
    for way in (
        "CIFAR10_DIR",
        str(caches),
        "download=True",
        "cifar-10-batches-py",
        "train/<class>",
    ):
        assert way in text
    assert (str(tmp_path) + ")" in text) == named


def test_a_split_that_is_not_there_is_missing_even_where_the_other_is(at_home):
    write_class_folders(at_home, "png", "train")
    with pytest.raises(DatasetUnavailable, match="test/<class>/"):
        load_images("cifar10", "test")


@pytest.mark.parametrize(
    "classes, damage, says",
    [
        ([*CLASSES, "donkey"], None, r"unknown folders \['donkey'\]"),
        (CLASSES, ("cat/0001.png", b""), r"unreadable \['cat/0001.png \(an empty file\)'\]"),
        (CLASSES, ("loose.txt", b"hello"), "unreadable .*loose.txt"),
        ([], None, "found 0 pictures"),
    ],
)
def test_folders_that_are_not_cifar10_are_refused_and_say_why(at_home, classes, damage, says):
    (at_home / "test").mkdir(parents=True)
    write_class_folders(at_home, "png", classes=classes)
    if damage:
        (at_home / "test" / damage[0]).write_bytes(damage[1])
    with pytest.raises(DatasetUnavailable, match=says):
        load_images("cifar10", "test")


GOOD = python2(batch_of("test_batch"))
SHORT = batch_of("test_batch") | {b"labels": [1, 2, 3]}
DAMAGED = {
    "missing": None,
    "a web page": b"<!DOCTYPE html><html><body>Not found</body></html>",
    "zeros": bytes(2000),
    "no dictionary": pickle.dumps([1, 2, 3]),
    "no pixels": python2({b"labels": [1]}),
    "no labels": python2({b"data": PIXELS["test_batch"]}),
    "pixels of another size": python2(batch_of("test_batch") | {b"data": np.zeros((4, 100))}),
    "fewer labels than pictures": python2(SHORT),
    "a class it does not know": pickle.dumps(RuntimeWarning).replace(b"Runtime", b"Runfast"),
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_batch_file_is_named_and_nothing_else_is_raised(at_home, kind):
    path = write_batches(at_home) / "test_batch"
    path.unlink() if DAMAGED[kind] is None else path.write_bytes(DAMAGED[kind])
    with pytest.raises(DatasetUnavailable, match="test_batch is missing or damaged"):
        load_images("cifar10", "test")


def test_a_batch_file_cut_anywhere_is_refused(at_home):
    path = write_batches(at_home) / "test_batch"
    for length in [*range(0, len(GOOD) - 1, 211), len(GOOD) - 1]:
        path.write_bytes(GOOD[:length])
        with pytest.raises(DatasetUnavailable, match="test_batch is missing or damaged"):
            load_images("cifar10", "test")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on this machine that torchvision is told to download from.

    What it answers is in `.content`, how many bytes it announces in `.announced`.
    """
    folder = write_batches(tmp_path / "upload")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, folder.name)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200 if site.content else 404)
            self.send_header("Content-Length", str(site.announced or len(site.content)))
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            self.wfile.write(site.content)
            site.asked += 1

        def log_message(self, *args):
            pass

    site = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    site.content, site.announced, site.asked = buffer.getvalue(), None, 0
    digest = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    source = torchvision.datasets.CIFAR10
    monkeypatch.setattr(source, "url", f"http://127.0.0.1:{site.server_port}/{source.filename}")
    monkeypatch.setattr(source, "tgz_md5", hashlib.md5(site.content).hexdigest())
    monkeypatch.setattr(source, "train_list", [[name, digest[name]] for name in BATCHES["train"]])
    monkeypatch.setattr(source, "test_list", [[name, digest[name]] for name in BATCHES["test"]])
    monkeypatch.setattr(source, "meta", source.meta | {"md5": digest["batches.meta"]})
    monkeypatch.setenv("no_proxy", "*")
    thread = threading.Thread(target=site.serve_forever, args=(0.02,))
    thread.start()
    yield site
    site.shutdown()
    thread.join()
    site.server_close()


def test_with_download_it_is_fetched_once_into_the_cache(server, caches):
    photos = load_images("cifar10", download=True)
    np.testing.assert_array_equal(photos.images[:20], expected("train")[0])
    assert (caches / "cifar-10-batches-py").is_dir()
    asked = server.asked
    assert asked
    again = load_images("cifar10", "test", download=True)
    np.testing.assert_array_equal(again.images, expected("test")[0])
    load_images("cifar10", "train")
    assert server.asked == asked


def test_what_is_read_is_what_torchvision_reads(server, caches):
    for split in ("train", "test"):
        photos = load_images("cifar10", split, download=True)
        theirs = torchvision.datasets.CIFAR10(str(caches), train=split == "train")
        np.testing.assert_array_equal(photos.images, theirs.data)
        assert photos.labels.tolist() == theirs.targets
        assert list(photos.classes) == theirs.classes


def test_without_download_nothing_is_fetched(server):
    with pytest.raises(DatasetUnavailable):
        load_images("cifar10", "test")
    assert server.asked == 0


def test_nothing_is_downloaded_into_the_students_own_folder(server, at_home):
    with pytest.raises(DatasetUnavailable, match=r"download=True.*with CIFAR10_DIR unset"):
        load_images("cifar10", "test", download=True)
    assert server.asked == 0 and not at_home.exists()


@pytest.mark.parametrize("trouble", ["not found", "changed", "cut short", "switched off"])
def test_a_download_that_fails_says_so_and_the_next_one_can_succeed(server, trouble, monkeypatch):
    whole, real = server.content, torchvision.datasets.CIFAR10.url
    if trouble == "switched off":
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "http://127.0.0.1:9/none.tar.gz")
    else:
        server.content = {
            "not found": b"",
            "changed": whole[:-30] + bytes(30),
            "cut short": whole[:1000],
        }[trouble]
        server.announced = len(whole) if trouble == "cut short" else None
    with pytest.raises(DatasetUnavailable, match=r"could not be downloaded .*CIFAR10_DIR"):
        load_images("cifar10", "test", download=True)
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", real)
    server.content, server.announced = whole, None
    assert len(load_images("cifar10", "test", download=True)) == 4
