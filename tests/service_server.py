"""The service as a process of its own, for tests that fill, besiege or kill it."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tools.serving import free_port
from utils import ROOT

TOKEN = "open sesame"
KEY = {"authorization": f"Bearer {TOKEN}"}


def log_of(folder):
    return Path(folder).with_suffix(".log")


@contextlib.contextmanager
def serving(folder, *words, python=sys.executable, cwd=ROOT, **surroundings):
    """A process that serves the gallery in `folder`, and its address."""
    port = free_port()
    command = [python, "-m", "service", "--gallery", folder, "--port", str(port), *words]
    with open(log_of(folder), "w") as log:
        process = subprocess.Popen(
            command, cwd=cwd, env=os.environ | surroundings, stdout=log, stderr=log
        )
        address = f"http://127.0.0.1:{port}"
        try:
            wait_for(address, process, log_of(folder))
            yield process, address
        finally:
            process.kill()
            process.wait()


def wait_for(address, process, log, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            return httpx.get(f"{address}/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the service did not start: {log.read_text()}")
