"""Times the whole of `hgrkit evaluate` on MSR-VTT's full test split, with frame features made up at random.

The captions are the published ones: 59,800 queries against 2,990 videos of 20 frames each. What the model finds is
worth nothing; how long it takes and how much memory, is what is measured.

    python benchmarks/benchmark_full.py --annotations DATA/annotations --out benchmarks/results/benchmark_full.json
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from result_file import arguments, described, model_described, write_result
from timing import timed

from hgrkit.model.registry import model_folder
from hgrkit.research.datasets.catalogue import benchmark

FRAMES = 20
SEED = 0


def make_features(path: Path, names: list[str], feature_dim: int) -> None:
    """Write features of every video, gzip off, as the released code's hdf5 files have them."""
    rng = np.random.default_rng(SEED)
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = np.maximum(rng.standard_normal((FRAMES, feature_dim), dtype=np.float32), 0)


def measure(annotations: Path, name: str, model: str) -> dict[str, Any]:
    """Run the command in a process of its own and read what it took."""
    bench = benchmark(name, annotations=annotations)
    feature_dim = json.loads((model_folder(model) / "config.json").read_text())["video"]["feature_dim"]
    with tempfile.TemporaryDirectory() as folder:
        features, ranks = Path(folder) / "features.hdf5", Path(folder) / "ranks.jsonl"
        make_features(features, [video.name for video in bench.videos], feature_dim)
        options = {"annotations": annotations, "model": model, "features": features, "ranks": ranks}
        words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
        command = [sys.executable, "-m", "hgrkit", "evaluate", "--benchmark", name, *words, "--json"]
        ran, taken = timed(lambda: subprocess.run(command, check=True, capture_output=True, text=True))
        lines = sum(1 for _ in ranks.open())
    peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    measured = json.loads(ran.stdout)
    return {
        "measured": f"hgrkit evaluate --benchmark {name} --annotations DIR --model {model} --features FILE --json",
        "model": model_described(model),
        "queries": measured["text_to_video"]["queries"],
        "videos": measured["videos"]["found"],
        "frames": FRAMES,
        "ranks": lines,
        "parser_failures": measured["parser_failures"],
        "wall_s": round(taken.wall_s, 1),
        "cpu_s": round(taken.cpu_s, 1),
        "load_average": round(os.getloadavg()[1], 1),
        "peak_memory_gb": round(peak_kb * 1024 / 1e9, 2),
        "chance": {"R@1": measured["text_to_video"]["R@1"], "MedR": measured["text_to_video"]["MedR"]},
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--benchmark", default="msr-vtt/full")
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    measured = measure(options.annotations, options.benchmark, options.model)
    write_result({**described(options, seed=SEED), **measured}, options.out)
