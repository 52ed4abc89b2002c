"""The table of a video's packets, read before anything is decoded: time stamps, key frames, the end."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TypeAlias, final

import attrs
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from hgrkit.errors import DecodeError
from hgrkit.video.container import demuxed, film_tracks, open_container
from hgrkit.video.file_structure import count_avi_chunks, holds_several, is_cut_off
from hgrkit.video.limits import DecodeGuard

__all__ = ["PacketIndex", "Part", "begins_anew", "read_packet_index"]

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
VideoPacket: TypeAlias = "Packet[VideoStream]"

# How much of what a container states may be absent before a file counts as cut off: some writers round up.
_SLACK_S, _SLACK_FRAMES = 0.5, 3
_LONGEST_S = 100 * 3600.0
# Recordings of broadcasts may begin and end anywhere; they state no duration of their own, nor do GIFs.
_UNBOUNDED = ("mpeg", "mpegts")
# ASF states a duration, which is off where sound begins first, as FFmpeg writes it; but also a size.
_CUT_WHEREVER_THEY_END = ("asf", "dv", "gif", "ogg", *_UNBOUNDED)
_STATED_FOR_ALL_STREAMS = ("matroska,webm", "flv")
# Decoding times that go back by more than this begin anew; those of encoders that err go back by less.
_BACK_S, _BACK_FRAMES = 0.5, 8
# A longer leap of a broadcast's clock is no pause: FFmpeg's own tools close the gap, too.
_LEAP_S, _LEAP_FRAMES = 10.0, 20
_SAME_STAMPS = 50  # in a row: a picture that is stored in fields or slices takes a few packets, never so many
_SAME_TIME_S = 0.002  # container times are rounded to their own ticks
_COVER_CODECS = ("bmp", "mjpeg", "png", "tiff", "webp")


@attrs.frozen
class Part:
    """One of several recordings that were put end to end in a file, so that its time stamps begin anew.

    Attributes:
        number: of its first packet.
        shift: ticks that bring its stored time stamps to where they are shown: behind the part before.
    """

    number: int
    shift: int


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PacketIndex:
    """What the packets of one video stream say, N packets in the order in which they are stored.

    Attributes:
        track: the stream's number in its file.
        time_base: seconds of one tick; all other times here are ticks.
        pts: [N] when each packet's picture is shown.
        stamped: [N] whether that was stored; else it is a guess.
        key: [N] whether decoding can begin there.
        shown: [N] sorted time stamps of the pictures that are shown; may be shorter than N.
        zero: second 0 of the file, as players show it: when the first of its pictures and sounds begins.
        end: when the last picture ends.
        frame_ticks: how long one picture is usually shown.
        exact: whether every time stamp is stored, each once; else no packet is skipped.
        seekable: whether the container's own index is good enough to jump by.
        parts: those after the first, where time stamps begin anew.
        transfer: FFmpeg's number of the curve that pictures' brightness is stored by.
    """

    track: int
    time_base: Fraction
    pts: Int64
    stamped: Bool
    key: Bool
    shown: Int64
    zero: int
    end: int
    frame_ticks: int
    exact: bool
    seekable: bool
    parts: tuple[Part, ...] = ()
    transfer: int = 2

    @property
    def first(self) -> int:
        """When the first picture is shown."""
        return int(self.shown[0])

    @property
    def begin_s(self) -> float:
        """When the first picture is shown, in seconds on the file's own time line."""
        return self.seconds(self.first)

    @property
    def duration_s(self) -> float:
        """From the file's second 0 to the last picture's end."""
        return self.seconds(self.end)

    def seconds(self, pts: int) -> float:
        """Seconds on the file's own time line."""
        return float((pts - self.zero) * self.time_base)

    def ticks(self, times_s: npt.NDArray[np.float64]) -> Int64:
        """The last tick that is not after each time."""
        ticks: Int64 = np.floor(times_s / float(self.time_base) + 1e-3).astype(np.int64)
        return self.zero + ticks

    def shown_at(self, times_s: npt.NDArray[np.float64]) -> Int64:
        """Time stamps of the pictures that are on the screen at these times, each once, ascending.

        Before the first picture there is none; it stands for that time.
        """
        positions = np.searchsorted(self.shown, self.ticks(times_s), side="right") - 1
        shown: Int64 = self.shown[np.unique(positions.clip(min=0))]
        return shown

    def slack_ticks(self) -> int:
        """How much of the end may be absent in a file that is still whole."""
        return max(round(_SLACK_S / self.time_base), _SLACK_FRAMES * self.frame_ticks)


