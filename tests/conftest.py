"""What several test files share: small networks, caches of their own, no outside network."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from PIL import Image

import utils.embed
import utils.images
import utils.models
from utils import ROOT
from utils.cnn import CompactCNN
from utils.embedder import PHOTO_MEAN, PHOTO_STD, Embedder, Preprocess
from utils.images import load_images
from utils.models import save_compact
from utils.words import new_pair

# The same examples in every run, and no clock: a slow machine fails no test.
settings.register_profile(
    "course",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("course")


def make_cnn(seed=0, dim=8):
    """A tiny CompactCNN with random weights, batch statistics included, ready to answer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = CompactCNN(dim=dim, widths=(4, 6, 10))
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.uniform_(-0.5, 0.5)
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return module.eval()


@pytest.fixture
def make_model():
    """make_model(seed, name) → an Embedder around a tiny network."""

    def make(seed=0, name="tiny", dim=8):
        module = make_cnn(seed, dim)
        preprocess = Preprocess(32, PHOTO_MEAN, PHOTO_STD)
        return Embedder(name, module.dim, "random", preprocess, module)

    return make


@pytest.fixture
def model(make_model):
    return make_model()


@pytest.fixture(scope="session")
def pair():
    """A dual encoder that has learned nothing, for tests that do not ask what it knows."""
    return new_pair(3)


@pytest.fixture
def memory_taken():
    """memory_taken(before, work, *words) → bytes that the code `work` adds to a process's peak."""
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak of a process's memory is read from /proc")
    peak = "print([line for line in open('/proc/self/status') if 'VmHWM' in line][0].split()[1])"

    def measure(before, work, *words, input=None):
        code = "\n".join(["import sys", before, peak, work, peak])
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, input=input, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        start, end = map(int, done.stdout.split())  # in kB
        return 1024 * (end - start)

    return measure


@pytest.fixture
def photos():
    """Ten different pictures, uint8 10×32×32×3."""
    return np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), np.uint8)


@pytest.fixture
def caches(tmp_path, monkeypatch):
    """Both caches in a folder of the test's own, and no CIFAR10_DIR; gives that folder."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(utils.images, "CACHE", folder)
    monkeypatch.setattr(utils.embed, "CACHE", folder / "embeddings")
    monkeypatch.delenv("CIFAR10_DIR", raising=False)
    return folder


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A models/ folder with two small shipped networks; gives {name: module}."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setattr(utils.models, "MODELS", folder)
    monkeypatch.setattr(utils.embed, "MODELS", folder)
    modules = {"cnn-scenes": make_cnn(1, dim=12), "cnn-photos": make_cnn(2, dim=8)}
    for name, module in modules.items():
        save_compact(module, folder / f"{name}.safetensors")
    return modules


@pytest.fixture(scope="session", autouse=True)
def set_outside():
    """Takes away what the developer has told the course, so that no test serves their gallery,
    fills their bucket or writes to their Qdrant; gives it, for the test that asks a real one."""
    names = [n for n in os.environ if n.startswith(("LOOKALIKE_", "AWS_", "QDRANT_"))]
    told = {name: os.environ[name] for name in names}
    with pytest.MonkeyPatch.context() as patch:
        for name in told:
            patch.delenv(name)
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            patch.setenv(name, os.devnull)  # instead of those in ~/.aws
        yield told


@pytest.fixture
def no_network(monkeypatch):
    """The machine's name service answers as it does with the cable pulled out, and no proxy is
    there to be asked instead."""
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)

    def fail(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.fixture(scope="session")
def album(tmp_path_factory):
    """A folder of thirty drawings as PNG files, in two sub-folders."""
    pictures = load_images("emoji", "validation")[:30]
    folder = tmp_path_factory.mktemp("album")
    for i, pixels in enumerate(pictures.images):
        place = folder / ("even" if i % 2 == 0 else "odd")
        place.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(place / f"Drawing {i}.png")
    return folder


@pytest.fixture(scope="session")
def finished(album, tmp_path_factory):
    """The gallery of the album, with the network that photos are compared by; not to be changed."""
    from service.ingest import make_gallery

    return make_gallery(str(album), folder=tmp_path_factory.mktemp("gallery"))


def network_of(gallery, folder):
    """Begin a gallery with the network of another, which takes seconds to write."""
    for part in ("model.onnx", "model.txt"):
        shutil.copy(gallery / part, folder)


@pytest.fixture
def gallery_folder(finished, tmp_path):
    """A copy of that gallery, to be changed."""
    return shutil.copytree(finished, tmp_path / "gallery")
