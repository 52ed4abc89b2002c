"""Searches libraries of real embeddings: times, memory, recall; beside the published form, MaxSim and hnswlib.

    python benchmarks/search.py --data DATA --features CACHE --out benchmarks/results/search.json

Clips have 20 frames and D = 512; `real_clips.py` says what they are made of. Questions are human captions of
test videos. Times are those of the processor, on one core: other programs change them less than those of the
clock. What is measured runs in processes of its own, one after the other:

- `fresh_cpu_s`: `hgrkit search TEXT --library LIB --json` in a new process, and with `--exact-search`;
- `warm`: questions put to one open library: all of it; the library's part; and, of that, matching;
- `exact`: the first answer of an exact search, and what memory the process holds for it at its peak, beside the
  pages of mapped files, which the system takes back as it needs them;
- `recall`: how many of the first ten of an exact search are among the ten that the cascade returns, for several
  numbers of candidates, by a flat scan and by HNSW, and what such searches take without reading the sentence.

`others`, on the smallest library of 10,000 to 20,000 clips, is what else one could do (`other_searches.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # parts that measure memory or start-up import no more than they need
    from hgrkit.library.arrays import ClipArrays
    from hgrkit.library.library import Library
    from hgrkit.library.records import QueryEmbeddings
    from hgrkit.library.scoring import ClipSet, SearchSettings

K, SEED = 10, 0
FRESH_RUNS, WARM_QUESTIONS, TIMED_QUESTIONS, EXACT_AT_ONCE = 5, 100, 30, 4
OTHERS_AT, OTHERS_QUESTIONS = range(10_000, 20_001), 20
CANDIDATES = (50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000, 8000)
SEARCHED_CANDIDATES = (250, 500, 1000, 2000, 4000)
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}

Result = dict[str, Any]
Rows = npt.NDArray[np.int64]


def main() -> None:
    """Make the libraries one after the other and measure each in processes of its own."""
    from result_file import arguments, described, write_result

    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of msrvtt_frames and flickr8k")
    parser.add_argument("--features", type=Path, required=True, help="a folder that keeps features of pictures")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 50_000, 200_000])
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--hnsw-up-to", type=int, default=200_000, help="build HNSW indexes up to this size")
    parser.add_argument("--scratch", type=Path, help="where libraries are made; 42 KB a clip")
    options = parser.parse_args()
    others_at = min((size for size in options.sizes if size in OTHERS_AT), default=None)
    measured = {}
    for size in options.sizes:
        with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
            library = Path(folder) / "library"
            child("make", options.data, options.features, library, size)
            measured[str(size)] = measure_library(library, options, size)
            if size == others_at:
                measured[str(size)]["others"] = child("others", library, options.data)
    result = {
        "benchmark": "search",
        **described(options, seed=SEED, also=("hnswlib",)),
        "settings": {"frames": 20, "embed_dim": 512, "k": K, "queries": options.queries},
        "libraries": measured,
    }
    write_result(result, options.out)


def measure_library(library: Path, options: argparse.Namespace, size: int) -> Result:
    """All that is said of one library."""
    files = [path for path in library.rglob("*") if path.is_file()]
    fresh = {
        name: statistics.median(fresh_search(library, *words) for _ in range(FRESH_RUNS))
        for name, words in {"default": (), "exact": ("--exact-search",)}.items()
    }
    return {
        "bytes_a_clip": round(sum(path.stat().st_size for path in files) / size),
        "fresh_cpu_s": {name: round(seconds, 3) for name, seconds in fresh.items()},
        "warm": child("warm", library, options.data),
        "exact": child("exact", library, options.data),
        "recall": child("recall", library, options.data, options.queries, int(size <= options.hnsw_up_to)),
    }


def child(part: str, *arguments: object) -> Result:
    """Run a part in a process of its own, on one core."""
    words = [sys.executable, __file__, "--part", part, *map(str, arguments)]
    ran = subprocess.run(words, env={**os.environ, **ONE_THREAD}, check=True, stdout=subprocess.PIPE, text=True)
    found: Result = json.loads(ran.stdout)
    return found


def fresh_search(library: Path, *words: str) -> float:
    """Processor seconds of a command from its start to its end."""
    from timing import fresh_process

    command = (sys.executable, "-m", "hgrkit", "search", "a man is riding a horse", "--library", str(library))
    return fresh_process((*command, "--json", *words)).cpu_s


def use_one_core() -> None:
    """Keep this process on one core, so that the kernel starts no threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


# parts, each in a process of its own ---------------------------------------------------------------------------


