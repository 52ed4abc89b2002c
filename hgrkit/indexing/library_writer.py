"""Stores what became of files: features cut into clips, or known clips carried over, many in one commit."""

# Paths are compared without following links, as `os.path` does it.
# ruff: noqa: PTH100, PTH117

from __future__ import annotations

import math
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import PurePath
from typing import final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError, HgrkitError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.known_videos import KnownVideos, has_moved_away, is_below
from hgrkit.indexing.report import Outcome
from hgrkit.indexing.source import VideoEnd
from hgrkit.indexing.walk import VideoFile, found_file, is_gone
from hgrkit.levels import PerLevel
from hgrkit.library.library import Library
from hgrkit.library.records import ClipEmbeddings, Float32, Float64, VideoRecord, path_bytes
from hgrkit.library.store import Entry, Rename, Snapshot
from hgrkit.video.sampling import evenly_spaced

__all__ = ["CarryOver", "ClipWindow", "Embed", "LibraryWriter", "cut_clips", "embed_clips"]

# Videos share a commit until so many wait, or the first has waited for a second or twenty times a commit's time.
_MOST_WAITING, _PATIENCE_S, _COMMIT_EVERY = 64, 1.0, 20
# Recognised files need only a new record, so that more of them share a commit.
_MOST_RECOGNISED, _RECOGNISED_PATIENCE_S = 256, 2.0

Embed = Callable[[Float32], PerLevel[Float32]]
"""One clip's frame features [F, feature_dim] to its embeddings: event [D], action [F, D], entity [F, D]."""


@attrs.frozen(kw_only=True)
class ClipWindow:
    """A part of a video, from `start_s` to `end_s` in seconds, and the range of its frames among the video's."""

    start_s: float
    end_s: float
    frames: slice


def cut_clips(
    times_s: npt.NDArray[np.float64], duration_s: float, clip_seconds: float | None, *, begin_s: float = 0.0
) -> list[ClipWindow]:
    """Cut a video into equal windows of at most `clip_seconds`, or into one if that is `None`.

    The windows are of equal length, so that the last is never a sliver. A window without a frame belongs to the
    clip before it (at the beginning, to the one after it).

    >>> [(clip.start_s, clip.end_s) for clip in cut_clips(np.arange(0, 64, 0.5), 64.0, 30.0)]
    [(0.0, 21.333333333333332), (21.333333333333332, 42.666666666666664), (42.666666666666664, 64.0)]

    Args:
        times_s: [F] when the sampled frames are shown, ascending, F >= 1.
        duration_s: the video's length.
        clip_seconds: the longest clip.
        begin_s: when the first picture is shown.

    Raises:
        ConfigError: if `clip_seconds` is not above 0.
    """
    if clip_seconds is not None and not clip_seconds > 0:
        raise ConfigError(f"clip_seconds must be above 0, or None for whole videos, got {clip_seconds!r}.")
    duration_s = max(duration_s, float(times_s[-1]))
    begin_s = min(begin_s, float(times_s[0]))
    windows = 1 if clip_seconds is None else max(1, math.ceil((duration_s - begin_s) / clip_seconds - 1e-6))
    width_s = (duration_s - begin_s) / windows
    places = _places(times_s + 1e-9, begin_s, width_s, windows)
    kept, firsts = np.unique(places, return_index=True)  # there may be many more windows than frames
    stops = np.append(firsts[1:], len(times_s))
    edges_s = [begin_s, *(begin_s + kept[1:] * width_s).tolist(), duration_s]
    return [
        ClipWindow(start_s=edges_s[i], end_s=edges_s[i + 1], frames=slice(first, stop))
        for i, (first, stop) in enumerate(zip(firsts.tolist(), stops.tolist(), strict=True))
    ]


def _places(times_s: Float64, begin_s: float, width_s: float, windows: int) -> Float64:
    """Which of equal windows each time lies in, [F]; the division is corrected where it rounds across a border."""
    with np.errstate(over="ignore"):  # a video may be as short as numbers get; it is one window then
        places: Float64 = np.floor((times_s - begin_s) / width_s) if width_s else times_s * 0
    places = np.clip(places, 0, windows - 1)
    places -= (places > 0) & (times_s < begin_s + places * width_s)
    places += (places < windows - 1) & (times_s >= begin_s + (places + 1) * width_s)
    return places


