"""The program of a decode worker: a confined process of its own that reads or cuts videos for its owner."""

from __future__ import annotations

import ctypes
import importlib
import os
import pkgutil
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, final

import attrs
import av
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DecodeError, DecodeLimitError, DecoderFaultError, MissingPathError
from hgrkit.video.container import fault_error, unreadable_reason
from hgrkit.video.cutting.clip import ByteSink
from hgrkit.video.cutting.cut import cut_clip
from hgrkit.video.cutting.web import read_web_play
from hgrkit.video.given_file import GivenFile, VideoPath
from hgrkit.video.limits import DecodeGuard, DecodeLimits
from hgrkit.video.preparation import FrameSize
from hgrkit.video.reader import SampledFrame, VideoReader
from hgrkit.video.sampling import UniformSampling
from hgrkit.video.still import read_still
from hgrkit.video.worker.protocol import (
    CHUNK_BYTES,
    CHUNK_FRAMES,
    Header,
    ProtocolError,
    read_array,
    read_header,
    size_of_record,
    write_message,
)
from hgrkit.video.worker.sandbox import confine_calls, drop_capabilities, no_new_privileges

__all__ = ["die_with_parent", "work"]

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 64  # one video, the pipes, and what the interpreter holds
_CHECK = str(Path(__file__).with_name("check.gif"))  # two pictures of 2 x 2, read in a millisecond
_LOADED_LATE = ("numpy.ma", "numpy.linalg", "traceback")
_PROGRESS_S = 1.0  # between two reports: often enough for limits of seconds

_Message = tuple[Header, npt.NDArray[np.float64]]


def die_with_parent(parent: int) -> None:
    """Have Linux end this process with the thread that started it; elsewhere the closed pipe has to do that.

    Args:
        parent: id of the process that started this one.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before
            os._exit(0)


def confine(memory_bytes: int, *, filter_calls: bool = True) -> tuple[str, ...]:
    """Limit this process irrevocably, before any other thread runs and before a stranger's byte is read.

    Everywhere but on Windows it can write no file and leaves no core dump. On Linux it gets no more memory than it
    is allowed, is the first to be killed when memory runs out, and has no rights of root. With the walls of
    `hgrkit.video.worker.sandbox` it has no files, no network and no other processes.

    Args:
        memory_bytes: what it may allocate.
        filter_calls: whether its system calls are filtered.

    Returns:
        The walls that hold.
    """
    no_new_privileges()
    if sys.platform == "linux":
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    if sys.platform != "win32":
        import resource

        # On Linux the limit on data counts what is allocated; that on address space would count libraries too.
        memory = "RLIMIT_DATA" if sys.platform == "linux" else "RLIMIT_AS"
        limits = {memory: memory_bytes, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0, "RLIMIT_NOFILE": _OPEN_FILES}
        for name, wanted in limits.items():
            with suppress(AttributeError, OSError, ValueError):  # not every system has each of them
                kind = getattr(resource, name)
                _, hard = resource.getrlimit(kind)
                value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
                resource.setrlimit(kind, (value, value))
    drop_capabilities()
    return confine_calls(filter_calls=filter_calls)


def _prctl(option: int, value: int) -> None:
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


def work(hello: Header, requests: BinaryIO) -> NoReturn:
    """Serve the owner until it closes its end of the pipe, at any time.

    Args:
        hello: the first message, already read by the program that loads this module.
        requests: the pipe that the next ones come from.
    """
    die_with_parent(hello["parent"])
    limits = DecodeLimits(**hello["limits"])
    answers = _Answers(_taken_output())
    files = _GivenFiles(hello.get("files"))
    check = files.own(_CHECK)
    _load_everything()
    walls = confine(limits.memory_bytes, filter_calls=hello["filter_calls"])
    messages: queue.SimpleQueue[_Message] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(requests, messages), daemon=True).start()
    guard = DecodeGuard(limits, answers.progress)
    try:
        _check_decoder(check)
        answers.send({"kind": "ready", "walls": walls})
        while True:
            request, _ = messages.get()
            with files.next(request["path"]) as path:
                _Job(request, path, guard, messages, answers).run()
    except BaseException:  # noqa: BLE001 - the owner reads the last line
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)  # an orderly end would wait for the thread that reads


def _load_everything() -> None:
    """Import what PyAV and numpy otherwise import when it is asked for: later nothing can be opened."""
    parts = (module.name for module in pkgutil.walk_packages(av.__path__, "av."))
    for name in (
        *_LOADED_LATE,
        *(name for name in parts if name.rpartition(".")[2] not in ("__main__", "datasets")),
    ):
        with suppress(ImportError):
            importlib.import_module(name)


def _check_decoder(path: VideoPath) -> None:
    """Read a sound video, so that no file is blamed where the installed PyAV is incompatible."""
    if "gif" not in av.codecs_available:  # FFmpeg may be built without
        return
    try:
        list(VideoReader(path, (2, 2)).sample(UniformSampling(2)))
    except DecoderFaultError as error:
        raise error.__cause__ or error from None  # the cause, not the file


def _taken_output() -> BinaryIO:
    """Keep standard output for this module: what others print goes to standard error."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return output


