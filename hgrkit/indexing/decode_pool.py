"""Threads that read videos ahead of the encoder, each with a process of its own that decodes for it."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self, final

from hgrkit.indexing.source import Part, VideoEnd
from hgrkit.indexing.walk import VideoFile
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.worker.decoder import DecodeProcess, watch

__all__ = ["DecodePool"]

_WAITING_PARTS = 16  # of at most 16 pictures: some 50 MB at 260 x 260
_PUT_S = 0.2

ReadVideo = Callable[[VideoFile, DecodeProcess, Callable[[Part], None]], VideoEnd]


@final
class DecodePool:
    """Reads files in threads and hands their parts to the thread that iterates; a full queue makes readers wait.

    Parts of one video come in order, those of several videos between each other. Leaving the context ends the
    decoding processes, stops the threads and waits for them.

    Args:
        files: what to read.
        read: reads one file; called in the threads. What it raises is raised in the iterating thread.
        limits: what decoding one video may take.
        num_workers: threads, each with its process; by default one for each core, at most four.
    """

    def __init__(
        self,
        files: Sequence[VideoFile],
        read: ReadVideo,
        *,
        limits: DecodeLimits | None = None,
        num_workers: int | None = None,
    ) -> None:
        self._read = read
        self._files = iter(files)
        self._remaining = len(files)
        self._take_file = threading.Lock()
        self._stop = threading.Event()
        self._parts: queue.Queue[Part | BaseException] = queue.Queue(_WAITING_PARTS)
        count = min(num_workers or min(4, os.cpu_count() or 1), len(files))
        self._decoders = [DecodeProcess(limits or DecodeLimits()) for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._work, args=(decoder,), name=f"hgrkit-decode-{number}", daemon=True)
            for number, decoder in enumerate(self._decoders)
        ]
        self._threads.append(
            threading.Thread(
                target=watch, args=(self._decoders, self._stop), name="hgrkit-decode-watch", daemon=True
            )
        )

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for decoder in self._decoders:
            decoder.close()
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

    def _work(self, decoder: DecodeProcess) -> None:
        try:
            while (file := self._next_file()) is not None:
                self._emit(self._read(file, decoder, self._emit))
        except _StoppedError:
            return
        except BaseException as error:  # noqa: BLE001 - handed to the thread that iterates
            self._emit_unless_stopped(error)
        finally:
            decoder.release()

    def _next_file(self) -> VideoFile | None:
        with self._take_file:
            return None if self._stop.is_set() else next(self._files, None)

    def _emit(self, part: Part | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._parts.put(part, timeout=_PUT_S)
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