@attrs.define(kw_only=True)
class LibraryWriter:
    """Collects the features of videos until they have ended, and stores each video whole or not at all.

    Attributes:
        library: where clips go.
        known: what it knew when the run began.
        carry_over: takes files that were recognised by their bytes.
        on_done: called with every file that is done.
        embed: turns one clip's features into embeddings.
        clip_seconds: the longest clip.
        max_frames: frames of a clip that are embedded.
        cache: where the features of decoded frames are kept.
        ended: videos that were read to their end, but whose frames may still wait for the encoder.
    """

    library: Library
    known: KnownVideos
    carry_over: CarryOver
    on_done: Callable[[VideoEnd], None]
    embed: Embed
    clip_seconds: float | None
    max_frames: int | None
    cache: FeatureCache | None = None
    ended: list[VideoEnd] = attrs.field(factory=list)
    _uncommitted: list[tuple[VideoEnd, Entry]] = attrs.field(factory=list, init=False)
    _since_s: float = attrs.field(default=0.0, init=False)
    _commit_s: float = attrs.field(default=0.0, init=False)
    _parts: dict[VideoFile, list[tuple[Float64, Float32]]] = attrs.field(factory=dict, init=False)

    def add_features(self, file: VideoFile, times_s: Float64, features: Float32) -> None:
        """Take features [B, K] of the next frames of a video, shown at `times_s` [B].

        Args:
            file: the video.
            times_s: when the frames are shown, in seconds.
            features: one vector a frame.
        """
        self._parts.setdefault(file, []).append((times_s, features))

    def store_ended(self) -> None:
        """Queue the videos that have ended for the next commit; recognised ones have commits of their own."""
        for end in self.ended:
            if end.recognised:
                self.carry_over.add(end)
            else:
                self._store(end)
        self.ended.clear()
        if self.carry_over.is_due:
            self.commit()
            self._report(self.carry_over.commit())

    @property
    def is_due(self) -> bool:
        """Whether videos have waited long enough that commits take at most a twentieth of the time."""
        waited_s = time.monotonic() - self._since_s
        return len(self._uncommitted) >= _MOST_WAITING or (
            bool(self._uncommitted) and waited_s >= min(_PATIENCE_S, _COMMIT_EVERY * self._commit_s)
        )

    def commit(self) -> None:
        """Store all queued videos in one commit; only then are they reported."""
        if self._uncommitted:
            began_s = time.monotonic()
            self.library.update(put=[entry for _, entry in self._uncommitted])
            self._commit_s = time.monotonic() - began_s
            self._report([end for end, _ in self._uncommitted])
            self._uncommitted.clear()

    def finish(self) -> list[VideoFile]:
        """Store what is left; returns the files that have to be read after all."""
        self.store_ended()
        self.commit()
        self._report(self.carry_over.commit())
        ended, others = self.carry_over.commit_duplicates()
        self._report(ended)
        return [end.file for end in others]

    def _report(self, ends: list[VideoEnd]) -> None:
        for end in ends:
            self.on_done(end)

    def _store(self, end: VideoEnd) -> None:
        parts = self._parts.pop(end.file, [])
        if end.outcome == "indexed":
            try:
                clips = self._clips(end, parts)
            except HgrkitError as error:  # features that do not fit the model, numbers that are not finite
                end = attrs.evolve(end, outcome="failed", reason=str(error), remember=False)
            else:
                self._put(end, clips)
                return
        if end.outcome == "failed" and end.remember:
            self._put(end, ())
        else:
            self.on_done(end)

    def _put(self, end: VideoEnd, clips: Sequence[ClipEmbeddings]) -> None:
        if not self._uncommitted:
            self._since_s = time.monotonic()
        record = VideoRecord(
            path=end.file.path,
            content=end.content or "",
            size=end.file.size,
            mtime_ns=end.file.mtime_ns,
            state="indexed" if end.outcome == "indexed" else "failed",
            reason=end.reason,
            duration_s=end.duration_s,
            clips=len(clips),
            metadata=self.known.metadata(end.file.path),
            indexed_ns=time.time_ns(),
        )
        self._uncommitted.append((end, Entry(record, clips)))

    def _clips(self, end: VideoEnd, parts: list[tuple[Float64, Float32]]) -> list[ClipEmbeddings]:
        times_s = np.concatenate([times for times, _ in parts])  # [F]
        features = np.concatenate([part for _, part in parts])  # [F, feature_dim]
        windows = cut_clips(times_s, end.duration_s or 0.0, self.clip_seconds, begin_s=end.begin_s)
        clips = embed_clips(times_s, features, windows, self.embed, max_frames=self.max_frames)
        if self.cache is not None and end.content is not None and not end.cached:
            self.cache.save(
                end.content,
                times_s=times_s,
                features=features,
                begin_s=end.begin_s,
                duration_s=end.duration_s,
            )
        return clips


