"""What stands before every request: no more at a time than fit, none for longer than it may take.

Starlette's `RequestBodyLimitMiddleware` counts the bytes of those that do not say.
"""

import asyncio

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
# Pages take scripts, styles and answers from the service alone; pictures also from a file just
# chosen (blob:) and from a store of another address.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data: https:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'"
)
DOCS_POLICY = POLICY + "; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'"


class Guard:
    """Answers 503 while `queue` requests with a body are under way, 408 to one that dawdles, and
    413 to one that says it has more than `max_body` bytes."""

    def __init__(self, app: ASGIApp, queue: int, read_seconds: float, max_body: int) -> None:
        self.app, self.queue, self.read_seconds = app, queue, read_seconds
        self.max_body, self.running = max_body, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return await self.app(scope, receive, send)
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length) > self.max_body:
            sizes = f"has {int(length) / 1e6:,.1f} MB, at most {self.max_body / 1e6:.1f} MB fit"
            sentence = f"This request {sizes}: send a smaller picture."
            return await _refuse(413, sentence)(scope, receive, send)
        if self.running >= self.queue:
            busy = _refuse(503, "Too many pictures at a time; ask again in a second.")
            busy.headers["retry-after"] = "1"
            return await busy(scope, receive, send)
        self.running += 1
        try:
            await self.app(scope, self._timed(receive), send)
        finally:
            self.running -= 1

    def _timed(self, receive: Receive) -> Receive:
        deadline = asyncio.get_running_loop().time() + self.read_seconds
        whole = False

        async def timed() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(
                    408, f"The picture was not here within {self.read_seconds:g} seconds."
                ) from error
            whole = not message.get("more_body", False)
            return message

        return timed


def _refuse(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"detail": sentence}, status, {"connection": "close"})


class SafeHeaders:
    """Tells browsers to take nothing for what it is not, and to fetch nothing from elsewhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                policy = DOCS_POLICY if scope["path"] == "/docs" else POLICY
                headers.setdefault("content-security-policy", policy)
            await send(message)

        await self.app(scope, receive, safe if scope["type"] == "http" else send)
