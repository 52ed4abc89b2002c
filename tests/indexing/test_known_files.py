"""Files that were touched, moved, copied, swapped or deleted: what a second run makes of them."""

import os
import shutil
from pathlib import Path

import attrs
import numpy as np
import pytest

from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.pipeline import index_videos
from hgrkit.indexing.walk import walk_videos
from hgrkit.levels import PerLevel
from hgrkit.library import Library, Manifest
from hgrkit.library.store import Rename
from hgrkit.video.sampling import FpsSampling

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

    def encode(self, frames):
        return frames.mean(axis=(1, 2), dtype=np.float32)


def embed(features):
    return PerLevel(event=features.mean(axis=0), action=features, entity=-features)


@pytest.fixture
def library(tmp_path):
    with Library.create(tmp_path / "library", MANIFEST) as library:
        yield library


@pytest.fixture
def videos(make_video, tmp_path):
    """Two videos and a broken one."""
    make_video("v/a.mp4", seconds=2, shade=10)
    make_video("v/b.mp4", seconds=3, shade=90)
    (tmp_path / "v/broken.mp4").write_text("no video")
    return tmp_path / "v"


def run(library, *paths, **settings):
    walk = walk_videos(paths)
    settings = {"frame_encoder": MeanColour(), "embed": embed, "clip_seconds": 1.0, **settings}
    settings |= {"roots": walk.roots, "left_out": walk.left_out}
    return index_videos(library, walk.files, sampling=FpsSampling(2), **settings)


def clips_of(library, path):
    snapshot = library.snapshot()
    place = [video.path for video in snapshot.videos].index(str(path))
    return [
        clip.action.tolist() for clip in snapshot.clips(np.flatnonzero(snapshot.clip_videos == place).tolist())
    ]


def names(library):
    return {Path(video.path).name: video.state for video in library.videos()}


def counts(report):
    """All but the failures, where they are not 0."""
    values = attrs.asdict(report, recurse=False) | {"missing": len(report.missing), "failures": 0, "emptied": 0}
    values |= {"skipped": 0, "unreadable": 0, "in_trash": 0}
    return {name: value for name, value in values.items() if value}


def note(library, path, **metadata):
    record = library.video(str(path))
    library.rename(str(path), attrs.evolve(record, metadata=metadata))


# touched -------------------------------------------------------------------------------------------------------


def hashes(monkeypatch):
    """The paths whose contents are hashed from now on."""
    from hgrkit.indexing import known_videos

    hashed = []
    content_hash = known_videos.content_hash
    monkeypatch.setattr(known_videos, "content_hash", lambda path, **_: hashed.append(path) or content_hash(path))
    return hashed


def test_a_touched_file_is_hashed_once_and_then_known_by_its_time(library, videos, monkeypatch):
    run(library, videos)
    note(library, videos / "a.mp4", id=1)
    before = clips_of(library, videos / "a.mp4")
    hashed = hashes(monkeypatch)
    for path in videos.iterdir():
        os.utime(path, ns=(1, 1))
    first = run(library, videos)
    assert counts(first) == {"unchanged": 2}
    assert (first.failed, len(hashed)) == (1, 3)
    second = run(library, videos)
    assert counts(second) == {"unchanged": 2}
    assert (second.failed, len(hashed)) == (1, 3)
    assert clips_of(library, videos / "a.mp4") == before
    assert library.video(str(videos / "a.mp4")).metadata == {"id": 1}


def test_touched_and_moved_files_are_stored_in_one_commit(library, videos):
    run(library, videos)
    number = library.version.number
    for path in list(videos.iterdir()):
        os.utime(path, ns=(1, 1))
    (videos / "a.mp4").rename(videos / "c.mp4")
    run(library, videos)
    assert library.version.number == number + 1


def test_an_unchanged_library_is_not_written_to(library, videos):
    run(library, videos)
    before = library.version
    run(library, videos, prune=True)
    assert library.version == before


# moved ---------------------------------------------------------------------------------------------------------


