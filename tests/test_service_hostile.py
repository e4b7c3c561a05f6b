"""A thousand requests that nobody should send, slow ones, too many: no 500, no leak."""

import base64
import contextlib
import io
import json
import random
import socket
import struct
import zlib

import httpx
import numpy as np
import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from PIL import Image
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as specs
from service_server import KEY, TOKEN, log_of, serving

from service.api import create_app
from service.gallery import open_gallery
from service.pictures import TooLarge, receive
from service.settings import Settings
from utils.folder import UnreadablePicture

CHECKS = [
    schemathesis.checks.not_a_server_error,
    specs.status_code_conformance,
    specs.content_type_conformance,
    specs.response_schema_conformance,
]
RNG = random.Random(0)
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
)


def encoded(format="png", size=(40, 30), **options):
    buffer = io.BytesIO()
    Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).save(buffer, format, **options)
    return buffer.getvalue()


def png_that_says(width, height, rows=b""):
    """A PNG whose header promises more than its body holds."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


BOMB = png_that_says(60_000, 60_000, bytes(1_000_000))
FILES = {
    "empty": b"", "text": b"hello", "SVG": SVG, "HTML": b"<html><script>alert(1)</script>",
    "PDF": b"%PDF-1.7\n1 0 obj", "ZIP": b"PK\x03\x04" + bytes(40), "EPS": b"%!PS-Adobe-3.0 EPSF\n",
    "half a PNG": encoded()[:60], "half a JPEG": encoded("jpeg")[:300], "bomb": BOMB,
    "a PNG without rows": png_that_says(900, 900), "GIF and HTML": b"GIF89a/*<script>*/=1;",
    "TIFF": encoded("tiff"), "wide": png_that_says(2**31 - 1, 1),
    "JPEG with HTML": encoded("jpeg", comment=b"<script>alert(1)</script>") + SVG,
}  # fmt: skip
PATHS = (
    "/images/..%2f..%2fetc%2fpasswd", "/images/%2e%2e/%2e%2e/etc/passwd", "/images/../index.sqlite",
    "/../../etc/passwd", "/%00", "/images/a%00b", "/images/" + "a" * 3000, "/images/C:%5cwindows",
    "/static-offline-docs/..%2f..%2fcore.py", "/style.css/../../api.py", "//evil.example/images/x",
)  # fmt: skip


JSON, FORM = "application/json", "multipart/form-data; boundary=x"
KINDS = (JSON, FORM, "multipart/form-data", "image/png", "text/xml", "a/b;" * 50)
NUMBERS = (1, -1, 10**30, None, "1", [], 2.5)
DIGITS = ("3", "-3", "٣", "9" * 5000, "1e9")
BODIES = (b"[" * 90_000, b'{"image": ' * 9000, b"\xff\xfe", b"null", b"1e999", b'{"k":1,"k":2}')
TOKENS = ("Bearer", "Basic eA==", b"Bearer \xff", f"Bearer {TOKEN}")
METHODS = ("GET", "DELETE", "PUT", "PATCH", "TRACE")


def damaged():
    """A picture with a few wrong bytes."""
    data = bytearray(encoded(RNG.choice(["png", "jpeg", "gif", "webp", "bmp"])))
    for _ in range(RNG.randint(1, 20)):
        data[RNG.randrange(len(data))] = RNG.randrange(256)
    return bytes(data)


def hostile(number):
    """Method, path and the rest of request `number` of a thousand."""
    data = RNG.choice(list(FILES.values())) if number % 3 else damaged()
    text, one = base64.b64encode(data).decode(), RNG.choice
    cut = {"image": text[: RNG.randrange(len(text) + 1)], "k": one(NUMBERS)}
    named = {"image": ("../../x.svg", data, "image/svg+xml")}
    noise = b"--x\r\n" + RNG.randbytes(500) + b"\r\n--x--"
    return (
        ("POST", "/search", {"json": {"image": text}}),
        ("POST", "/search", {"json": cut}),
        ("POST", "/search", {"files": named, "data": {"k": one(DIGITS)}}),
        ("POST", "/images", {"files": {"image": data}, "headers": KEY}),
        ("POST", "/search", {"content": data, "headers": {"content-type": one(KINDS)}}),
        ("POST", "/search", {"content": one(BODIES), "headers": {"content-type": JSON}}),
        ("POST", "/search", {"content": noise, "headers": {"content-type": FORM}}),
        ("POST", "/search", {"files": [("image", b"a"), ("image", b"b"), ("c", b"d")]}),
        (one(METHODS), one(PATHS), {"headers": KEY}),
        (
            "DELETE",
            "/images/" + RNG.randbytes(8).hex(),
            {"headers": {"authorization": one(TOKENS)}},
        ),
    )[number % 10]


EXPECTED = {200, 201, 204, 400, 401, 404, 405, 413, 415, 422}


def test_a_picture_is_decoded_as_the_format_that_was_let_in():
    """Pillow's decoder of PhotoCD claims whatever holds PCD_ at byte 2,048."""
    webp = encoded("webp", lossless=True)
    junk = bytes(2040 - len(webp)) + b"PCD_" + bytes(1600)
    whole = webp[8:] + b"JUNK" + struct.pack("<I", len(junk)) + junk
    both = b"RIFF" + struct.pack("<I", len(whole)) + whole
    assert Image.open(io.BytesIO(both)).format == "PCD"
    picture = receive(both, 10**8)
    assert picture.size == (40, 30) and picture.getpixel((0, 0)) == (90, 90, 90)


