"""Forked processes that may die: what they said, and how they ended."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import attrs

from hgrkit.errors import HgrkitError

Say = Callable[[Any], None]


@attrs.frozen
class Ended:
    """How a child ended.

    Attributes:
        said: the values that it said, in order.
        how: `returned`, `refused` (an error of hgrkit's own), `raised` (any other), `killed` (by us, as planned),
            `signal` (by anything else) or `hung`.
        what: the error or the signal.
    """

    said: list[Any]
    how: str
    what: str = ""


def in_child(
    work: Callable[[Say], None],
    *,
    timeout_s: float = 60.0,
    kill_at_s: float | None = None,
    more_memory: int | None = None,
) -> Ended:
    """Run a function in a fork of this process; what it says comes back even if it is killed.

    Args:
        work: takes a function that says a value, anything that JSON can hold.
        timeout_s: after that it hangs, and is killed.
        kill_at_s: kill it after so many seconds.
        more_memory: bytes of address space that it may take beyond what this process has.
    """
    return Child(work, more_memory=more_memory).end(timeout_s=timeout_s, kill_at_s=kill_at_s)


class Child:
    """A function that runs in a fork of this process."""

    def __init__(self, work: Callable[[Say], None], *, more_memory: int | None = None) -> None:
        self._reading, writing = os.pipe()
        self._process = os.fork()
        if self._process == 0:
            os.close(self._reading)
            _be_child(work, writing, more_memory)
        os.close(writing)

    def end(self, *, timeout_s: float, kill_at_s: float | None = None) -> Ended:
        """Wait for its end, or bring it about."""
        try:
            text, in_time = _read(self._reading, timeout_s if kill_at_s is None else kill_at_s)
            if not in_time:
                os.kill(self._process, signal.SIGKILL)
                text += _read(self._reading, timeout_s)[0]
        finally:
            os.close(self._reading)
            status = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        said = [json.loads(line) for line in text.split(b"\n")[:-1]]
        if not in_time and kill_at_s is None:
            return Ended(said, "hung", f"it did not end in {timeout_s:g} s")
        if said and isinstance(said[-1], dict) and "ended" in said[-1]:
            return Ended(said[:-1], said[-1]["ended"], said[-1]["what"])
        if status == -signal.SIGKILL:
            return Ended(said, "killed")
        return Ended(said, "signal", signal.Signals(-status).name if status < 0 else f"exit status {status}")


def _be_child(work: Callable[[Say], None], writing: int, more_memory: int | None) -> None:
    def say(value: Any) -> None:
        os.write(writing, json.dumps(value).encode() + b"\n")

    try:
        if more_memory is not None:
            limit = _address_space() + more_memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        work(say)
        end = {"ended": "returned", "what": ""}
    except HgrkitError as error:
        end = {"ended": "refused", "what": f"{type(error).__name__}: {error}"}
    except BaseException as error:  # noqa: BLE001
        trace = traceback.extract_tb(error.__traceback__)[-1]
        end = {
            "ended": "raised",
            "what": f"{type(error).__name__}: {error} ({os.path.basename(trace.filename)}:{trace.lineno})",  # noqa: PTH119
        }
    say(end)
    sys.stderr.flush()
    os._exit(0)


def _read(descriptor: int, seconds: float) -> tuple[bytes, bool]:
    """Everything until the other end is closed, or the time is up; and whether it was closed."""
    end = time.monotonic() + seconds
    text = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return text, False
        part = os.read(descriptor, 1 << 16)
        if not part:
            return text, True
        text += part


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[0]) * resource.getpagesize()
