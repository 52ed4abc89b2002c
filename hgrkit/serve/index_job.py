"""Indexing on behalf of the page: one folder at a time, in a process of its own, watched and stopped from here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast, final, get_args

from hgrkit.indexing.report import Outcome
from hgrkit.indexing.walk import require_videos
from hgrkit.serve.answers import RefusedError
from hgrkit.serve.settings import ServeSettings

__all__ = ["IndexJob"]

_PROGRAM = (
    "import json, sys; hello = json.loads(sys.stdin.buffer.readline()); sys.path[:] = hello['sys_path']; "
    "from hgrkit.serve.index_program import work; work(hello, sys.stdin.buffer)"
)
_FAILURES = 100
"""That are told; all of them are in the library."""

_GRACE_S = 30.0
"""For a run that is stopped to commit what is done; then it is ended, which loses nothing that was committed."""

_LONGEST_LINE = 200


@final
class IndexJob:
    """The run that goes on, or the last one.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._run: _Run | None = None

    @property
    def why_not(self) -> str | None:
        """Why nothing can be indexed through the server; `None` if it can."""
        settings = self._settings
        if settings.token is not None and not settings.folders:
            return "this server has a token and no --allow-folder, so that nothing can be added through it"
        library = settings.libraries[0]
        if not os.access(library, os.W_OK):
            return f"the library {library} cannot be written to"
        return None

    def start(self, folder: str) -> dict[str, Any]:
        """Begin to index a folder.

        Raises:
            RefusedError: if that is not allowed, or another run goes on.
            HgrkitError: if there is no such folder, or it lies in a library.
        """
        if (why := self.why_not) is not None:
            raise RefusedError(403, f"{why}.")
        path = str(self._checked(folder))
        with self._lock:
            if self._run is not None and self._run.goes_on:
                raise RefusedError(409, f"{self._run.folder} is being indexed; wait until it is done, or stop it.")
            try:
                self._run = _Run(self._settings, path)
            except OSError as error:
                raise RefusedError(503, f"no process can be started to index in ({error}).", retry_s=5) from error
        return self.state()

    def state(self) -> dict[str, Any]:
        """What has been done, and what is at work."""
        run, why_not = self._run, self.why_not
        told = {**_idle(), "seconds": 0.0} if run is None else run.state()
        return {**told, "may_index": why_not is None, "why_not": why_not}

    def stop(self) -> dict[str, Any]:
        """Have the run end; what was finished is kept. Without a run nothing happens."""
        if self._run is not None:
            self._run.stop()
        return self.state()

    def close(self) -> None:
        """The same, and wait for it."""
        if self._run is not None:
            self._run.stop()
            self._run.wait()

    def _checked(self, folder: str) -> Path:
        allowed = self._settings.folders
        try:
            path = Path(folder).expanduser().absolute()
            real = path.resolve()
            if allowed and not any(real.is_relative_to(one.resolve()) for one in allowed):
                raise RefusedError(403, f"{folder!r} does not lie in a folder that this server may add.")
            real.stat()
        except (OSError, RuntimeError, ValueError) as error:  # also a user or a path that no system has
            raise RefusedError(400, f"there is no folder {folder!r}, or it cannot be read.") from error
        require_videos([str(path)])
        return path


@final
class _Run:
    """One run: its process, and what that has told.

    Args:
        settings: of the server.
        folder: to index.

    Raises:
        OSError: if no process can be started.
    """

    def __init__(self, settings: ServeSettings, folder: str) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._state = {**_idle(), "state": "running", "folder": folder}
        self._state["started_at"] = datetime.now(UTC).isoformat(timespec="seconds")
        self._end, self._error = "failed", ""
        self._began, self._ended = time.monotonic(), 0.0
        self._process = _started(settings, folder)
        self._listener = threading.Thread(target=self._listen, name="hgrkit-index", daemon=True)
        self._listener.start()

    @property
    def goes_on(self) -> bool:
        """Whether its process has not ended."""
        return not self._ended

    def state(self) -> dict[str, Any]:
        """A copy of what is known."""
        with self._lock:
            seconds = (self._ended or time.monotonic()) - self._began
            copy: dict[str, Any] = json.loads(json.dumps(self._state))
        return {**copy, "seconds": round(seconds, 1)}

    def stop(self) -> None:
        """Have it end, at once if it does not do so by itself."""
        with self._lock:
            if self._state["state"] != "running":
                return
            self._state["state"] = "stopping"
        with suppress(OSError):  # it has ended by itself
            _pipe(self._process.stdin).close()
        patience = threading.Timer(_GRACE_S, self._process.kill)
        patience.daemon = True
        patience.start()

    def wait(self) -> None:
        """Until it has ended."""
        self._listener.join(_GRACE_S + 5)

    def _listen(self) -> None:
        process, said = self._process, deque[bytes](maxlen=1)
        errors = threading.Thread(target=lambda: said.extend(_pipe(process.stderr)), daemon=True)
        errors.start()
        for line in _pipe(process.stdout):
            with self._lock:
                self._take(json.loads(line))
        status = process.wait()
        errors.join(1.0)
        with self._lock:
            if self._end == "failed" and not self._error:
                last = said[-1].decode(errors="replace").strip() if said else f"exit status {status}"
                self._error = f"indexing ended unexpectedly: {last[:_LONGEST_LINE]}"
            if self._state["state"] == "stopping" and self._end == "failed":
                self._end, self._error = "stopped", ""
            self._state.update(state=self._end, error=self._error or None, at_work=[])
            self._ended = time.monotonic()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with suppress(OSError):
                _pipe(pipe).close()

    def _take(self, told: Mapping[str, Any]) -> None:
        """Bring the state up to date with a message of the program."""
        state, kind = self._state, told["kind"]
        if kind == "begun":
            state["at_work"].append(told["path"])
        elif kind == "done":
            path = told["path"]
            state["at_work"] = [other for other in state["at_work"] if other != path]
            state.update(done=told["done"], total=told["total"], last=path)
            state["counts"][told["outcome"]] += 1
            if told["outcome"] == "failed" and len(state["failures"]) < _FAILURES:
                state["failures"].append({"path": path, "reason": told["reason"]})
        elif kind == "report":
            report = told["report"]
            state["failures"] = [*report["failures"], *report["unreadable"]][:_FAILURES]
            state["total"] = state["done"] if state["total"] is None else state["total"]
            self._end = "done"
        elif kind == "failed":
            self._error = told["line"]
        elif kind == "stopped":
            self._end = "stopped"


def _started(settings: ServeSettings, folder: str) -> subprocess.Popen[bytes]:
    hello = {
        "sys_path": sys.path,
        "library": os.fspath(settings.libraries[0].absolute()),
        "folder": folder,
        "parser": settings.parser,
        "device": settings.device,
    }
    process = subprocess.Popen(  # noqa: S603 - this interpreter, with a program of ours
        [sys.executable, "-S", "-P", "-X", f"utf8={sys.flags.utf8_mode}", "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # an interrupt at the keyboard is for the server, which then stops this
    )
    with suppress(OSError):  # it has ended already, which its listener tells
        _pipe(process.stdin).write(json.dumps(hello).encode() + b"\n")
        _pipe(process.stdin).flush()
    return process


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    return cast("IO[bytes]", pipe)


def _idle() -> dict[str, Any]:
    return {
        "state": "idle",
        "folder": None,
        "done": 0,
        "total": None,
        "counts": dict.fromkeys(get_args(Outcome), 0),
        "at_work": [],
        "last": None,
        "failures": [],
        "error": None,
        "started_at": None,
    }
