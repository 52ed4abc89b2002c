"""Kills or fails a process at its n-th call that changes a file below one folder (see fault.c)."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import attrs

SOURCE = Path(__file__).with_name("fault.c")

HOW = {"count": 0, "kill before": 1, "kill after": 2, "kill short": 3, "fail": 4, "fail short": 5}
KILLS = ("kill before", "kill after", "kill short")


@attrs.frozen(kw_only=True)
class Fault:
    """What happens when, to whom.

    Attributes:
        folder: files below it are watched; a real path.
        at: the number of the call, from 1; 0 only counts.
        how: a key of `HOW`. A short call does half of its work; what follows is a kill, or the error.
        error: what `fail` sets, such as `errno.ENOSPC`.
        always: all later calls fail too.
        log: a file that every call is noted in.
    """

    folder: Path
    at: int = 0
    how: str = "count"
    error: int = 0
    always: bool = False
    log: Path | None = None

    def arm(self) -> None:
        """Begin to count in this process, from 1."""
        _shim().fault_arm(
            os.fsencode(self.folder),
            ctypes.c_long(self.at),
            HOW[self.how],
            self.error,
            int(self.always),
            os.fsencode(self.log or ""),
        )

    @property
    def environment(self) -> dict[str, str]:
        """The variables that arm a process, preloaded as this one is, when it starts."""
        return {
            "FAULT_ROOT": str(self.folder),
            "FAULT_AT": str(self.at),
            "FAULT_HOW": str(HOW[self.how]),
            "FAULT_ERROR": str(self.error),
            "FAULT_ALWAYS": str(int(self.always)),
            "FAULT_LOG": str(self.log or ""),
        }


@attrs.frozen
class Call:
    """One call that changes a file: what it is called, and the file's path below the folder."""

    name: str
    path: str


def disarm() -> None:
    """Stop counting and failing."""
    _shim().fault_arm(b"", ctypes.c_long(0), 0, 0, 0, b"")


def count() -> int:
    """Calls since this process was armed."""
    return int(_shim().fault_count())


def read_log(log: Path) -> list[Call]:
    """The calls that were noted, in order: the n-th is that which `at=n` hits."""
    return [Call(*line.split(" ", 1)) for line in log.read_text(errors="surrogateescape").splitlines()]


def build(folder: Path) -> Path:
    """Compile the shim.

    Raises:
        FileNotFoundError: if there is no C compiler.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("there is no C compiler (gcc or cc) to build fault.c with")
    shim = folder / "fault.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", SOURCE, "-o", shim, "-ldl"], check=True)
    return shim


_loaded: list[ctypes.CDLL] = []


def _shim() -> ctypes.CDLL:
    if not _loaded:
        _loaded.append(ctypes.CDLL(os.environ["LD_PRELOAD"]))
        _loaded[0].fault_count.restype = ctypes.c_long
    return _loaded[0]
