"""Pictures and moments of indexed videos: read by confined workers, kept in bounded caches."""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar, final

import attrs
import numpy as np

from hgrkit.errors import DecodeError
from hgrkit.library.records import VideoRecord
from hgrkit.serve.answers import RefusedError
from hgrkit.serve.media import open_indexed
from hgrkit.serve.settings import ServeLimits
from hgrkit.video.cutting.web import WebPlay
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.still import encode_jpeg
from hgrkit.video.worker.answers import Decoded, Pictures
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = ["Moment", "Moments", "checked_span"]

K = TypeVar("K")
T = TypeVar("T")

_LIMITS = DecodeLimits(seconds=20.0, memory_bytes=1 << 30, pixels=1 << 25)
"""Less than indexing allows: a person waits for the picture."""

_KINDS_KEPT = 10_000
_END_S = 5.0
"""For a thread to give back the process that was ended under it."""


@final
class _Workers:
    """A few decode processes that requests take turns with.

    Args:
        count: how many.
    """

    def __init__(self, count: int) -> None:
        self._free: queue.SimpleQueue[DecodeProcess] = queue.SimpleQueue()
        self._opened = ExitStack()
        self._all = [self._opened.enter_context(DecodeProcess(_LIMITS)) for _ in range(count)]
        for process in self._all:
            self._free.put(process)

    @contextmanager
    def one(self) -> Iterator[DecodeProcess]:
        """Wait for a process and use it alone."""
        process = self._free.get()
        try:
            yield process
        finally:
            self._free.put(process)

    def close(self) -> None:
        """End them, also those that are at work."""
        for process in self._all:
            process.close()  # wakes the thread that uses it, which then gives it back
        with suppress(queue.Empty):
            for _ in self._all:
                self._free.get(timeout=_END_S)
        self._opened.close()


@final
class _Kept(Generic[K, T]):
    """The values used last, up to a total size."""

    def __init__(self, most: int, size: Callable[[T], int], drop: Callable[[T], object] | None = None) -> None:
        self._most, self._size, self._drop = most, size, drop
        self._values: OrderedDict[K, T] = OrderedDict()
        self._total, self._lock = 0, threading.Lock()

    def get(self, key: K) -> T | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: T) -> None:
        with self._lock:
            before = self._values.pop(key, None)
            if before is not None:
                self._total -= self._size(before)
            self._values[key] = value
            self._total += self._size(value)
            while self._total > self._most and len(self._values) > 1:
                _, dropped = self._values.popitem(last=False)
                self._total -= self._size(dropped)
                if self._drop is not None:
                    self._drop(dropped)


@attrs.frozen(kw_only=True)
class Moment:
    """A moment that a browser plays.

    Attributes:
        file: the clip.
        size: of the file, in bytes.
        start_s: where it begins, in seconds from the video's beginning.
        media_type: of its bytes.
        encoded: why it was encoded again, as a clause; empty if its packets are the video's.
    """

    file: Path
    size: int
    start_s: float
    media_type: str
    encoded: str


