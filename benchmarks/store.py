"""Writes, reads, opens, extends and compacts libraries; beside another checkout's, such as one of an older store.

    git worktree add --detach ../old 07a6886
    python benchmarks/store.py --old ../old --out benchmarks/results/store.json

Each checkout makes its own libraries, of the same clips of 20 frames of random vectors, a clip a video, and runs
every part in processes of its own on one thread. What is compared is processor time, which other programs change
less than that of the clock; medians where a part runs several times. Parts:

- `write`: so many clips into a new library, in commits of 500, and closing it;
- `write one by one`: a commit a video, 500 of them into a new library;
- `open`: opening it in a new process and its first answer, among 100 candidates;
- `scattered read`: opening it in a new process, and 200 clips from all over it;
- `add one video`: opening it to write, a commit, and closing it, which brings an index up to date if there is one;
- `compact`: after one video in ten was removed, which is not timed.

The old store builds an HNSW index of libraries that the new one scans: that takes minutes from 50,000 clips on.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

FRAMES, EMBED_DIM, SEED = 20, 512, 0
CLIPS_A_COMMIT, SCATTERED, RUNS = 500, 200, 5


def entries(numbers: range) -> list[Any]:
    """A video a clip, of random vectors."""
    from hgrkit.library import ClipEmbeddings, Entry, VideoRecord

    rng = np.random.default_rng((SEED, numbers.start))
    vectors = rng.standard_normal((len(numbers), 1 + 2 * FRAMES, EMBED_DIM), dtype=np.float32)
    times_s = np.arange(FRAMES) + 0.5
    made = []
    for number, rows in zip(numbers, vectors, strict=True):
        clip = ClipEmbeddings(
            start_s=0,
            end_s=FRAMES,
            times_s=times_s,
            event=rows[0],
            action=rows[1 : 1 + FRAMES],
            entity=rows[1 + FRAMES :],
        )
        record = VideoRecord(path=f"/videos/{number:08}.mp4", content=str(number), size=0, mtime_ns=0)
        made.append(Entry(record, [clip]))
    return made


def write(folder: Path, size: int, clips_a_commit: int = CLIPS_A_COMMIT) -> float:
    """A new library; making the vectors is not timed."""
    from hgrkit.library import Library, Manifest

    manifest = Manifest(
        model="random",
        model_fingerprint="0",
        frame_encoder="random",
        frame_encoder_fingerprint="0",
        sampling=f"uniform:{FRAMES}",
        clip_seconds=None,
        embed_dim=EMBED_DIM,
    )
    library, taken = Library.create(folder, manifest), 0.0
    for first in range(0, size, clips_a_commit):
        put = entries(range(first, min(first + clips_a_commit, size)))
        taken += cpu_s(partial(library.update, put=put))
    return taken + cpu_s(library.close)


def write_one_by_one(folder: Path, size: int) -> float:
    """Another new library, a commit a video."""
    return write(folder.with_name("one by one"), min(size, CLIPS_A_COMMIT), 1)


def open_and_ask(folder: Path, _size: int) -> float:
    """The first answer of a new process."""
    from hgrkit.library import Library, QueryEmbeddings, SearchSettings

    rng = np.random.default_rng(SEED)
    query = QueryEmbeddings(
        event=rng.standard_normal(EMBED_DIM),
        action=rng.standard_normal((1, EMBED_DIM)),
        entity=rng.standard_normal((2, EMBED_DIM)),
    )
    settings = SearchSettings(exhaustive=False, candidates=100)

    def work() -> None:
        with Library.open(folder) as library:
            library.search(query, 10, settings=settings)

    return cpu_s(work)


def scattered_read(folder: Path, size: int) -> float:
    """Clips from all over a library."""
    from hgrkit.library import Library

    rows = np.random.default_rng(SEED).choice(size, SCATTERED, replace=False).tolist()

    def work() -> None:
        with Library.open(folder) as library:
            library.snapshot().clips(rows)

    return cpu_s(work)


def add_one(folder: Path, _size: int) -> float:
    """One video more; a new one every time."""
    from hgrkit.library import Library

    number = time.time_ns()
    put = entries(range(number, number + 1))

    def work() -> None:
        with Library.open(folder, "w") as library:
            library.update(put=put)

    return cpu_s(work)


def compact(folder: Path, size: int) -> float:
    """What removed videos took is freed."""
    from hgrkit.library import Library

    with Library.open(folder, "w") as library:
        library.update(remove=[f"/videos/{number:08}.mp4" for number in range(0, size, 10)])
        return cpu_s(library.compact)


def cpu_s(work: Callable[[], object]) -> float:
    """Processor seconds of a call, of all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


WORK: dict[str, tuple[Callable[[Path, int], float], int]] = {
    "write": (write, 1),
    "write one by one": (write_one_by_one, 1),
    "open": (open_and_ask, RUNS),
    "scattered read": (scattered_read, RUNS),
    "add one video": (add_one, 3),
    "compact": (compact, 1),
}
"""Each part, and how many times it runs."""


def run_part(checkout: Path, part: str, library: Path, size: int) -> dict[str, float]:
    """Processor seconds and peak memory of a part, in a process that imports hgrkit from a checkout."""
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    environment = {**os.environ, **threads, "PYTHONPATH": str(checkout)}
    command = [sys.executable, str(Path(__file__).resolve()), "--part", part, str(library), str(size)]
    done = subprocess.run(command, cwd=checkout, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(checkout: Path, size: int, scratch: Path | None) -> Iterator[tuple[str, dict[str, float]]]:
    """All parts of one library of one checkout, in their order."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        library = Path(folder) / "library"
        for part, (_, runs) in WORK.items():
            found = [run_part(checkout, part, library, size) for _ in range(runs)]
            yield part, {key: round(statistics.median(one[key] for one in found), 4) for key in found[0]}


def main() -> None:
    """Measure the checkouts one after the other, size by size."""
    # another checkout's process must not import this: it may keep its modules elsewhere
    from before_after import checkout
    from result_file import arguments, described, write_result

    parser = arguments(__doc__)
    parser.add_argument("--old", type=Path, help="the root of another checkout")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--old-up-to", type=int, default=50_000, help="largest library of the other checkout")
    parser.add_argument("--scratch", type=Path, help="where libraries are made; 42 KB a clip")
    options: argparse.Namespace = parser.parse_args()
    folders = {"new": Path(__file__).resolve().parents[1]}
    if options.old is not None:
        folders["old"] = options.old.resolve()
    libraries: dict[str, Any] = {}
    for size in options.sizes:
        sides = {side: folder for side, folder in folders.items() if side == "new" or size <= options.old_up_to}
        found = {side: dict(measure(folder, size, options.scratch)) for side, folder in sides.items()}
        libraries[str(size)] = {**found}
        if "old" in found:
            libraries[str(size)]["new_over_old_cpu"] = {
                part: round(found["new"][part]["cpu_s"] / found["old"][part]["cpu_s"], 4) for part in WORK
            }
    result = {
        "benchmark": "store",
        **described(options, seed=SEED, also=("hnswlib",)),
        "checkouts": {side: checkout(folder) for side, folder in folders.items()},
        "settings": {"frames": FRAMES, "embed_dim": EMBED_DIM, "clips_a_commit": CLIPS_A_COMMIT},
        "libraries": libraries,
    }
    write_result(result, options.out)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        seconds = WORK[sys.argv[2]][0](Path(sys.argv[3]), int(sys.argv[4]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"cpu_s": seconds, "peak_mb": peak}))
    else:
        main()
