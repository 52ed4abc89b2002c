import pytest

from hgrkit.indexing.known_videos import KnownVideos, made_absolute
from hgrkit.indexing.walk import VideoFile
from hgrkit.library.records import VideoRecord


def record(path, content="sha256:0", **values):
    return VideoRecord(**{"path": path, "content": content, "size": 5, "mtime_ns": 7, **values})


FAILED = {"state": "failed", "reason": "broken"}


def test_a_file_is_known_by_path_size_and_time():
    known = KnownVideos([record("a.mp4")])
    assert known.by_status(VideoFile("a.mp4", 5, 7)) == record("a.mp4")
    for other in (VideoFile("b.mp4", 5, 7), VideoFile("a.mp4", 6, 7), VideoFile("a.mp4", 5, 8)):
        assert known.by_status(other) is None


def test_of_equal_bytes_a_paths_own_come_first_and_failed_ones_last():
    records = [record("c.mp4"), record("a.mp4", **FAILED), record("b.mp4"), record("d.mp4", "sha256:1")]
    known = KnownVideos(records)
    assert [found.path for found in known.by_content("x.mp4", "sha256:0")] == ["b.mp4", "c.mp4", "a.mp4"]
    assert [found.path for found in known.by_content("a.mp4", "sha256:0")] == ["a.mp4", "b.mp4", "c.mp4"]


def test_failed_videos_are_unknown_when_they_are_to_be_tried_again():
    known = KnownVideos([record("a.mp4", **FAILED, metadata={"id": 1})], retry_failed=True)
    assert known.by_status(VideoFile("a.mp4", 5, 7)) is None
    assert known.by_content("b.mp4", "sha256:0") == ()
    assert known.metadata("a.mp4") == {"id": 1}


@pytest.mark.parametrize("ending", ["1: TypeError: unexpected keyword argument", "1"])
def test_a_file_that_an_earlier_hgrkit_wrongly_held_to_blame_is_tried_again(ending):
    reason = f"the decoder crashed on this file (exit status {ending})"
    assert (
        KnownVideos([record("a.mp4", **{**FAILED, "reason": reason})]).by_status(VideoFile("a.mp4", 5, 7)) is None
    )


@pytest.mark.parametrize("ending", ["signal 11", "exit status 139", "exit status 1073741819: broken"])
def test_a_crash_in_the_decoder_itself_stays_the_files(ending):
    failed = record("a.mp4", **{**FAILED, "reason": f"the decoder crashed on this file ({ending})"})
    assert KnownVideos([failed]).by_status(VideoFile("a.mp4", 5, 7)) == failed


def test_where_features_come_by_name_equal_bytes_are_not_the_same_video():
    known = KnownVideos([record("a.mp4"), record("b.mp4", "sha256:1", **FAILED)], across_paths=False)
    assert known.by_content("x.mp4", "sha256:0") == ()
    assert known.by_content("a.mp4", "sha256:0") == (record("a.mp4"),)
    assert [found.path for found in known.by_content("x.mp4", "sha256:1")] == ["b.mp4"]
    assert known.claim("sha256:2")
    assert known.claim("sha256:2")


def test_bytes_are_claimed_once():
    known = KnownVideos([])
    assert [known.claim("sha256:0") for _ in range(3)] == [True, False, False]
    known.forget_claims()
    assert [known.claim("sha256:0") for _ in range(2)] == [True, True]


@pytest.mark.parametrize("old", ["v/a.mp4", "./v/a.mp4", "v/../v/a.mp4", "v//a.mp4"])
def test_paths_that_were_kept_as_they_were_typed_become_absolute(tmp_path, monkeypatch, old):
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / "v/a.mp4")
    records = [record(old, metadata={"id": 1}), record("v/b.mp4"), record("c.mp4")]
    ((rename,), surplus) = made_absolute(records, [VideoFile(path, 5, 7)])
    assert (rename.path, rename.record, surplus) == (old, record(path, metadata={"id": 1}), [])


def test_of_several_spellings_of_one_path_one_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = VideoFile(str(tmp_path / "a.mp4"), 5, 7)
    records = [record("a.mp4", **FAILED), record("./a.mp4"), record(".//a.mp4", metadata={"id": 1})]
    ((rename,), surplus) = made_absolute(records, [file])
    assert (rename.path, sorted(surplus)) == (".//a.mp4", ["./a.mp4", "a.mp4"])
    assert made_absolute([record("a.mp4"), record(file.path)], [file]) == ([], ["a.mp4"])


def test_a_file_that_is_reached_through_a_link_is_the_one_that_is_known(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "v")
    known = KnownVideos([record(str(tmp_path / "v/a.mp4"))])
    assert known.under_known_path(VideoFile(str(tmp_path / "link/a.mp4"), 1, 2)).path == str(tmp_path / "v/a.mp4")
    assert known.under_known_path(VideoFile(str(tmp_path / "link/b.mp4"), 1, 2)).path == str(
        tmp_path / "link/b.mp4"
    )
    both = KnownVideos([record(str(tmp_path / "v/a.mp4")), record(str(tmp_path / "link/a.mp4"))])
    assert both.under_known_path(VideoFile(str(tmp_path / "link/a.mp4"), 1, 2)).path == str(
        tmp_path / "link/a.mp4"
    )
