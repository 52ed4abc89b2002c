"""Files whose bytes the library knows: touched, moved and copied ones get their clips without decoding."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import final

import attrs
import numpy as np

from hgrkit.indexing.known_videos import KnownVideos
from hgrkit.indexing.missing import has_moved_away
from hgrkit.indexing.report import Outcome
from hgrkit.indexing.source import VideoEnd
from hgrkit.indexing.video_store import VideoStore
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.library.store import Rename, Snapshot
from hgrkit.library.video_row import path_bytes

__all__ = ["CarryOver"]

_ENOUGH = 256
_PATIENCE_S = 2.0


@final
class CarryOver:
    """Takes files that were recognised by their bytes, and gives them what the library has of those.

    Their records are brought up to date many in one commit, so that a folder that was only touched or renamed is
    done at once. Clips are taken from the library as it was when the run began: two files that were swapped get
    each other's. Files that have the bytes of one that is read in this run wait until it is stored.

    Args:
        library: where records and clips are.
        known: what it knew when the run began.
        roots: the paths of the run.
        moves: whether a video whose file is gone goes over to a new path; else it is copied.
    """

    def __init__(
        self,
        library: VideoStore,
        snapshot: Snapshot,
        known: KnownVideos,
        *,
        roots: Sequence[str] = (),
        moves: bool = True,
    ) -> None:
        self._library = library
        self._snapshot = snapshot
        self._known = known
        self._roots = roots
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
            source = own or next(filter(self._has_moved, records), None)
            if source is not None:
                self._moved.add(source.path)
                renames.append(Rename(source.path, _renamed(source, end)))
                ended.append(_settled(end, "unchanged" if own else "moved", source))
            else:
                ended.append(self._copied(end, records[0], self._snapshot))
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
                ended.append(self._copied(end, record, snapshot))
            else:
                others.append(end)
        return ended, others

    def _has_moved(self, record: VideoRecord) -> bool:
        return self._moves and record.path not in self._moved and has_moved_away(record.path, self._roots)

    def _copied(self, end: VideoEnd, record: VideoRecord, snapshot: Snapshot) -> VideoEnd:
        metadata = self._known.metadata(end.file.path) or record.metadata
        copy = attrs.evolve(_renamed(record, end), metadata=metadata)
        self._library.add(copy, _clips(snapshot, record))
        return _settled(end, "copied", record)


def _renamed(record: VideoRecord, end: VideoEnd) -> VideoRecord:
    return attrs.evolve(record, path=end.file.path, size=end.file.size, mtime_ns=end.file.mtime_ns)


def _settled(end: VideoEnd, outcome: Outcome, record: VideoRecord) -> VideoEnd:
    failed = record.state == "failed"
    return attrs.evolve(end, outcome="failed" if failed else outcome, reason=record.reason, recognised=False)


def _clips(snapshot: Snapshot, record: VideoRecord) -> list[ClipEmbeddings]:
    place = bisect_left(snapshot.videos, path_bytes(record.path), key=lambda video: path_bytes(video.path))
    first, last = np.searchsorted(snapshot.clip_videos, [place, place + 1])
    return snapshot.clips(range(int(first), int(last)))
