"""SIGKILL at any moment of `hgrkit index` on real clips with the default model."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import HgrkitError, LibraryNotFoundError
from hgrkit.library import SqliteStore
from hgrkit.library.verify import verify_library
from tests.torture import fault
from tests.torture.clips import lay_out_clips
from tests.torture.findings import Findings
from tests.torture.media import from_here, runs_in

Progress = Callable[[int], None]
Vectors = dict[str, npt.NDArray[np.float32]]

_REAL_FROM = 5  # fewer kills than that are a quick check, for which made clips do
_TIMEOUT_S = 300.0
_TOLERANCE = 0.02
"""Frames are encoded in batches across videos; who shares a batch changes the last digits."""

# The command itself; each video that the progress bar is told of is acknowledged.
_PROGRAM = """
import sys
from hgrkit.cli.progress import IndexBar
show = IndexBar.show
def acknowledge(self, progress):
    print(f"{progress.outcome} {progress.path}", flush=True)
    show(self, progress)
IndexBar.show = acknowledge
from hgrkit.cli import main
sys.argv = ["hgrkit", *sys.argv[1:]]
main()
"""


@attrs.frozen
class _Run:
    """How one run of the command ended: what it acknowledged, its exit status, what it wrote on stderr."""

    acknowledged: list[tuple[str, str]]
    status: int
    errors: str
    leaked: int


def run(count: int, *, seed: int, folder: Path, progress: Progress = lambda done: None) -> dict[str, object]:
    """Kill `hgrkit index` `count` times, each run going on where the one before was killed."""
    random, findings, outcomes = np.random.default_rng([seed, 6]), Findings(), Counter[str]()
    library, log = folder / "lib", folder / "calls"
    clips = lay_out_clips(folder / "clips", 6, real=count >= _REAL_FROM)
    start = time.monotonic()
    whole = _index(clips[0].parent, library, fault.Fault(folder=library, log=log))
    seconds = time.monotonic() - start
    if whole.status != 0:
        raise RuntimeError(f"`hgrkit index` that nobody disturbed ends with {whole.status}: {whole.errors}")
    right, calls = _vectors(library), len(fault.read_log(log))
    known: set[str] = set()
    while outcomes["kills"] < count:
        if known >= right.keys() or not outcomes["runs"]:
            shutil.rmtree(library)
            known = set()
        if random.random() < 0.75:
            at = int(random.integers(1, calls + 1))
            how = str(random.choice(fault.KILLS))
            done = _index(clips[0].parent, library, fault.Fault(folder=library, at=at, how=how))
            where = f"{how} call {at}"
        else:
            kill_at_s = float(random.uniform(0.5, 1.0) * seconds)
            done = _index(clips[0].parent, library, None, kill_at_s=kill_at_s)
            where = f"killed after {kill_at_s:.2f} s"
        outcomes["runs"] += 1
        outcomes["kills"] += done.status == -9
        outcomes["leaked"] += done.leaked
        outcomes["again"] += sum(word == "indexed" and path in known for word, path in done.acknowledged)
        if done.status not in (0, -9):
            outcomes["errors"] += 1
            findings.note(f"the command ends with {done.status}: {done.errors[-300:]}", where)
        known |= {path for _, path in done.acknowledged}
        problems = _problems(library, known, right)
        for problem in problems:
            outcomes[problem.split(":")[0]] += 1
            findings.note(problem, where)
        progress(outcomes["kills"])
    return {
        "kills": outcomes["kills"],
        "runs": outcomes["runs"],
        "clips": len(clips),
        "acknowledged_videos_lost": outcomes["lost"],
        "half_videos": outcomes["half"],
        "unreadable_libraries": outcomes["unreadable"],
        "not_whole": outcomes["verify"],
        "acknowledged_videos_indexed_again": outcomes["again"],
        "leaked_processes": outcomes["leaked"],
        "errors": outcomes["errors"],
        "details": findings.lines(),
    }


def _index(clips: Path, library: Path, armed: fault.Fault | None, *, kill_at_s: float | None = None) -> _Run:
    room = library.with_name(f"room-{uuid.uuid4().hex}")  # workers get no environment, but the same current folder
    room.mkdir()
    environment = {**os.environ, **(armed.environment if armed else {}), **from_here()}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "index", clips, "--library", library],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=room,
        text=True,
    )
    try:
        said, errors = process.communicate(timeout=kill_at_s or _TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        said, errors = process.communicate()
    lines = [line.split(" ", 1) for line in said.splitlines() if line.endswith(".mp4")]
    return _Run([(word, path) for word, path in lines], process.returncode, errors, _left(room))


def _left(room: Path) -> int:
    """Processes of the run that outlive it by more than ten seconds."""
    left: list[Path] = []
    for _ in range(100):
        left = [process for process in Path("/proc").glob("[0-9]*") if runs_in(process, room)]
        if not left:
            break
        time.sleep(0.1)
    return len(left)


def _vectors(library: Path) -> Vectors:
    """Every video's vectors, end to end."""
    store = SqliteStore(library)
    try:
        snapshot = store.snapshot()
        clips = snapshot.clips(range(len(snapshot.clip_keys)))
    finally:
        store.close()
    parts: dict[str, list[npt.NDArray[np.float32]]] = {video.path: [] for video in snapshot.videos}
    for place, clip in zip(snapshot.clip_videos.tolist(), clips, strict=True):
        times = np.float32([clip.start_s, clip.end_s, *clip.times_s])
        parts[snapshot.videos[place].path] += [times, clip.event, clip.action.ravel(), clip.entity.ravel()]
    return {path: np.concatenate(found) if found else np.empty(0, np.float32) for path, found in parts.items()}


def _problems(library: Path, known: set[str], right: Vectors) -> list[str]:
    try:
        found = _vectors(library)
        damages = verify_library(library).damages
    except LibraryNotFoundError:
        return [f"unreadable: there is no library, and {len(known)} videos were acknowledged"] if known else []
    except HgrkitError as error:
        return [f"unreadable: {error}"]
    lost = [f"lost: {path}" for path in known - found.keys()]
    half = [
        f"half: {path}"
        for path, vectors in found.items()
        if vectors.shape != right[path].shape or not np.allclose(vectors, right[path], rtol=0, atol=_TOLERANCE)
    ]
    return [*lost, *half, *(f"verify: {damage.file}: {damage.problem}" for damage in damages)]
