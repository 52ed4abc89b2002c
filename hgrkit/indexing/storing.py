"""The end of indexing: features of a video until it has ended, cut into clips, then the library."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import final, get_args

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError, HgrkitError
from hgrkit.indexing.carry_over import CarryOver
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.known_videos import KnownVideos
from hgrkit.indexing.report import Failure, IndexProgress, IndexReport, Outcome
from hgrkit.indexing.source import VideoEnd
from hgrkit.indexing.video_store import VideoStore
from hgrkit.indexing.walk import LeftOut, VideoFile
from hgrkit.levels import PerLevel
from hgrkit.library.records import ClipEmbeddings, Float32, Float64, VideoRecord
from hgrkit.library.store import Entry
from hgrkit.model.video import evenly_spaced

__all__ = ["Embed", "Storing", "Tally", "cut_clips"]


@attrs.frozen(kw_only=True)
class ClipWindow:
    """A stretch of a video and the sampled frames in it.

    Attributes:
        start_s: where it begins, in seconds.
        end_s: where it ends.
        frames: the half-open range of its frames among the video's.
    """

    start_s: float
    end_s: float
    frames: slice


def cut_clips(
    times_s: npt.NDArray[np.float64], duration_s: float, clip_seconds: float | None, *, begin_s: float = 0.0
) -> list[ClipWindow]:
    """Equal windows of at most `clip_seconds` that cover the pictures; one over all of them if it is `None`.

    The windows share them evenly, so that the last is never a sliver. A window without a frame belongs to the
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
    starts_s = begin_s + np.arange(windows) * width_s
    stops = np.append(np.searchsorted(times_s, starts_s[1:] - 1e-9), len(times_s))
    counts = np.diff(stops, prepend=0)
    kept = np.flatnonzero(counts)
    edges_s = [begin_s, *(starts_s[kept[1:]].tolist()), duration_s]
    return [
        ClipWindow(
            start_s=edges_s[i], end_s=edges_s[i + 1], frames=slice(int(stops[at] - counts[at]), int(stops[at]))
        )
        for i, at in enumerate(kept)
    ]


@final
class Tally:
    """Takes the files one by one, once they are dealt with.

    Args:
        total: files of the run.
        on_progress: called after each.
    """

    def __init__(self, total: int, on_progress: Callable[[IndexProgress], object] | None = None) -> None:
        self._total = total
        self._on_progress = on_progress
        self._outcomes: dict[Outcome, int] = dict.fromkeys(get_args(Outcome), 0)
        self._failures: list[Failure] = []
        self._decoded_frames = 0

    def count(self, end: VideoEnd) -> None:
        """One more file is done."""
        self._outcomes[end.outcome] += 1
        self._decoded_frames += end.decoded_frames
        if end.outcome == "failed":
            self._failures.append(Failure(end.file.path, end.reason or "unknown"))
        if self._on_progress is not None:
            done = sum(self._outcomes.values())
            self._on_progress(IndexProgress(path=end.file.path, outcome=end.outcome, done=done, total=self._total))

    def report(
        self,
        left_out: LeftOut,
        *,
        in_trash: Sequence[str] = (),
        missing: Sequence[str] = (),
        pruned: int = 0,
        emptied: Sequence[str] = (),
    ) -> IndexReport:
        """The outcome of the run, with what was left out of it and what was found to be missing after it."""
        return IndexReport(
            indexed=self._outcomes["indexed"],
            unchanged=self._outcomes["unchanged"],
            moved=self._outcomes["moved"],
            duplicates=self._outcomes["duplicate"],
            failures=tuple(sorted(self._failures, key=lambda failure: failure.path)),
            unreadable=left_out.unreadable,
            skipped=left_out.skipped,
            in_trash=tuple(in_trash),
            missing=tuple(missing),
            pruned=pruned,
            emptied=tuple(emptied),
            decoded_frames=self._decoded_frames,
        )


_ENOUGH = 64
_PATIENCE_S = 1.0
_COMMIT_EVERY = 20

Embed = Callable[[Float32], PerLevel[Float32]]
"""One clip's frame features [F, feature_dim] to its embeddings: event [D], action [F, D], entity [F, D]."""


