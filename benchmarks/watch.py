"""Measures what a look at watched folders takes, beside the system's own part in it: listing and `stat`.

    python benchmarks/watch.py --out benchmarks/results/watch.json

Folders of 1,000 empty files each, on a local disk, as `hgrkit watch` looks at them when nothing has changed.
Processor time, medians of rounds that measure both in turns.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from result_file import arguments, described, write_result
from timing import Taken, medians, timed

from hgrkit.indexing.watch import FolderWatch

SIZES = (1000, 10_000, 100_000)
A_FOLDER = 1000


def make_files(folder: Path, size: int) -> None:
    """Make empty files with the names of videos."""
    for number in range(size):
        place = folder / str(number // A_FOLDER)
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.mp4").touch()


def stat_all(folder: Path) -> int:
    """List every folder and ask for the size of every file."""
    total = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            total += stat_all(Path(entry.path)) if entry.is_dir() else os.lstat(entry.path).st_size + 1
    return total


def measure(folder: Path, size: int, runs: int) -> dict[str, float]:
    """Median processor milliseconds of a look, and of listing and `stat` alone."""
    make_files(folder, size)
    watch = FolderWatch([folder], settle_s=0)
    if (found := watch.look()) is None or len(found.files) != size:
        raise AssertionError("a look does not find the files")
    watch.indexed()
    rounds: list[dict[str, Taken]] = []
    for _ in range(runs):
        news, look = timed(watch.look)
        counted, stat = timed(lambda: stat_all(folder))
        if news is not None or counted != size:
            raise AssertionError("files have changed, or were not counted")
        rounds.append({"look": look, "stat": stat})
    return {part: 1000 * seconds for part, seconds in medians(rounds, "cpu_s").items()}


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        figures = {str(size): measure(Path(place) / str(size), size, options.runs) for size in SIZES}
    result = {"benchmark": "watch", "median_processor_ms": figures, "runs": options.runs}
    write_result({**described(options), **result}, options.out)
