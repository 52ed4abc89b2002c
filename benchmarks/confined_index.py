"""What confining the decoders costs: `hgrkit index` in two checkouts, in turns, each in processes of its own.

    python benchmarks/confined_index.py ../before . --videos DATA/msvd/videos \
        --out benchmarks/results/confined_index.json

A round indexes the same videos once in both checkouts, each time into a new library, and the rounds take turns in
which goes first. What is compared is processor time, that of the decoders included: medians, and the median of the
ratios of a round. The first round is a warm-up.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path

from before_after import SIDES, checkout, in_checkout
from result_file import arguments, described, write_result
from timing import timed


def index_cpu_s(folder: Path, videos: Path, threads: int) -> float:
    """Processor seconds of indexing the videos into a new library, with a checkout."""
    with tempfile.TemporaryDirectory() as scratch:
        command = ("-m", "hgrkit", "index", str(videos), "--library", str(Path(scratch) / "library"))
        return timed(lambda: in_checkout(folder, *command, threads=threads))[1].cpu_s


def main() -> None:
    """Compare."""
    parser = arguments(__doc__)
    parser.add_argument("before", type=Path, help="the root of a checkout")
    parser.add_argument("after", type=Path, help="the root of another one")
    parser.add_argument("--videos", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--count", type=int, default=20, help="videos of it, the first by name")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1, help="of numpy; more make processor time waver")
    options = parser.parse_args()
    folders = {"before": options.before.resolve(), "after": options.after.resolve()}
    commits = {side: checkout(folder) for side, folder in folders.items()}
    runs: dict[str, list[float]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as scratch:
        chosen = sorted(path for path in options.videos.iterdir() if path.is_file())[: options.count]
        for path in chosen:
            shutil.copy(path, scratch)
        for number in range(options.rounds + 1):
            for side in SIDES if number % 2 else reversed(SIDES):
                runs[side].append(index_cpu_s(folders[side], Path(scratch), options.threads))
    before, after = (runs[side][1:] for side in SIDES)  # the first compiles modules and warms the disk
    ratios = [late / early for early, late in zip(before, after, strict=True)]
    measured = {
        "checkouts": commits,
        "median_cpu_s": {"before": statistics.median(before), "after": statistics.median(after)},
        "after_over_before": round(statistics.median(ratios), 4),
        "after_over_before_by_round": [round(ratio, 4) for ratio in ratios],
        "videos": len(chosen),
        "rounds": options.rounds,
        "threads": options.threads,
    }
    write_result({"benchmark": "confined_index", **described(options, seed=None), **measured}, options.out)


if __name__ == "__main__":
    main()
