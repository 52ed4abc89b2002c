"""Cuts a clip out of a video without decoding it: packets are copied into a container like the video's own."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import PurePath
from typing import Any, final

import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from hgrkit.video.clip_output import ByteSink, CutClip, open_output
from hgrkit.video.clip_sound import sound_of
from hgrkit.video.container import demuxed, open_video
from hgrkit.video.cut_plan import CutPlan, plan_copy
from hgrkit.video.reader import VideoReader

__all__ = ["CannotCopyError", "copy_clip"]

_WEB_CODECS = frozenset({"vp8", "vp9", "av1", "libdav1d", "vorbis", "opus"})
_LIKE = {"avi": ("avi", "mp4"), "flv": ("flv", "mp4"), "asf": ("asf",), "mpegts": ("mpegts",)}
_SEEK_BACK_S, _SOUND_LAG_S = 2, 10  # how far a container may store sound from its pictures
_FEW_PACKETS = 64  # hold back no picture for longer than that, or it is none to begin with


class CannotCopyError(Exception):
    """Packets of this video cannot make this clip, and why, as a clause; never leaves `hgrkit.video`."""


def copy_clip(reader: VideoReader, start_s: float, end_s: float, sink: ByteSink) -> CutClip:
    """Write a clip that contains a moment, beginning at a key frame.

    Args:
        reader: of the video; its limits are kept.
        start_s: seconds on the video's own time line.
        end_s: the same, after it.
        sink: where the clip goes.

    Raises:
        CannotCopyError: if the clip has to be encoded anew; what was written is then of no use.
        DecodeError: if the file cannot be read.
    """
    plan = plan_copy(reader.index, start_s, end_s)
    if isinstance(plan, str):
        raise CannotCopyError(plan)
    return _Copy(reader, plan).write(sink)


@final
class _Copy:
    """One clip to be copied."""

    def __init__(self, reader: VideoReader, plan: CutPlan) -> None:
        self._reader, self._plan, self._index = reader, plan, reader.index
        base = reader.index.time_base
        self._begin, self._end = plan.begin * base, plan.end * base

    def write(self, sink: ByteSink) -> CutClip:
        """Write it into the first kind of container that takes it."""
        with open_video(self._reader.path, self._reader.guard, self._index.track) as (container, stream):
            kinds = _container_kinds(self._reader.path, container, stream)
            self._check_beginning(container, stream)
        for kind in kinds:
            sink.restart()
            with open_video(self._reader.path, self._reader.guard, self._index.track) as (container, stream):
                if self._fits(container, stream, sink, kind):
                    start_s, end_s = (self._index.seconds(at) for at in (self._plan.begin, self._plan.end))
                    return CutClip(start_s=start_s, end_s=end_s, container=kind)
        raise CannotCopyError(f"no {' or '.join(kinds)} file takes its packets")

    def _check_beginning(self, container: InputContainer, stream: VideoStream) -> None:
        """Decode the first picture: some files call pictures key frames at which decoding cannot begin."""
        context = stream.codec_context
        try:
            for packet in chain(islice(self._packets(container, stream, None), _FEW_PACKETS), [None]):
                if frames := context.decode(packet):
                    if frames[0].pts == self._plan.begin and not frames[0].is_corrupt:
                        return
                    break
        except MemoryError:
            raise
        except av.error.FFmpegError as error:
            raise CannotCopyError("its key frame cannot be decoded") from error
        raise CannotCopyError("its key frame is none at which decoding can begin")

    def _fits(self, container: InputContainer, stream: VideoStream, sink: ByteSink, kind: str) -> bool:
        """Copy pictures and sound, unless that kind of container does not take them."""
        sound = sound_of(container)
        packets = self._packets(container, stream, sound)
        try:
            with open_output(sink, kind) as output:
                copies = {
                    source.index: output.add_stream_from_template(source) for source in (stream, sound) if source
                }
                # Before 15, PyAV lets a video's encoder write a header of its own over the one that is copied.
                copies[stream.index].codec_context.flags = stream.codec_context.flags
                while (packet := _next_packet(packets)) is not None:
                    _move(packet, self._begin)
                    packet.stream = copies[packet.stream_index]
                    output.mux_one(packet)
        except _SourceError as error:
            raise error.args[0] from None
        except MemoryError:
            raise
        except (av.error.FFmpegError, ValueError):
            return False
        return True

    def _packets(
        self, container: InputContainer, stream: VideoStream, sound: AudioStream | None
    ) -> Iterator[Packet[Any]]:
        """The clip's packets of pictures and of sound, in the order in which they are stored."""
        missing = set(self._plan.stamps.tolist())
        if self._index.seekable and self._begin > _SEEK_BACK_S:
            back = self._plan.begin - round(_SEEK_BACK_S / self._index.time_base)
            container.seek(back, stream=stream)
        begun = False
        streams = [stream] if sound is None else [stream, sound]
        for packet in demuxed(container, *streams, guard=self._reader.guard):
            if not packet.size or packet.pts is None:
                continue
            at = packet.pts * packet.time_base
            if packet.stream is stream:
                begun |= packet.pts == self._plan.begin
                if begun and packet.pts in missing:
                    missing.discard(packet.pts)
                    yield packet
            elif self._begin <= at + _half(packet) and at < self._end:
                yield packet
            if not missing and (
                sound is None or at > self._end + (_SOUND_LAG_S if packet.stream is stream else 0)
            ):
                return
        if missing:
            raise CannotCopyError("its packets cannot be found again")


def _container_kinds(path: str, container: InputContainer, stream: VideoStream) -> tuple[str, ...]:
    """The containers to try: the video's own kind, where one can begin in the middle of it, and one like it."""
    name = container.format.name
    if name.startswith("mov"):
        return ("mov",) if PurePath(path).suffix.lower() == ".mov" else ("mp4",)
    if name.startswith("matroska"):
        sound = sound_of(container)
        codecs = {stream.codec_context.name, *([sound.codec_context.name] if sound else [])}
        return ("webm",) if codecs <= _WEB_CODECS else ("matroska",)
    if name in _LIKE:
        return _LIKE[name]
    raise CannotCopyError(f"packets of {name} files cannot stand alone")


class _SourceError(Exception):
    """Holds an error of the video apart from those of the container that is written."""


def _next_packet(packets: Iterator[Packet[Any]]) -> Packet[Any] | None:
    try:
        return next(packets, None)
    except (av.error.FFmpegError, ValueError) as error:
        raise _SourceError(error) from error


def _half(packet: Packet[Any]) -> Fraction:
    return Fraction(packet.duration or 0, 2) * packet.time_base


def _move(packet: Packet[Any], origin: Fraction) -> None:
    """Have a packet's times count from the clip's beginning."""
    if packet.dts is None or packet.pts is None:
        raise CannotCopyError("its packets do not say when they are decoded")
    shift = round(origin / packet.time_base)
    packet.pts -= shift
    packet.dts -= shift
