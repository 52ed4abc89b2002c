"""The application: every route of the API, each a few lines between a request and what answers it."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp

import hgrkit
from hgrkit.errors import HgrkitError
from hgrkit.serve.answers import JsonAnswer, RefusedError, error_answer, status_of
from hgrkit.serve.guard import UPLOADS, Guard
from hgrkit.serve.media import FileBytes, OpenFile, media_type_of, open_indexed
from hgrkit.serve.schema import (
    Columns,
    ErrorAnswer,
    ExampleAnswer,
    Graph,
    Health,
    IndexRequest,
    IndexState,
    ParseRequest,
    PlayAnswer,
    SearchAnswer,
    SearchRequest,
    Video,
    VideoId,
    VideoList,
)
from hgrkit.serve.served_library import described
from hgrkit.serve.service import Service
from hgrkit.serve.settings import ServeLimits, ServeSettings

__all__ = ["make_app"]

_log = logging.getLogger("hgrkit.serve")

_PAGE_FOLDERS = (Path(__file__).with_name("page"), Path(__file__).parents[1] / "pages" / "fonts")
_PAGE_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ttf": "font/ttf",
    ".webmanifest": "application/manifest+json",
}

_MOST = ServeLimits()
_Seconds = Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False)]
_ERRORS: dict[int | str, dict[str, Any]] = {"4XX": {"model": ErrorAnswer}, "5XX": {"model": ErrorAnswer}}
_BYTES: dict[str, Any] = {"video/*": {}, "image/gif": {}, "application/octet-stream": {}}
_MEDIA: dict[int | str, dict[str, Any]] = {
    200: {"content": _BYTES, "description": "The bytes."},
    206: {"content": _BYTES, "description": "The range that was asked for."},
    307: {"description": "Browsers play the file itself: see `Location`."},
}


def make_app(settings: ServeSettings) -> ASGIApp:
    """The application, with its guard before it.

    Raises:
        LibraryError: if a library cannot be opened.
    """
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="hgrkit",
        summary="Search video with sentences.",
        version=hgrkit.__version__,
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        default_response_class=JsonAnswer,
        responses=_ERRORS,
        redirect_slashes=False,
    )
    _add_errors(app, debug=settings.debug)
    _add_page(app)
    _add_questions(app, service)
    _add_videos(app, service)
    _add_media(app, service)
    _add_thumbnails(app, service)
    _add_indexing(app, service)
    return Guard(app, settings)


def _add_page(app: FastAPI) -> None:
    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request) -> Response:
        return _page_file("index.html", request)

    @app.api_route("/page/{name}", methods=["GET", "HEAD"], include_in_schema=False)
    async def page_part(name: str, request: Request) -> Response:
        return _page_file(name, request)


def _page_file(name: str, request: Request) -> Response:
    """Answer with one of the page's files, or with 304 if the client has it.

    Raises:
        RefusedError: if the page has no such file.
    """
    # A name of a folder, never a path that was sent.
    files = (path for folder in _PAGE_FOLDERS for path in folder.iterdir())
    found = next((path for path in files if path.name == name and path.suffix in _PAGE_TYPES), None)
    if found is None:
        raise RefusedError(404, f"the page has no file {name[:60]!r}.")
    content = found.read_bytes()
    headers = {"etag": f'"{hashlib.sha256(content).hexdigest()[:24]}"', "cache-control": "no-cache"}
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_PAGE_TYPES[found.suffix], headers=headers)


def _add_questions(app: FastAPI, service: Service) -> None:
    @app.post("/api/search", response_model=SearchAnswer)
    async def search(asked: SearchRequest) -> Any:
        """Search: the answer is that of `hgrkit search --json`, each hit with the `id` of its video."""
        return JsonAnswer(await service.search(asked))

    @app.post("/api/parse", response_model=Graph)
    async def parse(asked: ParseRequest) -> Any:
        """Read a sentence as a role graph."""
        return JsonAnswer(await service.parse(asked.text))

    @app.post(UPLOADS, response_model=ExampleAnswer)
    async def add_example(file: UploadFile) -> Any:
        """Upload a picture or a short video, to search for what is like it; its token is valid for an hour."""
        return JsonAnswer(await service.add_example(file.file, file.filename or ""))

    @app.get("/api/columns", response_model=Columns)
    async def columns() -> Any:
        """What videos can be filtered by (`where`)."""
        return JsonAnswer(await service.columns())


def _add_videos(app: FastAPI, service: Service) -> None:
    @app.get("/api/health", response_model=Health)
    async def health() -> Any:
        """Whether the server is there; `library` changes when the library does."""
        return JsonAnswer(await service.health())

    @app.get("/api/videos", response_model=VideoList)
    async def videos(
        limit: Annotated[int, Query(ge=1, le=_MOST.videos)] = 100,
        offset: Annotated[int, Query(ge=0, le=1 << 40)] = 0,
    ) -> Any:
        """Some of the videos, in the order of their paths, failed ones with their reasons."""
        return JsonAnswer(await service.videos(limit, offset))

    @app.get("/api/videos/{video}", response_model=Video)
    async def one_video(video: VideoId) -> Any:
        """One video."""
        return JsonAnswer(described(await service.video(video)))


def _add_media(app: FastAPI, service: Service) -> None:
    @app.head("/media/{video}", include_in_schema=False)
    @app.get("/media/{video}", response_class=Response, responses=_MEDIA)
    async def media(video: VideoId) -> Any:
        """The bytes of a video's file, or a range of them."""
        record = await service.indexed(video)
        return FileBytes(open_indexed(record), media_type_of(record.path))

    @app.get("/api/play/{video}", response_model=PlayAnswer)
    async def how_to_play(video: VideoId, start: _Seconds, end: _Seconds) -> Any:
        """Where a browser finds a moment: the file itself, or a clip that is made if it cannot play that."""
        return JsonAnswer(await service.how_to_play(video, start, end))

    @app.head("/play/{video}", include_in_schema=False)
    @app.get("/play/{video}", response_class=Response, responses=_MEDIA)
    async def play(video: VideoId, start: _Seconds, end: _Seconds) -> Any:
        """A moment as MP4 or WebM, or a redirection to the file if browsers play that."""
        record = await service.indexed(video)
        media_type, _ = await service.plays_as_it_is(record)
        if media_type:
            return RedirectResponse(f"../media/{video}#t={start:.2f},{end:.2f}", 307)
        made = await service.moment(record, start, end)
        return FileBytes(OpenFile.of(made.file.open("rb", buffering=0)), made.media_type)


