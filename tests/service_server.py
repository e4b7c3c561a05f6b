"""The service as a process of its own, for tests that fill, besiege or kill it."""

import contextlib
import os
import socket
import subprocess
import sys
import time

import httpx

from utils import ROOT

TOKEN = "open sesame"
KEY = {"authorization": f"Bearer {TOKEN}"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def serving(folder, *words, python=sys.executable, cwd=ROOT, **surroundings):
    """A process that serves the gallery in `folder`, and its address."""
    port = free_port()
    command = [python, "-m", "service", "--gallery", folder, "--port", str(port), *words]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOOKALIKE")}
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment | surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process)
        yield process, address
    finally:
        process.kill()
        process.communicate()


def wait_for(address, process, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            return httpx.get(f"{address}/health").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError(f"the service did not start: {process.communicate()[0]}")
