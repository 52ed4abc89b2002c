"""Reads sampled pictures from a video file by time stamp, with as little decoding as their places allow."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterator
from itertools import count
from typing import final

import attrs
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from hgrkit.errors import DecodeError
from hgrkit.video.container import decoder_of, demuxed, open_video
from hgrkit.video.given_file import GivenFile, VideoPath
from hgrkit.video.limits import DecodeGuard
from hgrkit.video.packet_index import PacketIndex, VideoPacket, read_packet_index
from hgrkit.video.picture import PictureScaler
from hgrkit.video.preparation import FrameSize
from hgrkit.video.sampling import Sampling, times_between

__all__ = ["SampledFrame", "VideoReader"]

# In these codecs a picture that no other refers to can be skipped without changing any other.
_DISPOSABLE_PICTURES = ("h264", "mpeg1video", "mpeg2video", "mpeg4")
# From this many packets on, seeking to a key frame beats reading up to it.
_SEEK_PACKETS = 100
# Pictures that may be absent from the end of a stream whose last packets cannot be decoded.
_DAMAGED_FRAMES = 3
_NEED_OTHERS = (PictureType.P, PictureType.B)

_Found = tuple[int, VideoFrame]


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

    Opening reads the packet index, so that a file that is cut off is refused before anything is decoded, and the
    right picture is known before it is looked for. No file stays open between calls.

    Args:
        path: a video file.
        frame_size: height and width that the whole picture is squashed to; or its height alone, which keeps its
            shape; or how pictures are scaled.
        guard: limits that are kept, those of `DecodeLimits()` by default.

    Attributes:
        path: the file.
        guard: limits that are kept.
        index: the packets of its pictures.
        begin_s: when the first picture is shown, in seconds on the file's time line; above 0 where sound is first.
        duration_s: length in seconds, from the file's second 0, as players show it, to the last picture's end.
        decoded_frames: pictures that the decoder has put out so far, including those between the sampled ones.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no video or it is cut off; the message is a reason in one line, without the path.
        DecodeLimitError: if it asks for more than is allowed.
        OSError: if the operating system cannot read it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        frame_size: FrameSize | int = (224, 224),
        *,
        guard: DecodeGuard | None = None,
    ) -> None:
        self.path: VideoPath = path if isinstance(path, GivenFile) else os.fspath(path)
        self.guard = guard or DecodeGuard()
        self.index: PacketIndex = read_packet_index(self.path, self.guard)
        self.begin_s, self.duration_s = self.index.begin_s, self.index.duration_s
        self.decoded_frames = 0
        self._frame_size = frame_size

    def sample(self, sampling: Sampling, *, sequential: bool = False) -> Iterator[SampledFrame]:
        """Yield the pictures on screen at the sampled times, as `pictures_at` does."""
        times_s = times_between(sampling, self.begin_s, self.duration_s)
        return self.pictures_at(times_s, sequential=sequential)

    def pictures_at(self, times_s: npt.NDArray[np.float64], *, sequential: bool = False) -> Iterator[SampledFrame]:
        """Yield the pictures on screen at these times, in order, each at most once.

        Between two wanted pictures the decoder jumps to the last key frame before the second one, if there is one,
        and skips pictures that no other one needs. The last picture of the file is always decoded too, so that a
        stream that ends in damage is noticed.

        Args:
            times_s: [F] seconds on the file's own time line, ascending.
            sequential: decode every picture; slower, with the same result.

        Raises:
            DecodeError: if the stream ends in a decoding error before its end, or no picture can be decoded; the
                pictures that came before it are then not to be used.
        """
        index = self.index
        targets = index.shown_at(times_s) if index.exact else index.ticks(times_s)
        scale = PictureScaler(self._frame_size, transfer=index.transfer)
        shown = False
        for pts, frame in self.frames_at(targets, sequential=sequential):
            shown = True
            yield SampledFrame(max(0.0, index.seconds(pts)), scale(frame))
        if not shown:
            raise DecodeError("no picture of the file can be decoded")

    def frames_at(self, targets: npt.NDArray[np.int64], *, sequential: bool = False) -> Iterator[_Found]:
        """Yield frames as they are stored, with their time stamps: the last one up to each target, each once.

        Args:
            targets: [F] ascending time stamps in ticks of the index.
            sequential: decode every picture.

        Raises:
            DecodeError: if the stream ends in a decoding error before its end.
        """
        newest: int | None = None
        for pts, frame in self._search(targets, sequential=sequential or not self.index.exact):
            if newest is None or pts > newest:
                newest = pts
                yield pts, frame

    def _search(self, targets: npt.NDArray[np.int64], *, sequential: bool) -> Iterator[_Found]:
        search = _FrameSearch(self.path, self.index, targets, self.guard, sequential=sequential)
        try:
            yield from search.run()
        except _TargetLostError:
            # A packet was wrongly marked as a key frame: the rest is found by decoding everything.
            self.decoded_frames += search.decoded_frames
            search = _FrameSearch(self.path, self.index, targets[search.found :], self.guard, sequential=True)
            yield from search.run()
        finally:
            self.decoded_frames += search.decoded_frames


class _TargetLostError(Exception):
    """A jump ended where the decoder could not begin; never leaves this module."""


@final
class _FrameSearch:
    """One pass over a video that yields, for each target, the last picture whose time stamp is not after it.

    Attributes:
        found: how many targets are done.
        decoded_frames: how many pictures the decoder put out.
    """

    def __init__(
        self,
        path: VideoPath,
        index: PacketIndex,
        targets: npt.NDArray[np.int64],
        guard: DecodeGuard,
        *,
        sequential: bool,
    ) -> None:
        self.found = 0
        self.decoded_frames = 0
        self._path, self._index, self._guard = path, index, guard
        self._sequential = sequential
        self._num_targets = len(targets)
        last = int(index.shown[-1])
        # The last picture of the file is looked for too, but not yielded.
        self._wanted = [*targets.tolist(), *([last] if not len(targets) or targets[-1] < last else [])]
        self._held: _Found | None = None
        self._begun: int | None = None  # the key frame that decoding began at, until it comes
        self._newest = index.first - index.frame_ticks
        # Times of all pictures in the order in which they are shown, and how many of them the decoder has put out,
        # for those whose own time is not stored.
        self._in_order: list[int] = [] if index.exact else np.sort(index.pts).tolist()
        self._place = -1
        self._errors_at_end = 0

    def run(self) -> Iterator[_Found]:
        """Yield `(time stamp, picture)` for the targets, in order.

        Raises:
            DecodeError: if the stream ends in a decoding error before its end.
            _TargetLostError: if a target cannot be found by jumping; never when `sequential`.
        """
        with open_video(self._path, self._guard, self._index.track) as (container, stream):
            context = decoder_of(stream, self._guard)
            decode = self._decode_all if self._sequential else self._decode
            for frame in decode(container, stream, context):
                yield from self._settle(self.found + 1) if frame is None else self._take(frame)
            yield from self._settle(len(self._wanted))
        self._check_end()

    def _decode_all(
        self, container: InputContainer, stream: VideoStream, context: VideoCodecContext
    ) -> Iterator[VideoFrame | None]:
        for number, packet in enumerate(self._nonempty(container, stream)):
            self._restamp(packet, number)
            yield from self._decoded(context, packet)
        yield from self._decoded(context, None)

    def _decode(
        self, container: InputContainer, stream: VideoStream, context: VideoCodecContext
    ) -> Iterator[VideoFrame | None]:
        """Yield the pictures around the targets; `None` once all that matter to the next target have come."""
        index, wanted = self._index, self._wanted
        stored, starts = _places(index, wanted)
        disposable = context.name in _DISPOSABLE_PICTURES
        packets: Iterator[tuple[int, VideoPacket]] = zip(count(), self._nonempty(container, stream), strict=False)
        fresh, sought = True, -1
        while self.found < len(wanted) and (numbered := next(packets, None)) is not None:
            number, packet = numbered
            target = self.found
            if number < starts[target]:
                if not fresh:
                    self._restart(context)
                    fresh = True
                if index.seekable and starts[target] - number > _SEEK_PACKETS and sought < starts[target]:
                    sought = starts[target]
                    packets = self._seek(container, stream, sought)
                continue
            self._restamp(packet, number)
            if fresh:
                self._begun = packet.pts if number == starts[target] and not packet.is_discard else None
            context.skip_frame = "NONREF" if disposable and self._is_far(packet.pts) else "DEFAULT"
            yield from self._decoded(context, packet)
            fresh = False
            next_start = starts[target + 1] if target + 1 < len(wanted) else number + 1
            if self.found == target and number == stored[target] and next_start > number:
                # Nothing that is stored later is needed: flush the decoder.
                yield from self._decoded(context, None)
                if self.found == target:
                    yield None
                self._restart(context)
                fresh = True
        if not fresh:
            yield from self._decoded(context, None)

    def _decoded(self, context: VideoCodecContext, packet: VideoPacket | None) -> Iterator[VideoFrame]:
        try:
            frames = context.decode(packet)
        except MemoryError:
            raise
        except av.error.FFmpegError:
            self._errors_at_end += 1
            return
        self.decoded_frames += len(frames)
        self._guard.check_pictures(self.decoded_frames)
        self._guard.on_progress()
        yield from frames

    def _take(self, frame: VideoFrame) -> Iterator[_Found]:
        pts = self._stamp(frame)
        if self._begun is not None and pts >= self._begun:
            # Some AVIs mark packets as key frames that are not, or that hold no picture.
            if pts > self._begun or (not frame.key_frame and frame.pict_type in _NEED_OTHERS):
                raise _TargetLostError
            self._begun = None
        if pts > self._newest and not frame.is_corrupt:
            self._newest, self._errors_at_end = pts, 0
        while self.found < len(self._wanted) and pts > self._wanted[self.found]:
            if self._held is None:
                if not self._sequential:
                    raise _TargetLostError
                self._held = pts, frame  # nothing is shown before the first picture
            yield from self._emit()
        self._held = pts, frame
        if self.found < len(self._wanted) and pts == self._wanted[self.found]:
            yield from self._emit()

    def _settle(self, until: int) -> Iterator[_Found]:
        """Give the targets that are still open, up to the given one, the last picture before them."""
        while self.found < until:
            if self._held is None:
                if not self._sequential:
                    raise _TargetLostError
                return
            yield from self._emit()

    def _emit(self) -> Iterator[_Found]:
        self.found += 1
        if self._held is not None and self.found <= self._num_targets:
            yield self._held

    def _restamp(self, packet: VideoPacket, number: int) -> None:
        """Stamp a packet with its time from the index, or with its number where that time may be a guess.

        The decoder passes the stamp on to the picture.
        """
        if not self._index.exact:
            packet.pts = number
        elif number < len(self._index.pts) and (self._index.parts or self._index.stamped[number]):
            packet.pts = int(self._index.pts[number])

    def _stamp(self, frame: VideoFrame) -> int:
        """Return when a frame is shown; where that is not stored, by the order of pictures."""
        number = frame.pts
        if self._index.exact and number is not None:
            return number
        self._place += 1
        if number is None or not 0 <= number < len(self._in_order):
            return self._newest + self._index.frame_ticks
        if self._index.stamped[number]:
            return int(self._index.pts[number])
        if self._index.key[number]:  # shown after all that are stored before it; some of those may be lost
            self._place = max(self._place, number)
        return self._in_order[min(self._place, len(self._in_order) - 1)]

    def _is_far(self, pts: int | None) -> bool:
        if pts is None:
            return False
        following = bisect_left(self._wanted, pts)
        return following == len(self._wanted) or self._wanted[following] - pts > 2 * self._index.frame_ticks

    def _restart(self, context: VideoCodecContext) -> None:
        context.flush_buffers()
        self._held = None

    def _seek(
        self, container: InputContainer, stream: VideoStream, number: int
    ) -> Iterator[tuple[int, VideoPacket]]:
        """Yield the packets from a little before the given one on, with their numbers."""
        try:
            container.seek(int(self._index.pts[number]), stream=stream)
        except av.error.FFmpegError as error:
            raise _TargetLostError from error
        packets = self._nonempty(container, stream)
        first = next(packets, None)
        at = np.flatnonzero(self._index.pts == first.pts) if first is not None else np.empty(0)
        if first is None or len(at) != 1 or at[0] > number:
            raise _TargetLostError
        yield int(at[0]), first
        yield from zip(count(int(at[0]) + 1), packets, strict=False)

    def _nonempty(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
        return (packet for packet in demuxed(container, stream, guard=self._guard) if packet.size)

    def _check_end(self) -> None:
        index = self._index
        missing = int(index.shown[-1]) - self._newest
        allowed = _DAMAGED_FRAMES * index.frame_ticks if self._errors_at_end else index.slack_ticks()
        if missing > allowed:
            at = max(0.0, index.seconds(self._newest + index.frame_ticks))
            raise DecodeError(f"the stream ends in a decoding error at {at:.2f} s of {index.duration_s:.2f} s")


def _places(index: PacketIndex, wanted: list[int]) -> tuple[list[int], list[int]]:
    """Return, for each wanted picture, the number of its packet and of the last key frame not after it."""
    order = np.argsort(index.pts, kind="stable")
    stored = order[np.searchsorted(index.pts[order], wanted)]
    keys = np.flatnonzero(index.key)
    keys = keys[np.argsort(index.pts[keys], kind="stable")]
    starts = keys[np.searchsorted(index.pts[keys], wanted, side="right") - 1]
    return stored.tolist(), starts.tolist()
