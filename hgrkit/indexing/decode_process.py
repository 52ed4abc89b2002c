"""Asks a decode worker for videos, and starts another where one crashed, took too long or asked for too much."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DecodeLimitError, DecodeWorkerError
from hgrkit.indexing.worker_process import WorkerProcess
from hgrkit.video.clip_output import SUFFIXES, CutClip
from hgrkit.video.decode_protocol import (
    CHUNK_BYTES,
    CHUNK_FRAMES,
    BrokenOffError,
    Header,
    ProtocolError,
    finite,
    read_array,
    read_header,
    write_message,
)
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.sampling import Sampling, times_between

__all__ = ["DecodeProcess", "Decoded", "watch"]

_POLL_S = 0.2
_LONGEST_POLL_S = 1.0  # a machine that slept was not decoding

Times = npt.NDArray[np.float64]
Pictures = npt.NDArray[np.uint8]


@attrs.frozen(kw_only=True)
class Decoded:
    """How reading one video ended.

    Attributes:
        begin_s: when its first picture is shown, on its own time line.
        duration_s: the video's length; `None` if the file could not be opened.
        decoded_frames: pictures that the decoder put out, as far as it could tell.
        reason: why it failed.
        lasting: whether the failure lies in the file's bytes, so that trying again is no use until they change or
            the limits are wider.
    """

    begin_s: float = 0.0
    duration_s: float | None = None
    decoded_frames: int = 0
    reason: str | None = None
    lasting: bool = False


@final
class DecodeProcess:
    """Reads videos in a process of its own, one after the other; used by one thread, watched and closed by others.

    The process starts with the first video, and anew after a failure that may have left something behind.

    Args:
        limits: what one video may take.
    """

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._worker: WorkerProcess | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._clock = _Clock(limits)

    def read(
        self,
        path: str,
        frame_size: tuple[int, int],
        sampling: Sampling | None,
        take: Callable[[Times, Pictures], None],
    ) -> Decoded:
        """Read one video.

        Args:
            path: the file.
            frame_size: height and width of the pictures.
            sampling: which pictures; `None` for none of them, only the video's length.
            take: called with the pictures in order, at most 16 at a time: `times_s` [B], `images` [B, H, W, 3].

        Returns:
            how it ended. Whatever is wrong with the file is told there, never raised.

        Raises:
            DecodeWorkerError: if no worker can be started, or this object is closed.
        """
        return self._ask(lambda worker: self._converse(worker, path, frame_size, sampling, take))

    def cut(
        self, path: str, start_s: float, end_s: float, *, exact: bool, take: Callable[[int, bytes | None], None]
    ) -> CutClip | Decoded:
        """Cut one moment out of one video.

        Args:
            path: the file.
            start_s: seconds on the video's own time line.
            end_s: the same, after it.
            exact: encode the moment anew, to a frame.
            take: called with the position in the clip's file where bytes belong, and at most 1 MiB of them; with
                none where all that came so far are to be forgotten.

        Returns:
            what the clip turned out to be; or how reading the video failed.

        Raises:
            DecodeWorkerError: if no worker can be started, or this object is closed.
        """
        clips: list[CutClip] = []

        def talk(worker: WorkerProcess) -> Decoded:
            request = {"kind": "cut", "start_s": start_s, "end_s": end_s, "exact": exact}
            write_message(worker.requests, {**request, "path": _joined(path)})
            header = self._hear_clip(worker, take)
            if header["kind"] == "failed":
                return self._ended({**header, "decoded_frames": 0}, Decoded())
            clips.append(_read_clip(header))
            return Decoded()

        decoded = self._ask(talk)
        return clips[0] if clips else decoded

    def _ask(self, talk: Callable[[WorkerProcess], Decoded]) -> Decoded:
        """Have a worker do something, and tell how it failed if it did."""
        tries = 0
        while True:
            tries += 1
            worker = self._running_worker()
            self._clock = _Clock(self._limits)
            try:
                return talk(worker)
            except DecodeLimitError as error:
                self._discard()
                return Decoded(reason=str(error), lasting=True)
            except BrokenOffError as error:
                if self._closed:
                    raise DecodeWorkerError("decoding was stopped.") from error
                ending = worker.ending()
                self._discard()
                # One that was killed before it said anything may have been so before it was asked.
                if ending.lasting or self._clock.was_heard or tries > 1:
                    return Decoded(reason=ending.reason, lasting=ending.lasting)
            except ProtocolError:
                self._discard()
                return Decoded(reason="the decoder went wrong on this file: its answer is none", lasting=True)
            except BaseException:
                self._discard()
                raise

    def check(self, elapsed_s: float) -> None:
        """End the worker if its video takes too long; called every now and then from another thread.

        Args:
            elapsed_s: time since the last call, in which the worker could work.
        """
        with self._lock:
            if self._clock.has_run_out(elapsed_s) and self._worker is not None:
                self._worker.kill()

    def close(self) -> None:
        """End the worker, and start none any more; a thread that waits for it is woken."""
        with self._lock:
            self._closed = True
            if self._worker is not None:
                self._worker.kill()

    def release(self) -> None:
        """End the worker and let go of its pipes; for the thread that reads."""
        self.close()
        self._discard()

    def _running_worker(self) -> WorkerProcess:
        if self._worker is not None and self._worker.is_running:
            return self._worker
        self._discard()
        with self._lock:
            if self._closed:
                raise DecodeWorkerError("decoding was stopped.")
            self._clock = _Clock(self._limits)
            worker = self._worker = WorkerProcess(self._limits)
        try:
            with self._waiting():
                read_header(worker.answers)
        except DecodeLimitError as error:
            raise DecodeWorkerError(
                f"the process that decodes videos was not ready in {self._limits.seconds:g} seconds."
            ) from error
        except ProtocolError as error:
            raise worker.start_error() from error
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

    def _converse(
        self,
        worker: WorkerProcess,
        path: str,
        frame_size: tuple[int, int],
        sampling: Sampling | None,
        take: Callable[[Times, Pictures], None],
    ) -> Decoded:
        write_message(worker.requests, {"kind": "video", "path": _joined(path), "frame_size": frame_size})
        opened = Decoded()
        refused: DecodeLimitError | None = None
        while True:
            with self._waiting():
                header = read_header(worker.answers)
                frames = _read_frames(worker, header, frame_size)
            if frames is not None:
                take(*frames)
            elif header["kind"] == "opened":
                opened = Decoded(begin_s=finite(header, "begin_s"), duration_s=finite(header, "duration_s"))
                self._clock.duration_s = opened.duration_s or 0.0
                try:
                    times_s = _times(sampling, opened, self._limits)
                except DecodeLimitError as error:
                    times_s, refused = np.empty(0), error
                write_message(worker.requests, {"kind": "times", "count": len(times_s)}, times_s)
            elif header["kind"] != "progress":
                break
        if refused is not None:
            return Decoded(reason=str(refused), lasting=True)
        return self._ended(header, opened)

    def _hear_clip(self, worker: WorkerProcess, take: Callable[[int, bytes | None], None]) -> Header:
        """Hand on the clip's bytes; returns the last message."""
        while True:
            with self._waiting():
                header = read_header(worker.answers)
                data = _read_bytes(worker, header)
            if data is not None:
                take(int(finite(header, "at")), data)
            elif header["kind"] == "restart":
                take(0, None)
            elif header["kind"] == "opened":
                self._clock.duration_s = finite(header, "duration_s")
            elif header["kind"] != "progress":
                return header

    def _ended(self, header: Header, opened: Decoded) -> Decoded:
        decoded_frames = int(finite(header, "decoded_frames"))
        if header["kind"] == "done" and opened.duration_s is not None:
            return attrs.evolve(opened, decoded_frames=decoded_frames)
        if header["kind"] != "failed":
            raise ProtocolError(f"{header['kind']} is no end.")
        if not header.get("fit"):
            self._discard()
        reason = str(header.get("reason"))
        return Decoded(decoded_frames=decoded_frames, reason=reason, lasting=bool(header.get("lasting")))


