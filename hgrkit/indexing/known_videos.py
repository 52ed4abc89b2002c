"""What a library knows of the files of a run, by path, size and time or by their bytes: none of it is decoded."""

# Paths are made absolute without following links, as `os.path` does it.
# ruff: noqa: PTH100, PTH117

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, final

import attrs

from hgrkit.indexing.missing import is_below
from hgrkit.indexing.walk import VideoFile, real_place
from hgrkit.library.records import VideoRecord
from hgrkit.library.store import Rename

__all__ = ["KnownVideos"]


@final
class KnownVideos:
    """The library's videos as they were when the run began, and the bytes that the run has come upon since.

    Safe for threads.

    Args:
        records: the library's videos.
        retry_failed: whether failed ones count as unknown.
        across_paths: whether files of the same bytes are the same video; not so where features come by name.
    """

    def __init__(
        self, records: Iterable[VideoRecord], *, retry_failed: bool = False, across_paths: bool = True
    ) -> None:
        self._across_paths = across_paths
        self._metadata: dict[str, Mapping[str, Any]] = {}
        self._real_folder = functools.cache(os.path.realpath)
        self._records = tuple(records)
        self._places: dict[str, str] = {}
        self._by_path: dict[str, VideoRecord] = {}
        self._by_content: dict[str, list[VideoRecord]] = {}
        for record in self._records:
            self._metadata[record.path] = record.metadata
            if os.path.isabs(record.path):
                self._places.setdefault(self._place(record.path), record.path)
            if record.state == "indexed" or not (retry_failed or _is_old_fault(record.reason or "")):
                self._by_path[record.path] = record
                self._by_content.setdefault(record.content, []).append(record)
        self._claimed: set[str] = set()
        self._claims = Lock()

    def spelled(self, file: VideoFile) -> VideoFile:
        """The file under the path that the library knows it by, if that leads to the same file through a link."""
        if file.path in self._metadata:
            return file
        path = self._places.get(self._place(file.path), file.path)
        return file if path == file.path else attrs.evolve(file, path=path)

    def made_absolute(
        self, files: Iterable[VideoFile], roots: Iterable[str] = ()
    ) -> tuple[list[Rename], list[str]]:
        """What earlier versions kept under paths as they were typed: to rename, and to remove.

        A relative path says where its video is only in the folder in which it was typed. This is the one if a file
        is there as the library knows it; then all relative paths below `roots` become absolute.
        A video that the library has under several spellings of one path goes on as one of them.
        """
        old = [record for record in self._records if os.path.abspath(record.path) != record.path]
        if not old:  # as in every library that was made since
            return [], []
        found = {self._place(file.path): (file.size, file.mtime_ns) for file in files}
        roots = list(roots)
        typed_here = any(
            found.get(self._place(record.path)) == (record.size, record.mtime_ns)
            for record in old
            if not os.path.isabs(record.path)
        )
        renames: dict[str, Rename] = {}
        surplus: list[str] = []
        for record in sorted(old, key=lambda record: (record.state == "failed", not record.metadata)):
            path = os.path.abspath(record.path)
            is_meant = self._place(path) in found
            if not os.path.isabs(record.path):
                is_meant = typed_here and (is_meant or is_below(path, roots))
            if not is_meant:
                continue
            if path in self._metadata or path in renames:
                surplus.append(record.path)
            else:
                renames[path] = Rename(record.path, attrs.evolve(record, path=path))
        return list(renames.values()), surplus

    def _place(self, path: str) -> str:
        return real_place(os.path.abspath(path), self._real_folder)

    def by_status(self, file: VideoFile) -> VideoRecord | None:
        """The record of a file whose path, size and modification time are as they were."""
        record = self._by_path.get(file.path)
        same = record is not None and (record.size, record.mtime_ns) == (file.size, file.mtime_ns)
        return record if same else None

    def by_content(self, path: str, content: str) -> tuple[VideoRecord, ...]:
        """The records of these bytes that may stand for this path, its own first, failed ones last."""
        records = (
            record
            for record in self._by_content.get(content, ())
            if self._across_paths or record.path == path or record.state == "failed"
        )
        return tuple(
            sorted(records, key=lambda record: (record.path != path, record.state == "failed", record.path))
        )

    def metadata(self, path: str) -> Mapping[str, Any]:
        """The user's own values for a path, which stay whatever becomes of its file."""
        return self._metadata.get(path, {})

    def claim(self, content: str) -> bool:
        """Whether the caller is to read these bytes: nobody in this run does so for another path."""
        with self._claims:
            first = content not in self._claimed
            self._claimed.add(content)
            return first or not self._across_paths

    def forget_claims(self) -> None:
        """Let bytes be read again that could not be read the first time; every path then reads its own."""
        with self._claims:
            self._claimed.clear()
            self._across_paths = False


def _is_old_fault(reason: str) -> bool:
    """Whether an earlier hgrkit blamed a file for a failure of its own, as with a newer PyAV than it knew."""
    crashed = "the decoder crashed on this file (exit status 1"
    return reason.startswith((f"{crashed})", f"{crashed}:"))