def state_of(process):
    process = psutil.Process(process.pid)
    return process.memory_info().rss, process.num_fds(), process.num_threads()


def test_a_thousand_hostile_requests_end_in_no_500_and_leave_nothing(gallery_folder):
    with serving(gallery_folder, LOOKALIKE_TOKEN=TOKEN) as (process, address):
        with httpx.Client(base_url=address, timeout=60) as client:

            def ask(numbers):
                codes = {}
                for number in numbers:
                    method, path, rest = hostile(number)
                    code = client.request(method, path, **rest).status_code
                    codes[code] = codes.get(code, 0) + 1
                return codes

            ask(range(300))  # buffers and caches fill once
            memory, handles, threads = state_of(process)
            codes = ask(range(1000))
            assert max(codes) < 500 and set(codes) <= EXPECTED, codes
            assert codes[422] > 300 and codes[413] > 10, codes
            assert client.get("/health").status_code == 200
        grown, handles_now, threads_now = state_of(process)
        assert grown - memory < 30_000_000, f"{(grown - memory) / 1e6:.0f} MB more"
        assert handles_now <= handles + 2 and threads_now <= threads + 2
    said = log_of(gallery_folder).read_text()
    assert "Traceback" not in said, said
    names = {path.name for path in (gallery_folder / "pictures").iterdir()}
    assert not any("svg" in name or name.startswith(".") for name in names)


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind != "JPEG with HTML"])
def test_a_file_that_is_no_whole_picture_is_refused_before_it_takes_memory(kind, memory_taken):
    with pytest.raises(UnreadablePicture, match=r"picture|pixels"):
        receive(FILES[kind], 50_000_000)
    before = """
from service.pictures import UnreadablePicture, receive
data = sys.stdin.buffer.read()
"""
    work = """
try: receive(data, 50_000_000)
except UnreadablePicture: pass
"""
    assert memory_taken(before, work, input=FILES[kind]) < 50_000_000


def test_a_picture_over_the_limit_of_pixels_is_too_large_and_one_at_it_is_not():
    wide = encoded(size=(500, 100))
    assert receive(wide, 50_000).size == (320, 64)
    with pytest.raises(TooLarge, match="pixels"):
        receive(wide, 49_999)


def test_more_bytes_than_are_taken_are_not_read(gallery_folder):
    with serving(gallery_folder) as (process, address):
        memory, *_ = state_of(process)
        taken = []
        too_many = httpx.post(f"{address}/search", content=bytes(40_000_000))
        assert too_many.status_code == 413
        assert "40.0 MB, at most 13.3 MB fit" in too_many.json()["detail"]

        def endless():  # which does not say how many they are
            for number in range(3000):
                if number % 100 == 0:  # now, since what is not kept is given back in the end
                    taken.append(state_of(process)[0] - memory)
                yield bytes(100_000)

        kind = {"content-type": "application/json"}
        try:
            assert (
                httpx.post(f"{address}/search", content=endless(), headers=kind).status_code == 413
            )
        except httpx.TransportError:
            pass  # the connection was closed on it
        assert max(taken) < 60_000_000
        assert httpx.get(f"{address}/health").status_code == 200


