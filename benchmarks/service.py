"""What does the service add to its model and its search, how much does it carry, what does it cost?

    python -m benchmarks.service              (eight clients for a minute)
    python -m benchmarks.service --seconds 5  (a first look; writes nothing)

Processor time of the server for a request against the bare network and search on the same picture,
in turn; eight clients at a time on this machine, which they share with the server; the first answer
of a fresh process with Lambda's handler; and from those what a million queries cost. Writes
results/service.json.
"""

import argparse
import base64
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from service.gallery import Gallery, open_gallery
from service.ingest import make_gallery
from service.pictures import receive
from service.settings import Settings
from tools.record import provenance, write_json
from tools.serving import free_port
from utils import ROOT

ROUNDS, EACH, COLD = 15, 60, 9
# AWS's list prices in us-east-1, x86, as of 2025, in dollars
A_REQUEST, A_GB_SECOND, A_SERVER_HOUR = 0.20e-6, 16.6667e-6, 0.0208  # the last is a t3.small
MEMORY_MB, HOURS_A_MONTH = 1769, 730  # at 1,769 MB Lambda gives one whole processor
HANDLE = """
import json, sys, time
from service.aws import handler
event = json.load(sys.stdin)
assert handler(event, None)["statusCode"] == 200
print("first", flush=True)
start = time.perf_counter()
for _ in range(100):
    handler(event, None)
print((time.perf_counter() - start) / 100)
import psutil
print(psutil.Process().memory_info().rss)
"""


@contextlib.contextmanager
def server(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """The service as `make serve` starts it, and its address."""
    port = free_port()
    words = ["-m", "service", "--gallery", str(folder), "--port", str(port)]
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{address}/health")
                break
            if process.poll() is not None:
                raise RuntimeError("The service did not start; `make serve` tells why.")
            time.sleep(0.1)
        yield psutil.Process(process.pid), address
    finally:
        process.kill()
        process.wait()


def overhead(gallery: Gallery, file: bytes, at: psutil.Process, address: str) -> dict[str, Any]:
    """Processor milliseconds of a request, of the bare network and search, and their ratio."""
    picture = receive(file, 10**7)
    served, bare = [], []
    with httpx.Client(base_url=address) as client:
        for turn in range(ROUNDS + 1):
            before = sum(at.cpu_times()[:2])
            for _ in range(EACH):
                client.post("/search", files={"image": file}).raise_for_status()
            after = sum(at.cpu_times()[:2])
            start = time.process_time()
            for _ in range(EACH):
                gallery.index.search(gallery.encoder(picture), 10)
            if turn:  # the first is a warm-up
                served.append(1000 * (after - before) / EACH)
                bare.append(1000 * (time.process_time() - start) / EACH)
    return {
        "request_milliseconds": statistics.median(served),
        "bare_milliseconds": statistics.median(bare),
        "request_over_bare": statistics.median(a / b for a, b in zip(served, bare, strict=True)),
    }


def load(file: bytes, at: psutil.Process, address: str, clients: int, seconds: float) -> Any:
    """Requests a second and their waits with some clients at a time, and the server's memory.

    Raises httpx.HTTPError where a request fails.
    """
    waits: list[float] = []
    memory = [at.memory_info().rss]
    end = time.perf_counter() + seconds

    def ask() -> None:
        with httpx.Client(base_url=address) as client:
            while (start := time.perf_counter()) < end:
                client.post("/search", files={"image": file}).raise_for_status()
                waits.append(time.perf_counter() - start)

    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(ask) for _ in range(clients)]
        while wait(asking, min(1.0, seconds / 10)).not_done:
            memory.append(at.memory_info().rss)
    for one in asking:
        one.result()  # raises what went wrong with a request
    half = len(memory) // 2
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": len(waits),
        "requests_a_second": len(waits) / seconds,
        "p50_milliseconds": 1000 * float(np.percentile(waits, 50)),
        "p99_milliseconds": 1000 * float(np.percentile(waits, 99)),
        "memory_mb": memory[-1] / 1e6,
        "memory_grown_in_second_half_mb": (memory[-1] - memory[half]) / 1e6,
    }


def lambda_handler(folder: Path, file: bytes) -> dict[str, Any]:
    """Seconds from the start of a fresh process to its first answer; then a warm one's."""
    event = {
        "version": "2.0", "rawPath": "/search", "rawQueryString": "", "isBase64Encoded": False,
        "headers": {"content-type": "application/json", "host": "a.example"},
        "requestContext": {"http": {"method": "POST", "path": "/search", "sourceIp": "192.0.2.1"}},
        "body": json.dumps({"image": base64.b64encode(file).decode()}),
    }  # fmt: skip
    first, warm, memory = [], [], []
    for _ in range(COLD):
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", HANDLE], cwd=ROOT, text=True,
            env=os.environ | {"LOOKALIKE_GALLERY": str(folder)},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        ) as process:  # fmt: skip
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps(event))
            process.stdin.close()
            if process.stdout.readline() != "first\n":
                raise RuntimeError("The handler did not answer; what it said stands above.")
            first.append(time.perf_counter() - start)
            warm.append(1000 * float(process.stdout.readline()))
            memory.append(int(process.stdout.readline()) / 1e6)
    return {
        "first_answer_seconds": statistics.median(first),
        "first_answer_slowest_seconds": max(first),
        "answer_milliseconds": statistics.median(warm),
        "memory_mb": statistics.median(memory),
    }


def costs(answer_milliseconds: float, requests_a_second: float) -> dict[str, Any]:
    """A million queries in dollars, on Lambda and on a server that stands all month.

    serverless  n · (a request + seconds · memory in GB · a GB-second)
    standing    hours of a month · an hour, whatever n is, up to what it carries
    """
    a_query = A_REQUEST + answer_milliseconds / 1000 * MEMORY_MB / 1024 * A_GB_SECOND
    month = HOURS_A_MONTH * A_SERVER_HOUR
    return {
        "prices": {"request": A_REQUEST, "gb_second": A_GB_SECOND, "server_hour": A_SERVER_HOUR},
        "lambda_memory_mb": MEMORY_MB,
        "serverless_a_million": 1e6 * a_query,
        "standing_a_month": month,
        "standing_carries_a_month": requests_a_second * 3600 * HOURS_A_MONTH,
        "as_dear_at_queries_a_month": month / a_query,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    folder = make_gallery()
    gallery = open_gallery(folder, Settings())
    file = gallery.store.get(sorted(gallery.index.ids)[0])  # type: ignore[attr-defined]
    with server(folder) as (at, address):
        added = overhead(gallery, file, at, address)
        carried = load(file, at, address, options.clients, options.seconds)
    cloud = lambda_handler(folder, file)
    record = provenance() | {
        "what": "the service against its bare network and search; its load; its first answer on "
        "Lambda's handler; dollars for a million queries by AWS's list prices of 2025",
        "data": f"{len(gallery):,} drawings through cnn-scenes as ONNX, one of them asking",
        "command": "python -m benchmarks.service",
        "spread": f"medians of {ROUNDS} rounds of {EACH} requests, of {COLD} fresh processes",
        "processor": added,
        "load": carried,
        "lambda": cloud,
        "cost": costs(cloud["answer_milliseconds"], carried["requests_a_second"]),
    }
    if options.seconds < 60:
        print(json.dumps(record, indent=1))
    else:
        write_json(ROOT / "results/service.json", record)


if __name__ == "__main__":
    main()
