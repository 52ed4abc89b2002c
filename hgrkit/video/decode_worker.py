"""The program of a decode worker: a confined process of its own that reads or cuts videos for its owner."""

from __future__ import annotations

import ctypes
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, final

import attrs
import av
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DecodeError, DecodeLimitError, DecoderFaultError, MissingPathError
from hgrkit.video.clip_cut import cut_clip
from hgrkit.video.clip_output import ByteSink
from hgrkit.video.container import fault, os_reason
from hgrkit.video.decode_protocol import (
    CHUNK_BYTES,
    CHUNK_FRAMES,
    Header,
    ProtocolError,
    read_array,
    read_header,
    write_message,
)
from hgrkit.video.limits import DecodeGuard, DecodeLimits
from hgrkit.video.reader import SampledFrame, VideoReader
from hgrkit.video.sampling import UniformSampling

__all__ = ["die_with_parent", "work"]

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_OPEN_FILES = 64  # one video, the pipes, and what the interpreter holds


def die_with_parent(parent: int) -> None:
    """Have Linux end this process with the thread that started it; elsewhere the closed pipe has to do.

    Args:
        parent: the process that started this one.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            os._exit(0)


def confine(memory_bytes: int) -> None:
    """Bound this process's memory and files, for good.

    It can then write no file and leave no core dump, and where memory is short it is the first to go.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    if sys.platform != "win32":
        # On Linux the limit on data counts what is allocated; that on addresses would count libraries too.
        _limit("RLIMIT_DATA" if sys.platform == "linux" else "RLIMIT_AS", memory_bytes)
        _limit("RLIMIT_FSIZE", 0)
        _limit("RLIMIT_CORE", 0)
        _limit("RLIMIT_NOFILE", _OPEN_FILES)


def _limit(name: str, value: int) -> None:
    if sys.platform != "win32":
        import resource

        with suppress(AttributeError, OSError, ValueError):
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))


def _prctl(option: int, value: int) -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


_CHECK = str(Path(__file__).with_name("check.gif"))  # two pictures of 2 x 2, read in a millisecond
_PROGRESS_S = 1.0
_Message = tuple[Header, npt.NDArray[np.float64]]


def work(hello: Header, requests: BinaryIO) -> NoReturn:
    """Serve the owner until it closes its end of the pipe, whatever this process is doing then.

    Args:
        hello: the first message, which the program that loads this module has read.
        requests: where the next ones come from.
    """
    die_with_parent(hello["parent"])
    limits = DecodeLimits(**hello["limits"])
    answers = _Answers(_taken_output())
    confine(limits.memory_bytes)
    messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, messages), daemon=True).start()
    guard = DecodeGuard(limits, answers.progress)
    try:
        _check_decoder()
        answers.send({"kind": "ready"})
        while True:
            request, _ = messages.get()
            if request["kind"] == "cut":
                _Cut(request, guard, answers).make()
            else:
                _Video(request, guard, messages, answers).read()
    except BaseException:  # noqa: BLE001 - told to the owner by its last line
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)  # an orderly end would wait for the thread that reads


def _check_decoder() -> None:
    """Read a video that is sound: where hgrkit and the PyAV at hand do not go together, no file is at fault."""
    if "gif" not in av.codecs_available:  # FFmpeg may be built without
        return
    try:
        list(VideoReader(_CHECK, (2, 2)).sample(UniformSampling(2)))
    except DecoderFaultError as error:
        raise error.__cause__ or error from None  # what goes wrong, not on what


def _taken_output() -> BinaryIO:
    """Standard output for this module alone: what others print goes to standard error."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return output


def _receive(requests: BinaryIO, messages: queue.SimpleQueue[_Message]) -> None:
    try:
        while True:
            header = read_header(requests)
            messages.put((header, read_array(requests, np.float64, (header.get("count", 0),))))
    except ProtocolError:
        os._exit(0)  # the owner is gone, or done


@final
class _Answers:
    """The pipe to the owner."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._last = time.monotonic()

    def send(self, header: Header, *arrays: npt.NDArray[Any]) -> None:
        try:
            write_message(self._stream, header, *arrays)
        except ProtocolError:
            os._exit(0)
        self._last = time.monotonic()

    def progress(self) -> None:
        """Tell now and then that there is some."""
        if time.monotonic() - self._last > _PROGRESS_S:
            self.send({"kind": "progress"})


