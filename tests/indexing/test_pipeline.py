import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from hgrkit.errors import DecodeWorkerError, ShapeError
from hgrkit.indexing.known_videos import content_hash
from hgrkit.indexing.pipeline import index_videos
from hgrkit.indexing.report import IndexProgress
from hgrkit.indexing.walk import walk_videos
from hgrkit.levels import PerLevel
from hgrkit.library import Library, Manifest
from hgrkit.video.sampling import FpsSampling
from hgrkit.video.worker import process as worker_process

MANIFEST = Manifest(
    model="m",
    model_fingerprint="m@1",
    frame_encoder="mean",
    frame_encoder_fingerprint="mean@1",
    sampling="fps:2",
    clip_seconds=1.0,
    embed_dim=3,
)


class MeanColour:
    feature_dim, fingerprint, frame_size = 3, "mean@1", (16, 16)

    def __init__(self):
        self.batches = []

    def encode(self, frames):
        self.batches.append(len(frames))
        return frames.mean(axis=(1, 2), dtype=np.float32)


def embed(features):
    return PerLevel(event=features.mean(axis=0), action=features, entity=-features)


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "library", MANIFEST) as library:
        yield library


def run(library, *paths, **settings):
    settings = {"frame_encoder": MeanColour(), "embed": embed, "clip_seconds": 1.0, **settings}
    return index_videos(library, walk_videos(paths).files, sampling=FpsSampling(2), **settings)


def states(library):
    return {Path(video.path).name: video.state for video in library.videos()}


def test_videos_become_clips_with_the_times_of_their_frames(library, make_video, tmp_path):
    path = make_video("v/a.mp4", seconds=3)
    report = run(library, tmp_path / "v")
    assert (report.indexed, report.unchanged, report.failures) == (1, 0, ())
    assert report.decoded_frames > 0
    (video,) = library.videos()
    assert (video.path, video.content) == (str(path), content_hash(str(path)))
    assert video.duration_s == pytest.approx(3.0)
    assert video.clips == 3


def test_a_second_run_decodes_nothing(library, make_video, tmp_path):
    make_video("v/a.mp4")
    (tmp_path / "v/bad.mp4").write_text("text")
    first = run(library, tmp_path / "v")
    second = run(library, tmp_path / "v")
    assert (second.indexed, second.unchanged, second.decoded_frames) == (0, 1, 0)
    assert second.failures == first.failures


def test_a_touched_file_is_known_by_its_content(library, make_video, tmp_path):
    path = make_video("v/a.mp4")
    run(library, tmp_path / "v")
    os.utime(path, ns=(1, 1))
    report = run(library, tmp_path / "v")
    assert (report.unchanged, report.decoded_frames) == (1, 0)


def test_a_changed_file_replaces_its_clips(library, make_video, tmp_path):
    make_video("v/a.mp4", seconds=3)
    run(library, tmp_path / "v")
    make_video("v/a.mp4", seconds=5, shade=10)
    report = run(library, tmp_path / "v")
    assert report.indexed == 1
    assert [video.clips for video in library.videos()] == [5]


def test_one_bad_file_never_stops_the_rest(library, make_video, tmp_path):
    for number in range(4):
        make_video(f"v/{number}.mp4", shade=20 * number)
    truncated = make_video("v/truncated.mp4")
    truncated.write_bytes(truncated.read_bytes()[:1000])
    (tmp_path / "v/text.mp4").write_text("text")
    (tmp_path / "v/empty.mp4").touch()
    (tmp_path / "v/noise.avi").write_bytes(os.urandom(1000))
    (tmp_path / "v/list.mp4").write_text("#EXTM3U\n#EXTINF:5,\n0.mp4\n")
    report = run(library, tmp_path / "v")
    assert (report.indexed, report.failed) == (4, 5)
    assert [failure.path for failure in report.failures] == sorted(failure.path for failure in report.failures)
    assert all(failure.reason and "\n" not in failure.reason for failure in report.failures)
    assert sum(state == "failed" for state in states(library).values()) == 5


def test_a_stream_that_breaks_off_leaves_nothing_of_its_video(library, make_video, tmp_path):
    path = make_video("v/a.mp4", seconds=20)
    data = path.read_bytes()
    begin = data.index(b"mdat") + 2000
    path.write_bytes(data[:begin] + bytes(data.index(b"moov") - 4 - begin) + data[data.index(b"moov") - 4 :])
    report = run(library, tmp_path / "v")
    assert "ends in a decoding error" in report.failures[0].reason
    (video,) = library.videos()
    assert (video.state, video.clips) == ("failed", 0)


