"""Names in the cache: they change with everything that decides the content, and with nothing else."""

from __future__ import annotations

import os


def test_a_name_changes_with_every_part(scripts, tmp_path):
    cache_file = scripts.cache_file.cache_file
    names = [
        cache_file(tmp_path, "sentences.npz", "a", ["b", 1]),
        cache_file(tmp_path, "sentences.npz", "a", ["b", 2]),
        cache_file(tmp_path, "sentences.npz", ["a", "b", 1]),
        cache_file(tmp_path, "regions.npz", "a", ["b", 1]),
        cache_file(tmp_path, "sentences.npz", "ab", [1]),
    ]
    assert len(set(names)) == len(names)
    assert all(name.parent == tmp_path and name.suffix == ".npz" for name in names)
    assert names[0] == cache_file(tmp_path, "sentences.npz", "a", ("b", 1))
    assert not cache_file(tmp_path, "paper", 1).suffix


def test_the_order_of_settings_does_not_matter(scripts, tmp_path):
    first, second = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert scripts.cache_file.cache_file(tmp_path, "maps", first) == scripts.cache_file.cache_file(
        tmp_path, "maps", second
    )


def test_a_file_that_was_written_again_has_another_digest(scripts, tmp_path):
    path = tmp_path / "sentence.onnx"
    path.write_bytes(b"one")
    first = scripts.cache_file.file_digest(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(0, 0))
    second = scripts.cache_file.file_digest(path)
    assert first != second
    path.write_bytes(b"one")
    assert scripts.cache_file.file_digest(path) == first
