"""What confining decode workers costs: videos sampled in two checkouts, in turns, in processes of their own.

    python benchmarks/confined_decoding.py ../before . --videos DATA/msvd/videos \
        --out benchmarks/results/confined_decoding.json

What is compared is processor time of the worker and of its owner, after the first video: medians, and the median
of the ratios of a round. The worker's start, which is paid once a run, is told apart.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path

from before_after import SIDES, checkout, in_checkout

FRAME_SIZE, FRAMES_A_SECOND = (260, 260), 2
PARTS = ("start", "decoding")


def worker_cpu_s(process: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_inside(videos: list[str]) -> dict[str, float]:
    """Sample the videos with the checkout that is imported."""
    from hgrkit.video.limits import DecodeLimits
    from hgrkit.video.sampling import FpsSampling
    from hgrkit.video.worker.decoder import DecodeProcess

    with DecodeProcess(DecodeLimits()) as decoder:
        begun = time.process_time()
        for number, video in enumerate(videos):
            decoder.read(video, FRAME_SIZE, FpsSampling(FRAMES_A_SECOND), lambda *_: None)
            if number == 0:
                process = decoder._worker._process.pid  # noqa: SLF001 - both checkouts have it
                start, begun = worker_cpu_s(process), time.process_time()
        return {"start": start, "decoding": worker_cpu_s(process) - start + time.process_time() - begun}


def main() -> None:
    """Compare."""
    from result_file import arguments, described, write_result

    parser = arguments(__doc__)
    parser.add_argument("before", type=Path, help="the root of a checkout")
    parser.add_argument("after", type=Path, help="the root of another one")
    parser.add_argument("--videos", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    folders = {"before": options.before.resolve(), "after": options.after.resolve()}
    commits = {side: checkout(folder) for side, folder in folders.items()}
    videos = sorted(str(path.resolve()) for path in options.videos.iterdir() if path.is_file())
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for number in range(options.rounds):
        for side in SIDES if number % 2 else reversed(SIDES):
            done = in_checkout(folders[side], str(Path(__file__).resolve()), "--inside", *videos, threads=1)
            runs[side].append(json.loads(done.stdout))
    ratios = [after["decoding"] / before["decoding"] for before, after in zip(*runs.values(), strict=True)]
    measured = {
        "checkouts": commits,
        "median_cpu_s": {
            side: {part: round(statistics.median(run[part] for run in rounds), 4) for part in PARTS}
            for side, rounds in runs.items()
        },
        "after_over_before": round(statistics.median(ratios), 4),
        "after_over_before_by_round": [round(ratio, 4) for ratio in ratios],
        "videos": len(videos),
        "rounds": options.rounds,
    }
    write_result({"benchmark": "confined_decoding", **described(options), **measured}, options.out)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        print(json.dumps(measure_inside(sys.argv[2:])))
    else:
        main()