def _receive(requests: BinaryIO, messages: queue.SimpleQueue[_Message]) -> None:
    try:
        while True:
            header = read_header(requests)
            messages.put((header, read_array(requests, np.float64, (header.get("count", 0),))))
    except ProtocolError:
        os._exit(0)  # the owner has ended or closed the pipe


@final
class _GivenFiles:
    """Where the owner hands over videos: open, because this process can open nothing by its name.

    Args:
        descriptor: of a socket; `None` where the system hands no files over, so that names are opened.
    """

    def __init__(self, descriptor: int | None) -> None:
        # made before the walls stand: it asks the system what kind of socket this is
        self._socket = None if descriptor is None else socket.socket(fileno=descriptor)

    def own(self, path: str) -> VideoPath:
        """A file of the package, opened now."""
        return path if self._socket is None else GivenFile(path, os.open(path, os.O_RDONLY))

    @contextmanager
    def next(self, path: str) -> Iterator[VideoPath]:
        """The file that belongs to the next request; it is closed behind the block."""
        if self._socket is None:
            yield path
            return
        _, descriptors, _, _ = socket.recv_fds(self._socket, 1, 1)
        try:
            yield GivenFile(path, descriptors[0])
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


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
        """Report progress, at most once a second."""
        if time.monotonic() - self._last > _PROGRESS_S:
            self.send({"kind": "progress"})


@final
class _Job:
    """One request of the owner: pictures of a video, or a clip of it."""

    def __init__(
        self,
        request: Header,
        path: VideoPath,
        guard: DecodeGuard,
        messages: queue.SimpleQueue[_Message],
        answers: _Answers,
    ) -> None:
        self._request, self._path, self._guard = request, path, guard
        self._messages, self._answers = messages, answers
        self._reader: VideoReader | None = None

    def run(self) -> None:
        """Do what was asked for, and send how it ended."""
        try:
            send = {
                "cut": self._send_clip,
                "picture": self._send_still,
                "web_play": self._read_web_play,
            }
            end = {**send.get(self._request["kind"], self._send_pictures)(), "kind": "done"}
        except MemoryError:
            end = _failed(self._guard.limits.out_of_memory())
        except (DecodeError, MissingPathError) as error:
            end = _failed(error)
        except OSError as error:
            end = {"kind": "failed", "reason": unreadable_reason(error), "lasting": False, "fit": True}
        except Exception as error:  # noqa: BLE001 - the next video may still be readable
            end = _failed(fault_error(error))
        decoded_frames = self._reader.decoded_frames if self._reader is not None else 0
        self._answers.send({**end, "decoded_frames": decoded_frames})

    def _open(self, *frame_size: FrameSize | int) -> VideoReader:
        reader = self._reader = VideoReader(self._path, *frame_size, guard=self._guard)
        self._answers.send({"kind": "opened", "begin_s": reader.begin_s, "duration_s": reader.duration_s})
        return reader

    def _send_pictures(self) -> Header:
        reader = self._open(size_of_record(self._request["frame_size"]))
        _, times_s = self._messages.get()
        frames = reader.pictures_at(times_s) if len(times_s) else iter(())
        while chunk := list(islice(frames, CHUNK_FRAMES)):
            for _, alike in groupby(chunk, lambda frame: frame.image.shape):
                self._send_frames(list(alike))
        return {}

    def _send_frames(self, frames: list[SampledFrame]) -> None:
        """Send pictures of one size."""
        height, width, _ = frames[0].image.shape
        header = {"kind": "frames", "count": len(frames), "height": height, "width": width}
        self._answers.send(header, np.array([frame.time_s for frame in frames]), *[one.image for one in frames])

    def _send_still(self) -> Header:
        size = size_of_record(self._request["frame_size"])
        self._send_frames([SampledFrame(0.0, read_still(self._path, size, self._guard))])
        return {}

    def _read_web_play(self) -> Header:
        return attrs.asdict(read_web_play(self._path, self._guard))

    def _send_clip(self) -> Header:
        reader = self._open()
        # The bytes go to the owner, since this process can write no file.
        sink = ByteSink(self._send_bytes, lambda: self._answers.send({"kind": "restart"}))
        start_s, end_s, exact, web = (self._request[key] for key in ("start_s", "end_s", "exact", "web"))
        return attrs.asdict(cut_clip(reader, start_s, end_s, sink, exact=exact, web=web))

    def _send_bytes(self, at: int, data: bytes) -> None:
        for begin in range(0, len(data), CHUNK_BYTES):
            piece = np.frombuffer(data, np.uint8)[begin : begin + CHUNK_BYTES]
            self._answers.send({"kind": "bytes", "at": at + begin, "count": len(piece)}, piece)


def _failed(error: DecodeError | MissingPathError) -> Header:
    """The last message on a video: `lasting` if its bytes are the cause, `fit` if the worker can continue."""
    return {
        "kind": "failed",
        "reason": str(error),
        "lasting": isinstance(error, DecodeError) and not isinstance(error, DecoderFaultError),
        "fit": not isinstance(error, DecodeLimitError | DecoderFaultError),
    }
