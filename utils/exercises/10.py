"""Graders of lesson 10."""

import base64
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

Reply = tuple[int, dict[str, str]]  # status and headers


def grade_1(to_request: Callable[..., Any], from_reply: Callable[..., Any]) -> str | None:
    """The contract, from the asker's side."""
    data = bytes(range(256))
    given = to_request(data, 7)
    if not isinstance(given, str):
        return f"A request is text, json.dumps(…), not {type(given).__name__}."
    try:
        asked = json.loads(given)
    except ValueError:
        return "Your text is not JSON: use json.dumps."
    if not isinstance(asked, dict) or set(asked) != {"image", "k"}:
        return 'The text should have exactly the fields "image" and "k".'
    if asked["k"] != 7 or isinstance(asked["k"], str):
        return f"k should be the number 7, but is {asked['k']!r}."
    if not isinstance(asked["image"], str) or asked["image"].startswith("b'"):
        return "base64.b64encode gives bytes; .decode() makes them text."
    if asked["image"] == base64.encodebytes(data).decode():
        return "encodebytes breaks the text into lines; b64encode does not."
    if asked["image"] != base64.b64encode(data).decode():
        return "The image is not the base64 of the bytes."
    reply = json.dumps({"results": {"/b": 0.5, "/a": 11.0, "/d": 2.0, "/c": 0.0}})
    pairs = from_reply(reply)
    if not isinstance(pairs, list) or any(np.shape(pair) != (2,) for pair in pairs):
        return "from_reply should return a list of pairs (address, distance)."
    found = [(str(url), apart) for url, apart in pairs]
    right = [("/c", 0.0), ("/b", 0.5), ("/d", 2.0), ("/a", 11.0)]
    if found == right:
        return None
    if found == sorted(right):
        return "They are sorted by address; sort by distance, the second of each pair."
    if found == [("/b", 0.5), ("/a", 11.0), ("/d", 2.0), ("/c", 0.0)]:
        return "The pairs are in the order of the text; sort them, nearest first."
    if found == right[::-1]:
        return "The farthest comes first in yours."
    return f"Expected {right}, but yours are {found}."


class _Endless(BaseException):
    """More requests or waits than any number of tries in here; no `except Exception` catches it."""


def grade_2(ask_politely: Callable[..., Any]) -> str | None:
    """Wait as long as the service says, and not for ever."""

    def play(replies: list[Reply], tries: int) -> tuple[Any, int, list[Any]]:
        waits: list[Any] = []

        def sleep(seconds: Any) -> None:
            if len(waits) == 20:
                raise _Endless
            waits.append(seconds)

        left = [SimpleNamespace(status_code=code, headers=headers) for code, headers in replies]
        sent: list[Any] = []

        def send() -> Any:
            if len(sent) == 20:
                raise _Endless
            sent.append(left[min(len(sent), len(left) - 1)])
            return sent[-1]

        try:
            reply = ask_politely(send, sleep, tries)
        except _Endless:
            reply = sent[-1] if sent else None
        return getattr(reply, "status_code", None), len(sent), waits

    busy: Reply = (503, {"retry-after": "3"})
    later: Reply = (503, {})
    fine: Reply = (200, {})
    status, sent, waits = play([fine], 4)
    if (status, sent, waits) == (None, 1, []):
        return "Return the reply itself, what send() has given."
    if (status, sent, waits) != (200, 1, []):
        return "An answer of 200 should be returned at once, after one request."
    if play([(422, {})], 4) != (422, 1, []):
        return "422 says that the request is wrong: sending it again does not help."
    if play([(500, {})], 4) != (500, 1, []):
        return "500 is not 503: only 503 is worth another try, any other status is returned."
    status, sent, waits = play([busy, later, fine], 4)
    if sent == 1 and len(waits) == 20:
        return "After a 503 yours waits again and again, and sends no second time."
    if status != 200 or sent != 3:
        return f"Busy, busy, fine: the third reply should be returned, not {status} after {sent}."
    if not waits:
        return "Yours never calls sleep, the function that it is given to wait with."
    if any(isinstance(seconds, str) for seconds in waits):
        return "A header is text, and sleep takes a number of seconds: float(…)."
    if waits != [3.0, 1.0]:
        return f"You should wait 3 seconds, as the header says, then 1; you wait {waits}."
    status, sent, waits = play([busy], 3)
    if sent != 3 or status != 503:
        return f"At most 3 requests, then the last reply; you send {sent} and return {status}."
    if len(waits) != 2:
        return "After the last try there is nothing to wait for."
    if play([busy], 1) != (503, 1, []):
        return "With tries = 1 there is one request, and nothing to wait for."
    return None


def grade_3(slowest: Callable[..., Any]) -> str | None:
    """The nearest-rank percentile."""
    rng = np.random.default_rng(0)
    for n, per_hundred in ((1000, 1), (150, 1), (10, 50), (7, 10), (1, 1)):
        waits = rng.permutation(np.arange(1.0, n + 1) ** 2)
        kept = waits.copy()
        given = float(slowest(waits, per_hundred))
        expected = float(np.percentile(kept, 100 - per_hundred, method="inverted_cdf"))
        if not np.array_equal(waits, kept):
            return "Your function reorders the waits it is given; sort a copy."
        if given == expected:
            continue
        if given not in kept:
            return (
                f"{given:.10g} is none of the waits: do not interpolate, take the wait at the "
                "nearest rank."
            )
        if given == float(np.percentile(kept, per_hundred, method="inverted_cdf")):
            return "That is the fastest of a hundred: count from the other end."
        return (
            f"Of {n} waits with per_hundred={per_hundred} it is {expected:.10g}, not {given:.10g}."
        )
    return None