def test_a_picture_over_the_limit_of_bytes_is_told(finished):
    from fastapi.testclient import TestClient

    settings = Settings(max_bytes=500)
    client = TestClient(create_app(open_gallery(finished, settings), settings))
    file = encoded("bmp")
    answer = client.post("/search", files={"image": file})
    assert answer.status_code == 413 and "MB" in answer.json()["detail"]


def test_who_is_slow_is_let_go(gallery_folder):
    with serving(gallery_folder) as (_, address):
        port = int(address.rsplit(":", 1)[1])
        starts = (b"", b"POST /search HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        for i, connection in enumerate(slow):
            connection.sendall(starts[i % 2])
        assert httpx.get(f"{address}/health").status_code == 200
        for connection in slow:
            connection.settimeout(60)  # so that one who is not let go fails the test
            with connection, contextlib.suppress(ConnectionError):
                connection.sendall(b"a")  # one more byte does not help
                while connection.recv(1000):
                    pass


def test_a_body_that_does_not_come_is_answered_408(finished):
    import asyncio

    app = create_app(open_gallery(finished, Settings()), Settings(read_seconds=0.2))
    sent = []

    async def receive_never():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/search", "raw_path": b"/search",
        "headers": [
        (b"content-type", b"application/json"), (b"content-length", b"100")], "query_string": b"",
        "http_version": "1.1", "scheme": "http", "server": ("a", 80), "client": ("b", 1),
        "root_path": ""}  # fmt: skip
    asyncio.run(app(scope, receive_never, send))
    assert sent[0]["status"] == 408 and b"seconds" in sent[1]["body"]


def test_more_than_the_queue_holds_are_answered_503_and_then_it_works_again(finished):
    body = json.dumps({"image": base64.b64encode(encoded()).decode()}).encode()
    head = (
        f"POST /search HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}"
        "\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    with serving(finished) as (_, address), contextlib.ExitStack() as opened:

        def ask():
            asked = {"content": body, "headers": {"content-type": JSON}}
            return httpx.post(f"{address}/search", **asked, timeout=60)

        place = "127.0.0.1", int(address.rsplit(":", 1)[1])
        waiting = [
            opened.enter_context(socket.create_connection(place, 60))
            for _ in range(Settings().queue)
        ]
        for connection in waiting:
            connection.sendall(head.encode())
            # "Continue" comes once the service waits for the body: this one has its place
            assert connection.recv(1000).startswith(b"HTTP/1.1 100")
        refused = ask()
        assert refused.status_code == 503 and "ask again" in refused.json()["detail"]
        assert refused.headers["retry-after"] == "1"
        assert httpx.get(f"{address}/health", timeout=60).status_code == 200
        for connection in waiting:
            connection.sendall(body)
        for connection in waiting:
            with connection.makefile("rb") as answer:
                assert answer.readline().startswith(b"HTTP/1.1 200")
        assert ask().status_code == 200


OPERATIONS = (
    "POST /search", "GET /images/{id}", "POST /images", "DELETE /images/{id}", "GET /health",
    "GET /metrics",
)  # fmt: skip


def schema_of(folder):
    settings = Settings(token=TOKEN)
    app = create_app(open_gallery(folder, settings), settings)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def test_every_operation_is_asked_below(gallery_folder):
    found = [f.ok() for f in schema_of(gallery_folder).get_all_operations()]
    assert {f"{one.method.upper()} {one.path}" for one in found} == set(OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_the_openapi_names(operation, mode, gallery_folder):
    method, path = operation.split()
    strategy = schema_of(gallery_folder)[path][method].as_strategy(generation_mode=mode)

    @given(strategy)
    @settings(max_examples=25, suppress_health_check=list(HealthCheck))
    def ask(case):
        case.call_and_validate(headers=KEY, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:  # nothing can be wrong in a request without parameters
        assert mode == GenerationMode.NEGATIVE and path in ("/health", "/metrics")
