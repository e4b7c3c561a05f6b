"""The service itself: `create_app(gallery, settings)`."""

import os
import secrets
import sys
from pathlib import Path as FilePath
from typing import Annotated, Any
from urllib.parse import urljoin

import anyio
import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from PIL import Image
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartParser
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from service.gallery import Gallery
from service.guard import Guard, SafeHeaders
from service.metrics import Measure, Metrics
from service.models import EXAMPLE, Health, Kept, Query, Results, body, problems
from service.pictures import ID, MEDIA_TYPE, TooLarge, receive
from service.settings import Settings
from utils.folder import UnreadablePicture

PAGE = FilePath(__file__).parent / "page"
# Else a form above 1 MB goes to a file on the way; how long it may be is limited as any body's is.
MultiPartParser.spool_max_size = sys.maxsize
routes = APIRouter()
bearer = HTTPBearer(auto_error=False, description="LOOKALIKE_TOKEN of the service")
Id = Annotated[str, Path(pattern=f"^{ID}$", max_length=100, examples=["8c1fd2a09be47d63"])]


async def work(request: Request, function: Any, *arguments: Any) -> Any:
    """What takes a processor for a while, in a thread; as many at a time as there are cores."""
    limiter = request.app.state.limiter
    return await anyio.to_thread.run_sync(function, *arguments, limiter=limiter)


async def asked(request: Request) -> Query:
    """The body of a request, JSON or a form with a file. Raises HTTPException 413, 415, 422."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            query = Query.model_validate_json(await request.body())
        elif kind == "multipart/form-data":
            query = await _from_form(request)
        else:
            raise HTTPException(
                415, 'Send {"image": base64, "k": 10} as application/json, or multipart/form-data.'
            )
    except ValidationError as error:
        raise HTTPException(422, _sentence(error.errors(include_input=False))) from error
    limit = request.app.state.settings.max_bytes
    if len(query.image) > limit:
        raise HTTPException(
            413, f"This picture has more than {limit / 1e6:.0f} MB: send a smaller one."
        )
    return query


async def _from_form(request: Request) -> Query:
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("image")
        if not isinstance(file, UploadFile):
            raise HTTPException(422, "image: the form needs a file in its field 'image'.")
        k = form.get("k", "10")
        data = await file.read()
    number = int(k) if isinstance(k, str) and k.isascii() and k.isdigit() and len(k) < 10 else k
    return Query.model_construct(image=data, k=Query.model_validate({"image": "", "k": number}).k)


def _sentence(errors: Any) -> str:
    """The first of pydantic's errors, without what was sent."""
    first = errors[0]
    return ": ".join([*[str(part) for part in first["loc"] if part != "body"], first["msg"]]) + "."


async def shown(request: Request, query: Annotated[Query, Depends(asked)]) -> Image.Image:
    """The picture that was sent, in the form in which pictures are compared."""
    try:
        return await work(request, receive, query.image, request.app.state.settings.max_pixels)
    except TooLarge as error:
        raise HTTPException(413, str(error)) from error
    except UnreadablePicture as error:
        raise HTTPException(422, str(error)) from error