def make(data: str, features: str, library: str, size: str) -> Result:
    """A library of the default model, a clip a video."""
    from real_clips import RealClips

    from hgrkit.library import Entry, VideoRecord
    from hgrkit.retriever import Retriever

    with Retriever.create(library, device="cpu") as retriever:
        encoder = retriever.library.manifest.frame_encoder
        real = RealClips.read(Path(data), Path(features), retriever.model, encoder)
        entries = []
        for number, clip in enumerate(real.clips(int(size), SEED), 1):
            record = VideoRecord(path=f"/{number:08}.mp4", content=str(number), size=0, mtime_ns=0)
            entries.append(Entry(record, [clip]))
            if len(entries) == 1000 or number == int(size):
                retriever.library.add_all(entries)
                entries = []
    return {}


def warm(library: str, data: str) -> Result:
    """Milliseconds of questions to a library that has answered before.

    `question` is all of it, `library` what follows when the sentence is embedded, `matching` of that the choice of
    candidates and their comparison at every level.
    """
    from real_clips import read_captions_of_videos

    from hgrkit.library.candidates import AnnCache
    from hgrkit.library.sqlite_store import SqliteStore
    from hgrkit.retriever import Retriever

    use_one_core()
    captions = read_captions_of_videos(Path(data), 2 * WARM_QUESTIONS, SEED)
    queries, settings = asked(library, data, WARM_QUESTIONS)
    with Retriever.open(library, device="cpu") as retriever:
        for caption in captions[WARM_QUESTIONS:]:
            retriever.search(caption, K)
        whole = [cpu_ms(partial(retriever.search, caption, K)) for caption in captions[:WARM_QUESTIONS]]
        ask = partial(retriever.library.search, k=K, settings=settings)
        stored = [cpu_ms(partial(ask, query)) for query in queries]
    store = SqliteStore(Path(library), mode="r")
    arrays = store.read(lambda view: view.arrays)
    count, index = settings.candidates_among(len(arrays.clips)), AnnCache(Path(library)).index(arrays)

    def match(query: QueryEmbeddings) -> None:
        rows = index.nearest(query.event, count) if count < len(arrays.clips) else arrays.rows
        arrays.check_frames(rows)
        clips_at(arrays, rows).align(query, settings)

    for query in queries:
        match(query)
    matching = [cpu_ms(partial(match, query)) for query in queries]
    store.close()
    return {
        f"{name}_ms": {"p50": round(float(np.median(times)), 2), "p95": round(float(np.quantile(times, 0.95)), 2)}
        for name, times in {"question": whole, "library": stored, "matching": matching}.items()
    }


def exact(library: str, data: str) -> Result:
    """The first answer of an exact search, and what memory it takes."""
    from hgrkit.library.library import Library

    use_one_core()
    (query,), settings = asked(library, data, 1)
    with Library.open(library) as opened:
        before = memory(reset=True)
        every = attrs.evolve(settings, exhaustive=True)
        answers = [cpu_ms(partial(opened.search, query, K, settings=every)) for _ in range(2)]
        after = memory()
    mapped = after["RssFile"] - before["RssFile"]
    return {
        "first_ms": round(answers[0], 1),
        "second_ms": round(answers[1], 1),
        "held_mb": round((after["VmHWM"] - before["VmRSS"] - mapped) / 1024),
        "mapped_files_mb": round(mapped / 1024),
    }


def recall(library: str, data: str, num_queries: str, with_hnsw: str) -> Result:
    """Recall of the cascade against the exact first ten, by number of candidates; and what searches take.

    By a flat scan it follows from where the exact ten stand when all clips are ordered by their events: for the
    model's weights of the levels, and for equal ones, as in the paper, where the event counts for less.
    """
    from hgrkit.library.library import Library

    use_one_core()
    queries, settings = asked(library, data, int(num_queries))
    ways = {"flat": settings, "flat, equal weights": attrs.evolve(settings, level_weights=(1, 1, 1))}
    found: Result = {"queries": len(queries)}
    with Library.open(library) as opened:
        paths, nearness = np.array(opened.indexed_paths()), event_ranks(library, queries)
        for name, way in ways.items():
            right = [best_rows(column) for column in scores(opened, queries, way).T]
            worst = np.stack([np.sort(ranks[rows]) for ranks, rows in zip(nearness, right, strict=True)])
            found[name] = {
                str(count): round(float((worst < count).mean()), 4) for count in CANDIDATES if count < len(paths)
            }
            if way is settings:
                videos = [set(paths[rows]) for rows in right]
        found["default"] = {
            "candidates": settings.candidates_among(len(paths)),
            **compare(opened, queries, videos, settings),
        }
        found["flat, searched"] = curve(opened, queries, videos, settings)
    if int(with_hnsw):
        with Library.open(library, "w", candidates="hnsw") as opened:
            found["hnsw_build_cpu_s"] = round(cpu_ms(opened.refresh_ann_index) / 1000, 1)
        with Library.open(library, candidates="hnsw") as opened:
            first = partial(opened.search, queries[0], K, settings=settings)
            found["hnsw_load_cpu_s"] = round((cpu_ms(first) - cpu_ms(first)) / 1000, 3)
            found["hnsw, searched"] = curve(opened, queries, videos, settings)
    return found


