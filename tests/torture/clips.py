"""Small real clips to index: from the development data where it is, else made here."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import numpy as np

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "msvd" / "videos"


def lay_out_clips(folder: Path, count: int, *, real: bool) -> list[Path]:
    """Put `count` clips into a folder; the smallest real ones if they are wanted and there."""
    folder.mkdir()
    if real and SHARED.is_dir():
        smallest = sorted(SHARED.glob("*.mp4"), key=lambda path: (path.stat().st_size, path.name))[:count]
        return [Path(shutil.copyfile(path, folder / path.name)) for path in smallest]
    return [_make(folder / f"made-{number}.mp4", number) for number in range(count)]


def _make(path: Path, seed: int, *, frames: int = 12, size: int = 96) -> Path:
    """A second of a square that moves over noise."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 255, (size, size, 3), np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            picture = noise.copy()
            picture[20:50, 4 * number : 4 * number + 30] = random.integers(0, 255, 3)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path
