"""What every answer has in common: JSON in ASCII, and errors in one line, whose status says whose they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, final

from starlette.responses import JSONResponse

from hgrkit.errors import (
    DamagedLibraryError,
    DecodeWorkerError,
    HgrkitError,
    LibraryLockedError,
    LibraryMismatchError,
    MissingPackageError,
    PluginError,
)

__all__ = ["JsonAnswer", "RefusedError", "error_answer", "one_line", "status_of"]

_OURS = (DamagedLibraryError, DecodeWorkerError, LibraryMismatchError, MissingPackageError, PluginError)
"""Errors that no other request could avoid."""


@final
class RefusedError(Exception):
    """A request that is refused.

    Attributes:
        status: of HTTP.
        retry_s: seconds after which it may be tried again, if that helps.
    """

    def __init__(self, status: int, line: str, *, retry_s: int | None = None) -> None:
        super().__init__(line)
        self.status, self.retry_s = status, retry_s


@final
class JsonAnswer(JSONResponse):
    """JSON in ASCII: bytes of a path that are no UTF-8 stay as escapes."""

    def render(self, content: Any) -> bytes:
        """The bytes of a JSON value."""
        return json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def error_answer(status: int, line: str, *, retry_s: int | None = None, **more: str) -> JsonAnswer:
    """Return the answer that says what is wrong."""
    headers: Mapping[str, str] = {} if retry_s is None else {"retry-after": str(retry_s)}
    return JsonAnswer({"error": one_line(line), **more}, status, headers=headers)


def one_line(text: object) -> str:
    """Return a text without breaks and control characters."""
    line = " ".join(str(text).split())
    return "".join(character if character.isprintable() else "?" for character in line)


def status_of(error: HgrkitError) -> int:
    """Return whose error it is: the server's, that of another writer, or the client's."""
    if isinstance(error, _OURS):
        return 500
    return 409 if isinstance(error, LibraryLockedError) else 400
