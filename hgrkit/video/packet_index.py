"""Reads the packet index of a video before anything is decoded: time stamps, key frames, the end."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
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
from hgrkit.video.file_structure import SEVERAL_RECORDINGS, count_avi_chunks, holds_several_recordings, is_cut_off
from hgrkit.video.given_file import VideoPath
from hgrkit.video.limits import DecodeGuard
from hgrkit.video.recording import BROADCAST_FORMATS, Part, parts_of, usual_step

__all__ = ["PacketIndex", "read_packet_index"]

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
VideoPacket: TypeAlias = "Packet[VideoStream]"

# How much of the stated duration may be absent before a file counts as cut off: some writers round up.
_SLACK_S, _SLACK_FRAMES = 0.5, 3
_LONGEST_S = 100 * 3600.0  # time stamps that span more are damaged
# Formats whose end is found by their structure. ASF states a duration, too, but FFmpeg writes a wrong one where
# sound begins first; its size is right.
_END_KNOWN_BY_STRUCTURE = ("asf", "dv", "gif", "ogg", *BROADCAST_FORMATS)
_STATED_FOR_ALL_STREAMS = ("matroska,webm", "flv")
_SAME_STAMPS = 50  # in a row: a picture that is stored in fields or slices takes a few packets, never so many
_SAME_TIME_S = 0.002  # container times are rounded to their own ticks
# In MPEG files small pictures of H.264 share a packet, and only the first is stamped; a few without are damage.
_MOSTLY = 0.9
_HELD_BACK = 3  # pictures: one by the demuxer, one by the parser, and one more
_LATE_PACKETS = 50  # of streams that FFmpeg finds later: a second of sound, which may outlast the pictures
_AVI_UNKNOWN = 1 << 30  # what FFmpeg writes for a number that it cannot fill in afterwards
_COVER_CODECS = ("bmp", "mjpeg", "png", "tiff", "webp")


@attrs.frozen(kw_only=True, eq=False, repr=False)
class PacketIndex:
    """The N packets of one video stream, in the order of storage.

    Attributes:
        track: the stream's number in its file.
        time_base: seconds of one tick; all other times here are ticks.
        pts: [N] when each packet's picture is shown.
        stamped: [N] whether that was stored; else it is a guess.
        key: [N] whether decoding can begin there.
        shown: sorted time stamps of the pictures that are shown, at most N.
        zero: second 0 of the file, as players show it: when the first of its pictures and sounds begins.
        end: when the last picture ends.
        frame_ticks: how long one picture is usually shown.
        exact: whether every time stamp is stored, each once; else no packet is skipped.
        seekable: whether the container's own index can be trusted for seeking.
        parts: the recordings after the first, where time stamps restart.
        transfer: FFmpeg's number of the transfer curve of the pictures' brightness.
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
        """Return the last tick that is not after each time."""
        ticks: Int64 = np.floor(times_s / float(self.time_base) + 1e-3).astype(np.int64)
        return self.zero + ticks

    def shown_at(self, times_s: npt.NDArray[np.float64]) -> Int64:
        """Return the time stamps of the pictures on screen at these times, each once, ascending.

        Before the first picture there is none; the first stands for that time.
        """
        positions = np.searchsorted(self.shown, self.ticks(times_s), side="right") - 1
        shown: Int64 = self.shown[np.unique(positions.clip(min=0))]
        return shown

    def slack_ticks(self) -> int:
        """Return how much of the stated end may be absent in a file that is still whole."""
        return max(round(_SLACK_S / self.time_base), _SLACK_FRAMES * self.frame_ticks)


def read_packet_index(path: VideoPath, guard: DecodeGuard) -> PacketIndex:
    """Read every packet of a video's picture stream, decoding none.

    Of several streams of pictures the film is read: no still, preferably a stream that is marked as default, and
    of those the one with the most pictures.

    Args:
        path: the file.
        guard: limits that are kept.

    Raises:
        MissingPathError: if there is no such file.
        DecodeError: if it is no video, holds no pictures, ends before the duration that it states, or holds
            recordings after the first that cannot be read.
        DecodeLimitError: if it asks for more than the guard allows.
    """
    with open_container(path, guard) as container:
        name = container.format.name
        tables, late = _read(container, guard)
        packets = _film(tables)
        if packets.is_cover and container.streams.audio:
            raise DecodeError("the file holds sound with a cover picture, and no video")
        index = packets.index(container)
        relayed = name in BROADCAST_FORMATS and (
            late > _LATE_PACKETS or any(packets.precedes(table) for table in tables)
        )
        if relayed or holds_several_recordings(path, name):
            raise DecodeError(SEVERAL_RECORDINGS)
        if name in _END_KNOWN_BY_STRUCTURE and is_cut_off(path, name):
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


