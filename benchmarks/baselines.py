"""The default model and its baselines on 98 MSVD clips; the baselines learn from Flickr8k's photographs.

Encodes the photographs, indexes the clips, and runs `hgrkit evaluate --baselines`.

    python benchmarks/baselines.py --data DATA --out benchmarks/results/baselines.json
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from flickr8k import read_part
from result_file import arguments, described, model_described, write_result

FRAME_ENCODER = "efficientnet-lite2"


def write_training(flickr8k: Path, folder: Path) -> tuple[Path, Path]:
    """Captions and features of the training photographs, each a video of one frame."""
    train = read_part(flickr8k, "train", FRAME_ENCODER)
    np.savez(folder / "train.npz", **train.features)
    (folder / "train.json").write_text(json.dumps(train.captions), encoding="utf-8")
    return folder / "train.json", folder / "train.npz"


def measure(data: Path) -> dict[str, Any]:
    """What the command prints."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        train = write_training(data / "flickr8k", folder)
        msvd, library = data / "msvd", folder / "library"
        subprocess.run(["hgrkit", "index", msvd / "videos", "--library", library], check=True)
        evaluate = ["hgrkit", "evaluate", "--library", library, "--captions", msvd / "captions.json"]
        ran = subprocess.run(
            [*evaluate, "--baselines", "--baselines-train", *train, "--json"], check=True, capture_output=True
        )
    return {
        "model": model_described("default"),
        **json.loads(ran.stdout),
    }


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    write_result({**described(options), **measure(options.data)}, options.out)
