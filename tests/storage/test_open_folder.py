from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hgrkit.errors import DamagedLibraryError, LibraryError
from hgrkit.storage.open_folder import OpenFolder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"precious")
    with OpenFolder(tmp_path / "inside") as opened:
        yield opened


@pytest.mark.parametrize("name", ["", ".", "..", "../outside/file", "a//b", "a/../b", "/etc/passwd", "a\0b", "a/"])
def test_what_is_no_name_below_the_folder_is_refused(folder, name):
    for call in (folder.open, folder.status, folder.unlink, folder.make, lambda name: folder.write(name, b"x")):
        with pytest.raises(DamagedLibraryError):
            call(name)


def test_a_file_is_written_read_and_deleted(folder):
    folder.make("below")
    assert not folder.make("below")
    folder.write("below/file", b"content")
    assert folder.read("below/file", 100) == b"content"
    assert folder.read("below/file", 3) == b"con"
    assert folder.names("below") == ["file"]
    folder.replace("below/file", "other")
    assert folder.is_file("other")
    assert not folder.is_file("below/file")
    folder.unlink("other")
    folder.unlink("other")
    folder.remove("below")
    assert folder.names() == []
    assert folder.read("other", 1) is None


def test_no_link_is_followed_wherever_it_stands(folder, tmp_path):
    outside = tmp_path / "outside"
    (folder.path / "file").symlink_to(outside / "file")
    (folder.path / "below").symlink_to(outside)
    for name in ("file", "below/file"):
        for call in (folder.open, lambda name: folder.read(name, 9)):
            with pytest.raises(DamagedLibraryError, match="link"):
                call(name)
        assert not folder.is_file(name)
    for call in (folder.names, folder.make):
        with pytest.raises(DamagedLibraryError, match="link"):
            call("below")
    with pytest.raises(DamagedLibraryError):
        folder.unlink("below/file")
    folder.unlink("file")  # the link itself
    folder.write("file", b"own")
    assert (outside / "file").read_bytes() == b"precious"
    assert not (folder.path / "file").is_symlink()


def test_a_temporary_name_that_is_a_link_is_no_way_out(folder, tmp_path):
    (folder.path / "file.tmp").symlink_to(tmp_path / "outside" / "file")
    folder.write("file", b"own")
    assert (tmp_path / "outside" / "file").read_bytes() == b"precious"
    assert folder.read("file", 9) == b"own"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_without_waiting(folder, make):
    make(folder.path / "pipe")
    with pytest.raises(DamagedLibraryError, match="no file"):
        folder.open("pipe")


@pytest.mark.parametrize("again", [True, False])
def test_a_folder_that_was_moved_is_noticed_and_still_the_one_that_is_used(folder, again):
    moved = folder.path.with_name("moved")
    folder.require_same()
    folder.path.rename(moved)
    if again:
        folder.path.mkdir()
    with pytest.raises(LibraryError, match="moved, replaced or deleted"):
        folder.require_same()
    folder.write("file", b"own")
    assert (moved / "file").read_bytes() == b"own"
    assert not (folder.path / "file").exists()


def test_a_relative_path_is_made_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("inside").mkdir()
    with OpenFolder("inside") as folder:
        monkeypatch.chdir("/")
        assert folder.path == tmp_path / "inside"
        folder.require_same()
