"""Indexing: files read in threads, frames encoded in batches across videos, clips stored as they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError, HgrkitError
from hgrkit.indexing.clips import cut_clips
from hgrkit.indexing.decode_pool import DecodePool
from hgrkit.indexing.report import Failure, IndexProgress, IndexReport, Outcome
from hgrkit.indexing.source import FeatureChunk, FrameChunk, KnownVideos, VideoEnd, VideoSource
from hgrkit.indexing.walk import VideoFile
from hgrkit.levels import PerLevel
from hgrkit.library.records import ClipEmbeddings, VideoRecord
from hgrkit.video.features import evenly_spaced
from hgrkit.video.frame_encoder import FrameEncoder, encode_frames, frame_size_of
from hgrkit.video.sampling import Sampling

__all__ = ["Embed", "VideoStore", "index_videos"]

Features = npt.NDArray[np.float32]
Embed = Callable[[Features], PerLevel[Features]]
"""One clip's frame features [F, feature_dim] to its embeddings: event [D], action [F, D], entity [F, D]."""

_BATCH_FRAMES = 32


class VideoStore(Protocol):
    """What indexing needs of a library."""

    def videos(self) -> Iterable[VideoRecord]:
        """Everything that is stored."""

    def add(self, record: VideoRecord, clips: Sequence[ClipEmbeddings]) -> object:
        """Store a video in place of what its path had; durable when it returns."""


def index_videos(
    library: VideoStore,
    files: Sequence[VideoFile],
    *,
    frame_encoder: FrameEncoder | None,
    embed: Embed,
    sampling: Sampling,
    clip_seconds: float | None = 30.0,
    max_frames: int | None = None,
    retry_failed: bool = False,
    features: Mapping[str, Features] | None = None,
    on_progress: Callable[[IndexProgress], object] | None = None,
) -> IndexReport:
    """Bring a library up to date with files; each video is stored whole, once it is done.

    A file whose path, size and modification time, or whose bytes, are as they were is not decoded. A file that
    cannot be decoded is stored as failed and not tried again until its bytes change; it never ends the run. An
    interruption loses the videos that are being read and no others.

    Args:
        library: where clips go; only this thread uses it.
        files: what `walk_videos` found.
        frame_encoder: turns pictures into features; `None` if `features` has them all.
        embed: turns one clip's features into embeddings.
        sampling: which frames are looked at.
        clip_seconds: the longest clip; `None` keeps videos whole.
        max_frames: frames of a clip that are embedded, evenly spaced; `None` for all.
        retry_failed: try files again that failed before.
        features: features by path, base name or base name without suffix, taken instead of decoding.
        on_progress: called after each video.

    Raises:
        ConfigError: if there is neither a frame encoder nor features.
    """
    if frame_encoder is None and features is None:
        raise ConfigError("there is no frame encoder; give the frames' features as a file, or a frame_encoder.")
    files = list(dict.fromkeys(files))
    known = KnownVideos({record.path: record for record in library.videos()}, retry_failed=retry_failed)
    source = VideoSource(
        known=known, sampling=sampling, frame_size=frame_size_of(frame_encoder), features=features
    )
    storing = _Storing(library, embed, clip_seconds, max_frames, _Tally(len(files), on_progress))
    batch = _EncodeBatch(frame_encoder, storing.add_features)
    with DecodePool(files, source.read) as pool:
        for part in pool:
            if isinstance(part, FrameChunk):
                batch.add(part)
            elif isinstance(part, FeatureChunk):
                storing.add_features(part.file, part.times_s, part.features)
            else:
                storing.ended.append(part)
            # A video that has ended waits for a full batch, unless the encoder would idle.
            if batch.is_full or (storing.ended and pool.is_waiting):
                batch.encode()
            if batch.is_empty:
                storing.store_ended()
    batch.encode()
    storing.store_ended()
    return storing.tally.report()


