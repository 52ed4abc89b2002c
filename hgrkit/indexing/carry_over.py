"""Files whose bytes the library knows: touched and moved ones and duplicates get their clips without decoding."""

# Paths are compared without following links, as `os.path` does it.
# ruff: noqa: PTH100, PTH117

from __future__ import annotations

import os
import time
from bisect import bisect_left
from collections.abc import Sequence
from itertools import takewhile
from pathlib import PurePath
from typing import final

import attrs
import numpy as np

from hgrkit.indexing.known_videos import KnownVideos
from hgrkit.indexing.missing import has_moved_away, is_below, is_gone
from hgrkit.indexing.report import Outcome
from hgrkit.indexing.source import VideoEnd, content_hash
from hgrkit.indexing.video_store import VideoStore
from hgrkit.indexing.walk import found_file
from hgrkit.library.records import ClipEmbeddings, VideoRecord, path_bytes
from hgrkit.library.store import Rename, Snapshot

__all__ = ["CarryOver"]

_ENOUGH = 256
_PATIENCE_S = 2.0


@final
class CarryOver:
    """Takes files that were recognised by their bytes, and gives them what the library has of those.

    Their records are brought up to date many in one commit, so that a folder that was only touched or renamed is
    done at once. Clips are taken from the library as it was when the run began: two files that were swapped get
    each other's, and what the user noted of them. Files that have the bytes of one that is read in this run wait
    until it is stored.

    Args:
        library: where records and clips are.
        known: what it knew when the run began.
        unreadable: paths that the run could not look at: what is below them has not moved.
        moves: whether a video whose file is gone goes over to a new path; else the new one is a duplicate.
    """

    def __init__(
        self,
        library: VideoStore,
        snapshot: Snapshot,
        known: KnownVideos,
        *,
        unreadable: Sequence[str] = (),
        moves: bool = True,
    ) -> None:
        self._library = library
        self._snapshot = snapshot
        self._known = known
        self._unreadable = unreadable
        self._moves = moves
        self._moved: set[str] = set()
        self._recognised: list[VideoEnd] = []
        self._duplicates: list[VideoEnd] = []
        self._since_s = 0.0

    def add(self, end: VideoEnd) -> None:
        """Take a file that was recognised."""
        if self._known.by_content(end.file.path, end.content or ""):
            self._since_s = self._since_s if self._recognised else time.monotonic()
            self._recognised.append(end)
        else:
            self._duplicates.append(end)

    @property
    def is_due(self) -> bool:
        """Whether enough files wait, or one waits long enough, for a commit."""
        return len(self._recognised) >= _ENOUGH or (
            bool(self._recognised) and time.monotonic() - self._since_s >= _PATIENCE_S
        )

    def settle(self) -> list[VideoEnd]:
        """Commit what the recognised files have become, and say so of each."""
        waiting, self._recognised = self._recognised, []
        renames: list[Rename] = []
        ended: list[VideoEnd] = []
        for end in waiting:
            records = self._known.by_content(end.file.path, end.content or "")
            own = next((record for record in records if record.path == end.file.path), None)
            source = own or self._moved_to(end.file.path, records)
            if source is not None:
                self._moved.add(source.path)
                renames.append(Rename(source.path, _renamed(source, end)))
                ended.append(_settled(end, "unchanged" if own else "moved", source))
            elif (replaced := next(filter(self._is_replaced, records), None)) is not None:
                self._moved.add(replaced.path)
                self._library.add(_renamed(replaced, end), _clips(self._snapshot, replaced))
                ended.append(_settled(end, "moved", replaced))
            else:
                ended.append(self._duplicate(end, records[0], self._snapshot))
        if renames:
            self._library.update(rename=renames)
        return ended

    def settle_duplicates(self) -> tuple[list[VideoEnd], list[VideoEnd]]:
        """Give the files that waited what was stored of their bytes meanwhile; the others have to be read."""
        waiting, self._duplicates = self._duplicates, []
        if not waiting:
            return [], []
        snapshot = self._library.snapshot()
        by_state = sorted(snapshot.videos, key=lambda record: record.state == "indexed")
        stored = {record.content: record for record in by_state}  # an indexed one counts before a failed one
        ended, others = [], []
        for end in waiting:
            if (record := stored.get(end.content or "")) is not None:
                ended.append(self._duplicate(end, record, snapshot))
            else:
                others.append(end)
        return ended, others

    def _moved_to(self, path: str, records: Sequence[VideoRecord]) -> VideoRecord | None:
        """Of the records of these bytes whose files are gone, the one that is called most like the new file."""
        gone = [record for record in records if self._moves and self._has_moved(record, path)]
        return max(gone, key=lambda record: _shared_parts(record.path, path), default=None)

    def _has_moved(self, record: VideoRecord, path: str) -> bool:
        if record.path in self._moved or is_below(record.path, self._unreadable):
            return False
        # Earlier versions kept relative paths as they were typed, in a folder that nobody knows any more.
        typed = os.path.normpath(record.path)
        is_same = not os.path.isabs(typed) and path.endswith(os.sep + typed)
        is_same = is_same and (is_gone(typed) or os.path.abspath(typed) == path)
        return is_same or has_moved_away(record.path, path)

    def _is_replaced(self, record: VideoRecord) -> bool:
        """Whether another file has taken the name of a record's: its own has then moved on."""
        if not self._moves or record.path in self._moved:
            return False
        file = found_file(record.path)
        if file is None or (file.size, file.mtime_ns) == (record.size, record.mtime_ns):
            return False
        try:
            return file.size != record.size or content_hash(record.path) != record.content
        except OSError:
            return False

    def _duplicate(self, end: VideoEnd, record: VideoRecord, snapshot: Snapshot) -> VideoEnd:
        metadata = self._known.metadata(end.file.path) or record.metadata
        copy = attrs.evolve(_renamed(record, end), metadata=metadata)
        self._library.add(copy, _clips(snapshot, record))
        return _settled(end, "duplicate", record)


def _shared_parts(path: str, other: str) -> int:
    """How many components two paths share at their ends."""
    pairs = zip(reversed(PurePath(path).parts), reversed(PurePath(other).parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _renamed(record: VideoRecord, end: VideoEnd) -> VideoRecord:
    return attrs.evolve(record, path=end.file.path, size=end.file.size, mtime_ns=end.file.mtime_ns)


def _settled(end: VideoEnd, outcome: Outcome, record: VideoRecord) -> VideoEnd:
    failed = record.state == "failed"
    return attrs.evolve(end, outcome="failed" if failed else outcome, reason=record.reason, recognised=False)


def _clips(snapshot: Snapshot, record: VideoRecord) -> list[ClipEmbeddings]:
    place = bisect_left(snapshot.videos, path_bytes(record.path), key=lambda video: path_bytes(video.path))
    first, last = np.searchsorted(snapshot.clip_videos, [place, place + 1])
    return snapshot.clips(range(int(first), int(last)))
