"""What keeping a library costs while it is indexed: the same pipeline with a library and with nothing written.

Indexes a folder of videos again and again, in turns, into a new library (with its feature cache, as `hgrkit index`
does) and into a store that drops everything, and reports the medians of the ratios of neighbouring runs. Where
other programs keep the machine busy these waver, and the share of a run that goes into calls that store does less.

    python benchmarks/index_overhead.py --videos DATA/msvd/videos --out benchmarks/results/index_overhead.json
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from result_file import arguments, described, model_described, write_result
from timing import timed

from hgrkit.indexing.parts import Parts
from hgrkit.indexing.walk import VideoFile, walk_videos
from hgrkit.library import Library
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.store import Entry, Rename
from hgrkit.model.loaded import LoadedModel


class NoSnapshot:
    """An empty library's version."""

    videos = ()
    clip_videos = np.empty(0, np.int64)


class NoLibrary:
    """Takes what indexing stores and keeps nothing."""

    def videos(self) -> Sequence[VideoRecord]:
        """None."""
        return ()

    def snapshot(self) -> NoSnapshot:
        """Nothing."""
        return NoSnapshot()

    def add(self, record: VideoRecord, clips: Sequence[ClipEmbeddings]) -> None:
        """Drop a video."""

    def update(
        self, *, put: Sequence[Entry] = (), remove: Sequence[str] = (), rename: Sequence[Rename] = ()
    ) -> None:
        """Drop all of it."""


class TimedCalls:
    """Another object, with the seconds that its calls take."""

    def __init__(self, of: object) -> None:
        self.seconds = 0.0
        self._of = of

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._of, name)

        def counted(*arguments: Any, **settings: Any) -> Any:
            value, taken = timed(partial(call, *arguments, **settings))
            self.seconds += taken.wall_s
            return value

        return counted


def index_into_library(parts: Parts, files: Sequence[VideoFile], folder: Path) -> tuple[int, float]:
    with Library.create(folder, parts.manifest) as library:
        kept, cache = TimedCalls(library), TimedCalls(parts.feature_cache(folder))
        indexed = parts.index(kept, files, cache=cache).indexed
        return indexed, kept.seconds + cache.seconds


def index_into_nothing(parts: Parts, files: Sequence[VideoFile], _: Path) -> tuple[int, float]:
    return parts.index(NoLibrary(), files).indexed, 0.0


WAYS = {"library": index_into_library, "nothing": index_into_nothing}


def measured(work: Callable[[], tuple[int, float]]) -> dict[str, float]:
    """What a run takes, the workers included."""
    (indexed, storing_s), taken = timed(work)
    return {"videos": indexed, "wall_s": taken.wall_s, "cpu_s": taken.cpu_s, "storing_s": storing_s}


def measure(videos: Path, model: str, rounds: int) -> dict[str, Any]:
    """All rounds; the two ways take turns in which of them begins."""
    parts = Parts.choose(LoadedModel.load(model, device="cpu"), device="cpu")
    files = walk_videos([videos]).files
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        index_into_nothing(parts, files, Path(folder))  # the first run warms what all share
        for number in range(rounds):
            for way in sorted(WAYS, reverse=bool(number % 2)):
                target = Path(folder) / f"{way}{number}"
                runs[way].append(measured(partial(WAYS[way], parts, files, target)))
    ratios = {
        key: [one[key] / other[key] for one, other in zip(runs["library"], runs["nothing"], strict=True)]
        for key in ("wall_s", "cpu_s")
    }
    return {
        "videos": len(files),
        "rounds": rounds,
        "ratio": {key.removesuffix("_s"): round(statistics.median(values), 4) for key, values in ratios.items()},
        "share_of_wall_in_calls_that_store": round(
            statistics.median(run["storing_s"] / run["wall_s"] for run in runs["library"]), 4
        ),
        "ratios": {
            key.removesuffix("_s"): [round(value, 4) for value in values] for key, values in ratios.items()
        },
        "median": {
            way: {key: round(statistics.median(run[key] for run in of), 3) for key in ("wall_s", "cpu_s")}
            for way, of in runs.items()
        },
        "indexed": sorted({run["videos"] for of in runs.values() for run in of}),
    }


def main() -> None:
    """Measure and write."""
    parser = arguments(__doc__)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    result = {
        "benchmark": "index_overhead",
        **described(options),
        "model": model_described(options.model),
        **measure(options.videos, options.model, options.rounds),
    }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
