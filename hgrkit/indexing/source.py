"""Reads one video for indexing, in a decode thread: whether it is known, then its frames or features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path, PurePath
from typing import final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import DecodeError, FeatureFileError, MissingPathError
from hgrkit.indexing.content import content_hash
from hgrkit.indexing.report import Outcome
from hgrkit.indexing.walk import VideoFile
from hgrkit.library.records import VideoRecord
from hgrkit.video.container import os_reason
from hgrkit.video.reader import SampledFrame, VideoReader
from hgrkit.video.sampling import Sampling, UniformSampling

__all__ = ["FeatureChunk", "FrameChunk", "KnownVideos", "Part", "VideoEnd", "VideoSource"]

_CHUNK_FRAMES = 16


@attrs.frozen(eq=False)
class FrameChunk:
    """Consecutive frames of one video: `times_s` [B], `images` uint8 [B, H, W, 3]."""

    file: VideoFile
    times_s: npt.NDArray[np.float64] = attrs.field(repr=False)
    images: npt.NDArray[np.uint8] = attrs.field(repr=False)


@attrs.frozen(eq=False)
class FeatureChunk:
    """All features of one video, read instead of computed: `times_s` [F], `features` [F, feature_dim]."""

    file: VideoFile
    times_s: npt.NDArray[np.float64] = attrs.field(repr=False)
    features: npt.NDArray[np.float32] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class VideoEnd:
    """The last word on one video.

    Attributes:
        file: the video.
        outcome: `indexed` if all its frames came through.
        reason: why it failed.
        content: hash of the file's bytes; `None` if they were not read.
        remember: whether a failure lies in the file's bytes, so that trying again is no use until they change.
        duration_s: the video's length.
        decoded_frames: pictures that the decoder put out.
    """

    file: VideoFile
    outcome: Outcome
    reason: str | None = None
    content: str | None = None
    remember: bool = False
    duration_s: float | None = None
    decoded_frames: int = 0


Part = FrameChunk | FeatureChunk | VideoEnd


@final
class KnownVideos:
    """What a library says about files, looked up by path and by content.

    Args:
        records: the library's videos.
        retry_failed: whether failed ones count as unknown.
    """

    def __init__(self, records: Mapping[str, VideoRecord], *, retry_failed: bool) -> None:
        self._by_path = {
            path: record for path, record in records.items() if record.state == "indexed" or not retry_failed
        }
        self._failed_contents = {
            record.content: record for record in self._by_path.values() if record.state == "failed"
        }

    def by_status(self, file: VideoFile) -> VideoRecord | None:
        """The record of a file whose path, size and modification time are as they were."""
        record = self._by_path.get(file.path)
        same = record is not None and (record.size, record.mtime_ns) == (file.size, file.mtime_ns)
        return record if same else None

    def by_content(self, file: VideoFile, content: str) -> VideoRecord | None:
        """The record of this path with these bytes, or of any path whose same bytes failed."""
        record = self._by_path.get(file.path)
        if record is not None and record.content == content:
            return record
        return self._failed_contents.get(content)


@final
class VideoSource:
    """Reads videos; one object serves all decode threads.

    Args:
        known: what need not be read again.
        sampling: which frames are wanted.
        frame_size: height and width of the pictures.
        features: features by video name, taken instead of frames.
    """

    def __init__(
        self,
        *,
        known: KnownVideos,
        sampling: Sampling,
        frame_size: tuple[int, int],
        features: Mapping[str, npt.NDArray[np.float32]] | None = None,
    ) -> None:
        self._known = known
        self._sampling = sampling
        self._frame_size = frame_size
        self._features = features

    def read(self, file: VideoFile, emit: Callable[[Part], None]) -> VideoEnd:
        """Hand a video's parts to `emit`, in order; what is wrong with the file becomes the end's reason."""
        content: str | None = None
        try:
            if (record := self._known.by_status(file)) is not None:
                return _known_end(file, record)
            content = content_hash(file.path)
            if (record := self._known.by_content(file, content)) is not None:
                return attrs.evolve(_known_end(file, record), content=content)
            end = self._read_new(file, content, emit)
            if _changed(file):
                return VideoEnd(file=file, outcome="failed", reason="the file changed while it was read")
        except OSError as error:  # MissingPathError is one
            reason = str(error) if isinstance(error, MissingPathError) else os_reason(error)
            return VideoEnd(file=file, outcome="failed", reason=reason)
        except FeatureFileError as error:
            return VideoEnd(file=file, outcome="failed", reason=str(error))
        return end

    def _read_new(self, file: VideoFile, content: str, emit: Callable[[Part], None]) -> VideoEnd:
        decoded_frames = 0
        try:
            reader = VideoReader(file.path, self._frame_size)
            if self._features is not None:
                emit(_feature_chunk(file, self._features, reader.duration_s))
            else:
                try:
                    for chunk in _chunks(file, reader.sample(self._sampling)):
                        emit(chunk)
                finally:
                    decoded_frames = reader.decoded_frames
        except DecodeError as error:
            outcome: Outcome = "failed"
            reason: str | None = str(error)
            duration_s = None
        else:
            outcome, reason, duration_s = "indexed", None, reader.duration_s
        return VideoEnd(
            file=file,
            outcome=outcome,
            reason=reason,
            content=content,
            remember=outcome == "failed",
            duration_s=duration_s,
            decoded_frames=decoded_frames,
        )


def _known_end(file: VideoFile, record: VideoRecord) -> VideoEnd:
    if record.state == "indexed":
        return VideoEnd(file=file, outcome="unchanged", content=record.content)
    # Stored again only where the record is not this file's as it is.
    moved = (record.path, record.size, record.mtime_ns) != (file.path, file.size, file.mtime_ns)
    return VideoEnd(file=file, outcome="failed", reason=record.reason, content=record.content, remember=moved)


def _changed(file: VideoFile) -> bool:
    status = Path(file.path).stat()
    return (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns)


def _chunks(file: VideoFile, frames: Iterator[SampledFrame]) -> Iterator[FrameChunk]:
    while chunk := list(islice(frames, _CHUNK_FRAMES)):
        times_s = np.array([frame.time_s for frame in chunk])
        yield FrameChunk(file, times_s, np.stack([frame.image for frame in chunk]))


def _feature_chunk(
    file: VideoFile, features: Mapping[str, npt.NDArray[np.float32]], duration_s: float
) -> FeatureChunk:
    """Features under the path, the base name or its stem; their times share the video evenly."""
    name = PurePath(file.path)
    for key in (file.path, name.name, name.stem):
        if key in features:
            array = np.asarray(features[key], dtype=np.float32)
            if array.ndim != 2 or not len(array):
                raise FeatureFileError(f"features of {key!r} must be [F, feature_dim], got {list(array.shape)}.")
            times_s = UniformSampling(len(array)).times(duration_s)
            return FeatureChunk(file, times_s, array)
    raise FeatureFileError(f"there are no features named {name.name!r} or {name.stem!r}")
