"""Damaged media: whole folders of mutated videos through the real indexing, which must end, well, every time."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import av
import numpy as np

__all__ = ["MUST_BE_ZERO", "from_here", "run", "runs_in"]

MUST_BE_ZERO = ("ended_runs", "hangs", "leaked_processes", "undisturbed_failures")
"""Counts that a run must not have."""

_FOLDER_FILES = 100
_LONGEST_RUN_S = 900
_MEMORY_BYTES = 512 << 20
_SUFFIXES = (".mp4", ".mkv", ".avi", ".webm", ".gif", ".mov", ".mpg", ".ts", ".ogv", ".mxf", ".dv", ".3gp")
_INFLATED = (0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0x00FFFFFF, 0x10000000, 0)
_KINDS = {
    "crashed": r"decoder crashed|was killed",
    "out of time": r"made no progress|took longer",
    "out of memory": r"of memory",
    "too much": r"DecodeLimits\(",
    "cut off": r"cut off",
    "decoding error": r"decoding error|no picture of the file|cannot be decoded|cannot be scaled",
    "no video": r"not a video|no video stream|holds no|header cannot be read|missing or damaged|is unknown",
}


def run(count: int, *, seed: int, folder: Path) -> dict[str, Any]:
    """Index `count` mutated files, a hundred at a time, each time in a process of its own.

    Args:
        count: how many files.
        seed: of the mutations; the H.264 clips that they start from differ a little from run to run.
        folder: an empty folder for files and libraries.

    Returns:
        counts: `MUST_BE_ZERO`, outcomes, reasons by kind, and the largest resident memory in MiB of the process
        that indexes and of its workers.
    """
    chance = random.Random(seed)
    seeds = _seeds(folder / "seeds")
    counts: Counter[str] = Counter(dict.fromkeys(MUST_BE_ZERO, 0))
    reasons: Counter[str] = Counter()
    peaks = {"peak_parent_mb": 0.0, "peak_worker_mb": 0.0}
    for number in range(0, count, _FOLDER_FILES):
        media = folder / f"media{number}"
        _fill(media, seeds, min(_FOLDER_FILES, count - number), chance)
        result = _indexed(media, folder / f"library{number}")
        counts.update({key: value for key, value in result.items() if isinstance(value, int)})
        reasons.update(result.get("reasons", {}))
        peaks = {key: max(value, result.get(key, 0.0)) for key, value in peaks.items()}
    return {"files": count, **counts, "reasons": dict(reasons.most_common()), **peaks}


# files ---------------------------------------------------------------------------------------------------------


def _seeds(folder: Path) -> dict[str, bytes]:
    """Small whole videos of every container and several codecs."""
    folder.mkdir()
    faststart = {"movflags": "faststart"}
    return {
        "h264.mp4": _video(folder / "a.mp4", "libx264"),
        "faststart.mp4": _video(folder / "b.mp4", "libx264", container_options=faststart),
        "mpeg4.mp4": _video(folder / "c.mp4", "mpeg4"),
        "h264.mkv": _video(folder / "d.mkv", "libx264"),
        "mjpeg.mkv": _video(folder / "e.mkv", "mjpeg", pix_fmt="yuvj420p"),
        "mpeg4.avi": _video(folder / "f.avi", "mpeg4"),
        "mjpeg.avi": _video(folder / "g.avi", "mjpeg", pix_fmt="yuvj420p"),
        "vp8.webm": _video(folder / "h.webm", "libvpx"),
        "vp9.webm": _video(folder / "i.webm", "libvpx-vp9"),
        "a.gif": _video(folder / "j.gif", "gif", pix_fmt="rgb8"),
        "mpeg2.ts": _video(folder / "k.ts", "mpeg2video"),
        "mpeg2.vob": _video(folder / "l.vob", "mpeg2video"),
        "h264.flv": _video(folder / "m.flv", "libx264"),
        "wmv2.wmv": _video(folder / "n.wmv", "wmv2"),
        "mpeg2.mxf": _video(folder / "o.mxf", "mpeg2video", rate=25),
        "a.dv": _video(folder / "p.dv", "dvvideo", rate=25, size=(720, 576), num_frames=5),
    }


def _video(
    path: Path,
    codec: str,
    *,
    pix_fmt: str = "yuv420p",
    container_options: dict[str, str] | None = None,
    rate: int = 10,
    size: tuple[int, int] = (96, 64),
    num_frames: int = 30,
) -> bytes:
    options = {"fflags": "bitexact", **(container_options or {})}  # no random identifiers
    with av.open(str(path), "w", container_options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.gop_size = 8
        for number in range(num_frames):
            picture = np.full((64, 96, 3), 60, np.uint8)
            picture[:, (3 * number) % 90 :: 12] = 200
            picture[number : number + 20, 20:60] = (number * 8, 255 - number * 8, 90)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return path.read_bytes()


def _fill(folder: Path, seeds: dict[str, bytes], count: int, chance: random.Random) -> None:
    """A folder of mutated files and, between them, one whole file of each kind."""
    folder.mkdir()
    for name, data in seeds.items():
        (folder / f"{chance.randrange(count):04}-whole-{name}").write_bytes(data)
    for number in range(count):
        name = chance.choice(list(seeds))
        data = bytearray(seeds[name])
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            data = chance.choice(_MUTATIONS)(data, chance, seeds)
        suffix = Path(name).suffix if chance.random() < 0.9 else chance.choice(_SUFFIXES)
        (folder / f"{number:04}-{Path(name).stem}{suffix}").write_bytes(data)


Mutation = Callable[[bytearray, random.Random, dict[str, bytes]], bytearray]


def _place(data: bytearray, chance: random.Random) -> int:
    """A place in a file; often near one of its ends, where containers keep what they say about themselves."""
    near = min(len(data), 3000)
    return chance.choice(
        (
            chance.randrange(len(data) or 1),
            chance.randrange(near or 1),
            len(data) - chance.randrange(near or 1) - 1,
        )
    )


def _flip_bits(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> bytearray:
    for _flip in range(chance.choice((1, 3, 20, 300))):
        data[_place(data, chance)] ^= 1 << chance.randrange(8)
    return data


def _truncate(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> bytearray:
    return data[: chance.randrange(1, len(data) + 1)]


def _swap_blocks(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> bytearray:
    length = chance.randrange(1, max(2, len(data) // 4))
    one, other = (chance.randrange(max(1, len(data) - length)) for _block in range(2))
    first, second = data[one : one + length], data[other : other + length]
    data[one : one + length], data[other : other + length] = second, first
    return data


def _zero_range(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> bytearray:
    begin = _place(data, chance)
    length = min(len(data) - begin, chance.choice((4, 60, 1000, 20_000)))
    data[begin : begin + length] = bytes(length)
    return data


def _splice_header(data: bytearray, chance: random.Random, seeds: dict[str, bytes]) -> bytearray:
    other = seeds[chance.choice(list(seeds))]
    length = chance.choice((12, 64, 500, 3000))
    return bytearray(other[:length]) + data[chance.choice((length, 0)) :]


def _inflate_size(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> bytearray:
    for _field in range(chance.choice((1, 2, 8))):
        begin = _place(data, chance)
        number = chance.choice(_INFLATED).to_bytes(4, chance.choice(("big", "little")))
        data[begin : begin + 4] = number[: len(data[begin : begin + 4])]
    return data


def _insert(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> bytearray:
    begin = _place(data, chance)
    data[begin:begin] = chance.randbytes(chance.choice((1, 2, 16, 2000)))
    return data


def _repeat(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> bytearray:
    begin = _place(data, chance)
    part = data[begin : begin + chance.choice((8, 200, 5000))]
    data[begin:begin] = part * chance.choice((1, 5, 50))
    return data


_MUTATIONS: tuple[Mutation, ...] = (
    _flip_bits,
    _flip_bits,
    _inflate_size,
    _inflate_size,
    _insert,
    _repeat,
    _splice_header,
    _swap_blocks,
    _truncate,
    _zero_range,
)


# runs ----------------------------------------------------------------------------------------------------------


def _indexed(media: Path, library: Path) -> dict[str, Any]:
    """Index one folder in a process of its own; whatever it started must be gone when it is."""
    room = library.with_name(f"room-{uuid.uuid4().hex}")  # workers get no environment, but the same current folder
    room.mkdir()
    command = [sys.executable, "-m", "tests.torture.media", str(media), str(library)]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **from_here(), "OMP_NUM_THREADS": "1"},
            cwd=room,
            capture_output=True,
            timeout=_LONGEST_RUN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"hangs": 1, "leaked_processes": _running(room)}
    leaked = _running(room)
    if done.returncode:
        print(done.stderr.decode(errors="replace"), file=sys.stderr)  # noqa: T201
        return {"ended_runs": 1, "leaked_processes": leaked}
    result: dict[str, Any] = json.loads(done.stdout)
    return {**result, "leaked_processes": leaked}


def _running(room: Path) -> int:
    """How many processes of a run are left."""
    return sum(runs_in(process, room) for process in Path("/proc").glob("[0-9]*"))


def runs_in(process: Path, room: Path) -> bool:
    """Whether a process, by its folder of /proc, has that current folder."""
    try:
        return (process / "cwd").readlink() == room
    except OSError:  # another user's, or gone
        return False


def from_here() -> dict[str, str]:
    """The environment that finds this checkout from any folder."""
    root = str(Path(__file__).resolve().parents[2])
    return {"PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}


class _MeanColour:
    """A frame encoder that costs next to nothing."""

    feature_dim, fingerprint, frame_size = 3, "mean@1", (32, 32)

    def encode(self, frames: np.ndarray) -> np.ndarray:
        mean: np.ndarray = frames.mean(axis=(1, 2), dtype=np.float32) + 1
        return mean


class _Peak:
    """The largest resident memory of this process's children, looked at while they live."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            for children in Path("/proc/self/task").glob("*/children"):
                for child in _text(children).split():
                    if "hgrkit-decode-worker" not in _text(Path(f"/proc/{child}/cmdline")):
                        continue  # it still shares the memory of this process
                    for kilobytes in re.findall(r"VmHWM:\s+(\d+)", _text(Path(f"/proc/{child}/status"))):
                        self.mb = max(self.mb, round(int(kilobytes) / 1024, 1))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _index(media: str, library_path: str) -> dict[str, Any]:
    """The run itself: a real library, real workers."""
    import resource

    from hgrkit.indexing.pipeline import index_videos
    from hgrkit.indexing.walk import walk_videos
    from hgrkit.levels import PerLevel
    from hgrkit.library import Library, Manifest
    from hgrkit.video.limits import DecodeLimits
    from hgrkit.video.sampling import FpsSampling

    manifest = Manifest(
        model="m",
        model_fingerprint="m@1",
        frame_encoder="mean",
        frame_encoder_fingerprint="mean@1",
        sampling="fps:2",
        clip_seconds=10.0,
        embed_dim=3,
    )
    with Library.create(Path(library_path), manifest) as library, _Peak() as peak:
        report = index_videos(
            library,
            walk_videos([media]).files,
            frame_encoder=_MeanColour(),
            embed=lambda features: PerLevel(event=features.mean(axis=0), action=features, entity=features),
            sampling=FpsSampling(2),
            clip_seconds=10.0,
            limits=DecodeLimits(seconds=20, memory_bytes=_MEMORY_BYTES),
        )
        stored = {Path(record.path).name for record in library.videos() if record.state == "indexed"}
    whole = {path.name for path in Path(media).iterdir() if "-whole-" in path.name}
    return {
        "indexed": report.indexed + report.duplicates,
        "failed": report.failed,
        "undisturbed_failures": len(whole - stored),
        "reasons": Counter(_kind(failure.reason) for failure in report.failures),
        "peak_parent_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "peak_worker_mb": peak.mb,
    }


def _kind(reason: str) -> str:
    return next((kind for kind, pattern in _KINDS.items() if re.search(pattern, reason)), reason)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_index(*sys.argv[1:])))
