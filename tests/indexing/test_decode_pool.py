import sys
import threading

import pytest

from hgrkit.errors import ConfigError, DecodeWorkerError
from hgrkit.indexing.pipeline import index_videos
from hgrkit.indexing.source import DecodePool
from hgrkit.indexing.walk import walk_videos
from hgrkit.levels import PerLevel
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.sampling import FpsSampling
from hgrkit.video.worker import process as worker_process

MISCHIEF = """
import os, signal, time
import hgrkit.video.worker.program as worker
sound = worker.VideoReader
def reader(path, *arguments, **settings):
    if "crash" in os.path.basename(path):
        os.kill(os.getpid(), getattr(signal, "SIGSEGV", 15))
    if "sleep" in os.path.basename(path):
        time.sleep(1000)
    return sound(path, *arguments, **settings)
worker.VideoReader = reader
"""


class MeanColour:
    feature_dim, fingerprint, frame_size = 3, "mean@1", (16, 16)

    def encode(self, frames):
        return frames.mean(axis=(1, 2), dtype="float32")


def embed(features):
    return PerLevel(event=features.mean(axis=0), action=features, entity=-features)


def run(memory, *paths, **settings):
    return index_videos(
        memory,
        walk_videos(paths).files,
        frame_encoder=MeanColour(),
        embed=embed,
        sampling=FpsSampling(2),
        clip_seconds=1.0,
        **settings,
    )


@pytest.fixture
def memory(memory_store):
    return memory_store()


@pytest.fixture
def mischief(monkeypatch):
    before, call = worker_process._PROGRAM.rsplit("; ", 1)
    monkeypatch.setattr(worker_process, "_PROGRAM", f"{before}\n{MISCHIEF}\n{call}")


@pytest.fixture
def folder(make_video, tmp_path):
    """Six videos of different bytes, two of which make the worker crash."""
    for number, name in enumerate(["a", "b-crash", "c", "d", "e-crash", "f"]):
        make_video(f"v/{name}.mp4", shade=20 * number)
    return tmp_path / "v"


@pytest.mark.parametrize("num_workers", [1, 3])
def test_a_crash_costs_its_video_and_no_other(mischief, memory, folder, num_workers):
    report = run(memory, folder, num_workers=num_workers)
    assert (report.indexed, report.failed) == (4, 2)
    assert all("the decoder crashed on this file" in failure.reason for failure in report.failures)
    assert sorted(record.state for record in memory.videos()) == ["failed"] * 2 + ["indexed"] * 4


def test_what_crashed_is_not_tried_again_unless_asked(mischief, memory, folder, monkeypatch):
    run(memory, folder)
    assert (run(memory, folder).indexed, run(memory, folder).failed) == (0, 2)
    monkeypatch.undo()  # the decoder is mended
    report = run(memory, folder, retry_failed=True)
    assert (report.indexed, report.unchanged, report.failed) == (2, 4, 0)


def test_a_limit_fails_its_video_and_wider_limits_let_it_pass(memory, make_video, tmp_path):
    make_video("v/short.mp4", seconds=1)
    make_video("v/long.mp4", seconds=4)
    report = run(memory, tmp_path / "v", limits=DecodeLimits(frames=4))
    assert (report.indexed, report.failed) == (1, 1)
    assert "allow more with DecodeLimits(frames=...)" in report.failures[0].reason
    assert run(memory, tmp_path / "v", retry_failed=True).indexed == 1


def test_a_video_that_hangs_is_given_up(mischief, memory, make_video, tmp_path):
    make_video("v/a.mp4")
    make_video("v/sleep.mp4", shade=7)
    report = run(memory, tmp_path / "v", limits=DecodeLimits(seconds=1.5))
    assert (report.indexed, report.failed) == (1, 1)
    assert report.failures[0].reason.startswith("decoding made no progress for 1.5 seconds")


def test_the_threads_end_with_the_run(memory, folder):
    before = threading.active_count()
    run(memory, folder)
    assert threading.active_count() == before


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_leaving_the_pool_ends_its_processes_in_mid_video(mischief, make_video, tmp_path):
    for number in range(3):
        make_video(f"v/{number}sleep.mp4", shade=number)
    started = threading.Semaphore(0)

    def read(file, decoder, emit):
        decoder._running_worker()
        started.release()
        decoder.read(file.path, (8, 8), None, emit)

    with DecodePool(walk_videos([tmp_path / "v"]).files, read, num_workers=3) as pool:
        for _ in range(3):
            started.acquire()
        processes = [decoder._worker._process for decoder in pool._decoders]
        assert all(process.poll() is None for process in processes)
    assert all(process.poll() is not None for process in processes)


def test_a_worker_that_cannot_start_ends_the_run(memory, make_video, tmp_path, monkeypatch):
    make_video("v/a.mp4")
    monkeypatch.setattr(worker_process, "_PROGRAM", "raise SystemExit(1)")
    with pytest.raises(DecodeWorkerError, match="does not start"):
        run(memory, tmp_path / "v")
    assert memory.videos() == ()


def test_a_run_in_which_nothing_is_new_starts_no_process(memory, folder, monkeypatch):
    run(memory, folder)
    monkeypatch.setattr(worker_process, "_PROGRAM", "raise SystemExit(1)")
    assert run(memory, folder).unchanged == 6


def test_no_workers_are_too_few(memory, folder):
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        run(memory, folder, num_workers=0)
