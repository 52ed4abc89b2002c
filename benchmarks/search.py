"""Searches libraries of real embeddings: times, memory, recall; beside the published form, MaxSim and hnswlib.

    python benchmarks/search.py --data DATA --features CACHE --out benchmarks/results/search.json

Clips have 20 frames and D = 512; `real_clips.py` says what they are made of. Questions are human captions of
test videos. Times are those of the processor, on one core: other programs change them less than those of the
clock. What is measured runs in processes of its own, one after the other:

- `fresh_cpu_s`: `hgrkit search TEXT --library LIB --json` in a new process, and with `--exact-search`;
- `warm`: questions put to one open library, as sentences, and, `matching`, as embeddings that are at hand;
- `exact`: the first answer of an exact search, and memory at its peak above that of the process with the library
  open and the question read. Pages of mapped files, which the system takes back as it needs them, are told apart
  from what the process holds;
- `recall`: how many of the first ten of an exact search are among the ten that the cascade returns, for several
  numbers of candidates, by a flat scan and by HNSW, with the time of a question's matching.

`others`, on the smallest library of 10,000 clips or more, is what else one could do (`other_searches.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

K, SEED = 10, 0
FRESH_RUNS, WARM_QUESTIONS, TIMED_QUESTIONS, EXACT_AT_ONCE = 5, 100, 30, 4
OTHERS_FROM, OTHERS_QUESTIONS = 10_000, 20
CANDIDATES = (125, 250, 500, 750, 1000, 1500, 2000, 3000, 4000)
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
MIB = 1 << 20

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
    others_at = min((size for size in options.sizes if size >= OTHERS_FROM), default=None)
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
    """Milliseconds of questions to a library that has answered before: whole, and their matching alone."""
    from real_clips import read_captions_of_videos

    from hgrkit.retriever import Retriever

    use_one_core()
    captions = read_captions_of_videos(Path(data), 2 * WARM_QUESTIONS, SEED)
    queries, settings = asked(library, data, WARM_QUESTIONS)
    with Retriever.open(library, device="cpu") as retriever:
        for caption in captions[WARM_QUESTIONS:]:
            retriever.search(caption, K)
        whole = [cpu_ms(partial(retriever.search, caption, K)) for caption in captions[:WARM_QUESTIONS]]
        matching = [cpu_ms(partial(retriever.library.search, query, K, settings=settings)) for query in queries]
    return {
        f"{name}_ms": {"p50": round(float(np.median(times)), 2), "p95": round(float(np.quantile(times, 0.95)), 2)}
        for name, times in {"question": whole, "matching": matching}.items()
    }


def exact(library: str, data: str) -> Result:
    """The first answer of an exact search, and what memory it takes."""
    from hgrkit.library.library import Library

    use_one_core()
    (query,), settings = asked(library, data, 1)
    with Library.open(library) as opened:
        before = peak_memory()
        answers = [cpu_ms(partial(opened.search, query, K, settings=exhaustive(settings))) for _ in range(2)]
    peak, mapped = (after - earlier for after, earlier in zip(peak_memory(), before, strict=True))
    return {
        "first_ms": round(answers[0], 1),
        "second_ms": round(answers[1], 1),
        "peak_mb": round(peak / MIB),
        "of_it_mapped_files_mb": round(mapped / MIB),
    }


def recall(library: str, data: str, num_queries: str, with_hnsw: str) -> Result:
    """Recall of the cascade against the exact first ten, and matching's time, by number of candidates."""
    from hgrkit.library.library import Library

    use_one_core()
    queries, settings = asked(library, data, int(num_queries))
    with Library.open(library) as opened:
        parts = [
            opened.scores(queries[first : first + EXACT_AT_ONCE], settings)
            for first in range(0, len(queries), EXACT_AT_ONCE)
        ]
        paths = np.array(opened.indexed_paths())
        found: Result = {"queries": len(queries), "default_candidates": settings.candidates_among(len(paths))}
        right = [set(paths[best_rows(column)]) for column in np.concatenate(parts, axis=1).T]
        found["default"] = compare(opened, queries, right, settings)
    sources = ("flat", "hnsw") if int(with_hnsw) else ("flat",)
    for source in sources:
        mode = "w" if source == "hnsw" else "r"
        with Library.open(library, mode, candidates=source) as opened:
            if source == "hnsw":
                found["hnsw_build_cpu_s"] = round(cpu_ms(opened.refresh_ann_index) / 1000, 1)
            found[source] = {
                str(count): compare(opened, queries, right, candidates_only(settings, count))
                for count in CANDIDATES
                if count < len(paths)
            }
    return found


def compare(library: Any, queries: Sequence[Any], right: Sequence[set[str]], settings: Any) -> Result:
    """Recall, and the median time of a question's matching after the first round."""
    hits = [
        {match.video for match in library.search(query, K, settings=settings)} & best
        for query, best in zip(queries, right, strict=True)
    ]
    times = [cpu_ms(partial(library.search, query, K, settings=settings)) for query in queries[:TIMED_QUESTIONS]]
    return {
        "recall@10": round(
            statistics.fmean(len(own) / len(best) for own, best in zip(hits, right, strict=True)), 4
        ),
        "questions_with_a_miss": sum(own != best for own, best in zip(hits, right, strict=True)),
        "matching_ms": round(statistics.median(times), 2),
    }


def others(library: str, data: str) -> Result:
    """What else one could do, on one thread."""
    from other_searches import compare_others

    use_one_core()
    return compare_others(library, *asked(library, data, OTHERS_QUESTIONS))


# what parts share ----------------------------------------------------------------------------------------------


def asked(library: str, data: str, count: int) -> tuple[list[Any], Any]:
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


def exhaustive(settings: Any) -> Any:
    """Every clip is compared."""
    import attrs

    return attrs.evolve(settings, exhaustive=True)


def candidates_only(settings: Any, count: int) -> Any:
    """So many candidates are compared, however small the library is."""
    import attrs

    return attrs.evolve(settings, exhaustive=False, candidates=count)


def cpu_ms(work: Callable[[], object]) -> float:
    """Processor milliseconds of a call."""
    began = time.process_time()
    work()
    return 1000 * (time.process_time() - began)


def peak_memory() -> tuple[int, int]:
    """Bytes that the process had in memory at its peak, and those of mapped files that it has now."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    mapped = next((int(line.split()[1]) for line in lines if line.startswith("RssFile:")), 0)
    return peak, mapped * 1024


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
