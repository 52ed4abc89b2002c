"""Measures what explaining and cutting ten hits costs on top of their search; writes JSON.

    python benchmarks/explanation.py --videos DATA/msvd/videos --runs 9 --out benchmarks/results/explanation.json

The videos are indexed once into a temporary folder, or a library that is there is searched. Each round searches,
explains the hits, writes the page and the picture, and cuts the moments, copied and exact. The first is a warm-up.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from library_timing import run
from timing import Taken, medians, timed

from hgrkit import Retriever
from hgrkit.clips import cut_hits

QUERY = "a woman slices an onion and mixes eggs"
HITS = 10


def one_round(retriever: Retriever, scratch: Path) -> dict[str, Taken]:
    """What each part takes."""
    result, search = timed(lambda: retriever.search(QUERY, k=HITS))
    explanation, explain = timed(lambda: retriever.explain(result))
    parts: dict[str, Callable[[], object]] = {
        "page": lambda: explanation.save(scratch / "why.html"),
        "picture": lambda: explanation.save(scratch / "why.png"),
        "clips_copied": lambda: cut_hits(result.hits, scratch),
        "clips_exact": lambda: cut_hits(result.hits, scratch, exact=True),
    }
    return {"search": search, "explain": explain, **{name: timed(part)[1] for name, part in parts.items()}}


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
        "median_wall_seconds": medians(rounds, "wall_s"),
        "median_processor_seconds": medians(rounds, "cpu_s"),
        "longest_wall_seconds": {name: max(one[name].wall_s for one in rounds) for name in rounds[0]},
        "runs": runs,
    }


def index(videos: Path, library: Path) -> None:
    """Make the library to search."""
    with Retriever.create(library) as retriever:
        retriever.index(videos)


if __name__ == "__main__":
    run(__doc__ or "", index, measure, runs=9, also=("resvg-py",))
