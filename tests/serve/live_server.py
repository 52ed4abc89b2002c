"""A small real library, and `hgrkit serve` over it in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import attrs
import av
import httpx
import numpy as np
import pytest

from hgrkit import Retriever
from hgrkit.library.tags import tag_video

VIDEOS = {
    "plain.mp4": ("libx264", "mp4", {}),
    "red ball.mp4": ("libx264", "mp4", {}),
    "old.avi": ("mpeg4", "avi", {}),
    "film.mkv": ("libx264", "matroska", {}),
    "web.webm": ("libvpx", "webm", {"deadline": "realtime", "cpu-used": "8"}),
    "phone.mov": ("libx264", "mov", {}),
}
"""By name: codec, container and options of the encoder. Browsers play all but the AVI and the Matroska file."""

SECONDS = 3


def write_video(path, codec="libx264", container="mp4", options=None, *, seconds=SECONDS, seed=None):
    """A bright square that wanders over a background of its own."""
    rng = np.random.default_rng(sum(map(ord, path.name)) if seed is None else seed)
    background = rng.integers(0, 120, (6, 8, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
    colour, path = rng.integers(100, 255, 3), Path(path)
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=10, options=options or {})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.gop_size = 10
        for number in range(10 * seconds):
            picture = background.copy()
            at = (number * 3) % 96
            picture[30:60, at : at + 30] = colour
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(stream.encode(None))
    return path


def write_copies(folder, count, *, seconds):
    """Videos that differ in a few bytes only, which takes less than to encode each."""
    folder.mkdir(exist_ok=True)
    first = write_video(folder / "00.mp4", seconds=seconds)
    for number in range(1, count):
        (folder / f"{number:02}.mp4").write_bytes(first.read_bytes() + bytes([number]))
    return folder


@attrs.frozen
class Made:
    """A library and the folder of its videos."""

    library: Path
    videos: Path


def make_library(folder):
    videos = folder / "videos"
    videos.mkdir(parents=True)
    for name, (codec, container, options) in VIDEOS.items():
        write_video(videos / name, codec, container, options)
    (videos / "broken.mp4").write_bytes(b"no video at all")
    with Retriever.create(folder / "lib") as retriever:
        report = retriever.index(videos)
        tag_video(retriever.library, str(videos / "plain.mp4"), {"camera": "front", "year": 2026})
        tag_video(retriever.library, str(videos / "old.avi"), {"camera": "back"})
    assert (report.indexed, report.failed) == (len(VIDEOS), 1), report.failures
    return Made(folder / "lib", videos)


@attrs.frozen
class Running:
    """A server in a process of its own."""

    address: str
    process: subprocess.Popen

    def client(self, **options):
        return httpx.Client(base_url=self.address, timeout=60, **options)


def start_process(*arguments, cwd=None):
    """`hgrkit serve` as a user runs it, at a free port."""
    command = [sys.executable, "-m", "hgrkit", "serve", *map(str, arguments), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd)
    line = process.stdout.readline()
    if "http://" not in line:
        process.kill()
        pytest.fail(f"the server did not start: {line!r} {process.communicate()[1]}")
    return Running("http://" + line.rsplit("http://")[1].strip(), process)


def stop_process(running):
    running.process.send_signal(signal.SIGINT if os.name == "posix" else signal.CTRL_C_EVENT)
    try:
        return running.process.communicate(timeout=40)
    except subprocess.TimeoutExpired:
        running.process.kill()
        raise


def ids_of(client):
    return {video["name"]: video["id"] for video in client.get("api/videos").json()["videos"]}