def _read(container: InputContainer, guard: DecodeGuard) -> tuple[list[_Packets], int]:
    """Read the tables of all streams that may be the film, and count the packets of later streams after theirs.

    FFmpeg holds back the last pictures of an MPEG stream, whatever follows, until the end of the file.
    """
    tables = {stream.index: _Packets(stream, guard) for stream in film_tracks(container)}
    late = deque([0], maxlen=_HELD_BACK + 1)  # before each of the newest packets, and since

    def on_late() -> None:
        late[-1] += 1

    streams = (table.stream for table in tables.values())
    try:
        for number, packet in enumerate(demuxed(container, *streams, guard=guard, on_late=on_late)):
            tables[packet.stream.index].add(packet, number)
            if packet.size:
                late.append(0)
    except MemoryError:
        raise
    except av.error.FFmpegError:
        for table in tables.values():
            table.cut = True
    return list(tables.values()), max(late)


def _film(tables: list[_Packets]) -> _Packets:
    """Choose the stream that a player would show: no still beside a film, if possible the default, the longest."""
    moving = [table for table in tables if table.num_pictures > 1] or tables
    default = [table for table in moving if table.stream.disposition & Disposition.default] or moving
    return max(default, key=lambda table: table.num_pictures)


@final
class _Packets:
    """The columns of a packet index while they are read; `cut` says whether the last packet is damaged."""

    def __init__(self, stream: VideoStream, guard: DecodeGuard) -> None:
        self.stream = stream
        self.cut = False
        self.pts: list[int] = []
        self.hidden: list[bool] = []
        # Numbers of the first packet, and of the newest, among those of all tables.
        self.first: int | None = None
        self.newest: deque[int] = deque(maxlen=_HELD_BACK)
        self._guard = guard
        self._broadcast = stream.container.format.name in BROADCAST_FORMATS
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
        """Whether this is a cover picture that is not marked as one."""
        return self.num_pictures == 1 and self.stream.codec_context.name in _COVER_CODECS

    def precedes(self, other: _Packets) -> bool:
        """Whether the pictures of one of the two begin where those of the other have ended."""
        if self.first is None or other.first is None or min(self.num_pictures, other.num_pictures) <= 1:
            return False
        return max(self.first, other.first) > min(self.newest[0], other.newest[0])

    def add(self, packet: VideoPacket, number: int) -> None:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if packet.size == 0:  # the end of the stream, or a picture that repeats the one before
            if stamp is not None and self.pts:
                self._repeats_until = stamp + (packet.duration or 0)
            return
        self.first = number if self.first is None else self.first
        self.newest.append(number)
        self._repeats_until = None
        # The first packet is shown as far as it goes.
        self.cut = packet.is_corrupt
        corrupt = self.cut and bool(self.pts)
        if not corrupt and (not self.pts or (stamp is not None and stamp >= max(self.pts[-8:]))):
            self._last_duration = packet.duration or 0
        # A damaged packet's time stamps may be anything.
        known = None if corrupt else stamp
        decoded = packet.dts if known is not None else None
        pause = self._last_duration if stamp is None and self._broadcast else 0
        following = self._dts[-1] + pause if self._dts else known or 0
        self._dts.append(decoded if decoded is not None else following)
        self.pts.append(known if known is not None else self.pts[-1] + 1 if self.pts else 0)
        self._stamped.append(packet.pts is not None and not corrupt)
        self._key.append(packet.is_keyframe and not corrupt)
        self.hidden.append(packet.is_discard or corrupt)
        self._guard.check_pictures(len(self.pts))

    def index(self, container: InputContainer) -> PacketIndex:
        stream, name = self.stream, container.format.name
        if not self.pts or stream.time_base is None:
            raise DecodeError("the file holds no pictures")
        pts, key, stamped = np.array(self.pts, np.int64), np.array(self._key), np.array(self._stamped)
        dts, hidden = np.array(self._dts, np.int64), np.array(self.hidden)
        _check_stamps(pts[stamped & ~hidden])
        delay = 0
        if name == "avi":
            delay = _avi_delay(pts, dts)
            # FFmpeg takes a time from the next chunk that is not empty, and so is late where some are.
            pts = np.sort(dts)[np.argsort(np.argsort(pts, kind="stable"))] + delay
        if self._broadcast and stamped.any() and stamped[~hidden].mean() < _MOSTLY:
            first = int(np.argmax(stamped & key)) if (stamped & key).any() else int(np.argmax(stamped))
            pts, stamped = dts + (pts[first] - dts[first]), np.zeros_like(stamped)
        parts = parts_of(pts, dts, time_base=stream.time_base, duration=self._last_duration, container=name)
        stored = pts.copy()
        for part in parts:
            pts[part.number :] = stored[part.number :] + part.shift
        visible = _visible(pts, key, hidden)
        shown = np.unique(pts[visible])
        usual = usual_step(shown)
        rate = stream.average_rate
        frame_ticks = usual or self._last_duration or (round(1 / (rate * stream.time_base)) if rate else 1)
        end = int(shown[-1]) + (self._last_duration or frame_ticks)
        if self._repeats_until is not None:
            end = max(end, self._repeats_until + (parts[-1].shift if parts else 0))
        # Pictures of an AVI may be shown in another order than stored, and the file does not say so.
        if name == "avi" and stream.codec_context.has_b_frames and (np.diff(pts) > 0).all():
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


