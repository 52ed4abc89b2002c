"""Throws text that is no caption at a graph parser: each gets a graph or a GraphError, and time stays linear.

    python benchmarks/parser_fuzz.py --inputs 20000 --out benchmarks/results/parser_fuzz.json

Inputs are mixtures of words, punctuation, emoji, HTML, other scripts, control characters and lone surrogates; then
one sentence of 1,250, 2,500, 5,000 and 10,000 words. With `--captions FILE...` (one a line) these are parsed too.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from result_file import arguments, described, write_result
from timing import timed

from hgrkit.errors import GraphError
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import load_parser

WORDS = (
    "a the man woman dogs running is to of and who what where not while slowly red cut cutting was 's n't".split()
)
PIECES = (
    lambda rng: rng.choice(WORDS),
    lambda rng: rng.choice("., ; : ! ? ... -- ( ) [ ] \" ' “ ” / & % # @ * _ ~ ^ | \\".split(" ")),
    lambda rng: chr(rng.randrange(0x1F300, 0x1FAFF)),
    lambda rng: rng.choice(
        ["<b>", "</div>", "&nbsp;", "<script>x()</script>", "http://a.b/c?d=e", "<!--", "{{x}}"]
    ),
    lambda rng: "".join(chr(rng.randrange(0x20, 0x3000)) for _ in range(rng.randrange(1, 9))),
    lambda rng: "".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(rng.randrange(1, 5))),
    lambda rng: chr(rng.randrange(0, 0x20)),
    lambda rng: chr(rng.randrange(0xD800, 0xE000)),
    lambda rng: rng.choice([" ", "\t", "\n", "\u200b", "\u202e", "\ufeff", "\u0301"]),
    lambda rng: str(rng.randrange(10 ** rng.randrange(1, 12))),
)


def mixture(rng: random.Random) -> str:
    separator = rng.choice(["", " ", " "])
    return separator.join(rng.choice(PIECES)(rng) for _ in range(rng.randrange(0, 40)))


def parse(parser: GraphParser, text: str, counts: dict[str, int]) -> float:
    """CPU seconds of one text; anything but a graph or a GraphError is a breach."""

    def read() -> str:
        try:
            parser.parse_batch([text])
        except GraphError:
            return "graph_errors"
        except Exception as error:  # noqa: BLE001 - what is counted here
            print(f"{type(error).__name__}: {error}: {text!r}")
            return "breaches"
        return "graphs"

    outcome, taken = timed(read)
    counts[outcome] += 1
    return taken.cpu_s


def main() -> None:
    """Throw and count."""
    command_line = arguments(__doc__)
    command_line.add_argument("--inputs", type=int, default=20_000)
    command_line.add_argument("--captions", type=Path, nargs="*", default=[])
    command_line.add_argument("--parser", default="lark")
    command_line.add_argument("--seed", type=int, default=0)
    options = command_line.parse_args()
    parser, rng = load_parser(options.parser), random.Random(options.seed)
    report: dict[str, Any] = {
        **described(options, seed=options.seed),
        "parser": parser.name,
        "version": parser.version,
    }
    texts = {"fuzzed": [mixture(rng) for _ in range(options.inputs)]}
    texts |= {
        path.name: path.read_text(encoding="utf-8", errors="replace").splitlines() for path in options.captions
    }
    for name, lines in texts.items():
        counts = {"inputs": len(lines), "graphs": 0, "graph_errors": 0, "breaches": 0}
        slowest = max((parse(parser, line, counts) for line in lines), default=0.0)
        report[name] = {**counts, "slowest_ms": 1000 * slowest}
    sizes = {size: " ".join(rng.choices(WORDS, k=size)) for size in (1250, 2500, 5000, 10_000)}
    counts = {"graphs": 0, "graph_errors": 0, "breaches": 0}
    report["cpu_seconds_by_words"] = {size: parse(parser, text, counts) for size, text in sizes.items()}
    write_result(report, options.out)


if __name__ == "__main__":
    main()
