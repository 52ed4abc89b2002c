"""Measures what it takes a reader to see that nothing has changed, and the first question after a commit.

    python benchmarks/follow.py --out benchmarks/results/follow.json

The libraries are those of `benchmarks/store.py`: a clip of 20 frames of random vectors a video. A reader stays
open. In each round it checks the version as `Retriever.refresh` does, another object commits one video, and the
reader asks the same question twice: for the first it maps the new version and checks the clips' events, for the
second it has both. Processor time, medians.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from result_file import arguments, described, write_result
from store import EMBED_DIM, SEED, entries, write
from timing import Taken, medians, timed

from hgrkit.library import Library, QueryEmbeddings

SIZES = (1000, 10_000)


def measure(folder: Path, size: int, runs: int) -> dict[str, float]:
    """Median processor milliseconds of a check, and of the question after a commit and without one."""
    write(folder, size)
    rng = np.random.default_rng(SEED)
    rows = rng.standard_normal((3, EMBED_DIM), dtype=np.float32)
    query = QueryEmbeddings(event=rows[0], action=rows[1:2], entity=rows[2:])
    rounds: list[dict[str, Taken]] = []
    with Library.open(folder) as reader, Library.open(folder, "w", candidates="flat") as writer:
        for number in range(runs + 1):
            before, check = timed(lambda: reader.version)
            writer.update(put=entries(range(size + number, size + number + 1)))
            if reader.version == before:
                raise AssertionError("the reader does not see the commit")
            _, first = timed(lambda: reader.search(query))
            _, again = timed(lambda: reader.search(query))
            rounds.append({"check": check, "question_after_commit": first, "question": again})
    return {part: 1000 * seconds for part, seconds in medians(rounds[1:], "cpu_s").items()}


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--runs", type=int, default=25)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        figures = {str(size): measure(Path(place) / str(size), size, options.runs) for size in SIZES}
    result = {"benchmark": "follow", "median_processor_ms": figures, "runs": options.runs}
    write_result({**described(options, seed=SEED), **result}, options.out)
