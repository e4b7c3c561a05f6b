"""A server in a process of its own, to be looked at in Chromium: figures, benchmarks, tests."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from utils import ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(command: Sequence[str], url: str) -> Iterator[None]:
    """Run the command until the block ends, which begins when `url` answers, whatever it says.

    Raises RuntimeError with what the server said, where it ends before.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            while not _answers(url):
                if process.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(f"{' '.join(command)} ended: {log.read()}")
                time.sleep(0.3)
            yield
        finally:
            process.terminate()
            process.wait(30)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=60).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


@contextlib.contextmanager
def app_served(images: Path | str, *words: str) -> Iterator[str]:
    """The search app on a page of its own by Voilà; its address. words : further ones to ask it."""
    port = free_port()
    command = [sys.executable, "-m", "utils.app", str(images), *words]
    command += ["--no-browser", f"--port={port}"]
    with served(command, f"http://localhost:{port}/voila/static/"):  # not a page: no kernel begins
        yield f"http://localhost:{port}/"
