from __future__ import annotations

import os

import pytest

from hgrkit.storage.atomic_file import write_atomically


def full(*_):
    raise OSError(28, "No space left on device")


def test_a_file_is_there_whole_and_alone(tmp_path):
    write_atomically(tmp_path / "file", b"one ", b"two")
    write_atomically(tmp_path / "file", b"three")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"three"


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    write_atomically(tmp_path / "file", b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"after")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"before"


def test_a_folder_that_fails_after_the_renaming_never_takes_the_file_along(tmp_path, monkeypatch):
    write_atomically(tmp_path / "file", b"before")
    monkeypatch.setattr("hgrkit.storage.atomic_file.sync_folder", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"after")
    assert (tmp_path / "file").read_bytes() == b"after"


@pytest.mark.parametrize("failing", ["os.fsync", "sync_folder"])
def test_a_full_disk_leaves_nothing_where_there_was_nothing(tmp_path, monkeypatch, failing):
    monkeypatch.setattr(f"hgrkit.storage.atomic_file.{failing}", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "file", b"content")
    assert not list(tmp_path.iterdir())
