"""Examples that were uploaded: decoded by a confined worker once, kept as vectors for an hour, the file never."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from pathlib import Path, PurePath
from typing import Any, BinaryIO, final

import attrs

from hgrkit.errors import DecodeError
from hgrkit.indexing.example import Example
from hgrkit.levels import PerLevel
from hgrkit.results import Hit
from hgrkit.serve.answers import RefusedError, one_line
from hgrkit.serve.schema import Like
from hgrkit.serve.served_library import ServedLibrary
from hgrkit.serve.settings import ServeLimits
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.still import picture_kind

__all__ = ["Examples"]

_LIMITS = DecodeLimits(seconds=10.0, memory_bytes=1 << 30, pixels=1 << 25, frames=2_000)
"""Less than indexing allows, since others wait: some fifteen minutes at two frames a second."""

_NAME_SHOWN = 80
_PIECE_BYTES = 1 << 20


@attrs.frozen(kw_only=True, eq=False)
class _Kept:
    """An example, and when it was made of which model."""

    example: Example
    model_fingerprint: str
    made: float


@final
class Examples:
    """Reads examples for searches, and keeps those that were uploaded.

    Args:
        library: that is searched with them.
        limits: of the server.
    """

    def __init__(self, library: ServedLibrary, limits: ServeLimits) -> None:
        self._library, self._limits = library, limits
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, file: BinaryIO, name: str) -> dict[str, Any]:
        """Read an uploaded picture or video.

        Raises:
            DecodeError: if it is neither.
        """
        shown = one_line(PurePath(name.replace("\\", "/")).name)[:_NAME_SHOWN] or "an example"
        with tempfile.TemporaryDirectory(prefix="hgrkit-example-") as folder:
            path = Path(folder) / "example"
            with path.open("wb") as copy:
                while piece := file.read(_PIECE_BYTES):
                    copy.write(piece)
            kind = "video" if picture_kind(path) is None else "picture"
            fingerprint = self._library.model_fingerprint
            try:
                example = self._library.ask(lambda retriever: retriever.example(path, limits=_LIMITS))
            except DecodeError as error:
                raise DecodeError(str(error).replace(repr(str(path)), repr(shown))) from error
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._drop_old()
            self._kept[token] = _Kept(
                example=attrs.evolve(example, name=shown),
                model_fingerprint=fingerprint,
                made=time.monotonic(),
            )
            while len(self._kept) > self._limits.examples:
                self._kept.popitem(last=False)
        return {"token": token, "name": shown, "kind": kind, "expires_s": self._limits.example_s}

    def like(self, asked: Like) -> Example | Hit:
        """What a search takes as an example.

        Raises:
            RefusedError: if it is not one example, or it is not there any more.
        """
        if (asked.example is None) == (asked.video is None):
            raise RefusedError(400, "like has one of 'example', which was uploaded, and 'video'.")
        if asked.example is not None:
            return self._example(asked.example)
        record = self._library.indexed(asked.video or "")
        start_s = asked.start_s or 0.0
        end_s = asked.end_s if asked.end_s is not None else record.duration_s or start_s
        if start_s > end_s:
            raise RefusedError(400, "the moment of like must begin before it ends.")
        if record.duration_s is not None and start_s >= record.duration_s:
            raise RefusedError(
                400, f"the moment of like must lie in its video, which has {record.duration_s:.1f} s."
            )
        nothing: PerLevel[float | None] = PerLevel(event=None, action=None, entity=None)
        return Hit(rank=1, video=record.path, start_s=start_s, end_s=end_s, score=0.0, levels=nothing, phrases=())

    def _example(self, token: str) -> Example:
        with self._lock:
            self._drop_old()
            kept = self._kept.get(token)
        if kept is None:
            raise RefusedError(404, "this example is not kept any more; upload it again.")
        return kept.example

    def _drop_old(self) -> None:
        since = time.monotonic() - self._limits.example_s
        for token, kept in list(self._kept.items()):
            if kept.made < since or kept.model_fingerprint != self._library.model_fingerprint:
                del self._kept[token]
