"""Copies of videos as they are found in folders: encoded again, resized, cropped, recoloured, trimmed, faded."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

__all__ = ["COPIES", "FRAMES", "make_copies"]

CROP = "crop=iw*0.8:ih*0.8"
COLOUR = "eq=brightness=0.06:saturation=1.5:contrast=1.15,hue=h=15"
FADE = "tpad=start_duration={0}:color=black,fade=in:st={0}:d=1.0,tpad=stop_duration={0}:color=black"

COPIES: Mapping[str, tuple[str, int]] = {
    "resized": ("scale=-2:144", 34),
    "cropped, recoloured": (f"{CROP},{COLOUR}", 34),
    "trimmed, resized": ("scale=-2:192", 28),
    "faded": (FADE.format(1.5), 26),
    "faded long": (FADE.format(3.0), 26),
}
"""Of each copy that is a video its filter and its rate factor of H.264. Trimmed ones lose half of their length."""

FRAMES: Mapping[str, str] = {"frame": "null", "frame, cropped, recoloured": f"{CROP},{COLOUR}"}
"""Of each copy that is a frame, at a random time, its filter."""


def make_copies(videos: Sequence[Path], folder: Path, *, seed: int) -> dict[str, dict[str, Path]]:
    """Make what is not in the folder yet; the copies of each kind by the name of the video, without its suffix."""
    rng = np.random.default_rng(seed)
    made: dict[str, dict[str, Path]] = {kind: {} for kind in (*FRAMES, *COPIES)}
    for video in videos:
        length_s = duration_s(video)
        at_s, begin_s, kept_s = (length_s * rng.uniform(*span) for span in ((0.05, 0.95), (0.1, 0.4), (0.4, 0.6)))
        for kind, filters in FRAMES.items():
            made[kind][video.stem] = picture = folder / kind / f"{video.stem}.jpg"
            quality = "3" if kind == "frame" else "8"
            run_ffmpeg(
                picture, "-ss", f"{at_s}", "-i", str(video), "-frames:v", "1", "-vf", filters, "-q:v", quality
            )
        for kind, (filters, rate) in COPIES.items():
            made[kind][video.stem] = copy = folder / kind / f"{video.stem}.mp4"
            span = ["-ss", f"{begin_s}", "-t", f"{kept_s}"] if kind.startswith("trimmed") else []
            encode = ["-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", str(rate)]
            run_ffmpeg(copy, *span, "-i", str(video), "-vf", filters, *encode)
    return made


def duration_s(video: Path) -> float:
    """Length of a video in seconds."""
    with av.open(str(video)) as container:
        return (container.duration or 0) / av.time_base


def run_ffmpeg(out: Path, *arguments: str) -> None:
    """Run FFmpeg, unless its output is there."""
    if out.exists():
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f"unfinished-{out.name}")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", "-threads", "1", *arguments]
    subprocess.run([*command, str(unfinished)], check=True)
    unfinished.replace(out)
