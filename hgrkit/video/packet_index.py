"""The table of a video's packets, read before anything is decoded: time stamps, key frames, the end."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TypeAlias

import attrs
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from hgrkit.errors import DecodeError
from hgrkit.video.container import demuxed, open_video
from hgrkit.video.cut_off import is_cut_off
from hgrkit.video.limits import DecodeGuard

__all__ = ["PacketIndex", "read_packet_index"]

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
VideoPacket: TypeAlias = "Packet[VideoStream]"

# How much of what a container states may be absent before a file counts as cut off: some writers round up.
_SLACK_S, _SLACK_FRAMES = 0.5, 3
_LONGEST_S = 100 * 3600.0
# Recordings of broadcasts may begin and end anywhere; they state no duration of their own, nor do GIFs.
_UNBOUNDED = ("mpeg", "mpegts")
_CUT_WHEREVER_THEY_END = ("gif", *_UNBOUNDED)
_STATED_FOR_ALL_STREAMS = ("matroska,webm", "flv", "asf")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PacketIndex:
    """What the packets of one video stream say, N packets in the order in which they are stored.

    Attributes:
        time_base: seconds of one tick; all other times here are ticks.
        pts: [N] when each packet's picture is shown.
        key: [N] whether decoding can begin there.
        shown: [N] sorted time stamps of the pictures that are shown; may be shorter than N.
        end: when the last picture ends.
        frame_ticks: how long one picture is usually shown.
        exact: whether every time stamp is stored, each once; else they are guesses, and no packet is skipped.
        seekable: whether the container's own index is good enough to jump by.
    """

    time_base: Fraction
    pts: Int64
    key: Bool
    shown: Int64
    end: int
    frame_ticks: int
    exact: bool
    seekable: bool

    @property
    def first(self) -> int:
        """When the first picture is shown: second 0 of the video."""
        return int(self.shown[0])

    @property
    def duration_s(self) -> float:
        """From the first picture's beginning to the last one's end."""
        return float((self.end - self.first) * self.time_base)

    def seconds(self, pts: int) -> float:
        """Seconds from the first picture."""
        return float((pts - self.first) * self.time_base)

    def ticks(self, times_s: npt.NDArray[np.float64]) -> Int64:
        """The last tick that is not after each time."""
        ticks: Int64 = np.floor(times_s / float(self.time_base) + 1e-3).astype(np.int64)
        return self.first + ticks

    def shown_at(self, times_s: npt.NDArray[np.float64]) -> Int64:
        """Time stamps of the pictures that are on the screen at these times, each once, ascending."""
        positions = np.searchsorted(self.shown, self.ticks(times_s), side="right") - 1
        shown: Int64 = self.shown[np.unique(positions.clip(min=0))]
        return shown

    def slack_ticks(self) -> int:
        """How much of the end may be absent in a file that is still whole."""
        return max(round(_SLACK_S / self.time_base), _SLACK_FRAMES * self.frame_ticks)


def read_packet_index(path: str, guard: DecodeGuard) -> PacketIndex:
    """Read every packet of a video's picture stream, decoding none.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no video, holds no pictures, or ends before the duration that it states.
        DecodeLimitError: if it asks for more than the guard allows.
    """
    with open_video(path, guard) as (container, stream):
        packets = _Packets(guard)
        packets.read(demuxed(container, stream, guard=guard))
        index = packets.index(container, stream)
        if container.format.name in _CUT_WHEREVER_THEY_END and is_cut_off(path, container.format.name):
            raise DecodeError(f"the file is cut off: its pictures end at {index.duration_s:.2f} s")
        missing = _missing(path, container, stream, packets, index)
        if missing > 0 and container.format.name in _STATED_FOR_ALL_STREAMS:
            missing = min(missing, _missing_from_all_streams(path, index, guard))
        if missing > (index.frame_ticks // 2 if packets.cut else index.slack_ticks()):
            there = index.duration_s
            stated = there + float(missing * index.time_base)
            raise DecodeError(f"the file is cut off: its pictures end at {there:.2f} s of {stated:.2f} s")
        if index.duration_s > _LONGEST_S:
            raise DecodeError(f"the pictures' time stamps span {index.duration_s / 3600:.0f} hours")
        return index


class _Packets:
    """The columns of a packet index while they are read."""

    def __init__(self, guard: DecodeGuard) -> None:
        self._guard = guard
        self.pts: list[int] = []
        self.key: list[bool] = []
        self.discarded: list[bool] = []
        self.exact = True
        self.cut = False
        self.last_duration = 0

    def read(self, packets: Iterable[VideoPacket]) -> None:
        """Append all packets; whether the last one is whole is kept in `cut`."""
        try:
            for packet in packets:
                if packet.size == 0:  # the end, or a picture that repeats the one before
                    continue
                self._append(packet)
        except MemoryError:
            raise
        except av.error.FFmpegError:
            self.cut = True

    def _append(self, packet: VideoPacket) -> None:
        stamp = packet.pts if packet.pts is not None else packet.dts
        self.exact &= packet.pts is not None
        self.cut = packet.is_corrupt
        if self.cut and self.pts:
            return
        if not self.pts or (stamp is not None and stamp >= max(self.pts[-8:])):
            self.last_duration = packet.duration or 0
        self.pts.append(stamp if stamp is not None else self.pts[-1] + 1 if self.pts else 0)
        self.key.append(packet.is_keyframe)
        self.discarded.append(packet.is_discard)
        self._guard.check_pictures(len(self.pts))

    def index(self, container: InputContainer, stream: VideoStream) -> PacketIndex:
        """The finished table."""
        if not self.pts or stream.time_base is None:
            raise DecodeError("the file holds no pictures")
        pts, key = np.array(self.pts, np.int64), np.array(self.key, np.bool_)
        # What comes before the first key frame, in storage or on the screen, cannot be decoded.
        start = int(np.argmax(key)) if key.any() else 0
        visible = ~np.array(self.discarded, np.bool_)
        visible[:start] = False
        if key.any():
            visible &= pts >= pts[start]
        if not visible.any():
            raise DecodeError("the file holds no pictures that are shown")
        shown = np.unique(pts[visible])
        steps = np.diff(shown)
        usual = int(np.median(steps)) if steps.size else 0
        rate = stream.average_rate
        frame_ticks = usual or self.last_duration or (round(1 / (rate * stream.time_base)) if rate else 1)
        return PacketIndex(
            time_base=stream.time_base,
            pts=pts,
            key=key,
            shown=shown,
            end=int(shown[-1]) + (self.last_duration or frame_ticks),
            frame_ticks=frame_ticks,
            exact=self.exact
            and shown.size == int(visible.sum())
            and bool(key.any())
            and not _order_unknown(container, stream, pts),
            seekable=container.format.name.split(",")[0] in ("mov", "matroska"),
        )


def _order_unknown(container: InputContainer, stream: VideoStream, pts: Int64) -> bool:
    """Whether pictures are shown in another order than stored and the container, an AVI, does not say which."""
    return container.format.name == "avi" and stream.codec_context.has_b_frames and bool((np.diff(pts) > 0).all())


def _missing(
    path: str, container: InputContainer, stream: VideoStream, packets: _Packets, index: PacketIndex
) -> int:
    """Ticks between the end of the packets and the end that the container states."""
    name = container.format.name
    if name in _UNBOUNDED:
        return 0
    begin = min(stamp for stamp, discarded in zip(packets.pts, packets.discarded, strict=True) if not discarded)
    if name == "avi":  # its header counts pictures, and a tick is a picture
        return max(stream.frames, stream.duration or 0) - (index.end - begin)
    if stream.duration is not None:
        return stream.duration - (index.end - begin)
    if container.duration is not None:
        packets.cut |= name == "matroska,webm" and is_cut_off(path, name)
        return round(_stated_end(container) / index.time_base) - index.end
    if name == "asf" and is_cut_off(path, name):
        raise DecodeError(f"the file is cut off: its pictures end at {index.duration_s:.2f} s")
    return index.frame_ticks if packets.cut else 0


def _missing_from_all_streams(path: str, index: PacketIndex, guard: DecodeGuard) -> int:
    """The same where the duration is that of the longest stream: sound may go on after the last picture."""
    with open_video(path, guard) as (container, stream):
        end = Fraction(0)
        for packet in demuxed(container, stream, *container.streams.audio, guard=guard):
            if packet.pts is not None and packet.time_base is not None and not packet.is_corrupt:
                end = max(end, (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base))
        return round((_stated_end(container) - end) / index.time_base)


def _stated_end(container: InputContainer) -> Fraction:
    """When the container says that it ends, in seconds.

    Writers of Matroska and FLV disagree whether a duration counts from the first time stamp or from 0; the earlier
    end is taken, so that a recording that begins late is not held to be cut off.
    """
    return Fraction(min(container.start_time or 0, 0) + (container.duration or 0), av.time_base)
