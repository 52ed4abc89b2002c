"""Measures what a fresh search and an unchanged index run cost beside `import torch`; writes JSON.

    python benchmarks/first_search.py --videos DATA/msvd/videos --runs 15 --out first_search.json

The videos are indexed once into a temporary folder, or a library that is there is searched. Then fresh processes
take turns: one imports torch, one runs `hgrkit search` and prints its answer, one runs `hgrkit index` over the
videos, which have not changed. Wall time, and processor time of all threads. The first round is a warm-up, so that
files are in memory for all.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from library_timing import run
from timing import fresh_process, medians

from hgrkit.library import Library

QUERY = "a man is riding a horse"
HGRKIT = (sys.executable, "-m", "hgrkit")


def measure(library: Path, runs: int) -> dict[str, object]:
    """Median seconds of the commands, measured in turn so that a busy machine hits all alike."""
    with Library.open(library) as opened:
        videos = str(Path(opened.indexed_paths()[0]).parent)
    commands = {
        "import_torch": (sys.executable, "-c", "import torch"),
        "search": (*HGRKIT, "search", QUERY, "--library", str(library), "--json"),
        "unchanged_index": (*HGRKIT, "index", videos, "--library", str(library), "--json"),
    }
    rounds = [{name: fresh_process(command) for name, command in commands.items()} for _ in range(runs + 1)][1:]
    wall, processor = medians(rounds, "wall_s"), medians(rounds, "cpu_s")
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
            command: {
                "wall": wall[command] / wall["import_torch"],
                "processor": processor[command] / processor["import_torch"],
            }
            for command in ("search", "unchanged_index")
        },
        "rounds_in_which_the_search_was_sooner": sum(
            one["search"].wall_s < one["import_torch"].wall_s for one in rounds
        ),
        "runs": runs,
    }


def index(videos: Path, library: Path) -> None:
    """Make the library to search."""
    subprocess.run((*HGRKIT, "index", str(videos), "--library", str(library)), check=True)


if __name__ == "__main__":
    run(__doc__ or "", index, measure, runs=15, also=("typer",))
