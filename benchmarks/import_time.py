"""Measures what `import hgrkit` costs beside `import torch`, each in fresh interpreters; writes JSON.

    python benchmarks/import_time.py --runs 15 --out import_time.json

Each figure is wall time less that of an interpreter that imports nothing. The first run of each is a warm-up.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from result_file import described, write_result

STATEMENTS = {"nothing": "pass", "hgrkit": "import hgrkit", "torch": "import torch"}


def seconds(statement: str) -> float:
    """Wall time of one fresh interpreter that runs a statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def measure(runs: int) -> dict[str, object]:
    """Median seconds of each import, measured in turn so that a busy machine hits all alike."""
    rounds = [{name: seconds(statement) for name, statement in STATEMENTS.items()} for _ in range(runs + 1)][1:]
    medians = {name: statistics.median(one[name] for one in rounds) for name in STATEMENTS}
    cost = {name: medians[name] - medians["nothing"] for name in ("hgrkit", "torch")}
    return {
        "benchmark": "import_time",
        "median_seconds": medians,
        "import_seconds": cost,
        "share_of_torch": cost["hgrkit"] / cost["torch"],
        "runs": runs,
    }


def main() -> None:
    """Measure, print, and write a file if one is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    write_result({**described(arguments), **measure(arguments.runs)}, arguments.out)


if __name__ == "__main__":
    main()
