"""Red team: what a stranger may send, crafted from seeds; every command on it gives an answer or one line.

    python -m tests.torture.strangers --count 250 --json benchmarks/results/strangers.json

A generator makes a crafted library, model or file in a folder of its own and says which command is run on it.
Beside that folder lies what must never change: a home, other videos, another library. Each command runs in a
process of its own, whose end, time, memory, output and traces are judged.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib
import json
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from tests.torture.findings import Findings

MOST_SECONDS, MOST_BYTES = 10.0, 1 << 30
"""What one command may take: seconds of the processor, bytes of memory."""

MOST_WALL_SECONDS = 60.0
"""After so long a command that waits is ended; others that work at the same time must not fail it."""

MUST_BE_ZERO = ("writes_outside", "signals", "hangs", "over_1_gb", "not_one_line", "wrong_answers", "raw_controls")

MODULES = ("forged_libraries", "forged_models", "forged_features")
"""Modules beside this one that register generators; one that is not there yet is left out."""


@attrs.frozen
class Case:
    """A command to run on what a generator made.

    Attributes:
        command: the words after `hgrkit`.
        judge: is told the status and what was printed, and says what is wrong with that; `None` if nothing is.
    """

    command: Sequence[str]
    judge: Callable[[int, str], str | None] = lambda status, printed: None


Generator = Callable[[np.random.Generator, Path], Case | Sequence[str]]
"""Fills a folder that is empty, and returns the command line, or a `Case`. The same seed makes the same."""

GENERATORS: dict[str, Generator] = {}


def generator(make: Generator) -> Generator:
    """Register a generator by the name of its function."""
    GENERATORS[make.__name__] = make
    return make


def run(
    count: int,
    *,
    seed: int,
    folder: Path,
    progress: Callable[[int], None] = lambda done: None,
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """Run so many cases, of every generator in turn, or of those that are named."""
    load_generators()
    chosen = [*(names or sorted(GENERATORS))]
    counts: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    findings, worst_s, worst_bytes = Findings(), 0.0, 0
    for number in range(count):
        name = chosen[number % len(chosen)]
        ended = one(name, [seed, number], folder)
        statuses["answers" if ended.status in (0, 1) else "one_line" if ended.status == 2 else "other"] += 1
        worst_s, worst_bytes = max(worst_s, ended.seconds), max(worst_bytes, ended.peak_bytes)
        for kind, detail in ended.problems:
            counts[kind] += 1
            findings.note(f"{kind}: {detail}", f"{name}, case {number}")
        progress(number + 1)
    return {
        "cases": count,
        "generators": len(chosen),
        **{name: statuses[name] for name in ("answers", "one_line", "other")},
        **{name: counts[name] for name in MUST_BE_ZERO},
        "slowest_s": round(worst_s, 2),
        "largest_mb": worst_bytes >> 20,
        "details": findings.lines(),
    }


def load_generators() -> None:
    """Import what registers generators."""
    for name in MODULES:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"tests.torture.{name}")


@attrs.frozen
class Ended:
    """How one case ended: its status (negative for a signal, `None` for a hang), what it took, what is wrong."""

    status: int | None
    seconds: float
    peak_bytes: int
    printed: str
    complained: str
    problems: Sequence[tuple[str, str]]


def one(name: str, seed: Sequence[int], folder: Path) -> Ended:
    """Make one case, run its command, and judge it."""
    room, outside = folder / "room", folder / "outside"
    for each in (room, outside):
        shutil.rmtree(each, ignore_errors=True)
    room.mkdir()
    _lay_out(outside)
    made = GENERATORS[name](np.random.default_rng([*seed, *name.encode()]), room)
    case = made if isinstance(made, Case) else Case(made)
    before = _tree(outside)
    status, seconds, peak, printed, complained = _run(case.command, folder, outside)
    problems = [*_judged(status, peak, printed, complained)]
    if _tree(outside) != before:
        problems.append(("writes_outside", f"{' '.join(case.command)[:200]}"))
    wrong = case.judge(status, printed) if status in (0, 1) else None
    if wrong:
        problems.append(("wrong_answers", wrong))
    return Ended(status, seconds, peak, printed, complained, problems)


def _lay_out(outside: Path) -> None:
    """A home with what a user would miss; generators may point at it: `room.parent / "outside"`."""
    (outside / "config").mkdir(parents=True)
    for name in ("precious.txt", "clips-1.bin", "0" * 32 + ".safetensors", ".bashrc"):
        (outside / name).write_bytes(b"precious " * 100)
    (outside / "videos").mkdir()
    (outside / "videos" / "a.mp4").write_bytes(b"a video" * 100)


def _tree(folder: Path) -> dict[str, tuple[str, int]]:
    """Content and mode of everything below a folder, but hgrkit's own settings."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_relative_to(folder / "config"):
            continue
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[path.relative_to(folder).as_posix()] = (content, path.lstat().st_mode)
    return found