class _EncodeBatch:
    """Frames of several videos that go through the encoder together."""

    def __init__(
        self, encoder: FrameEncoder | None, take: Callable[[VideoFile, npt.NDArray[np.float64], Features], None]
    ) -> None:
        self._encoder = encoder
        self._take = take
        self._chunks: list[FrameChunk] = []

    @property
    def is_empty(self) -> bool:
        return not self._chunks

    @property
    def is_full(self) -> bool:
        return sum(len(chunk.images) for chunk in self._chunks) >= _BATCH_FRAMES

    def add(self, chunk: FrameChunk) -> None:
        self._chunks.append(chunk)

    def encode(self) -> None:
        """Encode what waits and hand each chunk's features on."""
        if not self._chunks or self._encoder is None:
            return
        images = np.concatenate([chunk.images for chunk in self._chunks])  # [B, H, W, 3]
        features = encode_frames(self._encoder, images)  # [B, feature_dim]
        begin = 0
        for chunk in self._chunks:
            stop = begin + len(chunk.images)
            self._take(chunk.file, chunk.times_s, features[begin:stop])
            begin = stop
        self._chunks.clear()


@attrs.define
class _Storing:
    """Features until their video has ended, then clips, then the library."""

    library: VideoStore
    embed: Embed
    clip_seconds: float | None
    max_frames: int | None
    tally: _Tally
    ended: list[VideoEnd] = attrs.field(factory=list)
    _parts: dict[VideoFile, list[tuple[npt.NDArray[np.float64], Features]]] = attrs.field(factory=dict)

    def add_features(self, file: VideoFile, times_s: npt.NDArray[np.float64], features: Features) -> None:
        self._parts.setdefault(file, []).append((times_s, features))

    def store_ended(self) -> None:
        for end in self.ended:
            self._store(end)
        self.ended.clear()

    def _store(self, end: VideoEnd) -> None:
        parts = self._parts.pop(end.file, [])
        if end.outcome == "indexed":
            try:
                clips = self._clips(parts, end.duration_s or 0.0)
            except HgrkitError as error:  # features that do not fit the model, numbers that are not finite
                end = attrs.evolve(end, outcome="failed", reason=str(error), remember=False)
            else:
                self.library.add(_record(end, clips=len(clips)), clips)
        if end.outcome == "failed" and end.remember:
            self.library.add(_record(end, clips=0), ())
        self.tally.count(end)

    def _clips(
        self, parts: list[tuple[npt.NDArray[np.float64], Features]], duration_s: float
    ) -> list[ClipEmbeddings]:
        times_s = np.concatenate([times for times, _ in parts])  # [F]
        features = np.concatenate([part for _, part in parts])  # [F, feature_dim]
        clips = []
        for window in cut_clips(times_s, duration_s, self.clip_seconds):
            rows = np.arange(len(times_s))[window.frames]
            if self.max_frames is not None:
                rows = rows[evenly_spaced(len(rows), self.max_frames)]
            levels = self.embed(features[rows])
            clips.append(
                ClipEmbeddings(
                    start_s=window.start_s,
                    end_s=window.end_s,
                    times_s=times_s[rows],
                    event=levels.event,
                    action=levels.action,
                    entity=levels.entity,
                )
            )
        return clips


class _Tally:
    """Counts outcomes and tells of each."""

    def __init__(self, total: int, on_progress: Callable[[IndexProgress], object] | None) -> None:
        self._total = total
        self._on_progress = on_progress
        self._outcomes: dict[Outcome, int] = {"indexed": 0, "unchanged": 0, "failed": 0}
        self._failures: list[Failure] = []
        self._decoded_frames = 0

    def count(self, end: VideoEnd) -> None:
        self._outcomes[end.outcome] += 1
        self._decoded_frames += end.decoded_frames
        if end.outcome == "failed":
            self._failures.append(Failure(end.file.path, end.reason or "unknown"))
        if self._on_progress is not None:
            done = sum(self._outcomes.values())
            self._on_progress(IndexProgress(path=end.file.path, outcome=end.outcome, done=done, total=self._total))

    def report(self) -> IndexReport:
        return IndexReport(
            indexed=self._outcomes["indexed"],
            unchanged=self._outcomes["unchanged"],
            failures=tuple(sorted(self._failures, key=lambda failure: failure.path)),
            decoded_frames=self._decoded_frames,
        )


def _record(end: VideoEnd, *, clips: int) -> VideoRecord:
    return VideoRecord(
        path=end.file.path,
        content=end.content or "",
        size=end.file.size,
        mtime_ns=end.file.mtime_ns,
        state="indexed" if end.outcome == "indexed" else "failed",
        reason=end.reason,
        duration_s=end.duration_s,
        clips=clips,
    )