def _visible(pts: Int64, key: Bool, hidden: Bool) -> Bool:
    """Return which pictures are shown: none that comes before the first key frame, in storage or on screen."""
    visible = ~hidden
    if key.any():
        start = int(np.argmax(key))
        visible[:start] = False
        visible &= pts >= pts[start]
    if not visible.any():
        raise DecodeError("the file holds no pictures that are shown")
    return visible


def _check_stamps(pts: Int64) -> None:
    """Refuse a file in which many pictures in a row have one time stamp."""
    changes = np.flatnonzero(np.diff(pts))
    runs = np.diff(changes, prepend=-1, append=len(pts) - 1)
    if runs.max(initial=0) >= _SAME_STAMPS:
        raise DecodeError(
            f"{runs.max()} pictures in a row have one time stamp: the file is damaged, or holds recordings end to "
            "end that cannot be read as one"
        )


def _avi_delay(pts: Int64, dts: Int64) -> int:
    """Return the ticks from a picture's place among the chunks of an AVI to the time stamp that FFmpeg makes up.

    Both number the pictures of the file, the time stamps in the order in which they are shown.
    """
    return int(np.median(np.sort(pts) - np.sort(dts)))


def _zero(container: InputContainer, time_base: Fraction, first: int, delay: int) -> int:
    """Return the tick at which the file begins: with the earliest of its pictures and sounds, as in players.

    AVI counts pictures as they are stored; they are shown `delay` ticks later.
    """
    start_time: int | None = container.start_time
    if start_time is None:
        return first
    begin = round(Fraction(start_time, av.time_base) / time_base) + delay
    return first if abs(first - begin) * time_base < _SAME_TIME_S else min(begin, first)


def _with_repeats(path: VideoPath, packets: _Packets, index: PacketIndex) -> PacketIndex:
    """Add the pictures at an AVI's end that repeat the one before, in empty chunks, which FFmpeg skips."""
    chunks = count_avi_chunks(path, index.track) if _stated_avi_pictures(packets) > len(packets.pts) else 0
    return attrs.evolve(index, end=max(index.end, index.zero + chunks))


def _stated_avi_pictures(packets: _Packets) -> int:
    """Return the pictures, which are ticks, that an AVI's header states; 0 if it was written into a pipe."""
    stated = max(packets.stream.frames, packets.stream.duration or 0)
    return 0 if stated == _AVI_UNKNOWN else stated


def _missing(path: VideoPath, container: InputContainer, packets: _Packets, index: PacketIndex) -> int:
    """Return the ticks between the end of the packets and the end that the container states."""
    name, stream = container.format.name, packets.stream
    if name in BROADCAST_FORMATS:
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


def _missing_from_all_streams(path: VideoPath, index: PacketIndex, guard: DecodeGuard) -> int:
    """Do the same where the stated duration is the longest stream's: sound or subtitles may outlast pictures."""
    with open_container(path, guard) as container:
        end = Fraction(0)
        for packet in demuxed(container, *container.streams, guard=guard):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and packet.time_base is not None and not packet.is_corrupt:
                end = max(end, (stamp + (packet.duration or 0)) * Fraction(packet.time_base))
        return round((_stated_end(container) - end) / index.time_base)


def _stated_end(container: InputContainer) -> Fraction:
    """Return when the container says that it ends, in seconds.

    Writers of Matroska and FLV disagree whether a duration counts from the first time stamp or from 0; the earlier
    end is used, so that a recording that begins late is not taken to be cut off.
    """
    return Fraction(min(container.start_time or 0, 0) + (container.duration or 0), av.time_base)
