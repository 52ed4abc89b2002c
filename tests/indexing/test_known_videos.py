import pytest

from hgrkit.indexing.known_videos import KnownVideos
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


@pytest.mark.parametrize("spelling", ["v/a.mp4", "./v/a.mp4", "v/../v/a.mp4", "absolute"])
def test_a_file_keeps_the_spelling_that_the_library_knows(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    given = str(tmp_path / "v/a.mp4") if spelling == "absolute" else spelling
    known = KnownVideos([record("./v/a.mp4")])
    assert known.spelled(VideoFile(given, 1, 2)) == VideoFile("./v/a.mp4", 1, 2)
    assert known.spelled(VideoFile("v/b.mp4", 1, 2)).path == "v/b.mp4"


def test_a_path_that_is_known_stays_although_another_spelling_is_known_too():
    known = KnownVideos([record("./a.mp4"), record("a.mp4")])
    assert known.spelled(VideoFile("a.mp4", 1, 2)).path == "a.mp4"
