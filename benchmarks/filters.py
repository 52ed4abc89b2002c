"""Searches among the videos that a filter is true of: their recall and time, and what the filter itself takes.

    python benchmarks/filters.py --data DATA --features CACHE --out benchmarks/results/filters.json

Clips and captions are those of `search.py`, a clip a video, with random tags. Times are those of the processor, on
one core:

- `filters`: by their SQL, milliseconds to find the clips of the videos that they are true of: the first time, when
  every row of a video is checked, of it that checking, and from then on;
- `searches`: by the share of the videos that a filter leaves, the least number of hits of a question that asks for
  ten; recall of the exact ten among those videos; how many of the ten would be left if the answer of a search
  without the filter were filtered afterwards; and what the library's part takes, beside the exact search of the
  same videos and a search without the filter.

All are medians.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from result_file import arguments, described, write_result
from search import asked, cpu_ms, use_one_core

from hgrkit.library import Library, VideoRecord
from hgrkit.library.filters import Filter, filtered_rows
from hgrkit.library.sqlite_store import SqliteStore

K, SEED, ROUNDS = 10, 0, 15
PARTS = 1000
SHARES = {"0.1 %": 1, "1 %": 10, "10 %": 100, "50 %": 500, "100 %": PARTS}
"""By the share of the videos that is left: up to which part of them."""

FILTERS = (
    "duration_s > 60",
    "camera = 'front' and duration_s > 60 and path like '%/2026/%'",
    "modified >= '2026-03' and part between 10 and 500",
    "name like '%7.mp4' or lower(camera) in ('left', 'right')",
)


def main() -> None:
    """Make the library and measure."""
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of msrvtt_frames and flickr8k")
    parser.add_argument("--features", type=Path, required=True, help="a folder that keeps features of pictures")
    parser.add_argument("--clips", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--scratch", type=Path, help="where the library is made; 42 KB a clip")
    options = parser.parse_args()
    use_one_core()
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        library = Path(folder) / "library"
        make(library, options)
        result = {
            "benchmark": "filters",
            **described(options, seed=SEED),
            "settings": {"k": K, "clips": options.clips, "queries": options.queries, "rounds": ROUNDS},
            "filters": {text: time_filter(library, text) for text in FILTERS},
            "searches": measure_searches(library, options),
        }
    write_result(result, options.out)


def make(library: Path, options: argparse.Namespace) -> None:
    """A library of the default model, a clip a video, with tags."""
    from real_clips import RealClips

    from hgrkit.library import Entry
    from hgrkit.retriever import Retriever

    rng = np.random.default_rng(SEED)
    with Retriever.create(library, device="cpu") as retriever:
        encoder = retriever.library.manifest.frame_encoder
        real = RealClips.read(options.data, options.features, retriever.model, encoder)
        entries = []
        for number, clip in enumerate(real.clips(options.clips, SEED), 1):
            record = VideoRecord(
                path=f"/videos/{number % 40}/{2025 + number % 2}/{number:08}.mp4",
                content=f"sha256:{number:064}",
                size=number,
                mtime_ns=int(rng.integers(1_735_689_600, 1_798_761_600)) * 10**9,
                duration_s=float(rng.uniform(5, 120)),
                metadata={
                    "camera": str(rng.choice(["front", "back", "left", "right"])),
                    "part": int(rng.integers(PARTS)),
                },
            )
            entries.append(Entry(record, [clip]))
            if len(entries) == 1000 or number == options.clips:
                retriever.library.add_all(entries)
                entries = []


def time_filter(library: Path, text: str) -> dict[str, float]:
    """Milliseconds of a filter alone, and of the checking of rows that comes before the first one."""

    def ask(store: SqliteStore) -> int:
        return store.read(lambda view: len(filtered_rows([view], Filter.read(text))[0]))

    first, checking, again = [], [], []
    for _ in range(ROUNDS):
        store = SqliteStore(library, mode="r")
        store.read(lambda view: view.arrays)
        first.append(cpu_ms(partial(ask, store)))
        again.append(cpu_ms(partial(ask, store)))
        found = ask(store)
        store.close()
        store = SqliteStore(library, mode="r")
        store.read(lambda view: view.arrays)
        checking.append(cpu_ms(partial(store.read, lambda view: view.table())))
        store.close()
    medians = {"first_ms": first, "checking_ms": checking, "again_ms": again}
    return {"videos": found, **{name: round(statistics.median(times), 1) for name, times in medians.items()}}


def measure_searches(library: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Searches with filters that leave more and more videos."""
    queries, settings = asked(str(library), str(options.data), options.queries)
    every = attrs.evolve(settings, exhaustive=True)
    with Library.open(library) as opened:
        parts = {video.path: video.metadata["part"] for video in opened.videos()}
        plain = [opened.search(query, K, settings=settings) for query in queries]
        plain_ms = [cpu_ms(partial(opened.search, query, K, settings=settings)) for query in queries]
        measured = {}
        for share, stop in SHARES.items():
            where = f"part < {stop}"
            ask = partial(opened.search, k=K, where=where, settings=settings)
            found = [ask(query) for query in queries]
            right = [opened.search(query, K, where=where, settings=every) for query in queries]
            left = [sum(parts[match.video] < stop for match in matches) for matches in plain]
            hits = [
                len({match.video for match in own} & {match.video for match in best}) / len(best)
                for own, best in zip(found, right, strict=True)
            ]
            exact_ms = [cpu_ms(partial(ask, query, settings=every)) for query in queries[:ROUNDS]]
            measured[share] = {
                "videos": sum(part < stop for part in parts.values()),
                "least_hits": min(map(len, found)),
                "recall@10": round(statistics.fmean(hits), 4),
                "hits_filtered_afterwards": round(statistics.fmean(left), 2),
                "exact": all(matches.exact for matches in found),
                "library_ms": round(statistics.median(cpu_ms(partial(ask, query)) for query in queries), 1),
                "exact_ms": round(statistics.median(exact_ms), 1),
            }
    return {"without": {"library_ms": round(statistics.median(plain_ms), 1)}, **measured}


if __name__ == "__main__":
    main()
