"""The page: files of the folder `page` and the fonts of `hgrkit.pages`, as they are."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from hgrkit.serve.answers import RefusedError

__all__ = ["page_file"]

_FOLDERS = (Path(__file__).with_name("page"), Path(__file__).parents[1] / "pages" / "fonts")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ttf": "font/ttf",
    ".webmanifest": "application/manifest+json",
}


def page_file(name: str, request: Request) -> Response:
    """Answer with one of the page's files, or with 304 if the client has it.

    Raises:
        RefusedError: if the page has no such file.
    """
    # A name of a folder, never a path that was sent.
    files = (path for folder in _FOLDERS for path in folder.iterdir())
    found = next((path for path in files if path.name == name and path.suffix in _TYPES), None)
    if found is None:
        raise RefusedError(404, f"the page has no file {name[:60]!r}.")
    content = found.read_bytes()
    headers = {"etag": f'"{hashlib.sha256(content).hexdigest()[:24]}"', "cache-control": "no-cache"}
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=_TYPES[found.suffix], headers=headers)
