"""Measures what `import hgrkit` costs beside `import torch`, each in fresh interpreters; writes JSON.

    python benchmarks/import_time.py --runs 15 --out import_time.json

Each figure is wall time less that of an interpreter that imports nothing. The first run of each is a warm-up.
"""

from __future__ import annotations

import sys

from result_file import arguments, described, write_result
from timing import fresh_process, medians

STATEMENTS = {"nothing": "pass", "hgrkit": "import hgrkit", "torch": "import torch"}


def measure(runs: int) -> dict[str, object]:
    """Median seconds of each import, measured in turn so that a busy machine hits all alike."""
    commands = {name: (sys.executable, "-c", statement) for name, statement in STATEMENTS.items()}
    rounds = [{name: fresh_process(command) for name, command in commands.items()} for _ in range(runs + 1)][1:]
    wall = medians(rounds, "wall_s")
    cost = {name: wall[name] - wall["nothing"] for name in ("hgrkit", "torch")}
    return {
        "benchmark": "import_time",
        "median_seconds": wall,
        "import_seconds": cost,
        "share_of_torch": cost["hgrkit"] / cost["torch"],
        "runs": runs,
    }


def main() -> None:
    """Measure, print, and write a file if one is named."""
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    write_result({**described(options), **measure(options.runs)}, options.out)


if __name__ == "__main__":
    main()
