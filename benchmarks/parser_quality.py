"""How well a graph parser reads captions and queries: F1 on predicates and role spans, probes, speed, load; JSON.

    python benchmarks/parser_quality.py GOLD.jsonl [--probes PROBES.jsonl] [--queries QUERIES.jsonl ...]
        [--parser lark] [--out OUT]

The figures are those of `hgrkit evaluate-parser`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from result_file import arguments, described, write_result

from hgrkit.parsing.registry import load_parser
from hgrkit.research.evaluation.parser_quality import evaluate_parser
from hgrkit.research.evaluation.parser_report import probe_parser

LOADS = 5


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def load_seconds(parser: str) -> float:
    """CPU seconds to make the parser and read its first sentence, in a fresh process each time."""
    program = (
        "import time; from hgrkit.parsing.registry import load_parser; started = time.process_time(); "
        f"load_parser({parser!r}).parse_batch(['a dog runs']); print(time.process_time() - started)"
    )
    outputs = [subprocess.check_output([sys.executable, "-c", program], text=True) for _ in range(LOADS)]
    return median(map(float, outputs))


def main() -> None:
    """Measure and write."""
    command_line = arguments(__doc__)
    command_line.add_argument("gold", type=Path)
    command_line.add_argument("--probes", type=Path)
    command_line.add_argument("--queries", type=Path, nargs="+", default=[])
    command_line.add_argument("--parser", default="lark")
    options = command_line.parse_args()
    parser = load_parser(options.parser)
    report: dict[str, Any] = {**described(options), "parser": parser.name, "version": parser.version}
    report["load_cpu_seconds"] = load_seconds(options.parser)
    started = time.perf_counter()
    report |= evaluate_parser(parser, records(options.gold)).to_dict()
    if options.probes:
        report["probes"] = probe_parser(parser, records(options.probes)).to_dict()
    report["queries"] = {path.stem: evaluate_parser(parser, records(path)).to_dict() for path in options.queries}
    report["wall_seconds"] = time.perf_counter() - started
    write_result(report, options.out)


if __name__ == "__main__":
    main()