def _run(command: Sequence[str], folder: Path, outside: Path) -> tuple[int | None, float, int, str, str]:
    """Run hgrkit in a fork, so that its imports are there; returns status, seconds, added memory and output."""
    import hgrkit.cli.app
    import hgrkit.retriever  # noqa: F401

    files = [folder / "stdout", folder / "stderr"]
    began, inherited = time.monotonic(), _resident()
    process = os.fork()
    if process == 0:
        _be_hgrkit(command, files, outside)
    status, usage = None, None
    while time.monotonic() - began < MOST_WALL_SECONDS:
        pid, code, usage = os.wait4(process, os.WNOHANG)
        if pid:
            status = os.waitstatus_to_exitcode(code)
            break
        time.sleep(0.005)
    else:
        os.kill(process, signal.SIGKILL)
        _, _, usage = os.wait4(process, 0)
    seconds = time.monotonic() - began
    texts = [file.read_bytes().decode("utf-8", "replace") for file in files]
    cpu = usage.ru_utime + usage.ru_stime if usage is not None else seconds
    if status is not None and cpu > MOST_SECONDS:
        status = None
    peak = max(0, (usage.ru_maxrss if usage else 0) * 1024 - inherited)
    return status, seconds, peak, texts[0], texts[1]


def _resident() -> int:
    """Bytes that this process has in memory, with which a fork of it begins."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _be_hgrkit(command: Sequence[str], files: Sequence[Path], outside: Path) -> None:
    """Be the command, with a home of its own; never returns."""
    status = 70
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number, file in enumerate(files, 1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.environ.update(HOME=str(outside), XDG_CONFIG_HOME=str(outside / "config"), COLUMNS="100")
        os.chdir(outside / "videos")
        sys.argv = ["hgrkit", *command]
        from hgrkit.cli.app import main

        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _judged(status: int | None, peak: int, printed: str, complained: str) -> list[tuple[str, str]]:
    problems = []
    if status is None:
        problems.append(("hangs", f"over {MOST_SECONDS:g} s"))
    elif status < 0:
        problems.append(("signals", signal.Signals(-status).name))
    elif status not in (0, 1, 2) or "Traceback" in complained:
        problems.append(("not_one_line", complained.strip()[-300:]))
    elif status == 2 and not _is_one_line(complained):
        problems.append(("not_one_line", complained.strip()[:300]))
    if peak > MOST_BYTES:
        problems.append(("over_1_gb", f"{peak >> 20} MB"))
    raw = {character for character in printed + complained if is_control(character)}
    if raw:
        problems.append(("raw_controls", ascii(sorted(raw))))
    return problems


def _is_one_line(complained: str) -> bool:
    """Whether the complaint is one line of hgrkit's; what a bar of progress left before it does not count.

    A run in which no video could be read has a line for each of them instead.
    """
    lines = [line for line in complained.split("\n") if line.strip()]
    if lines and lines[-1].startswith("failed "):
        return all(line.startswith("failed ") for line in lines)
    return bool(lines) and lines[-1].startswith("hgrkit: ") and sum("hgrkit: " in line for line in lines) == 1


def is_control(character: str) -> bool:
    """Whether a terminal may do something else with a character than show it; lines end as they should."""
    bidi = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    return (unicodedata.category(character) == "Cc" and character != "\n") or character in bidi


def main() -> int:
    """Run what is asked for; the exit status is 1 if a count that must be zero is not."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=250, help="crafted cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[], help="names of generators")
    parser.add_argument("--json", type=Path, help="write the counts into this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="strangers-") as folder:
        result = run(options.count, seed=options.seed, folder=Path(folder).resolve(), names=options.only)
    report = {
        "benchmark": "strangers",
        "command": f"python -m tests.torture.strangers --count {options.count} --seed {options.seed}",
        "seed": options.seed,
        **result,
        "machine": {"platform": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "hgrkit": metadata.version("hgrkit")},
    }
    print(json.dumps(report, indent=2))  # noqa: T201
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(any(result[name] for name in MUST_BE_ZERO))


if __name__ == "__main__":
    sys.exit(importlib.import_module("tests.torture.strangers").main())
