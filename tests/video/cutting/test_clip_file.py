import os
import stat

import pytest

from hgrkit.errors import DecodeLimitError
from hgrkit.video.cutting import clip
from hgrkit.video.cutting.clip import ClipFile


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_bytes_land_where_they_belong_and_the_file_is_there_when_it_is_placed(tmp_path):
    with ClipFile(tmp_path) as file:
        file.take(0, b"forget me")
        file.take(0, None)
        file.take(2, b"cd")
        file.take(0, b"ab")
        assert [name.endswith(".part") for name in names(tmp_path)] == [True]
        assert file.place("clip", ".mp4") == tmp_path / "clip.mp4"
    assert names(tmp_path) == ["clip.mp4"]
    assert (tmp_path / "clip.mp4").read_bytes() == b"abcd"


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_is_there_stays_and_the_new_one_gets_a_number(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.delattr(os, "link")
    (tmp_path / "clip.mp4").write_bytes(b"mine")
    for number in (2, 3):
        with ClipFile(tmp_path) as file:
            file.take(0, b"new")
            assert file.place("clip", ".mp4").name == f"clip ({number}).mp4"
    assert (tmp_path / "clip.mp4").read_bytes() == b"mine"
    assert names(tmp_path) == ["clip (2).mp4", "clip (3).mp4", "clip.mp4"]


def test_a_file_that_is_not_placed_leaves_nothing(tmp_path):
    with ClipFile(tmp_path) as file:
        file.take(0, b"half")
        assert len(names(tmp_path)) == 1
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX rights")
def test_a_placed_file_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    with ClipFile(tmp_path) as file:
        path = file.place("clip", ".mp4")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_file_that_grows_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(clip, "_MOST_BYTES", 10)
    with ClipFile(tmp_path) as file:
        file.take(0, b"0123456789")
        with pytest.raises(DecodeLimitError, match="larger than"):
            file.take(10, b"0")
