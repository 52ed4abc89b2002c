"""Searches synthetic clips exhaustively, by a flat scan and by an HNSW graph: time, recall and ratios as JSON.

`python benchmarks/search.py --clips 50000 --out benchmarks/results/search.json`
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from result_file import arguments, described, write_result
from timing import timed

from hgrkit.library import ClipEmbeddings, Entry, Library, Manifest, QueryEmbeddings, SearchSettings, VideoRecord

K = 10


def main() -> None:
    """Build a library, search it in every way, print or write the JSON."""
    parser = arguments(__doc__)
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--embed-dim", type=int, default=256)
    parser.add_argument("--topics", type=int, default=50)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--candidates", type=int, nargs="+", default=[100, 500, 1000])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder) / "lib", options)
    write_result(result, options.out)


def measure(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Times in milliseconds a query, recall of the exact first ten videos."""
    rng = np.random.default_rng(options.seed)
    topics = rng.normal(size=(options.topics, 3, options.embed_dim)).astype(np.float32)
    seconds = {"write": seconds_of(lambda: build(path, rng, topics, options))}
    queries = [make_query(rng, topics) for _ in range(options.queries)]
    exhaustive = SearchSettings(exhaustive=True)
    with Library.open(path) as library:
        seconds["open and first flat search"] = seconds_of(
            lambda: library.search(queries[0], K, settings=cascade(100))
        )
        flat = {count: search_all(library, queries, cascade(count)) for count in options.candidates}
        seconds["pack all clips"] = seconds_of(lambda: library.search(queries[0], K, settings=exhaustive))
        exact = search_all(library, queries, exhaustive)
    with Library.open(path, "w", candidates="hnsw") as library:
        seconds["build and save graph"] = seconds_of(library.refresh_ann_index)
        library.search(queries[0], K, settings=cascade(100))
        graph = {count: search_all(library, queries, cascade(count)) for count in options.candidates}
    return {
        "benchmark": "search",
        **described(options, seed=options.seed, also=("hnswlib",)),
        "settings": {name: value for name, value in vars(options).items() if name != "out"},
        "seconds": seconds,
        "exhaustive_ms": exact["ms"],
        "flat": {count: compare(found, exact) for count, found in flat.items()},
        "hnsw": {count: compare(found, exact) for count, found in graph.items()},
        "flat_over_hnsw_time": {count: round(flat[count]["ms"] / graph[count]["ms"], 3) for count in flat},
    }


def build(path: Path, rng: np.random.Generator, topics: np.ndarray, options: argparse.Namespace) -> None:
    """A video a clip; an event is a topic, frames scatter around the topic's action and entity."""
    manifest = Manifest(
        model="synthetic",
        model_fingerprint="0",
        frame_encoder="synthetic",
        frame_encoder_fingerprint="0",
        sampling=f"uniform:{options.frames}",
        clip_seconds=None,
        embed_dim=options.embed_dim,
    )
    with Library.create(path, manifest, candidates="flat") as library:
        for start in range(0, options.clips, 1000):
            library.add_all(
                [
                    Entry(
                        VideoRecord(path=f"{number:08}.mp4", content=str(number), size=0, mtime_ns=0),
                        [make_clip(rng, topics, options.frames)],
                    )
                    for number in range(start, min(start + 1000, options.clips))
                ]
            )


def make_clip(rng: np.random.Generator, topics: np.ndarray, frames: int) -> ClipEmbeddings:
    """A clip about one topic for its event, and mixtures of it and another one for its frames."""
    one, other = rng.choice(len(topics), 2)
    mixed = np.where(rng.random((frames, 1)) < 0.7, topics[one, 1:, None], topics[other, 1:, None])
    return ClipEmbeddings(
        start_s=0,
        end_s=frames,
        times_s=np.arange(frames) + 0.5,
        event=topics[one, 0] + noise(rng, topics),
        action=mixed[0] + noise(rng, topics, frames),
        entity=mixed[1] + noise(rng, topics, frames),
    )


def make_query(rng: np.random.Generator, topics: np.ndarray) -> QueryEmbeddings:
    """A sentence about one topic, with two actions and three entities."""
    topic = topics[rng.integers(len(topics))]
    return QueryEmbeddings(
        event=topic[0] + noise(rng, topics),
        action=topic[1] + noise(rng, topics, 2),
        entity=topic[2] + noise(rng, topics, 3),
    )


def noise(rng: np.random.Generator, topics: np.ndarray, *shape: int) -> np.ndarray:
    """As large as a topic itself."""
    return rng.normal(size=(*shape, topics.shape[-1]))


def cascade(candidates: int) -> SearchSettings:
    """Candidates first, then exact re-ranking."""
    return SearchSettings(exhaustive=False, candidates=candidates)


def search_all(library: Library, queries: list[QueryEmbeddings], settings: SearchSettings) -> dict[str, Any]:
    """Median milliseconds a query, and the videos found."""
    times, found = [], []
    for query in queries:
        matches, taken = timed(partial(library.search, query, K, settings=settings))
        found.append({match.video for match in matches})
        times.append(taken.wall_s)
    return {"ms": round(1000 * statistics.median(times), 3), "found": found}


def compare(approximate: dict[str, Any], exact: dict[str, Any]) -> dict[str, float]:
    """Against the exhaustive search: how much faster, and how much of it was found."""
    both = zip(approximate["found"], exact["found"], strict=True)
    return {
        "ms": approximate["ms"],
        "speedup": round(exact["ms"] / approximate["ms"], 2),
        "recall@10": round(statistics.fmean(len(some & best) / len(best) for some, best in both), 4),
    }


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock seconds that a call takes."""
    return round(timed(work)[1].wall_s, 3)


if __name__ == "__main__":
    main()
