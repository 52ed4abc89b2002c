"""What measuring costs: 59,800 captions against 2,990 videos, the size of MSR-VTT's test set, random scores.

Ranks, all measures of both directions and 1,000 resamples for their intervals; then a comparison of two runs.

    python benchmarks/rank_evaluation.py --out benchmarks/results/ruler.json
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from result_file import described, write_result

from hgrkit.research.evaluation.bootstrap import Bootstrap, estimate
from hgrkit.research.evaluation.comparison import compare_ranks
from hgrkit.research.evaluation.rank_file import read_ranks, write_rank_file
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.evaluation.retrieval import GroundTruth, rank_queries

VIDEOS, CAPTIONS_EACH, SEED = 2990, 20, 0


def timed(call: Callable[[], Any], seconds: dict[str, float], name: str) -> Any:
    """Call, and note how much CPU it took."""
    started = time.process_time()
    result = call()
    seconds[name] = round(time.process_time() - started, 2)
    return result


def peak_mb() -> int:
    """The most memory that this process has held so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measure(videos: int, resamples: int) -> dict[str, Any]:
    """Rank, report and compare."""
    random = np.random.default_rng(SEED)
    owner = np.repeat(np.arange(videos), CAPTIONS_EACH)
    scores = random.random((videos, len(owner)), dtype=np.float32)
    scores[owner, np.arange(len(owner))] += 0.9
    right = Relevance.from_pairs(owner, np.arange(len(owner)), scores.shape)
    names, words = [f"video{n}" for n in range(videos)], [f"caption {n}" for n in range(len(owner))]
    seconds: dict[str, float] = {}
    before = peak_mb()
    truth = GroundTruth.from_positives(right, videos=names, captions=words)
    rows = timed(lambda: rank_queries(scores, truth), seconds, "rank both ways")
    intervals = timed(
        lambda: estimate(rows, bootstrap=Bootstrap(resamples)).to_dict(), seconds, "measures with intervals"
    )
    ranked_mb = peak_mb()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ranks.jsonl", "ranks.parquet"):
            path = Path(folder) / name
            timed(lambda path=path: write_rank_file(rows, path), seconds, f"write {name}")
            timed(lambda path=path: read_ranks(path), seconds, f"read {name}")
    shuffled = random.permutation(len(rows))
    timed(lambda: compare_ranks(rows, [rows[n] for n in shuffled]), seconds, "compare, 10,000 resamples")
    return {
        "queries": len(rows),
        "resamples": resamples,
        "cpu_s": seconds,
        "peak_mb": {"scores made": before, "ranked and measured": ranked_mb},
        "text_to_video": intervals["text_to_video"],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=VIDEOS)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    measured = measure(options.videos, options.resamples)
    write_result({**described(options, seed=SEED), **measured}, options.out)