def watch(processes: Sequence[DecodeProcess], stop: threading.Event) -> None:
    """Keep the limits on time of some processes until `stop` is set; for a thread of its own."""
    checked = time.monotonic()
    while not stop.wait(_POLL_S):
        elapsed_s, checked = time.monotonic() - checked, time.monotonic()
        for process in processes:
            process.check(min(elapsed_s, _LONGEST_POLL_S))


def _joined(path: str) -> str:
    """Joined, not normalised: the worker's current folder is the one that this process had when it began."""
    return os.path.join(os.getcwd(), path)  # noqa: PTH118, PTH109


def _read_bytes(worker: WorkerProcess, header: Header) -> bytes | None:
    if header["kind"] != "bytes":
        return None
    count = int(finite(header, "count"))
    if not 0 < count <= CHUNK_BYTES or finite(header, "at") < 0:
        raise ProtocolError(f"{count} bytes at once.")
    return read_array(worker.answers, np.uint8, (count,)).tobytes()


def _read_clip(header: Header) -> CutClip:
    container = header.get("container")
    if header["kind"] != "done" or not isinstance(container, str) or container not in SUFFIXES:
        raise ProtocolError(f"{header} is no clip.")
    return CutClip(
        start_s=finite(header, "start_s"),
        end_s=finite(header, "end_s"),
        container=container,
        encoded=str(header.get("encoded")),
    )


