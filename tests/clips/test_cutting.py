import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from hgrkit.clips import cut_hits
from hgrkit.errors import ConfigError
from hgrkit.levels import PerLevel
from hgrkit.results import Hit
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.worker import process as worker_process
from tests.video.worker.test_decoder import MISCHIEF, program_with


@pytest.fixture
def write_video(tmp_path):
    """A video of four seconds with a key frame every second."""

    def write(name, size=(64, 48)):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            stream.codec_context.gop_size = 10
            for number in range(40):
                picture = np.full((size[1], size[0], 3), 5 * number, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode(None))
        return path

    return write


def hits_on(*videos, start_s=1.5, end_s=2.5):
    return [
        Hit(
            rank=rank,
            video=str(video),
            start_s=start_s,
            end_s=end_s,
            score=0.5,
            levels=PerLevel(event=0.0, action=0.0, entity=0.0),
            phrases=(),
        )
        for rank, video in enumerate(videos, 1)
    ]


def shades(path):
    with av.open(str(path)) as container:
        return [round(frame.to_ndarray(format="gray").mean() / 5) for frame in container.decode(video=0)]


def test_every_hit_becomes_a_file_that_is_named_after_it(write_video, tmp_path):
    hits = hits_on(write_video("park.mp4"), write_video("sea.mkv"))
    told = []
    clips = cut_hits(hits, tmp_path / "new" / "clips", on_progress=lambda *numbers: told.append(numbers))
    assert [clip.path.name for clip in clips] == ["01 park 1.5-2.5s.mp4", "02 sea 1.5-2.5s.mkv"]
    assert [(clip.rank, clip.video) for clip in clips] == [(1, hits[0].video), (2, hits[1].video)]
    assert [(clip.start_s, clip.end_s) for clip in clips] == [(1.0, 2.5)] * 2
    assert {path.name for path in (tmp_path / "new" / "clips").iterdir()} == {clip.path.name for clip in clips}
    assert shades(clips[0].path) == pytest.approx(list(range(10, 25)), abs=1)
    assert told == [(0, 2), (1, 2), (2, 2)]


def test_exact_clips_are_the_moment_alone(write_video, tmp_path):
    (clip,) = cut_hits(hits_on(write_video("sea.mkv")), tmp_path / "clips", exact=True)
    assert (clip.start_s, clip.end_s, clip.encoded) == (1.5, 2.5, "to be exact")
    assert shades(clip.path) == pytest.approx(list(range(15, 25)), abs=1)


def test_a_video_that_is_gone_or_broken_costs_its_own_clip_and_no_other(write_video, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    hits = hits_on(tmp_path / "gone.mp4", broken, tmp_path, write_video("park.mp4"))
    clips = cut_hits(hits, tmp_path / "clips")
    assert [clip.path is None for clip in clips] == [True, True, True, False]
    assert "no file" in clips[0].problem
    assert "not a video" in clips[1].problem
    assert all("\n" not in clip.problem for clip in clips)
    assert [path.name for path in (tmp_path / "clips").iterdir()] == ["04 park 1.5-2.5s.mp4"]


def test_a_video_that_needs_more_than_is_allowed_makes_no_clip(write_video, tmp_path):
    limits = DecodeLimits(pixels=64 * 48)
    videos = write_video("large.mp4", size=(128, 96)), write_video("small.mp4")
    large, small = cut_hits(hits_on(*videos), tmp_path / "clips", limits=limits)
    assert "beyond 3,072 pixels" in large.problem
    assert "allow more" not in large.problem
    assert small.path is not None


def test_a_video_that_takes_too_long_makes_no_clip(write_video, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_process, "_PROGRAM", program_with(MISCHIEF))
    videos = write_video("sleep.mp4"), write_video("park.mp4")
    slow, quick = cut_hits(hits_on(*videos), tmp_path / "clips", limits=DecodeLimits(seconds=5))
    assert slow.problem == "decoding made no progress for 5 seconds"
    assert [path.name for path in (tmp_path / "clips").iterdir()] == [quick.path.name]


def test_a_folder_that_is_a_file_is_refused(write_video, tmp_path):
    path = write_video("park.mp4")
    with pytest.raises(ConfigError, match=r"'park\.mp4' is a file"):
        cut_hits(hits_on(path), path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_kill_leaves_no_half_file_under_a_clips_name(write_video, tmp_path):
    video = write_video("park.mp4", size=(640, 480))
    program = (
        "from tests.clips.test_cutting import hits_on\n"
        "from hgrkit.clips import cut_hits\n"
        f"cut_hits(hits_on(*[{str(video)!r}] * 200), {str(tmp_path / 'clips')!r}, exact=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + 60
        while len(list((tmp_path / "clips").glob("*.mp4"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = list((tmp_path / "clips").glob("*.mp4"))
    assert 3 <= len(finished) < 200
    for path in finished:
        assert len(shades(path)) == 10
    assert all(path.suffix in (".mp4", ".part") for path in (tmp_path / "clips").iterdir())
