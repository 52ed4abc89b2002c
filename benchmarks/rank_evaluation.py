"""What evaluating ranks costs: 59,800 captions against 2,990 videos, as many as MSR-VTT tests on, random scores.

Ranks, all measures of both directions and 1,000 resamples for their intervals; then a comparison of two runs.

    python benchmarks/rank_evaluation.py --out benchmarks/results/ruler.json
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from result_file import arguments, described, write_result
from timing import timed

from hgrkit.research.evaluation.bootstrap import Bootstrap, estimate
from hgrkit.research.evaluation.comparison import compare_ranks
from hgrkit.research.evaluation.rank_file import read_ranks, write_rank_file
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.evaluation.retrieval import GroundTruth, rank_queries

VIDEOS, CAPTIONS_EACH, SEED = 2990, 20, 0

T = TypeVar("T")


def peak_mb() -> int:
    """The most memory that this process has held so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(videos: int, resamples: int) -> dict[str, Any]:
    """Rank, report and compare."""
    rng = np.random.default_rng(SEED)
    owner = np.repeat(np.arange(videos), CAPTIONS_EACH)
    scores = rng.random((videos, len(owner)), dtype=np.float32)
    scores[owner, np.arange(len(owner))] += 0.9
    right = Relevance.from_pairs(owner, np.arange(len(owner)), scores.shape)
    names, words = [f"video{n}" for n in range(videos)], [f"caption {n}" for n in range(len(owner))]
    seconds: dict[str, float] = {}

    def taken(name: str, work: Callable[[], T]) -> T:
        value, took = timed(work)
        seconds[name] = round(took.cpu_s, 2)
        return value

    before = peak_mb()
    truth = GroundTruth.from_positives(right, videos=names, captions=words)
    rows = taken("rank both ways", lambda: rank_queries(scores, truth))
    intervals = taken("measures with intervals", lambda: estimate(rows, bootstrap=Bootstrap(resamples)).to_dict())
    ranked_mb = peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ranks.jsonl", "ranks.parquet"):
            path = Path(folder) / name
            taken(f"write {name}", partial(write_rank_file, rows, path))
            taken(f"read {name}", partial(read_ranks, path))
    shuffled = rng.permutation(len(rows))
    taken("compare, 10,000 resamples", lambda: compare_ranks(rows, [rows[n] for n in shuffled]))
    return {
        "queries": len(rows),
        "resamples": resamples,
        "cpu_s": seconds,
        "peak_mb": {"scores made": before, "ranked and measured": ranked_mb},
        "text_to_video": intervals["text_to_video"],
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--videos", type=int, default=VIDEOS)
    parser.add_argument("--resamples", type=int, default=1000)
    options = parser.parse_args()
    measured = measure(options.videos, options.resamples)
    write_result({**described(options, seed=SEED), **measured}, options.out)
