"""Watching folders: when a file has settled, what a run is told of, and what goes wrong and is tried again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hgrkit.errors import ConfigError, LibraryLockedError, MissingPathError
from hgrkit.indexing.report import Failure, IndexReport
from hgrkit.indexing.watch import FolderWatch, watch_folders
from tests.test_retriever import create, save_random_model, write_video


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos"


@pytest.fixture
def names(folder, clock):
    """The names of the files that a look some seconds later finds; `None` if there is no news."""
    watch = FolderWatch([folder], settle_s=5, clock=clock)

    def look(seconds, *, index=True):
        clock.now += seconds
        walk = watch.look()
        if walk is not None and index:
            watch.indexed()
        return None if walk is None else [Path(file.path).name for file in walk.files]

    return look


def test_a_file_is_news_once_it_has_not_changed_for_the_time(folder, names):
    assert names(0) is None
    (folder / "a.mp4").write_bytes(b"1")
    assert names(10) is None  # it was not there before: nobody knows how long it has been as it is
    assert names(4.9) is None
    assert names(0.2) == ["a.mp4"]
    assert names(60) is None


def test_a_file_that_grows_or_is_written_again_waits(folder, names):
    for size in range(1, 5):
        (folder / "a.mp4").write_bytes(b"1" * size)
        assert names(4) is None
    os.utime(folder / "a.mp4", ns=(1, 1))  # as a copy that keeps times ends
    assert names(4) is None
    assert names(5) == ["a.mp4"]
    (folder / "a.mp4").write_bytes(b"2")
    assert names(60) is None
    assert names(5) == ["a.mp4"]


def test_a_growing_file_holds_up_no_other(folder, names):
    (folder / "a.mp4").write_bytes(b"1")
    (folder / "b.mp4").write_bytes(b"1")
    assert names(1) is None
    (folder / "b.mp4").write_bytes(b"12")
    assert names(5) == ["a.mp4"]
    assert names(5) == ["a.mp4", "b.mp4"]


def test_a_move_is_news_as_a_whole(folder, names):
    (folder / "a.mp4").write_bytes(b"1")
    (folder / "b.mp4").write_bytes(b"1")
    names(0)
    assert names(5) == ["a.mp4", "b.mp4"]
    (folder / "a.mp4").rename(folder / "c.mp4")
    assert names(3) is None
    assert names(4.9) is None
    assert names(0.2) == ["b.mp4", "c.mp4"]


def test_a_file_that_is_gone_only_for_a_moment_is_no_news(folder, names):
    (folder / "a.mp4").write_bytes(b"1")
    names(0)
    assert names(5) == ["a.mp4"]
    (folder / "a.mp4").rename(folder / "a.bak")
    assert names(3) is None
    (folder / "a.bak").rename(folder / "a.mp4")
    assert names(3) is None
    assert names(60) is None


def test_what_was_not_indexed_stays_news(folder, names):
    (folder / "a.mp4").write_bytes(b"1")
    names(0)
    assert names(5, index=False) == ["a.mp4"]
    assert names(0, index=False) == ["a.mp4"]


def test_a_folder_whose_last_file_is_gone_is_not_called_empty_while_another_arrives(folder, names):
    (folder / "a.mp4").write_bytes(b"1")
    names(0)
    names(5)
    (folder / "a.mp4").unlink()
    assert names(3) is None
    (folder / "b.mp4").write_bytes(b"2")
    assert names(3) is None
    assert names(3) is None  # a.mp4 has been gone for long enough
    assert names(3) == ["b.mp4"]


def test_a_time_that_is_none_is_refused(folder):
    with pytest.raises(ConfigError, match="settle_s"):
        FolderWatch([folder], settle_s=-1)


class EndOfTestError(Exception):
    pass


@pytest.fixture
def run(folder, clock):
    """Watches through some steps, one before each look; returns what was told."""

    def watched(index, *steps):
        told, left = [], iter(steps)

        def sleep(seconds):
            clock.now += seconds
            step = next(left, None)
            if step is None:
                raise EndOfTestError
            step()

        with pytest.raises(EndOfTestError):
            watch_folders(
                FolderWatch([folder], settle_s=0, clock=clock),
                index,
                on_report=told.append,
                on_problem=lambda error: told.append(str(error)),
                sleep=sleep,
            )
        return told

    return watched


def test_what_goes_wrong_is_told_once_and_tried_again(run, folder):
    (folder / "a.mp4").write_bytes(b"1")
    outcomes = [LibraryLockedError("taken"), LibraryLockedError("taken"), OSError("full"), IndexReport(indexed=1)]

    def index(walk, may_prune):
        assert [Path(file.path).name for file in walk.files] == ["a.mp4"]
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def nothing():
        pass

    told = run(index, nothing, nothing, nothing, nothing)
    assert told == ["taken", "full", IndexReport(indexed=1)]
    assert not outcomes


def test_a_folder_that_goes_away_and_comes_back_is_followed(run, folder):
    (folder / "a.mp4").write_bytes(b"1")
    away = folder.with_name("away")

    def come_back():
        away.rename(folder)
        (folder / "b.mp4").write_bytes(b"2")

    told = run(lambda walk, _: IndexReport(indexed=len(walk.files)), lambda: folder.rename(away), come_back)
    assert told == [
        IndexReport(indexed=1),
        f"there is no file or folder {str(folder)!r}; nothing was indexed.",
        IndexReport(indexed=2),
    ]


def test_nothing_is_pruned_while_a_folder_has_no_videos(run, folder):
    allowed = []

    def index(walk, may_prune):
        allowed.append((len(walk.files), may_prune))
        return IndexReport()

    (folder / "a.mp4").write_bytes(b"1")
    (folder / "b.mp4").write_bytes(b"1")
    run(index, (folder / "a.mp4").unlink, (folder / "b.mp4").unlink)
    assert allowed == [(2, True), (1, True), (0, False)]


def test_failures_that_were_told_are_not_told_again(run, folder):
    (folder / "a.mp4").write_bytes(b"1")
    torn, late = Failure("a.mp4", "torn"), Failure("b.mp4", "torn")
    reports = [
        IndexReport(failures=(torn,), missing=("c",)),
        IndexReport(failures=(torn, late), missing=("c", "d")),
    ]
    told = run(lambda *_: reports.pop(0), lambda: (folder / "b.mp4").write_bytes(b"1"))
    assert [(report.failures, report.missing) for report in told] == [((torn,), ("c",)), ((late,), ("d",))]


def test_looking_takes_a_twentieth_of_the_time_at_most(monkeypatch, clock):
    class SlowFolders:
        def look(self):
            clock.now += 3

    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        raise EndOfTestError

    monkeypatch.setattr("hgrkit.indexing.watch.time.monotonic", clock)
    with pytest.raises(EndOfTestError):
        watch_folders(SlowFolders(), None, on_report=None, on_problem=None, sleep=sleep)
    assert pauses == [60]


def test_a_retriever_indexes_what_a_look_found_and_nothing_else(folder, tmp_path, clock):
    watch = FolderWatch([folder], settle_s=5, clock=clock)
    write_video(folder / "a.mp4", 1, (200, 30, 30))
    assert watch.look() is None
    clock.now += 5
    write_video(folder / "b.mp4", 1, (30, 200, 30))
    with create(tmp_path / "lib", save_random_model(tmp_path / "model")) as retriever:
        report = retriever.index(watch.look())
        assert report.indexed == 1
        assert [record.path for record in retriever.library.videos()] == [str(folder / "a.mp4")]


def test_an_interrupt_ends_it(run, folder):
    (folder / "a.mp4").write_bytes(b"1")

    def index(walk, may_prune):
        raise OSError from KeyboardInterrupt()

    with pytest.raises(KeyboardInterrupt):
        run(index)


def test_a_path_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(MissingPathError):
        FolderWatch([tmp_path / "none"]).look()
