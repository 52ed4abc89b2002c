"""Measures what explaining and cutting ten hits costs on top of their search; writes JSON.

    python benchmarks/explanation.py --videos DATA/msvd/videos --runs 9 --out benchmarks/results/explanation.json

The videos are indexed once into a temporary folder, or a library that is there is searched. Each round searches,
explains the hits, writes the page and the picture, and cuts the moments, copied and exact. The first is a warm-up.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from library_timing import run

from hgrkit import Retriever
from hgrkit.clips import cut_hits

QUERY = "a woman slices an onion and mixes eggs"
HITS = 10


def processor_s() -> float:
    """Processor time of this process and of those that it has started and seen end."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def one_round(retriever: Retriever, scratch: Path) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of each part."""
    taken: dict[str, tuple[float, float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start, before = time.perf_counter(), processor_s()
        value = work()
        taken[name] = time.perf_counter() - start, processor_s() - before
        return value

    result = timed("search", lambda: retriever.search(QUERY, k=HITS))
    explanation = timed("explain", lambda: retriever.explain(result))
    timed("page", lambda: explanation.save(scratch / "why.html"))
    timed("picture", lambda: explanation.save(scratch / "why.png"))
    timed("clips_copied", lambda: cut_hits(result.hits, scratch))
    timed("clips_exact", lambda: cut_hits(result.hits, scratch, exact=True))
    return taken


def measure(library: Path, runs: int) -> dict[str, object]:
    """Median seconds of each part, over ten hits."""
    with Retriever.open(library) as retriever, tempfile.TemporaryDirectory() as scratch:
        rounds = [one_round(retriever, Path(scratch)) for _ in range(runs + 1)][1:]
        videos = len(retriever.library.indexed_paths())
        made_with = retriever.library.manifest
    return {
        "benchmark": "explanation",
        "query": QUERY,
        "hits": HITS,
        "videos": videos,
        "model": {"name": made_with.model, "fingerprint": made_with.model_fingerprint},
        "median_wall_seconds": {name: statistics.median(one[name][0] for one in rounds) for name in rounds[0]},
        "median_processor_seconds": {
            name: statistics.median(one[name][1] for one in rounds) for name in rounds[0]
        },
        "longest_wall_seconds": {name: max(one[name][0] for one in rounds) for name in rounds[0]},
        "runs": runs,
    }


def index(videos: Path, library: Path) -> None:
    """Make the library to search."""
    with Retriever.create(library) as retriever:
        retriever.index(videos)


if __name__ == "__main__":
    run(__doc__ or "", index, measure, runs=9, also=("resvg-py",))
