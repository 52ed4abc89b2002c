"""Measures what the first answer of a fresh process costs beside `import torch`; writes JSON.

    python benchmarks/first_search.py --videos DATA/msvd/videos --runs 15 --out first_search.json

The videos are indexed once into a temporary folder, or a library that is there is searched. Then fresh processes
alternate: one imports torch, the other runs `hgrkit search` and prints its answer. Wall time, and processor time
of all threads. The first round is a warm-up, so that files are in memory for both.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from library_timing import run

QUERY = "a man is riding a horse"
HGRKIT = (sys.executable, "-m", "hgrkit")


def seconds(command: tuple[str, ...]) -> tuple[float, float]:
    """Wall time and processor time of one fresh process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(library: Path, runs: int) -> dict[str, object]:
    """Median seconds of both commands, measured in turn so that a busy machine hits both alike."""
    commands = {
        "import_torch": (sys.executable, "-c", "import torch"),
        "search": (*HGRKIT, "search", QUERY, "--library", str(library), "--json"),
    }
    rounds = [{name: seconds(command) for name, command in commands.items()} for _ in range(runs + 1)][1:]
    wall = {name: statistics.median(one[name][0] for one in rounds) for name in commands}
    processor = {name: statistics.median(one[name][1] for one in rounds) for name in commands}
    answered = subprocess.run(
        (*HGRKIT, "info", "--library", str(library), "--json"), check=True, capture_output=True, text=True
    ).stdout
    held = json.loads(answered)
    return {
        "benchmark": "first_search",
        "query": QUERY,
        "library": {"videos": held["indexed"], "clips": held["clips"]},
        "model": {"name": held["manifest"]["model"], "fingerprint": held["manifest"]["model_fingerprint"]},
        "median_wall_seconds": wall,
        "median_processor_seconds": processor,
        "share_of_torch": {
            "wall": wall["search"] / wall["import_torch"],
            "processor": processor["search"] / processor["import_torch"],
        },
        "rounds_in_which_the_search_was_sooner": sum(one["search"][0] < one["import_torch"][0] for one in rounds),
        "runs": runs,
    }


def index(videos: Path, library: Path) -> None:
    """Make the library to search."""
    subprocess.run((*HGRKIT, "index", str(videos), "--library", str(library)), check=True)


if __name__ == "__main__":
    run(__doc__ or "", index, measure, runs=15, also=("typer",))
