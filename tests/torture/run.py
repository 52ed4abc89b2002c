"""Runs the torture: `python -m tests.torture.run --kills 300 --corruptions 500 --faults 1 --searches 10000`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.torture import fault

MUST_BE_ZERO = (
    "acknowledged_videos_lost",
    "half_videos",
    "unreadable_libraries",
    "wrong_searches",
    "not_whole",
    "leftover_files",
    "undisturbed_failures",
    "signals",
    "hangs",
    "other_errors",
    "silent_wrong_answers",
    "false_verdicts",
    "damaged_libraries",
    "untyped_errors",
    "wrong_answers",
    "errors",
    "over_1_gb",
    "ended_runs",
    "leaked_processes",
)
"""Counts that a run must not have."""


def main() -> int:
    """Run what is asked for; the exit status is 1 if a count that must be zero is not."""
    arguments = _arguments()
    if "LD_PRELOAD" not in os.environ:
        with tempfile.TemporaryDirectory() as folder:  # programs may be forbidden in memory
            return _again_with_shim(Path(folder))
    with tempfile.TemporaryDirectory(prefix="torture-", dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        results = {
            name: _suite(name, getattr(arguments, name), arguments.seed, Path(folder).resolve())
            for name in ("kills", "index_kills", "corruptions", "faults", "media", "searches", "parsers")
            if getattr(arguments, name)
        }
    report = {"benchmark": "torture", "seed": arguments.seed, **results, **_setting()}
    print(_table(results))  # noqa: T201
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return int(any(result.get(name) for result in results.values() for name in MUST_BE_ZERO))


_MEMORY = Path("/dev/shm")
"""A file system that is fast to wait for; a killed process leaves the same there as on a disk."""

_PROGRESS_S = 10.0

_MODULES = {
    "kills": "kills",
    "index_kills": "index_kills",
    "corruptions": "corruption",
    "faults": "disk_faults",
    "media": "media",
    "searches": "readers",
    "parsers": "parsers",
}


def _suite(name: str, count: int, seed: int, folder: Path) -> dict[str, Any]:
    module = importlib.import_module(f"tests.torture.{_MODULES[name]}")
    room = folder / name
    room.mkdir()
    start = time.perf_counter()
    said = start

    def progress(done: int) -> None:
        nonlocal said
        if time.perf_counter() - said > _PROGRESS_S:
            said = time.perf_counter()
            _tell(f"  {name.replace('_', ' ')}: {done} in {said - start:.0f} s")

    _tell(f"{name.replace('_', ' ')}: {count}")
    told = {"progress": progress} if "progress" in inspect.signature(module.run).parameters else {}
    result: dict[str, Any] = module.run(count, seed=seed, folder=room, **told)
    return {**result, "seconds": round(time.perf_counter() - start, 1)}


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=0, help="writers of known vectors that are killed")
    parser.add_argument("--index-kills", type=int, default=0, help="runs of `hgrkit index` that are killed")
    parser.add_argument("--corruptions", type=int, default=0, help="damaged copies of a library")
    parser.add_argument("--faults", type=int, default=0, help="every n-th failing call; 1 for all, 0 for none")
    parser.add_argument("--media", type=int, default=0, help="mutated media files")
    parser.add_argument("--searches", type=int, default=0, help="searches beside a writer")
    parser.add_argument("--parsers", type=int, default=0, help="damaged inputs for each parser of foreign bytes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the counts into this file")
    return parser.parse_args()


def _again_with_shim(folder: Path) -> int:
    """Start this program anew in a process that the shim is preloaded into."""
    shim = fault.build(folder)
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    environment = {**os.environ, **single, "LD_PRELOAD": str(shim)}
    command = [sys.executable, "-m", "tests.torture.run", *sys.argv[1:]]
    return subprocess.run(command, env=environment, check=False).returncode


def _table(results: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, result in results.items():
        lines.append(name.replace("_", " "))
        for key, value in result.items():
            if key == "details":
                lines += [f"    ! {detail}" for detail in value]
            else:
                shown = ", ".join(f"{part} {n}" for part, n in value.items()) if isinstance(value, dict) else value
                lines.append(f"  {'!' if key in MUST_BE_ZERO and value else ' '} {key.replace('_', ' ')}: {shown}")
    return "\n".join(lines)


def _setting() -> dict[str, object]:
    return {
        "machine": {"platform": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), "hgrkit": metadata.version("hgrkit")},
    }


if __name__ == "__main__":
    sys.exit(main())