def event_ranks(library: str, queries: Sequence[QueryEmbeddings]) -> Rows:
    """Where every clip stands by its event, [C, V]."""
    from hgrkit.library.sqlite_store import SqliteStore
    from hgrkit.matching.clip_similarities import event_similarities

    store = SqliteStore(Path(library), mode="r")
    events = store.read(lambda view: view.arrays).clips["event"]
    ranks = np.empty((len(queries), len(events)), np.int64)
    for row, query in enumerate(queries):
        ranks[row, np.argsort(-event_similarities(events, query.event), kind="stable")] = np.arange(len(events))
    store.close()
    return ranks


def scores(
    library: Library, queries: Sequence[QueryEmbeddings], settings: SearchSettings
) -> npt.NDArray[np.float32]:
    """Exact scores, [V, C], some questions at a time."""
    parts = [
        library.scores(queries[first : first + EXACT_AT_ONCE], settings)
        for first in range(0, len(queries), EXACT_AT_ONCE)
    ]
    return np.concatenate(parts, axis=1)


def curve(
    library: Library, queries: Sequence[QueryEmbeddings], right: Sequence[set[str]], settings: SearchSettings
) -> Result:
    """What searches with several numbers of candidates find and take."""
    counts = [count for count in SEARCHED_CANDIDATES if count < library.counts().clips]
    return {
        str(count): compare(library, queries, right, attrs.evolve(settings, exhaustive=False, candidates=count))
        for count in counts
    }


def compare(
    library: Library, queries: Sequence[QueryEmbeddings], right: Sequence[set[str]], settings: SearchSettings
) -> Result:
    """Recall, and the median time of the library's part of a question, after all were put once."""
    ask = partial(library.search, k=K, settings=settings)
    hits = [{match.video for match in ask(query)} & best for query, best in zip(queries, right, strict=True)]
    times = [cpu_ms(partial(ask, query)) for query in queries[:TIMED_QUESTIONS]]
    return {
        "recall@10": round(statistics.fmean(map(len, hits)) / K, 4),
        "questions_with_a_miss": sum(len(own) < K for own in hits),
        "library_ms": round(statistics.median(times), 2),
    }


def others(library: str, data: str) -> Result:
    """What else one could do, on one thread."""
    from other_searches import compare_others

    from hgrkit.library.library import Library

    with Library.open(library) as opened:
        if opened.counts().clips not in OTHERS_AT:  # they hold every clip in memory, several times
            return {}
    use_one_core()
    return compare_others(library, *asked(library, data, OTHERS_QUESTIONS))


# what parts share ----------------------------------------------------------------------------------------------


def asked(library: str, data: str, count: int) -> tuple[list[QueryEmbeddings], SearchSettings]:
    """Captions as the library's model reads them, and its settings; not those that `warm` asks."""
    from real_clips import read_captions_of_videos

    from hgrkit.model.loaded import LoadedModel
    from hgrkit.retriever import Retriever

    captions = read_captions_of_videos(Path(data), count, SEED + 1)
    with Retriever.open(library, device="cpu") as retriever:
        queries = list(retriever.read(captions).queries)
        model = retriever.library.manifest.model
    return queries, LoadedModel.load(model, device="cpu").query_side.settings


def best_rows(scores: npt.NDArray[np.float32]) -> Rows:
    """The first ten, equal scores in the order of rows, as a search has them."""
    return np.lexsort((np.arange(len(scores)), -scores.astype(np.float64).round(6)))[:K]


def clips_at(arrays: ClipArrays, rows: Rows) -> ClipSet:
    """Stored clips as they are compared."""
    from hgrkit.library.scoring import ClipSet

    return ClipSet.at(arrays, np.sort(rows))


def cpu_ms(work: Callable[[], object]) -> float:
    """Processor milliseconds of a call."""
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def memory(*, reset: bool = False) -> dict[str, int]:
    """KiB that the process has in memory, of mapped files, and at its peak; on Linux only."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts anew
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("Vm", "Rss"))}


PARTS: Mapping[str, Callable[..., Result]] = {
    "make": make,
    "warm": warm,
    "exact": exact,
    "recall": recall,
    "others": others,
}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--part"]:
        print(json.dumps(PARTS[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
