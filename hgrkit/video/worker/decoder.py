"""Has a decode worker read videos, and replaces a worker that crashed or exceeded its limits."""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, Self, TypeVar, final

import attrs
import numpy as np

from hgrkit.errors import DecodeLimitError, DecodeWorkerError
from hgrkit.storage.regular_file import open_regular
from hgrkit.video.container import unreadable_reason
from hgrkit.video.cutting.clip import CutClip
from hgrkit.video.cutting.web import WebPlay
from hgrkit.video.limits import DecodeClock, DecodeLimits
from hgrkit.video.preparation import FrameSize, PictureScaling
from hgrkit.video.sampling import Sampling
from hgrkit.video.worker.answers import Decoded, Pictures, Times, clip_of, sampled_times, web_play_of
from hgrkit.video.worker.process import WorkerProcess
from hgrkit.video.worker.protocol import (
    BrokenOffError,
    Header,
    ProtocolError,
    finite,
    one_line,
    read_bytes,
    read_frames,
    read_header,
    size_record,
    write_message,
)

__all__ = ["DecodeProcess"]

_POLL_S = 0.2  # how often the limits on time are checked
_LONGEST_POLL_S = 1.0  # a machine that slept was not decoding

T = TypeVar("T")


@final
class DecodeProcess:
    """Reads videos in a process of its own, one at a time; used by one thread, closed by any.

    The process starts with the first video, and again after a failure that may have damaged its state. In a
    `with` block another thread enforces the limits on time; leaving it ends the process.

    Args:
        limits: what one video may take.
    """

    _filters_calls = True  # whether workers start under a filter of system calls, as far as this process knows

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._worker: WorkerProcess | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._clock = DecodeClock(limits)
        self._watcher = threading.Thread(target=self._watch, name="hgrkit-decode-watch", daemon=True)

    def __enter__(self) -> Self:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._watcher.join()

    def read(
        self,
        path: str,
        frame_size: FrameSize | int,
        sampling: Sampling | Times | None,
        take: Callable[[Times, Pictures], None],
        *,
        span_s: tuple[float, float] | None = None,
        follow_links: bool = True,
    ) -> Decoded:
        """Read one video; a fault of the file is in the result, and never raised.

        Args:
            path: the file.
            frame_size: what pictures are decoded to, or their height alone, which keeps their shape.
            sampling: which pictures, or at which seconds, ascending; `None` for none, only the video's length.
            take: called with the pictures in order, at most 16 of one size: `times_s` [B], `images` [B, H, W, 3].
            span_s: only pictures between these seconds, on the video's own time line; none beyond its end.
            follow_links: whether the file may be a symbolic link.

        Raises:
            DecodeWorkerError: if no worker can be started, or this object is closed.
        """

        def talk(worker: WorkerProcess) -> Decoded:
            request = {"kind": "video", "path": _joined(path), "frame_size": size_record(frame_size)}
            write_message(worker.requests, request)
            opened, refused = Decoded(), None
            read_body = self._frame_reader(frame_size)
            while True:
                header, frames = self._next_message(worker, "frames", read_body)
                if frames is not None:
                    take(*frames)
                elif header["kind"] == "opened":
                    opened = Decoded(begin_s=finite(header, "begin_s"), duration_s=finite(header, "duration_s"))
                    try:
                        times_s = sampled_times(sampling, opened, self._limits, span_s)
                    except DecodeLimitError as error:  # with no times the worker comes to its end at once
                        times_s, refused = np.empty(0), error
                    write_message(worker.requests, {"kind": "times", "count": len(times_s)}, times_s)
                elif refused is not None:
                    return Decoded(reason=str(refused), lasting=True)
                elif header["kind"] == "done" and opened.duration_s is None:
                    raise ProtocolError("the file was not opened.")
                else:
                    return self._failed(header) or attrs.evolve(
                        opened, decoded_frames=int(finite(header, "decoded_frames"))
                    )

        return self._ask(path, talk, follow_links=follow_links)

    def read_picture(self, path: str, frame_size: FrameSize) -> Pictures | Decoded:
        """Read one picture file, [1, H, W, 3]; if that fails, the result says how.

        Args:
            path: the file.
            frame_size: what it is decoded to.

        Raises:
            DecodeWorkerError: if no worker can be started, or this object is closed.
        """
        request = {"kind": "picture", "path": _joined(path), "frame_size": size_record(frame_size)}

        def talk(worker: WorkerProcess) -> Pictures | Decoded:
            write_message(worker.requests, request)
            header, frames = self._next_message(worker, "frames", self._frame_reader(frame_size))
            if frames is not None:
                header, _ = self._next_message(worker, "", read_bytes)
            if (failed := self._failed(header)) is not None:
                return failed
            if frames is None:
                raise ProtocolError("there was no picture.")
            return frames[1]

        return self._ask(path, talk)

    def web_play(self, path: str) -> WebPlay | Decoded:
        """Look how browsers take a video; if reading it fails, the result says how.

        Raises:
            DecodeWorkerError: if no worker can be started, or this object is closed.
        """
        request = {"kind": "web_play", "path": _joined(path)}
        return self._bytes_of(path, request, lambda *_: None, web_play_of)

    def cut(
        self,
        path: str,
        start_s: float,
        end_s: float,
        *,
        exact: bool,
        take: Callable[[int, bytes | None], None],
        web: bool = False,
    ) -> CutClip | Decoded:
        """Cut one moment out of one video; if reading the video fails, the result says how.

        Args:
            path: the file.
            start_s: start of the moment, in seconds on the video's own time line.
            end_s: its end, in seconds.
            exact: re-encode the moment, exact to a frame.
            take: called with a position in the clip's file and the bytes that belong there, at most 1 MiB; with
                `None` when all bytes so far are to be discarded.
            web: make what browsers play.

        Raises:
            DecodeWorkerError: if no worker can be started, or this object is closed.
        """
        request = {"kind": "cut", "path": _joined(path), "start_s": start_s, "end_s": end_s}
        return self._bytes_of(path, {**request, "exact": exact, "web": web}, take, clip_of)

    def _bytes_of(
        self,
        path: str,
        request: Header,
        take: Callable[[int, bytes | None], None],
        answer: Callable[[Header], T],
    ) -> T | Decoded:
        """Pass a request's bytes on; returns what the last message answers, or how reading failed."""

        def talk(worker: WorkerProcess) -> T | Decoded:
            write_message(worker.requests, request)
            length = 0
            while True:
                header, piece = self._next_message(worker, "bytes", read_bytes)
                if piece is not None:
                    at, data = piece
                    if at > length:  # a hole, which could be larger than the disk
                        raise ProtocolError(f"bytes at {at} of {length}.")
                    length = max(length, at + len(data))
                    take(at, data)
                elif header["kind"] == "restart":
                    length = 0
                    take(0, None)
                elif header["kind"] != "opened":
                    return self._failed(header) or answer(header)

        return self._ask(path, talk)

    def _frame_reader(self, size: FrameSize | int) -> Callable[[BinaryIO, Header], tuple[Times, Pictures]]:
        known = size.decoded_size if isinstance(size, PictureScaling) else None if isinstance(size, int) else size
        return partial(read_frames, frame_size=known, most_pixels=self._limits.pixels)

    def check(self, elapsed_s: float) -> None:
        """End the worker if its video takes too long; called regularly from a thread of its own.

        Args:
            elapsed_s: seconds since the last call, in which the worker could work.
        """
        with self._lock:
            if self._worker is None:
                return
            # The system limits what a worker allocates, but not everywhere what it shares with others.
            if self._worker.resident_bytes > self._limits.memory_bytes:
                self._clock.run_out_of_memory()
            if self._clock.has_run_out(elapsed_s):
                self._worker.kill()

    def close(self) -> None:
        """End the worker and start no other; a thread that waits for it is woken."""
        with self._lock:
            self._closed.set()
            if self._worker is not None:
                self._worker.kill()

    def release(self) -> None:
        """End the worker and close its pipes; for the thread that reads."""
        self.close()
        self._discard()

    def _watch(self) -> None:
        checked = time.monotonic()
        while not self._closed.wait(_POLL_S):
            elapsed_s, checked = time.monotonic() - checked, time.monotonic()
            self.check(min(elapsed_s, _LONGEST_POLL_S))

    def _ask(self, path: str, talk: Callable[[WorkerProcess], T], *, follow_links: bool = True) -> T | Decoded:
        """Run a request on a worker; return how it failed, if it did."""
        try:
            descriptor = open_regular(path, follow_links=follow_links)
        except FileNotFoundError:
            return Decoded(reason=f"no file {_joined(path)!r}.")
        except (OSError, ValueError) as error:  # ValueError: a path that no file system takes
            return Decoded(reason=unreadable_reason(error))
        try:
            return self._ask_of(descriptor, talk)
        finally:
            os.close(descriptor)

    def _ask_of(self, descriptor: int, talk: Callable[[WorkerProcess], T]) -> T | Decoded:
        tries = 0
        while True:
            tries += 1
            worker = self._running_worker()
            self._clock = DecodeClock(self._limits)
            try:
                worker.give(descriptor)
                return talk(worker)
            except DecodeLimitError as error:
                self._discard()
                return Decoded(reason=str(error), lasting=True)
            except BrokenOffError as error:
                if self._closed.is_set():
                    raise DecodeWorkerError("decoding was stopped.") from error
                reason, lasting = worker.ending()
                self._discard()
                # A worker that was killed before its first message may have been killed before the request.
                if lasting or self._clock.was_heard or tries > 1:
                    return Decoded(reason=reason, lasting=lasting)
            except ProtocolError:
                self._discard()
                return Decoded(reason="the decoder failed on this file: its answer is not valid", lasting=True)
            except BaseException:
                self._discard()
                raise

    def _running_worker(self) -> WorkerProcess:
        if self._worker is not None and self._worker.is_running:
            return self._worker
        try:
            return self._started(filter_calls=self._filters_calls)
        except DecodeWorkerError:
            if not self._filters_calls or self._closed.is_set():
                raise
            worker = self._started(filter_calls=False)
            DecodeProcess._filters_calls = (
                False  # the filter was the cause; no stranger's byte has been read until then
            )
            _warn_once("this system's libraries do not start under the filter of system calls")
            return worker

    def _started(self, *, filter_calls: bool) -> WorkerProcess:
        self._discard()
        with self._lock:
            if self._closed.is_set():
                raise DecodeWorkerError("decoding was stopped.")
            self._clock = DecodeClock(self._limits)
            worker = self._worker = WorkerProcess(self._limits, filter_calls=filter_calls)
        try:
            with self._waiting():
                walls = read_header(worker.answers).get("walls")
        except DecodeLimitError as error:
            raise DecodeWorkerError(
                f"the process that decodes videos was not ready in {self._limits.seconds:g} seconds."
            ) from error
        except ProtocolError as error:
            raise worker.start_error() from error
        if sys.platform == "linux" and walls != ["landlock", "seccomp"]:
            _warn_once(f"of landlock and seccomp this system offers {walls or 'neither'}")
        return worker

    def _discard(self) -> None:
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Time counts inside; leaving it is progress, unless the limits were broken meanwhile."""
        with self._lock:
            self._clock.start()
        try:
            yield
            self._clock.was_heard = True
        finally:
            with self._lock:
                self._clock.stop()
            self._clock.check()

    def _next_message(
        self, worker: WorkerProcess, kind: str, read_body: Callable[[BinaryIO, Header], T]
    ) -> tuple[Header, T | None]:
        """Read the next message other than `progress`, and the body of one of that kind."""
        while True:
            with self._waiting():
                header = read_header(worker.answers)
                body = read_body(worker.answers, header) if header["kind"] == kind else None
            if header["kind"] == "opened":
                self._clock.duration_s = finite(header, "duration_s")
            if header["kind"] != "progress":
                return header, body

    def _failed(self, header: Header) -> Decoded | None:
        """How reading failed, by the worker's last message on it; `None` if it did not."""
        if header["kind"] == "done":
            return None
        if header["kind"] != "failed":
            raise ProtocolError(f"{header['kind']} is no end.")
        decoded_frames = int(finite(header, "decoded_frames"))
        if not header.get("fit"):
            self._discard()
        reason = one_line(str(header.get("reason")))
        return Decoded(decoded_frames=decoded_frames, reason=reason, lasting=bool(header.get("lasting")))


@functools.cache
def _warn_once(why: str) -> None:
    logging.getLogger("hgrkit").warning("videos are decoded with less protection from harmful files: %s", why)


def _joined(path: str) -> str:
    """Join, but do not normalise: the worker's current folder is the one that this process had when it began."""
    return os.path.join(os.getcwd(), path)  # noqa: PTH118, PTH109
