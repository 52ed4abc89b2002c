"""What jumping between key frames saves when a few pictures of a long video are read; writes JSON.

    python benchmarks/decode.py --out decode.json

Makes a 1080p H.264 file, reads the same pictures from it by jumping and by decoding everything, in turns in one
process, checks that they are the same pictures, and reports CPU seconds and their ratio.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np
from result_file import arguments, described, write_result
from timing import timed

from hgrkit.video.reader import SampledFrame, VideoReader
from hgrkit.video.sampling import Sampling, parse_sampling


def make_video(path: Path, *, seconds: int, seed: int, rate: int = 25, gop: int = 250) -> None:
    """A panned noise picture, which costs a decoder about what footage costs."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (150, 260, 3), dtype=np.uint8)
    canvas = coarse.repeat(8, axis=0).repeat(8, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.codec_context.gop_size = gop
        stream.options = {"preset": "veryfast", "crf": "28"}
        for number in range(seconds * rate):
            left, top = number % 150, (number // 2) % 100
            picture = np.ascontiguousarray(canvas[top : top + 1080, left : left + 1920])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def repeat(source: Path, path: Path, *, times: int) -> None:
    """The same packets several times in a row: a long file without the wait for a long encoding."""
    with av.open(str(path), "w") as container:
        shift, output = 0, None
        for _ in range(times):
            with av.open(str(source)) as part:
                stream = part.streams.video[0]
                output = output or container.add_stream_from_template(stream)
                for packet in part.demux(stream):
                    if packet.dts is not None and packet.pts is not None:
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, output
                        container.mux(packet)
                shift += stream.duration or 0


def cpu_seconds(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of all threads, the smallest of several measurements."""
    return min(timed(work)[1].cpu_s for _ in range(rounds))


def read_all(path: Path, sampling: Sampling, way: str) -> list[SampledFrame]:
    """All sampled pictures."""
    return list(VideoReader(path).sample(sampling, sequential=way == "sequential"))


def measure(path: Path, sampling_text: str, rounds: int) -> dict[str, object]:
    """Both ways on one file."""
    sampling = parse_sampling(sampling_text)
    readers = {"jumping": VideoReader(path), "sequential": VideoReader(path)}
    pictures = {
        way: list(reader.sample(sampling, sequential=way == "sequential")) for way, reader in readers.items()
    }
    same = all(
        one.time_s == other.time_s and bool((one.image == other.image).all())
        for one, other in zip(pictures["jumping"], pictures["sequential"], strict=True)
    )
    decoded = {way: reader.decoded_frames for way, reader in readers.items()}
    seconds = {way: cpu_seconds(partial(read_all, path, sampling, way), rounds) for way in readers}
    return {
        "sampling": sampling_text,
        "pictures": len(pictures["jumping"]),
        "same_pictures": same,
        "decoded_frames": decoded,
        "cpu_s": seconds,
        "open_cpu_s": cpu_seconds(lambda: VideoReader(path), rounds),
        "ratio": seconds["sequential"] / seconds["jumping"],
    }


def main() -> None:
    """Measure and write."""
    parser = arguments(__doc__)
    parser.add_argument("--video", type=Path, help="measure on this file instead of a made one")
    parser.add_argument("--seconds", type=int, default=600, help="length of the made file, in tens")
    parser.add_argument("--sampling", nargs="+", default=["uniform:20", "fps:0.1", "fps:2"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.video or Path(folder) / "made.mp4"
        if options.video is None:
            part = Path(folder) / "part.mp4"
            make_video(part, seconds=10, seed=options.seed)
            repeat(part, path, times=max(1, options.seconds // 10))
        reader = VideoReader(path)
        result = {
            "benchmark": "decode",
            **described(options, seed=options.seed),
            "ffmpeg": av.ffmpeg_version_info,
            "video": {
                "made": options.video is None,
                "duration_s": reader.duration_s,
                "bytes": path.stat().st_size,
            },
            "results": [measure(path, sampling, options.rounds) for sampling in options.sampling],
        }
    write_result(result, options.out)


if __name__ == "__main__":
    main()
