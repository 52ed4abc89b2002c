"""The end of indexing: features of a video until it has ended, then its clips, then the library."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import HgrkitError
from hgrkit.indexing.carry_over import CarryOver
from hgrkit.indexing.clips import cut_clips
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.known_videos import KnownVideos
from hgrkit.indexing.source import VideoEnd
from hgrkit.indexing.tally import Tally
from hgrkit.indexing.video_store import VideoStore
from hgrkit.indexing.walk import VideoFile
from hgrkit.levels import PerLevel
from hgrkit.library.records import ClipEmbeddings, Float32, Float64, VideoRecord
from hgrkit.library.store import Entry
from hgrkit.video.features import evenly_spaced

__all__ = ["Embed", "Storing"]

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
