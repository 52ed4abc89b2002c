"""One decode worker as the operating system sees it: its start, its pipes, its end and its last line of output."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, cast, final

import attrs
import av

from hgrkit.errors import DecodeWorkerError
from hgrkit.video.container import fault_error
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.worker.protocol import BrokenOffError, write_message

__all__ = ["WorkerProcess"]

# The worker imports what this process would; the caller's main module, the current folder and `site` stay out.
_PROGRAM = (
    "import json, sys; hello = json.loads(sys.stdin.buffer.readline()); sys.path[:] = hello['sys_path']; "
    "from hgrkit.video.worker.program import work; work(hello, sys.stdin.buffer)"
)
_NAME = "hgrkit-decode-worker"  # shown in lists of processes
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_PIPE_BYTES = 1 << 20  # the most that Linux grants every user, by default
_END_S = 5.0  # for a killed process to end, and for its last line of output to arrive
_LONGEST_LINE = 200
_TRACEBACK = 1  # Python's exit status after an uncaught error; a crash in FFmpeg is a signal or another status
# What a user, a supervisor or the system sends; Windows lacks some of them, and ends no process by a signal.
_HELD = re.compile(r"^Rss(?:Anon|Shmem):\s+(\d+) kB", re.MULTILINE)
_PASSED_ON = {
    *("PATH", "LANG", "TZ", "PYTHONHOME", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("PYTHONHASHSEED", "PYTHONUTF8", "PYTHONPLATLIBDIR"),
}
_FROM_OUTSIDE = {getattr(signal, name, None) for name in ("SIGHUP", "SIGINT", "SIGKILL", "SIGTERM")}


@final
class WorkerProcess:
    """A running worker, in a session of its own, so that an interrupt at the keyboard does not reach it.

    Args:
        limits: what it may take.
        filter_calls: whether its system calls are filtered, where the system can do that.

    Attributes:
        requests: the pipe to it.
        answers: the pipe from it.

    Raises:
        DecodeWorkerError: if the operating system does not start it.
    """

    def __init__(self, limits: DecodeLimits, *, filter_calls: bool = True) -> None:
        # the worker opens nothing by its name: files are handed over open, where the system can do that
        own, given = socket.socketpair() if hasattr(socket, "send_fds") else (None, None)
        command = [sys.executable, "-S", "-P", "-X", f"utf8={sys.flags.utf8_mode}", "-c", _PROGRAM, _NAME]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, with a program of ours
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**_environment(), **_ONE_THREAD},
                pass_fds=[] if given is None else [given.fileno()],
                **_apart(),
            )
        except (OSError, ValueError) as error:
            if own is not None:
                own.close()
            raise DecodeWorkerError(
                f"no process can be started to decode videos in ({error}); sys.executable is {sys.executable!r}."
            ) from error
        finally:
            if given is not None:
                files = given.fileno()
                given.close()
        self._files = own
        self.requests = cast("BinaryIO", self._process.stdin)
        self.answers = cast("BinaryIO", self._process.stdout)
        self._errors = cast("BinaryIO", self._process.stderr)
        _widen(self.answers)
        self._last_lines: deque[bytes] = deque(maxlen=1)
        self._listener = threading.Thread(target=self._listen, name="hgrkit-decode-errors", daemon=True)
        self._listener.start()
        self._greet(limits, filter_calls=filter_calls, files=None if given is None else files)

    def give(self, descriptor: int) -> None:
        """Hand over an open file, before the request that it belongs to.

        Raises:
            BrokenOffError: if the worker has ended.
        """
        if self._files is not None:
            try:
                socket.send_fds(self._files, [b"f"], [descriptor])
            except OSError as error:
                raise BrokenOffError("the other side no longer takes files.") from error

    @property
    def resident_bytes(self) -> int:
        """Memory that it holds beside its programs and libraries, what it shares included; 0 where nobody says."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return 0
        return 1024 * sum(int(kilobytes) for kilobytes in _HELD.findall(status))

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once; may be called from any thread, and more than once."""
        self._process.kill()

    def close(self) -> None:
        """End it, and close its pipes."""
        self.kill()
        self._wait()
        self._listener.join(_END_S)
        if self._files is not None:
            self._files.close()
        for pipe in (self.requests, self.answers, self._errors):
            try:
                pipe.close()
            except OSError:  # what is still buffered cannot be sent any more
                continue

    def ending(self) -> tuple[str, bool]:
        """Describe in one line how it ended, and whether the file is the cause; for when a pipe broke."""
        status, last_line = self._end()
        if status is not None and status < 0:
            is_file_at_fault = -status not in _FROM_OUTSIDE
            what = "crashed" if is_file_at_fault else "was killed"
            return f"the decoder {what} on this file (signal {-status})", is_file_at_fault
        if status == _TRACEBACK and last_line:
            return str(fault_error(last_line)), False
        said = f": {last_line}" if last_line else ""
        return f"the decoder crashed on this file (exit status {status}{said})", status != _TRACEBACK

    def start_error(self) -> DecodeWorkerError:
        """Return the error of a worker that ended before it was ready."""
        status, last_line = self._end()
        return DecodeWorkerError(
            f"the process that decodes videos does not start (exit status {status}): "
            f"{last_line or 'it said nothing'}. No video can be read with PyAV {av.__version__} in "
            f"{sys.prefix}; install hgrkit in a fresh virtual environment."
        )

    def _greet(self, limits: DecodeLimits, *, filter_calls: bool, files: int | None) -> None:
        hello = {
            "kind": "hello",
            "sys_path": [*sys.path, os.fspath(Path(__file__).parents[3])],
            "parent": os.getpid(),
            "limits": attrs.asdict(limits),
            "filter_calls": filter_calls,
            "files": files,
        }
        with suppress(BrokenOffError):  # it has ended already, which the wait for its answer will show
            write_message(self.requests, hello)

    def _listen(self) -> None:
        try:
            while line := self._errors.readline(1 << 16):
                if line.strip():
                    self._last_lines.append(line)
        except (OSError, ValueError):
            return

    def _end(self) -> tuple[int | None, str]:
        """Its exit status, and the last line that it wrote to standard error."""
        status = self._wait()
        self._listener.join(_END_S)
        text = self._last_lines[-1].decode(errors="replace").strip() if self._last_lines else ""
        return status, "".join(character if character.isprintable() else " " for character in text)[:_LONGEST_LINE]

    def _wait(self) -> int | None:
        try:
            return self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return None


def _environment() -> dict[str, str]:
    """What the interpreter and its libraries need to start; what else there is may be secret."""
    return {name: value for name, value in os.environ.items() if name.startswith("LC_") or name in _PASSED_ON}


def _apart() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _widen(pipe: BinaryIO) -> None:
    """Enlarge a pipe's buffer where that is allowed, so that its two ends wake each other less often."""
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