def _read_frames(
    worker: WorkerProcess, header: Header, frame_size: tuple[int, int]
) -> tuple[Times, Pictures] | None:
    if header["kind"] != "frames":
        return None
    count = int(finite(header, "count"))
    if not 0 < count <= CHUNK_FRAMES:
        raise ProtocolError(f"{count} pictures at once.")
    times_s = read_array(worker.answers, np.float64, (count,))
    if not np.isfinite(times_s).all():
        raise ProtocolError(f"pictures at {times_s}.")
    return times_s, read_array(worker.answers, np.uint8, (count, *frame_size, 3))


def _times(sampling: Sampling | None, opened: Decoded, limits: DecodeLimits) -> Times:
    """The sampled times of a video, counted before they are made where the sampling can tell."""
    if sampling is None or opened.duration_s is None:
        return np.empty(0)
    count = getattr(sampling, "num_times", None)
    if count is not None and (num_frames := count(opened.duration_s - opened.begin_s)) > limits.frames:
        raise limits.too_many_frames(num_frames)
    times_s = times_between(sampling, opened.begin_s, opened.duration_s)
    if len(times_s) > limits.frames:
        raise limits.too_many_frames(len(times_s))
    return times_s


class _Clock:
    """The seconds that one video's owner has waited for the worker, as far as it was awake itself."""

    def __init__(self, limits: DecodeLimits) -> None:
        self.duration_s = 0.0
        self.was_heard = False
        self._limits = limits
        self._runs = False
        self._stalled_s = 0.0
        self._total_s = 0.0
        self._broken: DecodeLimitError | None = None

    def start(self) -> None:
        self._runs, self._stalled_s = True, 0.0

    def stop(self) -> None:
        self._runs = False

    def has_run_out(self, elapsed_s: float) -> bool:
        """Count time, if it counts, and tell whether a limit was broken in it."""
        if self._runs:
            self._stalled_s += elapsed_s
            self._total_s += elapsed_s
            if self._stalled_s > self._limits.seconds:
                self._broken = self._limits.stalled()
            elif self._total_s > self._limits.seconds_in_all(self.duration_s):
                self._broken = self._limits.took_too_long(self.duration_s)
        return self._broken is not None

    def check(self) -> None:
        """Raise the limit that was broken."""
        if self._broken is not None:
            raise self._broken