def embed_clips(
    times_s: Float64,
    features: Float32,
    windows: Sequence[ClipWindow],
    embed: Embed,
    *,
    max_frames: int | None,
) -> list[ClipEmbeddings]:
    """Embed the windows of one video.

    Args:
        times_s: [F] when its sampled frames are shown.
        features: [F, feature_dim] of those frames.
        windows: the clips, as `cut_clips` cuts them.
        embed: turns one clip's features into embeddings.
        max_frames: frames of a clip that are embedded, evenly spaced; `None` for all.
    """
    clips = []
    for window in windows:
        times, frames = times_s[window.frames], features[window.frames]
        kept = slice(None) if max_frames is None else evenly_spaced(len(times), max_frames)
        levels = embed(frames[kept])
        clips.append(
            ClipEmbeddings(
                start_s=window.start_s,
                end_s=window.end_s,
                times_s=times[kept],
                event=levels.event,
                action=levels.action,
                entity=levels.entity,
            )
        )
    return clips


@final
class CarryOver:
    """Gives files that were recognised by their bytes the clips that the library has of those bytes.

    Many records are updated in one commit, so that a folder that was only touched or renamed is done at once.
    Clips are taken from the library as it was when the run began: two files that were swapped get each other's,
    and the user's metadata with them. Files with bytes that are read in this run wait until those are stored.

    Args:
        library: where records and clips are.
        snapshot: the library when the run began.
        known: the videos of that snapshot.
        unreadable: paths that the run could not look at: what is below them has not moved.
        moves: whether a video whose file is gone moves to a new path; else the new one is a duplicate.
    """

    def __init__(
        self,
        library: Library,
        snapshot: Snapshot,
        known: KnownVideos,
        *,
        unreadable: Sequence[str] = (),
        moves: bool = True,
    ) -> None:
        self._library, self._snapshot, self._known = library, snapshot, known
        self._unreadable, self._moves = unreadable, moves
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
        return len(self._recognised) >= _MOST_RECOGNISED or (
            bool(self._recognised) and time.monotonic() - self._since_s >= _RECOGNISED_PATIENCE_S
        )

    def commit(self) -> list[VideoEnd]:
        """Commit the recognised files, and return what became of each."""
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

    def commit_duplicates(self) -> tuple[list[VideoEnd], list[VideoEnd]]:
        """Give the files that waited the clips that were stored meanwhile; returns them, and those to be read."""
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
        """Return the record of these bytes whose file is gone and whose path is most like the new one."""
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
        """Whether another file has taken the path of a record, whose own has then moved on."""
        file = found_file(record.path) if self._moves and record.path not in self._moved else None
        if file is None or (file.size, file.mtime_ns) == (record.size, record.mtime_ns):
            return False
        try:
            return file.size != record.size or self._known.content_of(file) != record.content
        except OSError:
            return False

    def _duplicate(self, end: VideoEnd, record: VideoRecord, snapshot: Snapshot) -> VideoEnd:
        metadata = self._known.metadata(end.file.path) or record.metadata
        copy = attrs.evolve(_renamed(record, end), metadata=metadata, indexed_ns=time.time_ns())
        self._library.add(copy, _clips(snapshot, record))
        return _settled(end, "duplicate", record)


def _shared_parts(path: str, other: str) -> int:
    """Count the components that two paths share at their ends."""
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