def read_packet_index(path: str, guard: DecodeGuard) -> PacketIndex:
    """Read every packet of a video's picture stream, decoding none.

    Of several streams of pictures the film is taken: no still, rather a stream that is marked as default, and of
    those the one with the most pictures.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no video, holds no pictures, ends before the duration that it states, or holds
            recordings after the first that cannot be read.
        DecodeLimitError: if it asks for more than the guard allows.
    """
    with open_container(path, guard) as container:
        name = container.format.name
        packets = _film(_read(container, guard))
        if packets.is_cover and container.streams.audio:
            raise DecodeError("the file holds sound with a cover picture, and no video")
        index = packets.index(container)
        if holds_several(path, name):
            raise DecodeError(
                "the file holds several recordings end to end that cannot be read as one; put each into a file of "
                "its own"
            )
        if name in _CUT_WHEREVER_THEY_END and is_cut_off(path, name):
            raise DecodeError(f"the file is cut off: its pictures end at {index.duration_s:.2f} s")
        if name == "avi":
            index = _with_repeats(path, packets, index)
        missing = _missing(path, container, packets, index)
        if missing > 0 and name in _STATED_FOR_ALL_STREAMS:
            missing = min(missing, _missing_from_all_streams(path, index, guard))
        if missing > (index.frame_ticks // 2 if packets.cut else index.slack_ticks()):
            there = index.duration_s
            stated = there + float(missing * index.time_base)
            raise DecodeError(f"the file is cut off: its pictures end at {there:.2f} s of {stated:.2f} s")
        if index.duration_s > _LONGEST_S:
            raise DecodeError(f"the pictures' time stamps span {index.duration_s / 3600:.0f} hours")
        return index


def begins_anew(step_s: Fraction) -> bool:
    """Whether a step from one packet of sound to the next is where another part of a file begins."""
    return not -_BACK_S < step_s < _LEAP_S


def _read(container: InputContainer, guard: DecodeGuard) -> list[_Packets]:
    """The tables of all streams that may be the film."""
    tables = {stream.index: _Packets(stream, guard) for stream in film_tracks(container)}
    try:
        for packet in demuxed(container, *(table.stream for table in tables.values()), guard=guard):
            tables[packet.stream.index].add(packet)
    except MemoryError:
        raise
    except av.error.FFmpegError:
        for table in tables.values():
            table.cut = True
    return list(tables.values())


def _film(tables: list[_Packets]) -> _Packets:
    """The stream that a player would show: not a still beside a film, then the default one, then the longest."""
    moving = [table for table in tables if table.num_pictures > 1] or tables
    default = [table for table in moving if table.stream.disposition & Disposition.default] or moving
    return max(default, key=lambda table: table.num_pictures)


@final
class _Packets:
    """The columns of a packet index while they are read."""

    def __init__(self, stream: VideoStream, guard: DecodeGuard) -> None:
        self.stream = stream
        self.cut = False
        self.pts: list[int] = []
        self.hidden: list[bool] = []
        self._guard = guard
        self._dts: list[int] = []
        self._stamped: list[bool] = []
        self._key: list[bool] = []
        self._last_duration = 0
        self._repeats_until: int | None = None

    @property
    def num_pictures(self) -> int:
        return len(self.hidden) - sum(self.hidden)

    @property
    def is_cover(self) -> bool:
        """Whether this is a picture that nobody marked as a cover."""
        return self.num_pictures == 1 and self.stream.codec_context.name in _COVER_CODECS

    def add(self, packet: VideoPacket) -> None:
        """Append a packet; whether the last one is whole is kept in `cut`."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if packet.size == 0:  # the end of the stream, or a picture that repeats the one before
            if stamp is not None and self.pts:
                self._repeats_until = stamp + (packet.duration or 0)
            return
        self._repeats_until = None
        # The first packet is shown as far as it goes.
        self.cut = packet.is_corrupt
        corrupt = self.cut and bool(self.pts)
        if not corrupt and (not self.pts or (stamp is not None and stamp >= max(self.pts[-8:]))):
            self._last_duration = packet.duration or 0
        # A damaged packet's time stamps may be anything.
        known = stamp if not corrupt or not self.pts else None
        decoded = packet.dts if known is not None else None
        self._dts.append(decoded if decoded is not None else self._dts[-1] if self._dts else known or 0)
        self.pts.append(known if known is not None else self.pts[-1] + 1 if self.pts else 0)
        self._stamped.append(packet.pts is not None and not corrupt)
        self._key.append(packet.is_keyframe and not corrupt)
        self.hidden.append(packet.is_discard or corrupt)
        self._guard.check_pictures(len(self.pts))

    def index(self, container: InputContainer) -> PacketIndex:
        """The finished table."""
        stream, name = self.stream, container.format.name
        if not self.pts or stream.time_base is None:
            raise DecodeError("the file holds no pictures")
        pts, key, stamped = np.array(self.pts, np.int64), np.array(self._key), np.array(self._stamped)
        hidden = np.array(self.hidden)
        _check_stamps(pts[stamped & ~hidden])
        delay = _avi_delay(pts, np.array(self._dts, np.int64)) if name == "avi" else 0
        parts = self._parts(broadcast=name in _UNBOUNDED)
        for part in parts:
            pts[part.number :] += part.shift - (pts[part.number] - self.pts[part.number])
        # What comes before the first key frame, in storage or on the screen, cannot be decoded.
        start = int(np.argmax(key)) if key.any() else 0
        visible = ~hidden
        visible[:start] = False
        if key.any():
            visible &= pts >= pts[start]
        if not visible.any():
            raise DecodeError("the file holds no pictures that are shown")
        shown = np.unique(pts[visible])
        usual = _usual_step(shown)
        rate = stream.average_rate
        frame_ticks = usual or self._last_duration or (round(1 / (rate * stream.time_base)) if rate else 1)
        end = int(shown[-1]) + (self._last_duration or frame_ticks)
        if self._repeats_until is not None:
            end = max(end, self._repeats_until + (parts[-1].shift if parts else 0))
        if _order_unknown(stream, pts, name):
            stamped[:] = False
        return PacketIndex(
            track=stream.index,
            time_base=stream.time_base,
            pts=pts,
            stamped=stamped,
            key=key,
            shown=shown,
            zero=_zero(container, stream.time_base, int(shown[0]), delay),
            end=end,
            frame_ticks=frame_ticks,
            exact=bool(stamped[visible].all()) and shown.size == int(visible.sum()) and bool(key.any()),
            seekable=not parts and name.split(",")[0] in ("mov", "matroska"),
            parts=parts,
            transfer=int(stream.codec_context.color_trc),
        )

    def _parts(self, *, broadcast: bool) -> tuple[Part, ...]:
        """Where decoding times begin anew, or leap as no recording does, and what mends that."""
        base = float(self.stream.time_base or 1)
        dts = np.array(self._dts, np.int64)
        steps = np.diff(dts)
        usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
        breaks = steps < -max(_BACK_S / base, _BACK_FRAMES * usual)
        if broadcast:
            breaks |= steps > max(_LEAP_S / base, _LEAP_FRAMES * usual)
        numbers = [0, *(np.flatnonzero(breaks) + 1).tolist(), len(dts)]
        parts: list[Part] = []
        end = 0
        for begin, stop in pairwise(numbers):
            stamps = np.unique(np.array(self.pts[begin:stop], np.int64))
            shift = end - int(stamps[0]) if begin else 0
            end = int(stamps[-1]) + shift + (_usual_step(stamps) or round(usual) or self._last_duration)
            if begin:
                parts.append(Part(begin, shift))
        return tuple(parts)


def _usual_step(stamps: Int64) -> int:
    return int(np.median(np.diff(stamps))) if stamps.size > 1 else 0


def _check_stamps(pts: Int64) -> None:
    """Refuse a file in which many pictures in a row are said to be shown at once."""
    changes = np.flatnonzero(np.diff(pts))
    runs = np.diff(changes, prepend=-1, append=len(pts) - 1)
    if runs.max(initial=0) >= _SAME_STAMPS:
        raise DecodeError(
            f"{runs.max()} pictures in a row have one time stamp: the file is damaged, or holds recordings end to "
            "end that cannot be read as one"
        )


def _order_unknown(stream: VideoStream, pts: Int64, container: str) -> bool:
    """Whether pictures are shown in another order than stored and the container, an AVI, does not say it."""
    return container == "avi" and bool(stream.codec_context.has_b_frames) and bool((np.diff(pts) > 0).all())


def _avi_delay(pts: Int64, dts: Int64) -> int:
    """Ticks between a picture's place among the chunks of an AVI and its time stamp, which FFmpeg makes up.

    Both number the pictures of the file, one in the order in which they are shown. The first may be off by the
    empty chunks behind it.
    """
    return int(np.median(np.sort(pts) - np.sort(dts)))


def _zero(container: InputContainer, time_base: Fraction, first: int, delay: int) -> int:
    """The tick at which the file begins: the earliest of its pictures and sounds, as FFmpeg and players have it.

    AVI counts pictures as they are stored; `delay` ticks later they are shown.
    """
    start_time: int | None = container.start_time
    if start_time is None:
        return first
    begin = round(Fraction(start_time, av.time_base) / time_base) + delay
    return first if abs(first - begin) * time_base < _SAME_TIME_S else min(begin, first)


def _with_repeats(path: str, packets: _Packets, index: PacketIndex) -> PacketIndex:
    """The same with the pictures at an AVI's end that repeat the one before: FFmpeg passes over empty chunks."""
    chunks = count_avi_chunks(path, index.track) if _stated_avi_pictures(packets) > len(packets.pts) else 0
    return attrs.evolve(index, end=max(index.end, index.zero + chunks))


def _stated_avi_pictures(packets: _Packets) -> int:
    """What an AVI's header says: it counts pictures, and a tick is a picture."""
    return max(packets.stream.frames, packets.stream.duration or 0)


def _missing(path: str, container: InputContainer, packets: _Packets, index: PacketIndex) -> int:
    """Ticks between the end of the packets and the end that the container states."""
    name, stream = container.format.name, packets.stream
    if name in _UNBOUNDED:
        return 0
    if name == "asf":
        return index.frame_ticks if packets.cut else 0
    if name == "avi":
        return _stated_avi_pictures(packets) - (index.end - index.zero)
    begin = min(stamp for stamp, hidden in zip(packets.pts, packets.hidden, strict=True) if not hidden)
    if stream.duration is not None:
        return stream.duration - (index.end - begin)
    if container.duration is not None:
        packets.cut |= name == "matroska,webm" and is_cut_off(path, name)
        return round(_stated_end(container) / index.time_base) - index.end
    return index.frame_ticks if packets.cut else 0


def _missing_from_all_streams(path: str, index: PacketIndex, guard: DecodeGuard) -> int:
    """The same where the duration is that of the longest stream: sound or a subtitle may outlast the pictures."""
    with open_container(path, guard) as container:
        end = Fraction(0)
        for packet in demuxed(container, *container.streams, guard=guard):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.time_base is not None and not packet.is_corrupt:
                end = max(end, (stamp + (packet.duration or 0)) * Fraction(packet.time_base))
        return round((_stated_end(container) - end) / index.time_base)


def _stated_end(container: InputContainer) -> Fraction:
    """When the container says that it ends, in seconds.

    Writers of Matroska and FLV disagree whether a duration counts from the first time stamp or from 0; the earlier
    end is taken, so that a recording that begins late is not held to be cut off.
    """
    return Fraction(min(container.start_time or 0, 0) + (container.duration or 0), av.time_base)
