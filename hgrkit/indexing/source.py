"""Reads videos ahead of the encoder, in threads: whether one is known, then its frames or its features."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Self, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import FeatureFileError, MissingPathError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.known_videos import KnownVideos
from hgrkit.indexing.report import Outcome
from hgrkit.indexing.walk import VideoFile
from hgrkit.video.container import unreadable_reason
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.preparation import FrameSize
from hgrkit.video.sampling import Sampling, UniformSampling, times_between
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = ["DecodePool", "FeatureChunk", "FrameChunk", "Item", "ReadVideo", "VideoEnd", "VideoSource"]

_WAITING_ITEMS = 16  # of at most 16 pictures: some 50 MB at 260 x 260
_PUT_S = 0.2


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
    """How reading one video ended.

    Attributes:
        file: the video.
        outcome: `indexed` if all its frames came through.
        reason: why it failed.
        content: hash of the file's bytes; `None` if they were not read.
        remember: whether a failure lies in the file's bytes, so that another attempt is useless until they change.
        recognised: the bytes are known, or are being read under another path; what that makes of the file is
            decided when it is stored.
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


Item = FrameChunk | FeatureChunk | VideoEnd


@final
class VideoSource:
    """Reads videos; one object serves all decode threads.

    Args:
        known: what need not be read again.
        sampling: which frames are wanted.
        frame_size: what pictures are decoded to.
        features: features by video name, used instead of frames.
        cache: features by content, used instead of frames.
    """

    def __init__(
        self,
        *,
        known: KnownVideos,
        sampling: Sampling,
        frame_size: FrameSize,
        features: Mapping[str, npt.NDArray[np.float32]] | None = None,
        cache: FeatureCache | None = None,
    ) -> None:
        self._known, self._sampling, self._frame_size = known, sampling, frame_size
        self._features = features
        self._cache = cache if features is None else None

    def read(self, file: VideoFile, decoder: DecodeProcess, emit: Callable[[Item], None]) -> VideoEnd:
        """Pass a video's chunks to `emit`, in order; what is wrong with the file becomes the end's reason.

        Args:
            file: the video.
            decoder: decodes it.
            emit: takes the chunks.
        """
        try:
            content = self._known.content_of(file)
            if self._known.by_content(file.path, content) or not self._known.claim(content):
                return VideoEnd(file=file, outcome="unchanged", content=content, recognised=True)
            if self._cache is not None and (cached := self._cache.load(content)) is not None:
                emit(FeatureChunk(file, cached.times_s, cached.features))
                end = VideoEnd(file=file, outcome="indexed", content=content, cached=True)
                return attrs.evolve(end, begin_s=cached.begin_s, duration_s=cached.duration_s)
            end = self._read_new(file, content, decoder, emit)
            if _changed(file):
                return VideoEnd(file=file, outcome="failed", reason="the file changed while it was read")
        except OSError as error:  # MissingPathError is one
            reason = str(error) if isinstance(error, MissingPathError) else unreadable_reason(error)
            return VideoEnd(file=file, outcome="failed", reason=reason)
        except FeatureFileError as error:
            return VideoEnd(file=file, outcome="failed", reason=str(error))
        return end

    def _read_new(
        self, file: VideoFile, content: str, decoder: DecodeProcess, emit: Callable[[Item], None]
    ) -> VideoEnd:
        features = self._features_of(file)

        def emit_frames(times_s: npt.NDArray[np.float64], images: npt.NDArray[np.uint8]) -> None:
            emit(FrameChunk(file, times_s, images))

        sampling = self._sampling if features is None else None
        decoded = decoder.read(file.path, self._frame_size, sampling, emit_frames, follow_links=file.may_be_link)
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
        """Find features by path, absolute or relative, base name or stem; `None` where frames are decoded."""
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


ReadVideo = Callable[[VideoFile, DecodeProcess, Callable[[Item], None]], VideoEnd]


@final
class DecodePool:
    """Reads files in threads, each with a decode process, and yields what they read.

    Items of one video come in order, those of several videos interleave; a full queue makes the threads wait.
    Leaving the context ends the decode processes, stops the threads and waits for them.

    Args:
        files: what to read.
        read: reads one file; called in the threads. What it raises is raised in the iterating thread.
        limits: what decoding one video may take.
        num_workers: number of threads; by default one for each core, at most four.
    """

    def __init__(
        self,
        files: Sequence[VideoFile],
        read: ReadVideo,
        *,
        limits: DecodeLimits | None = None,
        num_workers: int | None = None,
    ) -> None:
        self._read = read
        self._files = iter(files)
        self._remaining = len(files)
        self._take_file = threading.Lock()
        self._stop = threading.Event()
        self._items: queue.Queue[Item | BaseException] = queue.Queue(_WAITING_ITEMS)
        count = min(num_workers or min(4, os.cpu_count() or 1), len(files))
        self._decoders = [DecodeProcess(limits or DecodeLimits()) for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._work, args=(decoder,), name=f"hgrkit-decode-{number}", daemon=True)
            for number, decoder in enumerate(self._decoders)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for decoder in self._decoders:
            decoder.close()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Iterator[Item]:
        while self._remaining:
            item = self._items.get()
            if isinstance(item, BaseException):
                raise item
            self._remaining -= isinstance(item, VideoEnd)
            yield item

    @property
    def is_waiting(self) -> bool:
        """Whether the readers have nothing ready at the moment."""
        return self._items.empty()

    def _work(self, decoder: DecodeProcess) -> None:
        try:
            with decoder:
                while (file := self._next_file()) is not None:
                    self._emit(self._read(file, decoder, self._emit))
        except _StoppedError:
            return
        except BaseException as error:  # noqa: BLE001 - raised in the thread that iterates
            with suppress(_StoppedError):
                self._emit(error)

    def _next_file(self) -> VideoFile | None:
        with self._take_file:
            return None if self._stop.is_set() else next(self._files, None)

    def _emit(self, item: Item | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._items.put(item, timeout=_PUT_S)
            except queue.Full:
                continue
            return
        raise _StoppedError


class _StoppedError(Exception):
    """Ends a reader thread whose pool was left."""