def test_a_moved_file_keeps_its_clips_and_what_the_user_noted(library, videos):
    run(library, videos)
    note(library, videos / "a.mp4", id=1)
    before = clips_of(library, videos / "a.mp4")
    (videos / "deep").mkdir()
    (videos / "a.mp4").rename(videos / "deep/c.mp4")
    assert counts(run(library, videos)) == {"moved": 1, "unchanged": 1}
    assert names(library) == {"b.mp4": "indexed", "broken.mp4": "failed", "c.mp4": "indexed"}
    assert clips_of(library, videos / "deep/c.mp4") == before
    assert library.video(str(videos / "deep/c.mp4")).metadata == {"id": 1}


def test_a_moved_folder_moves_its_videos(library, videos, tmp_path):
    run(library, videos)
    (tmp_path / "w").mkdir()
    videos.rename(tmp_path / "w/v")
    report = run(library, tmp_path)
    assert counts(report) == {"moved": 2}
    assert report.failed == 1
    assert {Path(video.path).parent for video in library.videos()} == {tmp_path / "w/v"}


def test_a_renamed_folder_moves_all_below_it_and_what_the_user_noted(library, videos, tmp_path):
    (videos / "deep/er").mkdir(parents=True)
    (videos / "b.mp4").rename(videos / "deep/er/b.mp4")
    shutil.copy(videos / "a.mp4", videos / "0.mp4")
    run(library, videos)
    for name in ("0.mp4", "a.mp4", "deep/er/b.mp4"):
        note(library, videos / name, id=name)
    before = clips_of(library, videos / "a.mp4")
    for place in (tmp_path / "w", tmp_path / "other/place/v"):
        place.parent.mkdir(parents=True, exist_ok=True)
        videos = videos.rename(place)
        report = run(library, videos)
        assert counts(report) == {"moved": 3}
        assert report.failed == 1
        assert {Path(video.path).relative_to(place).as_posix(): video.metadata for video in library.videos()} == {
            **{name: {"id": name} for name in ("0.mp4", "a.mp4", "deep/er/b.mp4")},
            "broken.mp4": {},
        }
        assert clips_of(library, videos / "a.mp4") == before
        assert counts(run(library, videos, prune=True)) == {"unchanged": 3}


def test_of_duplicates_that_moved_each_goes_on_under_the_name_that_is_most_like_its_own(library, videos, tmp_path):
    (videos / "1").mkdir()
    (videos / "2").mkdir()
    (videos / "b.mp4").unlink()
    (videos / "a.mp4").rename(videos / "2/a.mp4")
    shutil.copy(videos / "2/a.mp4", videos / "1/b.mp4")
    run(library, videos)
    for name in ("2/a.mp4", "1/b.mp4"):
        note(library, videos / name, id=name)
    (videos / "1/b.mp4").rename(videos / "2/b.mp4")
    (videos / "2/a.mp4").rename(videos / "1/a.mp4")
    assert counts(run(library, videos, num_workers=1)) == {"moved": 2}
    assert library.video(str(videos / "1/a.mp4")).metadata == {"id": "2/a.mp4"}
    assert library.video(str(videos / "2/b.mp4")).metadata == {"id": "1/b.mp4"}


def test_a_folder_that_was_emptied_into_another_moves_its_videos(library, videos, tmp_path):
    run(library, videos)
    (tmp_path / "w").mkdir()
    for path in list(videos.iterdir()):
        path.rename(tmp_path / "w" / path.name)
    assert counts(run(library, tmp_path / "w")) == {"moved": 2}
    assert len(library.videos()) == 3


def test_a_drive_that_is_not_mounted_is_no_move(library, videos, tmp_path):
    (tmp_path / "drive").mkdir()
    videos.rename(tmp_path / "drive/v")
    run(library, tmp_path / "drive/v")
    shutil.copytree(tmp_path / "drive/v", tmp_path / "here")
    (tmp_path / "drive").rename(tmp_path / "unmounted")
    (tmp_path / "drive").mkdir()  # what it was mounted on
    os.utime(tmp_path / "drive", (1, 1))
    report = run(library, tmp_path / "here", tmp_path / "drive")
    assert counts(report) == {"duplicates": 2, "missing": 3}
    assert len(library.videos()) == 6


