"""Threads that read videos ahead of the encoder; FFmpeg and swscale release the interpreter while they work."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, final

from hgrkit.indexing.source import Part, VideoEnd
from hgrkit.indexing.walk import VideoFile

__all__ = ["DecodePool"]

_WAITING_PARTS = 16  # of at most 16 pictures: some 40 MB at 224 x 224
_POLL_S = 0.2

ReadVideo = Callable[[VideoFile, Callable[[Part], None]], VideoEnd]


@final
class DecodePool:
    """Reads files in threads and hands their parts to the thread that iterates; a full queue makes readers wait.

    Parts of one video come in order, those of several videos between each other. Leaving the context stops the
    threads and waits for them.

    Args:
        files: what to read.
        read: reads one file; called in the threads. What it raises is raised in the iterating thread.
        num_threads: by default one for each core, at most four.
    """

    def __init__(self, files: Sequence[VideoFile], read: ReadVideo, *, num_threads: int | None = None) -> None:
        self._read = read
        self._files = iter(files)
        self._remaining = len(files)
        self._take_file = threading.Lock()
        self._stop = threading.Event()
        self._parts: queue.Queue[Part | BaseException] = queue.Queue(_WAITING_PARTS)
        count = min(num_threads or min(4, os.cpu_count() or 1), len(files))
        self._threads = [
            threading.Thread(target=self._work, name=f"hgrkit-decode-{number}", daemon=True)
            for number in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[Part]:
        while self._remaining:
            part = self._parts.get()
            if isinstance(part, BaseException):
                raise part
            self._remaining -= isinstance(part, VideoEnd)
            yield part

    @property
    def is_waiting(self) -> bool:
        """Whether the readers have nothing ready at the moment."""
        return self._parts.empty()

    def _work(self) -> None:
        while (file := self._next_file()) is not None:
            try:
                self._emit(self._read(file, self._emit))
            except _StoppedError:
                return
            except BaseException as error:  # noqa: BLE001 - handed to the thread that iterates
                self._emit_unless_stopped(error)
                return

    def _next_file(self) -> VideoFile | None:
        with self._take_file:
            return None if self._stop.is_set() else next(self._files, None)

    def _emit(self, part: Part | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._parts.put(part, timeout=_POLL_S)
            except queue.Full:
                continue
            return
        raise _StoppedError

    def _emit_unless_stopped(self, error: BaseException) -> None:
        try:
            self._emit(error)
        except _StoppedError:
            return


class _StoppedError(Exception):
    """Unwinds a reader whose pool was left."""