@final
class _Video:
    """One video that was asked for."""

    def __init__(
        self,
        request: Header,
        guard: DecodeGuard,
        messages: queue.SimpleQueue[_Message],
        answers: _Answers,
    ) -> None:
        self._path: str = request["path"]
        self._frame_size: tuple[int, int] = tuple(request["frame_size"])
        self._guard, self._messages, self._answers = guard, messages, answers
        self._reader: VideoReader | None = None

    def read(self) -> None:
        """Send its pictures, and how it ended."""
        end = _end_of(self._send_pictures, self._guard)
        decoded_frames = self._reader.decoded_frames if self._reader is not None else 0
        self._reader = None
        self._answers.send({**end, "decoded_frames": decoded_frames})

    def _send_pictures(self) -> Header:
        self._reader = VideoReader(self._path, self._frame_size, guard=self._guard)
        self._answers.send(_opened(self._reader))
        _, times_s = self._messages.get()
        if len(times_s):
            for chunk in _chunks(self._reader.pictures_at(times_s)):
                shown_s = np.array([frame.time_s for frame in chunk])
                images = [frame.image for frame in chunk]
                self._answers.send({"kind": "frames", "count": len(chunk)}, shown_s, *images)
        return {}


@final
class _Cut:
    """One clip that was asked for; its bytes go to the owner, since this process can write no file."""

    def __init__(self, request: Header, guard: DecodeGuard, answers: _Answers) -> None:
        self._request, self._guard, self._answers = request, guard, answers

    def make(self) -> None:
        """Send the clip, and what it turned out to be."""
        self._answers.send(_end_of(self._send_clip, self._guard))

    def _send_clip(self) -> Header:
        reader = VideoReader(self._request["path"], guard=self._guard)
        self._answers.send(_opened(reader))
        sink = ByteSink(self._send_bytes, lambda: self._answers.send({"kind": "restart"}))
        start_s, end_s, exact = (self._request[key] for key in ("start_s", "end_s", "exact"))
        return attrs.asdict(cut_clip(reader, start_s, end_s, sink, exact=exact))

    def _send_bytes(self, at: int, data: bytes) -> None:
        for begin in range(0, len(data), CHUNK_BYTES):
            piece = np.frombuffer(data, np.uint8)[begin : begin + CHUNK_BYTES]
            self._answers.send({"kind": "bytes", "at": at + begin, "count": len(piece)}, piece)


def _opened(reader: VideoReader) -> Header:
    return {"kind": "opened", "begin_s": reader.begin_s, "duration_s": reader.duration_s}


def _end_of(task: Callable[[], Header], guard: DecodeGuard) -> Header:
    """Do what was asked for, and put how it ended into the last message on it."""
    try:
        return {**task(), "kind": "done"}
    except MemoryError:
        return _failed(guard.limits.out_of_memory())
    except (DecodeError, MissingPathError) as error:
        return _failed(error)
    except OSError as error:
        return {"kind": "failed", "reason": os_reason(error), "lasting": False, "fit": True}
    except Exception as error:  # noqa: BLE001 - whatever it is, the next video may be read
        return _failed(fault(error))


def _failed(error: DecodeError | MissingPathError) -> Header:
    """The last message on a video; `lasting` if its bytes are at fault, not `fit` if a new worker should go on."""
    return {
        "kind": "failed",
        "reason": str(error),
        "lasting": isinstance(error, DecodeError) and not isinstance(error, DecoderFaultError),
        "fit": not isinstance(error, DecodeLimitError | DecoderFaultError),
    }


def _chunks(frames: Iterator[SampledFrame]) -> Iterator[list[SampledFrame]]:
    while chunk := list(islice(frames, CHUNK_FRAMES)):
        yield chunk


if __name__ == "__main__":
    work(read_header(sys.stdin.buffer), sys.stdin.buffer)
