"""Indexing on behalf of the page: one folder at a time, in a process of its own, watched and stopped from here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, final, get_args

from hgrkit.errors import HgrkitError
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
        self._process: subprocess.Popen[bytes] | None = None
        self._state: dict[str, Any] = _idle()
        self._began = self._ended = 0.0

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
        path = Path(folder).expanduser().absolute()
        try:
            self._check_allowed(path)
            require_videos([str(path)])
        except HgrkitError:
            raise
        except (OSError, ValueError) as error:  # a path that no file system takes
            raise RefusedError(400, f"there is no folder {folder!r}.") from error
        with self._lock:
            if self._state["state"] in ("running", "stopping"):
                raise RefusedError(
                    409, f"{self._state['folder']} is being indexed; wait until it is done, or stop it."
                )
            self._state = {**_idle(), "state": "running", "folder": str(path)}
            self._state["started_at"] = datetime.now(UTC).isoformat(timespec="seconds")
            self._began, self._ended = time.monotonic(), 0.0
            self._process = process = self._started(str(path))
        threading.Thread(target=self._listen, args=(process,), name="hgrkit-index", daemon=True).start()
        return self.state()

    def state(self) -> dict[str, Any]:
        """What has been done, and what is at work."""
        with self._lock:
            seconds = (self._ended or time.monotonic()) - self._began if self._began else 0.0
            copy = json.loads(json.dumps(self._state))
        why_not = self.why_not
        return {**copy, "seconds": round(seconds, 1), "may_index": why_not is None, "why_not": why_not}

    def stop(self) -> dict[str, Any]:
        """Have the run end; what was finished is kept. Without a run nothing happens."""
        with self._lock:
            process = self._process
            if process is not None and self._state["state"] == "running":
                self._state["state"] = "stopping"
                patience = threading.Timer(_GRACE_S, process.kill)
                patience.daemon = True
                patience.start()
                if process.stdin is not None:
                    with suppress(OSError):  # it has ended by itself
                        process.stdin.close()
        return self.state()

    def close(self) -> None:
        """The same, and wait for it."""
        self.stop()
        if self._process is not None:
            try:
                self._process.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()

    def _check_allowed(self, path: Path) -> None:
        if not self._settings.folders:
            return
        real = path.resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in self._settings.folders):
            raise RefusedError(403, f"{str(path)!r} does not lie in a folder that this server may add.")

    def _started(self, folder: str) -> subprocess.Popen[bytes]:
        settings = self._settings
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
        if process.stdin is not None:
            process.stdin.write(json.dumps(hello).encode() + b"\n")
            process.stdin.flush()
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        said: list[bytes] = []
        errors = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
        errors.start()
        for line in process.stdout or ():
            with self._lock:
                _take(self._state, json.loads(line))
        status = process.wait()
        errors.join(1.0)
        with self._lock:
            state = self._state
            if state["state"] == "running":
                last = (
                    said[-1].decode(errors="replace").strip()[:_LONGEST_LINE] if said else f"exit status {status}"
                )
                state.update(state="failed", error=f"indexing ended unexpectedly: {last}")
            elif state["state"] == "stopping":
                state["state"] = "stopped"
            state["at_work"] = []
            self._ended = time.monotonic()
            self._process = None
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


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


def _take(state: dict[str, Any], told: Mapping[str, Any]) -> None:
    """Bring the state up to date with a message of the program."""
    kind = told["kind"]
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
        report = cast("dict[str, Any]", told["report"])
        failures = [*report["failures"], *report["unreadable"]]
        state.update(state="done", at_work=[], failures=failures[:_FAILURES])
        state["total"] = state["done"] if state["total"] is None else state["total"]
    elif kind == "failed":
        state.update(state="failed", error=told["line"])
    elif kind == "stopped":
        state["state"] = "stopped"