def test_of_two_new_files_with_the_bytes_of_one_that_is_gone_one_was_moved(library, videos):
    run(library, videos)
    shutil.copy(videos / "a.mp4", videos / "c.mp4")
    (videos / "a.mp4").rename(videos / "d.mp4")
    assert counts(run(library, videos)) == {"moved": 1, "duplicates": 1, "unchanged": 1}
    assert set(names(library)) == {"b.mp4", "broken.mp4", "c.mp4", "d.mp4"}
    assert clips_of(library, videos / "c.mp4") == clips_of(library, videos / "d.mp4")


def test_a_file_that_was_moved_onto_another_takes_its_place(library, videos):
    run(library, videos)
    before = clips_of(library, videos / "a.mp4")
    (videos / "a.mp4").replace(videos / "b.mp4")
    assert counts(run(library, videos)) == {"moved": 1}
    assert names(library) == {"b.mp4": "indexed", "broken.mp4": "failed"}
    assert clips_of(library, videos / "b.mp4") == before


def test_a_failed_file_is_moved_without_trying_it_again(library, videos):
    run(library, videos)
    (videos / "broken.mp4").rename(videos / "torn.mp4")
    report = run(library, videos)
    assert counts(report) == {"unchanged": 2}
    assert [Path(failure.path).name for failure in report.failures] == ["torn.mp4"]
    assert names(library) == {"a.mp4": "indexed", "b.mp4": "indexed", "torn.mp4": "failed"}


# copied --------------------------------------------------------------------------------------------------------


def test_a_copy_is_stored_without_decoding(library, videos):
    run(library, videos)
    shutil.copy(videos / "a.mp4", videos / "c.mp4")
    assert counts(run(library, videos)) == {"duplicates": 1, "unchanged": 2}
    assert clips_of(library, videos / "c.mp4") == clips_of(library, videos / "a.mp4")
    assert counts(run(library, videos)) == {"unchanged": 3}


def test_copies_within_one_run_are_decoded_once(library, videos, tmp_path):
    for name in "cdefg":
        shutil.copy(videos / "a.mp4", videos / f"{name}.mp4")
        shutil.copy(videos / "broken.mp4", videos / f"broken-{name}.mp4")
    report = run(library, videos)
    with Library.create(tmp_path / "other", MANIFEST) as other:
        alone = run(other, videos / "a.mp4", videos / "b.mp4")
    assert counts(report) == {"indexed": 2, "duplicates": 5, "decoded_frames": alone.decoded_frames}
    assert report.failed == 6
    assert len(library.videos()) == 13


def test_a_copy_waits_no_longer_for_a_file_that_could_not_be_read(library, videos, monkeypatch):
    from hgrkit.indexing import source

    run_first = []

    def changed_once(file):
        run_first.append(file.path)
        return len(run_first) == 1

    for name in ("b.mp4", "broken.mp4"):
        (videos / name).unlink()
    shutil.copy(videos / "a.mp4", videos / "c.mp4")
    shutil.copy(videos / "a.mp4", videos / "d.mp4")
    monkeypatch.setattr(source, "_changed", changed_once)
    report = run(library, videos)
    assert report.failed == 1
    assert report.indexed + report.duplicates == 2
    assert counts(run(library, videos))["unchanged"] == 2


def test_a_file_that_took_the_path_of_another_is_hashed_once(library, videos, monkeypatch):
    (videos / "b.mp4").unlink()
    (videos / "broken.mp4").unlink()
    run(library, videos)
    shutil.copy(videos / "a.mp4", videos / "c.mp4")  # no duplicate, because the video has lost its path
    data = bytearray((videos / "a.mp4").read_bytes())
    data[-1] ^= 1  # of the same size
    (videos / "a.mp4").write_bytes(data)
    hashed = hashes(monkeypatch)
    report = run(library, videos)
    assert (report.moved, report.indexed + report.failed) == (1, 1)
    assert sorted(hashed) == [str(videos / "a.mp4"), str(videos / "c.mp4")]