def may_change(
    request: Request,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> None:
    """Lets through who knows the token."""
    token = request.app.state.settings.token
    if not token:
        raise HTTPException(403, "Adding and removing is off; set LOOKALIKE_TOKEN to allow it.")
    if not given or not secrets.compare_digest(given.credentials.encode(), token.encode()):
        raise HTTPException(401, "Send the token.", {"www-authenticate": "Bearer"})


def address(request: Request, url: str) -> str:
    """A store's address as the asker reaches it."""
    base = request.app.state.settings.address or str(request.base_url)
    return urljoin(f"{base.rstrip('/')}/", url)


Sent = Annotated[Query, Depends(asked)]
Shown = Annotated[Image.Image, Depends(shown)]


@routes.post(
    "/search",
    responses=problems(),
    openapi_extra=body("image", "k"),
)
async def search(request: Request, query: Sent, picture: Shown) -> Results:
    """The nearest pictures of the gallery: the contract of the thesis.

    `{"image": base64, "k": 10}` → `{"results": {url: distance}}`, or the file and `k` as a form.
    The picture that is sent is not kept.
    """
    state = request.app.state
    k = min(query.k, state.settings.max_results)
    found = await work(request, state.gallery.search, picture, k)
    return Results(results={address(request, url): apart for url, apart in found.items()})


@routes.get(
    "/images/{id}",
    response_class=Response,
    responses=problems(more={404: "No such picture"})
    | {200: {"content": {MEDIA_TYPE: {}}, "description": "The picture"}},
)
def image(request: Request, id: Id) -> Response:
    """A picture of the gallery."""
    try:
        data = request.app.state.gallery.store.get(id)
    except KeyError as error:
        raise HTTPException(404, "There is no such picture.") from error
    policy = {"content-security-policy": "default-src 'none'; sandbox"}
    return Response(data, 200, {"cache-control": "max-age=300", **policy}, MEDIA_TYPE)


@routes.post(
    "/images",
    status_code=201,
    dependencies=[Depends(may_change)],
    responses=problems(locked=True) | {200: {"model": Kept, "description": "It was there already"}},
    openapi_extra=body("image"),
)
async def add(request: Request, response: Response, picture: Shown) -> Kept:
    """Add a picture. Once this answers, the picture is there after a power cut too."""
    gallery = request.app.state.gallery
    id, new = await work(request, gallery.add, picture)
    response.status_code = 201 if new else 200
    return Kept(id=id, url=address(request, gallery.store.url(id)))


@routes.delete(
    "/images/{id}",
    status_code=204,
    dependencies=[Depends(may_change)],
    responses=problems(locked=True, more={404: "No such picture"}),
)
async def remove(request: Request, id: Id) -> None:
    """Remove a picture. Once this answers, it is gone after a power cut too."""
    try:
        await work(request, request.app.state.gallery.remove, id)
    except KeyError as error:
        raise HTTPException(404, "There is no such picture.") from error


@routes.get("/health")
def health(request: Request) -> Health:
    """Is the service there, and how many pictures has it?"""
    return Health(status="ok", pictures=request.app.state.gallery.about())


@routes.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "As Prometheus reads it"}},
)
def metrics(request: Request) -> Response:
    """Requests, their times, memory, file handles."""
    told = request.app.state.metrics
    told.pictures.set(request.app.state.gallery.about())
    return Response(generate_latest(told.registry), media_type=CONTENT_TYPE_LATEST)


async def _problem(request: Request, error: Exception) -> Response:
    """Every error as one JSON sentence that repeats nothing of what was sent."""
    if isinstance(error, RequestValidationError):
        return JSONResponse({"detail": _sentence(error.errors())}, 422)
    if isinstance(error, HTTPException):
        return JSONResponse({"detail": error.detail}, error.status_code, error.headers)
    if isinstance(error, ConnectionError):  # the index or the store on another machine
        return JSONResponse({"detail": "The gallery cannot be reached; ask again later."}, 503)
    if isinstance(error, ClientDisconnect):  # nobody will read this
        return JSONResponse({"detail": "The request ended before its end."}, 400)
    return JSONResponse({"detail": "Something went wrong here; the log says what."}, 500)


def create_app(gallery: Gallery, settings: Settings | None = None) -> FastAPI:
    """The service over a gallery: the thesis's search, its page at /, its OpenAPI page at /docs."""
    settings, told = settings or Settings(), Metrics()
    app = FastAPIOffline(
        title="Lookalike",
        description="Finds the pictures of a gallery that look most like yours. To try it, send "
        f'`{{"image": "{EXAMPLE}", "k": 3}}` to `/search`.',
        redoc_url=None,
    )
    app.state.gallery, app.state.settings, app.state.metrics = gallery, settings, told
    app.state.limiter = anyio.CapacityLimiter(os.cpu_count() or 1)
    app.include_router(routes)
    app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    for kind in (
        HTTPException,
        RequestValidationError,
        ClientDisconnect,
        ConnectionError,
        Exception,
    ):
        app.add_exception_handler(kind, _problem)
    # the last one added is the first that a request meets
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body)
    app.add_middleware(Guard, queue=settings.queue, read_seconds=settings.read_seconds,
                       max_body=settings.max_body)  # fmt: skip
    if settings.origins:
        app.add_middleware(CORSMiddleware, allow_origins=settings.origins, allow_methods=["*"],
                           allow_headers=["content-type", "authorization"])  # fmt: skip
    app.add_middleware(SafeHeaders)
    app.add_middleware(Measure, metrics=told)
    return app