@attrs.define(kw_only=True)
class Storing:
    """Keeps what comes of videos until they have ended, and stores each whole or not at all.

    Where videos end faster than a disk makes commits durable, several share one.

    Attributes:
        library: where clips go.
        known: what it knew when the run began.
        carry_over: takes files that were recognised by their bytes.
        tally: is told of every file that is done.
        embed: turns one clip's features into embeddings.
        clip_seconds: the longest clip.
        max_frames: frames of a clip that are embedded.
        cache: where the features of decoded frames are kept.
        ended: videos whose last word came, but whose frames may still wait for the encoder.
    """

    library: VideoStore
    known: KnownVideos
    carry_over: CarryOver
    tally: Tally
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
        """Take features [B, K] of the next frames of a video, shown at `times_s` [B]."""
        self._parts.setdefault(file, []).append((times_s, features))

    def store_ended(self) -> None:
        """Take the videos that have ended for the next commit; what was recognised has commits of its own."""
        for end in self.ended:
            if end.recognised:
                self.carry_over.add(end)
            else:
                self._store(end)
        self.ended.clear()
        if self.carry_over.is_due:
            self.commit()
            self._count(self.carry_over.settle())

    @property
    def is_due(self) -> bool:
        """Whether videos have waited for a commit so long that it takes a twentieth of the time at most."""
        waited_s = time.monotonic() - self._since_s
        return len(self._uncommitted) >= _ENOUGH or (
            bool(self._uncommitted) and waited_s >= min(_PATIENCE_S, _COMMIT_EVERY * self._commit_s)
        )

    def commit(self) -> None:
        """Store all videos that have ended, in one commit; only then are they told of."""
        if self._uncommitted:
            began_s = time.monotonic()
            self.library.update(put=[entry for _, entry in self._uncommitted])
            self._commit_s = time.monotonic() - began_s
            self._count([end for end, _ in self._uncommitted])
            self._uncommitted.clear()

    def finish(self) -> list[VideoFile]:
        """Store what is left, and tell which files have to be read after all."""
        self.store_ended()
        self.commit()
        self._count(self.carry_over.settle())
        ended, others = self.carry_over.settle_duplicates()
        self._count(ended)
        return [end.file for end in others]

    def _count(self, ends: list[VideoEnd]) -> None:
        for end in ends:
            self.tally.count(end)

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
            self.tally.count(end)

    def _put(self, end: VideoEnd, clips: Sequence[ClipEmbeddings]) -> None:
        if not self._uncommitted:
            self._since_s = time.monotonic()
        self._uncommitted.append((end, Entry(self._record(end, clips=len(clips)), clips)))

    def _clips(self, end: VideoEnd, parts: list[tuple[Float64, Float32]]) -> list[ClipEmbeddings]:
        times_s = np.concatenate([times for times, _ in parts])  # [F]
        features = np.concatenate([part for _, part in parts])  # [F, feature_dim]
        clips = [
            self._clip(window.start_s, window.end_s, times_s[window.frames], features[window.frames])
            for window in cut_clips(times_s, end.duration_s or 0.0, self.clip_seconds, begin_s=end.begin_s)
        ]
        if self.cache is not None and end.content is not None and not end.cached:
            self.cache.save(
                end.content,
                times_s=times_s,
                features=features,
                begin_s=end.begin_s,
                duration_s=end.duration_s,
            )
        return clips

    def _clip(self, start_s: float, end_s: float, times_s: Float64, features: Float32) -> ClipEmbeddings:
        kept: npt.NDArray[np.int64] | slice = slice(None)
        if self.max_frames is not None:
            kept = evenly_spaced(len(times_s), self.max_frames)
        levels = self.embed(features[kept])
        return ClipEmbeddings(
            start_s=start_s,
            end_s=end_s,
            times_s=times_s[kept],
            event=levels.event,
            action=levels.action,
            entity=levels.entity,
        )

    def _record(self, end: VideoEnd, *, clips: int) -> VideoRecord:
        return VideoRecord(
            path=end.file.path,
            content=end.content or "",
            size=end.file.size,
            mtime_ns=end.file.mtime_ns,
            state="indexed" if end.outcome == "indexed" else "failed",
            reason=end.reason,
            duration_s=end.duration_s,
            clips=clips,
            metadata=self.known.metadata(end.file.path),
        )
