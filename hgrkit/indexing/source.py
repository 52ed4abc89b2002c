"""Reads one video for indexing, in a decode thread: whether it is known, then its frames or features."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import FeatureFileError, MissingPathError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.known_videos import KnownVideos
from hgrkit.indexing.report import Outcome
from hgrkit.indexing.walk import VideoFile
from hgrkit.video.container import os_reason
from hgrkit.video.sampling import Sampling, UniformSampling, times_between
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = ["FeatureChunk", "FrameChunk", "Part", "VideoEnd", "VideoSource", "content_hash"]


def content_hash(path: str) -> str:
    """SHA-256 over the whole file, read in pieces, as `sha256:<64 hex digits>`.

    Raises:
        OSError: if the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


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
        recognised: the bytes are known, or are being read under another path; what that makes of the file is found
            when its end is dealt with.
        cached: the features came from the library's cache.
        begin_s: when its first picture is shown, on its own time line.
        duration_s: the video's length.
        decoded_frames: pictures that the decoder put out.
    """

    file: VideoFile
    outcome: Outcome
    reason: str | None = None
    content: str | None = None
    remember: bool = False
    recognised: bool = False
    cached: bool = False
    begin_s: float = 0.0
    duration_s: float | None = None
    decoded_frames: int = 0


Part = FrameChunk | FeatureChunk | VideoEnd


@final
class VideoSource:
    """Reads videos; one object serves all decode threads.

    Args:
        known: what need not be read again.
        sampling: which frames are wanted.
        frame_size: height and width of the pictures.
        features: features by video name, taken instead of frames.
        cache: features by content, taken instead of frames.
        contents: hashes of files that need not be read for them.
    """

    def __init__(
        self,
        *,
        known: KnownVideos,
        sampling: Sampling,
        frame_size: tuple[int, int],
        features: Mapping[str, npt.NDArray[np.float32]] | None = None,
        cache: FeatureCache | None = None,
        contents: Mapping[VideoFile, str] | None = None,
    ) -> None:
        self._known = known
        self._sampling = sampling
        self._frame_size = frame_size
        self._features = features
        self._cache = cache if features is None else None
        self._contents = contents or {}

    def read(self, file: VideoFile, decoder: DecodeProcess, emit: Callable[[Part], None]) -> VideoEnd:
        """Hand a video's parts to `emit`, in order; what is wrong with the file becomes the end's reason."""
        content: str | None = None
        try:
            content = self._contents.get(file) or content_hash(file.path)
            if self._known.by_content(file.path, content) or not self._known.claim(content):
                return VideoEnd(file=file, outcome="unchanged", content=content, recognised=True)
            if (end := self._read_cached(file, content, emit)) is not None:
                return end
            end = self._read_new(file, content, decoder, emit)
            if _changed(file):
                return VideoEnd(file=file, outcome="failed", reason="the file changed while it was read")
        except OSError as error:  # MissingPathError is one
            reason = str(error) if isinstance(error, MissingPathError) else os_reason(error)
            return VideoEnd(file=file, outcome="failed", reason=reason)
        except FeatureFileError as error:
            return VideoEnd(file=file, outcome="failed", reason=str(error))
        return end

    def _read_cached(self, file: VideoFile, content: str, emit: Callable[[Part], None]) -> VideoEnd | None:
        """Hand on what the cache has of these bytes, if it has it."""
        cached = self._cache.load(content) if self._cache is not None else None
        if cached is None:
            return None
        emit(FeatureChunk(file, cached.times_s, cached.features))
        return VideoEnd(
            file=file,
            outcome="indexed",
            content=content,
            cached=True,
            begin_s=cached.begin_s,
            duration_s=cached.duration_s,
        )

    def _read_new(
        self, file: VideoFile, content: str, decoder: DecodeProcess, emit: Callable[[Part], None]
    ) -> VideoEnd:
        features = self._features_of(file)

        def emit_frames(times_s: npt.NDArray[np.float64], images: npt.NDArray[np.uint8]) -> None:
            emit(FrameChunk(file, times_s, images))

        sampling = self._sampling if features is None else None
        decoded = decoder.read(file.path, self._frame_size, sampling, emit_frames)
        if features is not None and decoded.duration_s is not None:
            times_s = times_between(UniformSampling(len(features)), decoded.begin_s, decoded.duration_s)
            emit(FeatureChunk(file, times_s, features))
        return VideoEnd(
            file=file,
            outcome="indexed" if decoded.reason is None else "failed",
            reason=decoded.reason,
            content=content,
            remember=decoded.lasting,
            begin_s=decoded.begin_s,
            duration_s=decoded.duration_s,
            decoded_frames=decoded.decoded_frames,
        )

    def _features_of(self, file: VideoFile) -> npt.NDArray[np.float32] | None:
        """Features under the path, absolute or from here, base name or stem; `None` where frames are decoded."""
        if self._features is None:
            return None
        name = PurePath(file.path)
        for key in (file.path, os.path.relpath(file.path), name.name, name.stem):
            if key in self._features:
                array = np.asarray(self._features[key], dtype=np.float32)
                if array.ndim != 2 or not len(array):
                    raise FeatureFileError(
                        f"features of {key!r} must be [F, feature_dim], got {list(array.shape)}."
                    )
                return array
        raise FeatureFileError(f"there are no features named {name.name!r} or {name.stem!r}")


def _changed(file: VideoFile) -> bool:
    status = Path(file.path).stat()
    return (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns)