def test_a_failed_file_is_known_under_another_name(library, tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").write_text("text")
    run(library, tmp_path / "v")
    (tmp_path / "v/b.mp4").write_text("text")
    assert run(library, tmp_path / "v").failed == 2
    assert states(library) == {"a.mp4": "failed", "b.mp4": "failed"}


def test_a_failed_file_is_tried_again_when_asked_or_changed(library, make_video, tmp_path, monkeypatch):
    from hgrkit.video.worker.decoder import DecodeProcess

    tried = []
    read = DecodeProcess.read
    monkeypatch.setattr(
        DecodeProcess,
        "read",
        lambda self, path, *rest, **how: tried.append(path) or read(self, path, *rest, **how),
    )
    (tmp_path / "v").mkdir()
    (tmp_path / "v/a.mp4").write_text("text")
    run(library, tmp_path / "v")
    run(library, tmp_path / "v")
    assert len(tried) == 1
    run(library, tmp_path / "v", retry_failed=True)
    assert len(tried) == 2
    make_video("v/a.mp4")
    assert run(library, tmp_path / "v").indexed == 1
    assert states(library) == {"a.mp4": "indexed"}


def test_a_video_that_breaks_later_loses_its_clips(library, make_video, tmp_path):
    path = make_video("v/a.mp4")
    run(library, tmp_path / "v")
    path.write_text("text")
    assert run(library, tmp_path / "v").failed == 1
    assert library.indexed_paths() == ()


def test_frames_of_several_videos_share_a_batch(library, make_video, tmp_path, monkeypatch):
    from hgrkit.indexing.source import DecodePool

    monkeypatch.setattr(DecodePool, "is_waiting", False)
    for number in range(8):
        make_video(f"v/{number}.mp4", seconds=4, shade=20 * number)
    encoder = MeanColour()
    assert run(library, tmp_path / "v", frame_encoder=encoder).indexed == 8
    assert sum(encoder.batches) == 64
    assert len(encoder.batches) <= 3


def test_batching_never_changes_what_is_stored(make_video, tmp_path, memory_store):
    for number in range(4):
        make_video(f"v/{number}.mp4", seconds=1 + number, shade=60 * number)
    stored = []
    for arguments in ([tmp_path / "v"], sorted((tmp_path / "v").iterdir())):
        memory = memory_store()
        for paths in [[tmp_path / "v"]] if len(arguments) == 1 else [[path] for path in arguments]:
            run(memory, *paths)
        stored.append({path: entry.clips for path, entry in memory.entries.items()})
    assert stored[0].keys() == stored[1].keys()
    for path, clips in stored[0].items():
        for one, other in zip(clips, stored[1][path], strict=True):
            np.testing.assert_array_equal(one.action, other.action)
            np.testing.assert_array_equal(one.times_s, other.times_s)


def test_an_interruption_keeps_what_was_stored_and_ends_the_threads(make_video, tmp_path, memory_store):
    for number in range(6):
        make_video(f"v/{number}.mp4", seconds=6, shade=20 * number)

    class Interrupted(MeanColour):
        def encode(self, frames):
            if len(self.batches) == 2:
                raise KeyboardInterrupt
            return super().encode(frames)

    memory = memory_store()
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run(memory, tmp_path / "v", frame_encoder=Interrupted())
    assert threading.active_count() == before
    stored = len(memory.entries)
    assert 0 < stored < 6
    report = run(memory, tmp_path / "v")
    assert (report.unchanged, report.indexed) == (stored, 6 - stored)


def test_an_error_in_a_thread_reaches_the_caller(library, make_video, tmp_path, monkeypatch):
    from hgrkit.indexing import known_videos

    def broken(path, **_):
        raise ZeroDivisionError(path)

    make_video("v/a.mp4")
    monkeypatch.setattr(known_videos, "content_hash", broken)
    with pytest.raises(ZeroDivisionError):
        run(library, tmp_path / "v")


def test_progress_tells_of_every_video(library, make_video, tmp_path):
    make_video("v/a.mp4")
    (tmp_path / "v/b.mp4").touch()
    events = []
    run(library, tmp_path / "v", on_progress=events.append)
    assert {(Path(event.path).name, event.outcome) for event in events} == {
        ("a.mp4", "indexed"),
        ("b.mp4", "failed"),
    }
    assert [(event.done, event.total) for event in events] == [(1, 2), (2, 2)]
    assert all(isinstance(event, IndexProgress) for event in events)


@pytest.mark.parametrize("key", ["path", "a.mp4", "a"])
def test_features_stand_in_for_decoding(library, make_video, tmp_path, key):
    path = make_video("v/a.mp4", seconds=4)
    features = {str(path) if key == "path" else key: np.arange(24, dtype=np.float32).reshape(8, 3)}
    encoder = MeanColour()
    report = run(library, tmp_path / "v", features=features, frame_encoder=encoder)
    assert (report.indexed, report.decoded_frames, encoder.batches) == (1, 0, [])
    assert [video.clips for video in library.videos()] == [4]


def test_a_video_without_features_fails_and_is_not_remembered(library, make_video, tmp_path):
    make_video("v/a.mp4")
    report = run(library, tmp_path / "v", features={"other": np.zeros((2, 3), np.float32)})
    assert "no features named 'a.mp4' or 'a'" in report.failures[0].reason
    assert library.videos() == ()


def test_features_that_do_not_fit_the_model_fail_their_video_alone(library, make_video, tmp_path):
    make_video("v/a.mp4")
    make_video("v/b.mp4", shade=1)

    def strict(features):
        if features.shape[1] != 3:
            raise ShapeError(f"features must be [F, 3], got {list(features.shape)}.")
        return embed(features)

    features = {"a": np.zeros((2, 5), np.float32), "b": np.ones((2, 3), np.float32)}
    report = run(library, tmp_path / "v", features=features, embed=strict)
    assert (report.indexed, report.failed) == (1, 1)
    assert "must be [F, 3]" in report.failures[0].reason


@pytest.mark.parametrize("key", ["v/a.mp4", "{folder}/v/a.mp4", "a.mp4", "a"])
def test_features_are_found_by_the_path_as_it_is_typed(library, make_video, tmp_path, monkeypatch, key):
    make_video("v/a.mp4")
    monkeypatch.chdir(tmp_path)
    features = {key.format(folder=tmp_path): np.ones((3, 3), np.float32)}
    assert run(library, "v", features=features).indexed == 1


def test_no_files_give_an_empty_report(library, tmp_path):
    (tmp_path / "v").mkdir()
    assert run(library, tmp_path / "v") == index_videos(
        library, [], frame_encoder=MeanColour(), embed=embed, sampling=FpsSampling()
    )


def test_videos_that_end_faster_than_they_can_be_stored_share_a_commit(
    make_video, tmp_path, memory_store, monkeypatch
):
    from hgrkit.indexing.source import DecodePool

    monkeypatch.setattr(DecodePool, "is_waiting", False)
    for number in range(12):
        make_video(f"v/{number}.mp4", seconds=8, shade=20 * number)
    told, memory = [], memory_store()
    update = memory.update

    def slow(**changes):
        assert not {entry.record.path for entry in changes["put"]} & set(told)
        time.sleep(0.05)
        update(**changes)

    monkeypatch.setattr(memory, "update", slow)
    report = run(memory, tmp_path / "v", on_progress=lambda progress: told.append(progress.path))
    assert report.indexed == len(told) == len(memory.videos()) == 12
    assert 1 < len(memory.commits) < 12


def test_a_video_on_which_hgrkit_itself_failed_is_named_and_tried_again(
    library, make_video, tmp_path, monkeypatch
):
    make_video("v/a.mp4")
    make_video("v/b.mp4", shade=50)
    program = worker_process._PROGRAM
    before, call = program.rsplit("; ", 1)
    breaks = """
import hgrkit.video.worker.program as worker
sound = worker.VideoReader
def reader(path, *arguments, **settings):
    return sound(path, *arguments, **settings, **({"size": 1} if "a.mp4" in str(path) else {}))
worker.VideoReader = reader
"""
    monkeypatch.setattr(worker_process, "_PROGRAM", f"{before}\n{breaks}\n{call}")
    report = run(library, tmp_path / "v")
    assert report.indexed == 1
    (failure,) = report.failures
    assert "hgrkit failed on this file (TypeError: " in failure.reason
    assert states(library) == {"b.mp4": "indexed"}
    monkeypatch.setattr(worker_process, "_PROGRAM", program)
    assert run(library, tmp_path / "v").indexed == 1
    assert states(library) == {"a.mp4": "indexed", "b.mp4": "indexed"}


def test_where_no_video_can_be_read_at_all_the_run_fails(library, make_video, tmp_path, monkeypatch):
    make_video("v/a.mp4")
    make_video("v/b.mp4", shade=50)
    program = worker_process._PROGRAM.replace("from hgrkit", "sys.modules['av'] = None; from hgrkit", 1)
    monkeypatch.setattr(worker_process, "_PROGRAM", program)
    with pytest.raises(DecodeWorkerError, match="import of av"):
        run(library, tmp_path / "v")
    assert library.videos() == ()
