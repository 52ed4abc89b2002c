"""Times the whole of `hgrkit evaluate` on MSR-VTT's full test split, with frame features made up at random.

The captions are the published ones: 59,800 queries against 2,990 videos of 20 frames each. What the model finds is
worth nothing; how long it takes and how much memory, is what is measured.

    python benchmarks/benchmark_full.py --annotations DATA/annotations --out benchmarks/results/benchmark_full.json
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from result_file import described, model_described, write_result

from hgrkit.model.registry import model_folder
from hgrkit.research.datasets.catalogue import benchmark

FRAMES = 20
SEED = 0


def make_features(path: Path, names: list[str], feature_dim: int) -> None:
    """Write features of every video, gzip off, as the released code's hdf5 files have them."""
    random = np.random.default_rng(SEED)
    with h5py.File(path, "w") as file:
        for name in names:
            file[name] = np.maximum(random.standard_normal((FRAMES, feature_dim), dtype=np.float32), 0)


def measure(annotations: Path, name: str, model: str) -> dict[str, Any]:
    """Run the command in a process of its own and read what it took."""
    bench = benchmark(name, annotations=annotations)
    feature_dim = json.loads((model_folder(model) / "config.json").read_text())["video"]["feature_dim"]
    with tempfile.TemporaryDirectory() as folder:
        features, ranks = Path(folder) / "features.hdf5", Path(folder) / "ranks.jsonl"
        make_features(features, [video.name for video in bench.videos], feature_dim)
        options = [
            "--annotations",
            str(annotations),
            "--model",
            model,
            "--features",
            str(features),
            "--ranks",
            str(ranks),
        ]
        command = [sys.executable, "-m", "hgrkit", "evaluate", "--benchmark", name, *options, "--json"]
        started = time.perf_counter()
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        seconds = time.perf_counter() - started
        lines = sum(1 for _ in ranks.open())
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    measured = json.loads(printed)
    return {
        "measured": f"hgrkit evaluate --benchmark {name} --annotations DIR --model {model} --features FILE --json",
        "model": model_described(model),
        "queries": measured["text_to_video"]["queries"],
        "videos": measured["videos"]["found"],
        "frames": FRAMES,
        "ranks": lines,
        "parser_failures": measured["parser_failures"],
        "wall_s": round(seconds, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "load_average": round(os.getloadavg()[1], 1),
        "peak_memory_gb": round(used.ru_maxrss * 1024 / 1e9, 2),
        "chance": {"R@1": measured["text_to_video"]["R@1"], "MedR": measured["text_to_video"]["MedR"]},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--benchmark", default="msr-vtt/full")
    parser.add_argument("--model", default="default")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    measured = measure(arguments.annotations, arguments.benchmark, arguments.model)
    write_result({**described(arguments, seed=SEED), **measured}, arguments.out)