def test_files_that_were_swapped_get_each_others_clips(library, videos):
    run(library, videos)
    first, second = clips_of(library, videos / "a.mp4"), clips_of(library, videos / "b.mp4")
    note(library, videos / "a.mp4", id=1)
    (videos / "a.mp4").rename(videos / "x")
    (videos / "b.mp4").rename(videos / "a.mp4")
    (videos / "x").rename(videos / "b.mp4")
    assert counts(run(library, videos)) == {"moved": 2}
    assert (clips_of(library, videos / "a.mp4"), clips_of(library, videos / "b.mp4")) == (second, first)
    assert [library.video(str(videos / name)).metadata for name in ("a.mp4", "b.mp4")] == [{}, {"id": 1}]


def test_folders_of_equal_names_that_were_swapped_take_along_what_the_user_noted(library, videos, tmp_path):
    (videos / "one").mkdir()
    (videos / "two").mkdir()
    (videos / "a.mp4").rename(videos / "one/clip.mp4")
    (videos / "b.mp4").rename(videos / "two/clip.mp4")
    run(library, videos)
    before = clips_of(library, videos / "one/clip.mp4")
    note(library, videos / "one/clip.mp4", id=1)
    note(library, videos / "two/clip.mp4", id=2)
    (videos / "one").rename(videos / "x")
    (videos / "two").rename(videos / "one")
    (videos / "x").rename(videos / "two")
    assert counts(run(library, videos, prune=True)) == {"moved": 2}
    assert clips_of(library, videos / "two/clip.mp4") == before
    assert [library.video(str(videos / name / "clip.mp4")).metadata for name in ("one", "two")] == [
        {"id": 2},
        {"id": 1},
    ]


def test_a_duplicate_of_a_file_that_was_only_touched_is_no_move(library, videos):
    run(library, videos)
    shutil.copy(videos / "a.mp4", videos / "0.mp4")
    os.utime(videos / "a.mp4", (1, 1))
    assert counts(run(library, videos)) == {"duplicates": 1, "unchanged": 2}


def test_a_file_that_moved_on_while_another_took_its_name_is_not_decoded(library, videos, make_video):
    run(library, videos)
    before = clips_of(library, videos / "a.mp4")
    (videos / "a.mp4").rename(videos / "c.mp4")
    make_video("v/a.mp4", seconds=4, shade=200)
    report = run(library, videos)
    assert (report.indexed, report.moved, report.unchanged) == (1, 1, 1)
    assert clips_of(library, videos / "c.mp4") == before
    assert library.video(str(videos / "a.mp4")).clips == 4


def test_equal_bytes_are_different_videos_where_features_come_by_name(library, videos):
    shutil.copy(videos / "a.mp4", videos / "c.mp4")
    (videos / "broken.mp4").unlink()
    features = {name: np.full((4, 3), value, np.float32) for value, name in enumerate("abc")}
    report = run(library, videos, features=features)
    assert (report.indexed, report.duplicates) == (3, 0)
    assert clips_of(library, videos / "a.mp4") != clips_of(library, videos / "c.mp4")


# changed -------------------------------------------------------------------------------------------------------


def test_a_changed_file_keeps_what_the_user_noted(library, videos, make_video):
    run(library, videos)
    note(library, videos / "a.mp4", id=1)
    make_video("v/a.mp4", seconds=5, shade=200)
    assert run(library, videos).indexed == 1
    video = library.video(str(videos / "a.mp4"))
    assert (video.clips, video.metadata) == (5, {"id": 1})


def test_a_changed_file_answers_as_before_until_it_is_stored(library, videos, make_video):
    run(library, videos)
    before = clips_of(library, videos / "a.mp4")
    make_video("v/a.mp4", seconds=5, shade=200)
    seen = []

    class Watching(MeanColour):
        def encode(self, frames):
            with Library.open(videos.parent / "library") as reader:
                seen.append(clips_of(reader, videos / "a.mp4"))
            return super().encode(frames)

    run(library, videos, frame_encoder=Watching())
    assert seen
    assert all(clips == before for clips in seen)
    assert clips_of(library, videos / "a.mp4") != before


# spelled otherwise ---------------------------------------------------------------------------------------------


