"""Reads sampled pictures from a video file, by time stamp and one at a time: what indexing begins with."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import final

import attrs
import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from hgrkit.errors import DecodeError
from hgrkit.video.frame_search import FrameSearch, TargetLostError
from hgrkit.video.limits import DecodeGuard
from hgrkit.video.packet_index import PacketIndex, read_packet_index
from hgrkit.video.picture import PictureScaler
from hgrkit.video.sampling import Sampling, times_between

__all__ = ["SampledFrame", "VideoReader"]


@attrs.frozen(eq=False)
class SampledFrame:
    """One picture of a video.

    Attributes:
        time_s: when it is shown, in seconds on the file's own time line.
        image: uint8 RGB `[H, W, 3]`.
    """

    time_s: float
    image: npt.NDArray[np.uint8] = attrs.field(repr=False)


@final
class VideoReader:
    """The pictures of one video file.

    Opening reads the table of packets, so that a file that is cut off is refused before anything is decoded, and
    the right picture is known before it is looked for. No file stays open between calls.

    Args:
        path: a video file.
        frame_size: height and width of the pictures, the whole picture squashed to it; or their height alone,
            and they keep their shape.
        guard: limits that are kept, those of `DecodeLimits()` unless given.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no video or it is cut off; the message is a reason in one line, without the path.
        DecodeLimitError: if it asks for more than is allowed.
        OSError: if the operating system does not hand over its bytes.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        frame_size: tuple[int, int] | int = (224, 224),
        *,
        guard: DecodeGuard | None = None,
    ) -> None:
        self._path = os.fspath(path)
        self._frame_size = frame_size
        self._guard = guard or DecodeGuard()
        self._index: PacketIndex = read_packet_index(self._path, self._guard)
        self._decoded_frames = 0

    @property
    def path(self) -> str:
        """The file."""
        return self._path

    @property
    def guard(self) -> DecodeGuard:
        """The limits that are kept."""
        return self._guard

    @property
    def index(self) -> PacketIndex:
        """The table of packets."""
        return self._index

    @property
    def begin_s(self) -> float:
        """When the first picture is shown, in seconds on the file's time line: above 0 where sound comes first."""
        return self._index.begin_s

    @property
    def duration_s(self) -> float:
        """Length in seconds, from the file's second 0, as players show it, to the last picture's end."""
        return self._index.duration_s

    @property
    def decoded_frames(self) -> int:
        """How many pictures the decoder has put out so far, those between the sampled ones included."""
        return self._decoded_frames

    def sample(self, sampling: Sampling, *, sequential: bool = False) -> Iterator[SampledFrame]:
        """The pictures that are on the screen at the sampled times, as `pictures_at` gives them."""
        times_s = times_between(sampling, self.begin_s, self.duration_s)
        return self.pictures_at(times_s, sequential=sequential)

    def pictures_at(self, times_s: npt.NDArray[np.float64], *, sequential: bool = False) -> Iterator[SampledFrame]:
        """The pictures that are on the screen at these times, ascending; one picture comes at most once.

        Between two wanted pictures the decoder jumps to the last key frame before the second one, if there is
        one, and passes over pictures that no other one needs. The last picture of the file is always decoded too,
        so that a stream that ends in damage is noticed.

        Args:
            times_s: [F] seconds on the file's own time line, ascending.
            sequential: decode every picture; slower, with the same result.

        Raises:
            DecodeError: if the stream ends in a decoding error before its end, or holds no picture that can be
                decoded. Pictures that came before it are then not to be used.
        """
        index = self._index
        targets = index.shown_at(times_s) if index.exact else index.ticks(times_s)
        scale = PictureScaler(self._frame_size, transfer=index.transfer)
        shown = False
        for pts, frame in self.frames_at(targets, sequential=sequential):
            shown = True
            yield SampledFrame(max(0.0, index.seconds(pts)), scale(frame))
        if not shown:
            raise DecodeError("no picture of the file can be decoded")

    def frames_at(
        self, targets: npt.NDArray[np.int64], *, sequential: bool = False
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Frames as they are stored, with their time stamps: the last one up to each target, each at most once.

        Args:
            targets: [F] ascending time stamps in ticks of the index.
            sequential: decode every picture.

        Raises:
            DecodeError: if the stream ends in a decoding error before its end.
        """
        newest: int | None = None
        for pts, frame in self._frames(targets, sequential=sequential or not self._index.exact):
            if newest is None or pts > newest:
                newest = pts
                yield pts, frame

    def _frames(self, targets: npt.NDArray[np.int64], *, sequential: bool) -> Iterator[tuple[int, VideoFrame]]:
        search = FrameSearch(self._path, self._index, targets, self._guard)
        try:
            yield from search.run(sequential=sequential)
        except TargetLostError:
            # A key frame was none after all: what is left is found by decoding everything.
            self._decoded_frames += search.decoded_frames
            search = FrameSearch(self._path, self._index, targets[search.found :], self._guard)
            yield from search.run(sequential=True)
        finally:
            self._decoded_frames += search.decoded_frames