@final
class Moments:
    """What is decoded of indexed videos.

    A file is checked before and after it is read: nothing is kept or shown of one that was replaced meanwhile.

    Args:
        limits: of the server.
    """

    def __init__(self, limits: ServeLimits) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="hgrkit-serve-"))
        self._pictures, self._cutters = _Workers(2), _Workers(2)
        self._jpegs: _Kept[tuple[object, ...], bytes] = _Kept(limits.thumbnails_bytes, len)
        self._kinds: _Kept[tuple[object, ...], WebPlay] = _Kept(_KINDS_KEPT, lambda _: 1)
        self._clips: _Kept[tuple[object, ...], Moment] = _Kept(
            limits.clips_bytes, lambda moment: moment.size, lambda moment: moment.file.unlink(missing_ok=True)
        )
        self._number = 0
        self._lock = threading.Lock()

    def thumbnail(self, record: VideoRecord, time_s: float, height: int) -> bytes:
        """The picture that is on the screen at a time, as a JPEG file.

        Raises:
            RefusedError: if the file is not what was indexed.
            DecodeError: if it cannot be read.
        """
        key = (*_key(record), time_s, height)
        kept = self._jpegs.get(key)
        if kept is None:
            read = partial(_thumbnail, path=record.path, time_s=time_s, height=height)
            kept = _answered(self._read(self._pictures, record, read))
            self._jpegs.put(key, kept)
        return kept

    def web_play(self, record: VideoRecord) -> WebPlay:
        """How browsers take a video.

        Raises:
            RefusedError, DecodeError: as `thumbnail` does.
        """
        kept = self._kinds.get(_key(record))
        if kept is None:
            kept = _answered(self._read(self._pictures, record, lambda one: one.web_play(record.path)))
            self._kinds.put(_key(record), kept)
        return kept

    def moment(self, record: VideoRecord, start_s: float, end_s: float) -> Moment:
        """A moment in a format that browsers play.

        Raises:
            RefusedError, DecodeError: as `thumbnail` does.
            OSError: if the disk is full.
        """
        key = (*_key(record), start_s, end_s)
        kept = self._clips.get(key)
        if kept is None or not kept.file.exists():
            kept = self._cut(record, start_s, end_s)
            self._clips.put(key, kept)
        return kept

    def close(self) -> None:
        """End the workers and delete the clips."""
        self._pictures.close()
        self._cutters.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _cut(self, record: VideoRecord, start_s: float, end_s: float) -> Moment:
        with self._lock:
            self._number += 1
            path = self._folder / f"{self._number}.clip"
        try:
            with path.open("wb") as file:

                def take(at: int, piece: bytes | None) -> None:
                    if piece is None:
                        file.truncate(0)
                    else:
                        file.seek(at)
                        file.write(piece)

                made = _answered(
                    self._read(
                        self._cutters,
                        record,
                        lambda one: one.cut(record.path, start_s, end_s, exact=False, take=take, web=True),
                    )
                )
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        kind, size = f"video/{made.container}", path.stat().st_size
        return Moment(file=path, size=size, start_s=made.start_s, media_type=kind, encoded=made.encoded)

    def _read(self, workers: _Workers, record: VideoRecord, read: Callable[[DecodeProcess], T]) -> T:
        open_indexed(record).file.close()
        with workers.one() as process:
            answer = read(process)
        open_indexed(record).file.close()
        return answer


def _thumbnail(process: DecodeProcess, path: str, time_s: float, height: int) -> bytes | Decoded:
    taken: list[Pictures] = []
    decoded = process.read(path, height, np.array([time_s]), lambda _, images: taken.extend(images))
    return encode_jpeg(taken[0]) if taken and decoded.reason is None else decoded


def _key(record: VideoRecord) -> tuple[object, ...]:
    return record.path, record.size, record.mtime_ns, record.content


def _answered(answer: T | Decoded) -> T:
    if isinstance(answer, Decoded):
        reason = (answer.reason or "unknown").partition("; allow more")[0]
        raise DecodeError(f"the video cannot be read: {reason}.")
    return answer


def checked_span(start_s: float, end_s: float, record: VideoRecord, limits: ServeLimits) -> tuple[float, float]:
    """The bounds of a moment, in seconds, to a hundredth.

    Raises:
        RefusedError: if they are no moment of the video, or too long a one.
    """
    end_s = end_s if record.duration_s is None else min(end_s, record.duration_s)
    start_s, end_s = round(start_s, 2), round(end_s, 2)
    if start_s > end_s or (record.duration_s is not None and start_s >= record.duration_s):
        raise RefusedError(400, "a moment begins before it ends, and both lie in the video.")
    if end_s - start_s > limits.moment_s:
        raise RefusedError(400, f"a moment has at most {limits.moment_s:g} seconds here; ask for a part of it.")
    return start_s, end_s