def test_another_spelling_of_a_path_is_the_same_video(library, videos, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(videos)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    run(library, "v")
    for spelling in ("./v", videos, "v/../v/", ".", "link", "link/../v", "sub/../v"):
        report = run(library, spelling, prune=True)
        assert counts(report) == {"unchanged": 2}
    monkeypatch.chdir(videos)
    for spelling in (".", "../v", "../link/"):
        assert counts(run(library, spelling, prune=True)) == {"unchanged": 2}
    monkeypatch.chdir("/")
    assert counts(run(library, videos.relative_to("/"), prune=True)) == {"unchanged": 2}
    assert [video.path for video in library.videos()] == [
        str(videos / name) for name in ("a.mp4", "b.mp4", "broken.mp4")
    ]


def relative(library, folder):
    """Make the library's paths relative to a folder, as earlier versions kept them."""
    library.update(
        rename=[
            Rename(video.path, attrs.evolve(video, path=os.path.relpath(video.path, folder)))
            for video in library.videos()
        ]
    )


def test_relative_paths_of_an_older_library_become_absolute_without_decoding(
    library, videos, tmp_path, monkeypatch
):
    run(library, videos)
    note(library, videos / "a.mp4", id=1)
    relative(library, tmp_path)
    (videos / "b.mp4").unlink()
    monkeypatch.chdir(tmp_path)
    report = run(library, "v")
    assert counts(report) == {"unchanged": 1, "missing": 1}
    assert report.missing == (str(videos / "b.mp4"),)
    assert {video.path for video in library.videos()} == {
        str(videos / name) for name in ("a.mp4", "b.mp4", "broken.mp4")
    }
    assert library.video("v/a.mp4").metadata == {"id": 1}
    assert run(library, "v", prune=True).pruned == 1
    assert len(library.videos()) == 2


def test_relative_paths_of_an_older_library_are_known_again_from_elsewhere(library, videos, tmp_path, monkeypatch):
    run(library, videos)
    relative(library, tmp_path)
    monkeypatch.chdir("/")
    report = run(library, videos)
    assert (counts(report), report.failed) == ({"moved": 2}, 1)
    assert {Path(video.path).parent for video in library.videos()} == {videos}


def test_relative_paths_of_an_older_library_lose_nothing_to_another_folder_of_that_name(
    library, videos, make_video, tmp_path, monkeypatch
):
    run(library, videos)
    relative(library, tmp_path)
    make_video("other/v/a.mp4", seconds=1, shade=200)
    monkeypatch.chdir(tmp_path / "other")
    report = run(library, "v", prune=True)
    assert (report.indexed, report.missing) == (1, ())
    assert {video.path for video in library.videos()} == {
        *("v/a.mp4", "v/b.mp4", "v/broken.mp4"),
        str(tmp_path / "other/v/a.mp4"),
    }
    monkeypatch.chdir(tmp_path)
    (videos / "b.mp4").unlink()
    assert counts(run(library, "v", prune=True)) == {"unchanged": 1, "missing": 1, "pruned": 1}


def test_files_of_an_older_library_that_were_all_touched_are_no_duplicates(library, videos, tmp_path, monkeypatch):
    run(library, videos)
    relative(library, tmp_path)
    for path in videos.iterdir():
        os.utime(path, (1, 1))
    monkeypatch.chdir(tmp_path)
    report = run(library, "v")
    assert (report.duplicates, report.indexed, len(library.videos())) == (0, 0, 3)


# deleted -------------------------------------------------------------------------------------------------------


def test_deleted_files_are_listed_and_stay_until_they_are_pruned(library, videos):
    run(library, videos)
    for name in ("a.mp4", "broken.mp4"):
        (videos / name).unlink()
    report = run(library, videos)
    assert report.missing == (str(videos / "a.mp4"), str(videos / "broken.mp4"))
    assert (report.pruned, report.emptied, len(library.videos())) == (0, (), 3)
    report = run(library, videos, prune=True)
    assert (len(report.missing), report.pruned) == (2, 2)
    assert names(library) == {"b.mp4": "indexed"}
    assert run(library, videos).missing == ()


def test_pruning_never_leaves_the_paths_of_the_run(library, videos, make_video, tmp_path):
    make_video("v2/a.mp4", shade=50)
    run(library, videos, tmp_path / "v2")
    shutil.rmtree(tmp_path / "v2")
    (videos / "a.mp4").unlink()
    assert run(library, videos, prune=True).pruned == 1
    assert str(tmp_path / "v2/a.mp4") in library.indexed_paths()


def test_a_folder_without_videos_is_pruned_only_as_asked_and_named(library, videos):
    run(library, videos)
    for path in videos.iterdir():
        path.unlink()
    report = run(library, videos)
    assert (len(report.missing), report.pruned, report.emptied) == (3, 0, (str(videos),))
    assert len(library.videos()) == 3
    report = run(library, videos, prune=True)
    assert (report.pruned, report.emptied) == (3, (str(videos),))
    assert library.videos() == ()


def test_a_folder_that_vanishes_during_the_run_prunes_nothing(library, videos, make_video):
    run(library, videos)
    make_video("v/c.mp4", shade=200)

    class Vanishing(MeanColour):
        def encode(self, frames):
            if videos.exists():
                videos.rename(videos.parent / "elsewhere")
            return super().encode(frames)

    report = run(library, videos, prune=True, frame_encoder=Vanishing())
    assert (report.missing, report.pruned) == ((), 0)
    assert {"a.mp4", "b.mp4"} <= names(library).keys()


# left out ------------------------------------------------------------------------------------------------------


def test_below_what_cannot_be_read_nothing_is_missing_or_moved(library, videos, monkeypatch):
    (videos / "deep/er").mkdir(parents=True)
    (videos / "b.mp4").rename(videos / "deep/er/b.mp4")
    run(library, videos)
    (videos / "deep/er/b.mp4").rename(videos / "c.mp4")
    scandir = os.scandir

    def failing(path):
        if str(path).endswith("deep"):
            raise OSError(5, "Input/output error", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    report = run(library, videos, prune=True)
    assert counts(report) == {"unchanged": 1, "duplicates": 1}
    assert [(failure.path, failure.reason) for failure in report.unreadable] == [
        (str(videos / "deep"), "Input/output error")
    ]
    assert library.video(str(videos / "deep/er/b.mp4")) is not None
    monkeypatch.undo()
    assert run(library, videos, prune=True).missing == (str(videos / "deep/er/b.mp4"),)


def test_videos_of_the_library_in_folders_that_are_passed_over_are_named_and_stay(library, videos):
    (videos / "#recycle").mkdir()
    (videos / "b.mp4").rename(videos / "#recycle/b.mp4")
    run(library, videos, videos / "#recycle")
    report = run(library, videos, prune=True)
    assert counts(report) == {"unchanged": 1}
    assert report.in_trash == (str(videos / "#recycle/b.mp4"),)
    assert report.skipped["trash"] == 1
    assert len(library.videos()) == 3
    report = run(library, videos, videos / "#recycle")
    assert (counts(report), report.in_trash, report.skipped["trash"]) == ({"unchanged": 2}, (), 0)
    (videos / "#recycle/b.mp4").unlink()
    report = run(library, videos, prune=True)
    assert (report.in_trash, report.pruned) == ((), 1)


# cached features -----------------------------------------------------------------------------------------------


@pytest.fixture
def cache(library, tmp_path):
    return FeatureCache(tmp_path / "library", frame_encoder="mean@1", sampling="fps:2")


def test_a_video_that_was_removed_comes_back_from_the_cache(library, videos, cache):
    first = run(library, videos, cache=cache)
    before = clips_of(library, videos / "b.mp4")
    library.remove(str(videos / "b.mp4"))
    again = run(library, videos, cache=cache)
    assert (first.indexed, again.indexed, again.decoded_frames) == (2, 1, 0)
    np.testing.assert_allclose(clips_of(library, videos / "b.mp4"), before, rtol=2e-3)


def test_a_damaged_cache_is_decoded_again_and_replaced(library, videos, cache, tmp_path):
    run(library, videos, cache=cache)
    content = library.video(str(videos / "b.mp4")).content
    for path in (tmp_path / "library/cache/features").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    library.remove(str(videos / "b.mp4"))
    assert run(library, videos, cache=cache).decoded_frames > 0
    assert cache.load(content) is not None


def test_without_a_cache_nothing_is_kept(library, videos, tmp_path):
    run(library, videos)
    assert not (tmp_path / "library/cache").exists()
