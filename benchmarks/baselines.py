"""The default model and its baselines on 98 MSVD clips; the baselines learn from Flickr8k's photographs.

Encodes the photographs, indexes the clips, and runs `hgrkit evaluate --baselines`.

    python benchmarks/baselines.py --data DATA --out benchmarks/results/baselines.json
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import platform
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import hgrkit
from hgrkit.video.frame_encoder import encode_frames, load_frame_encoder

PHOTOGRAPHS_AT_ONCE = 32


def write_training(flickr8k: Path, folder: Path) -> tuple[Path, Path]:
    """Captions and features of the training photographs, each a video of one frame."""
    captions: dict[str, list[str]] = {}
    with (flickr8k / "Flickr8k.token.txt").open(encoding="utf-8") as file:
        for name, caption in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            captions.setdefault(name.split("#")[0], []).append(caption)
    encoder = load_frame_encoder("efficientnet-lite0", device="cpu")
    features: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(flickr8k / "images_224.zip") as archive:
        files = {Path(name).name: name for name in archive.namelist() if name.endswith(".jpg")}
        listed = (flickr8k / "Flickr_8k.trainImages.txt").read_text(encoding="utf-8").split()
        names = [name for name in listed if name in files]
        for start in range(0, len(names), PHOTOGRAPHS_AT_ONCE):
            part = names[start : start + PHOTOGRAPHS_AT_ONCE]
            pictures = [Image.open(io.BytesIO(archive.read(files[name]))).convert("RGB") for name in part]
            encoded = encode_frames(encoder, np.stack([np.asarray(picture) for picture in pictures]))
            features |= {name: row[None] for name, row in zip(part, encoded, strict=True)}
    np.savez(folder / "train.npz", **features)
    (folder / "train.json").write_text(json.dumps({name: captions[name] for name in names}), encoding="utf-8")
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
        "command": "python benchmarks/baselines.py",
        "machine": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "hgrkit": hgrkit.__version__,
        **json.loads(ran.stdout),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = json.dumps(measure(options.data), indent=1)
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n")