def _add_thumbnails(app: FastAPI, service: Service) -> None:
    @app.get(
        "/api/thumbnail/{video}",
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}, 304: {"description": "The client has it."}},
    )
    async def thumbnail(
        video: VideoId,
        request: Request,
        t: _Seconds = 0.0,
        height: Annotated[int, Query(ge=40, le=480)] = 180,
    ) -> Any:
        """The picture of a video at a second, as JPEG."""
        jpeg = await service.thumbnail(video, t, height)
        tag = f'"{hashlib.sha256(jpeg).hexdigest()[:24]}"'
        headers = {"etag": tag, "cache-control": "private, max-age=600"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)


def _add_indexing(app: FastAPI, service: Service) -> None:
    @app.post("/api/index", status_code=202, response_model=IndexState)
    async def start(asked: IndexRequest) -> Any:
        """Begin to index a folder of the server's machine into the first library."""
        return JsonAnswer(await service.listed(partial(service.index_job.start, asked.folder)), 202)

    @app.get("/api/index", response_model=IndexState)
    async def state() -> Any:
        """What is being indexed, or was last."""
        return JsonAnswer(await service.listed(service.index_job.state))

    @app.delete("/api/index", status_code=202, response_model=IndexState)
    async def stop() -> Any:
        """Stop it; what was finished is kept."""
        return JsonAnswer(await service.listed(service.index_job.stop), 202)


def _add_errors(app: FastAPI, *, debug: bool) -> None:
    """Answer every error with one line."""

    @app.exception_handler(RefusedError)
    async def refused(_: Request, error: RefusedError) -> Response:
        return error_answer(error.status, str(error), retry_s=error.retry_s)

    @app.exception_handler(HgrkitError)
    async def ours(_: Request, error: HgrkitError) -> Response:
        if debug:
            _log.exception("the request failed", exc_info=error)
        return error_answer(status_of(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        said = [f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()[:5]]
        return error_answer(422, "; ".join(said))

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        answer = error_answer(error.status_code, str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> Response:
        number = secrets.token_hex(4)
        if debug:
            _log.exception("request %s failed", number, exc_info=error)
        return error_answer(500, "the server failed on this request; --debug logs why.", request=number)
