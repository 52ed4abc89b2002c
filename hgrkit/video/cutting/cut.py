"""Cuts a moment out of a video: its packets are copied where they can be, or it is re-encoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import PurePath
from typing import Any, final

import attrs
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from hgrkit.video.container import demuxed, open_video
from hgrkit.video.cutting.clip import ByteSink, CutClip, open_output
from hgrkit.video.cutting.encode import encode_clip, sound_of
from hgrkit.video.cutting.plan import CannotCopyError, plan_copy
from hgrkit.video.cutting.web import web_container
from hgrkit.video.given_file import VideoPath
from hgrkit.video.reader import VideoReader

__all__ = ["cut_clip"]

_WEB_CODECS = frozenset({"vp8", "vp9", "av1", "libdav1d", "vorbis", "opus"})
_LIKE = {"avi": ("avi", "mp4"), "flv": ("flv", "mp4"), "asf": ("asf",), "mpegts": ("mpegts",)}
_SEEK_BACK_S, _SOUND_LAG_S = 2, 10  # how far a container may store sound from its pictures
_WEB_HEIGHT = 720  # higher pictures take longer to encode than to be shown
_FEW_PACKETS = 64  # no decoder holds a picture back for longer; without one by then decoding cannot begin there


def cut_clip(
    reader: VideoReader, start_s: float, end_s: float, sink: ByteSink, *, exact: bool, web: bool = False
) -> CutClip:
    """Write a clip of a moment.

    Args:
        reader: reads the video; its limits are kept.
        start_s: start of the moment, in seconds on the video's own time line.
        end_s: its end, in seconds.
        sink: where the clip's bytes go.
        exact: re-encode the moment, exact to a frame; else copy from the last key frame before it, if possible.
        web: make what browsers play: packets of other codecs are not copied, and large pictures become smaller.

    Raises:
        DecodeError: if the video cannot be decoded.
    """
    reason = "to be exact"
    if not exact:
        try:
            return _Copy(reader, start_s, end_s, web=web).write(sink)
        except CannotCopyError as error:
            reason = str(error)
    clip = encode_clip(reader, start_s, end_s, sink, most_height=_WEB_HEIGHT if web else None)
    return attrs.evolve(clip, encoded=reason)


@final
class _Copy:
    """A clip that contains a moment and begins at a key frame, made of packets of the video."""

    def __init__(self, reader: VideoReader, start_s: float, end_s: float, *, web: bool) -> None:
        self._reader, self._index, self._web = reader, reader.index, web
        self._plan = plan_copy(reader.index, start_s, end_s)
        base = reader.index.time_base
        self._begin, self._end = self._plan.begin * base, self._plan.end * base

    def write(self, sink: ByteSink) -> CutClip:
        """Write the clip into the first kind of container that takes its packets."""
        with open_video(self._reader.path, self._reader.guard, self._index.track) as (container, stream):
            if self._web:
                kinds = _web_kinds(container, stream)
            else:
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
        """Decode the first picture: some files mark pictures as key frames at which decoding cannot begin."""
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
        raise CannotCopyError("decoding cannot begin at its key frame")

    def _fits(self, container: InputContainer, stream: VideoStream, sink: ByteSink, kind: str) -> bool:
        """Copy pictures and sound; false if that kind of container does not take them."""
        sound = sound_of(container)
        packets = _wrapping_errors(self._packets(container, stream, sound))
        try:
            with open_output(sink, kind) as output:
                copies = {
                    source.index: output.add_stream_from_template(source) for source in (stream, sound) if source
                }
                # Before 15, PyAV lets a video's encoder write a header of its own over the one that is copied.
                copies[stream.index].codec_context.flags = stream.codec_context.flags
                for packet in packets:
                    _shift(packet, self._begin)
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
        """Yield the clip's packets of pictures and sound in the order of storage."""
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
            elif self._begin <= at + Fraction(packet.duration or 0, 2) * packet.time_base and at < self._end:
                yield packet
            if not missing and (
                sound is None or at > self._end + (_SOUND_LAG_S if packet.stream is stream else 0)
            ):
                return
        if missing:
            raise CannotCopyError("its packets cannot be found again")


def _container_kinds(path: VideoPath, container: InputContainer, stream: VideoStream) -> tuple[str, ...]:
    """Return the containers to try: the video's own kind, and one that takes the same codecs."""
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


def _web_kinds(container: InputContainer, stream: VideoStream) -> tuple[str, ...]:
    kind = web_container(container, stream)
    if not kind:
        raise CannotCopyError("browsers do not play its codecs")
    return (kind,)


class _SourceError(Exception):
    """Wraps an error in reading the video, which says nothing of the container that is written."""


def _wrapping_errors(packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
    try:
        yield from packets
    except (av.error.FFmpegError, ValueError) as error:
        raise _SourceError(error) from error


def _shift(packet: Packet[Any], origin: Fraction) -> None:
    """Make a packet's times relative to the clip's beginning."""
    if packet.dts is None or packet.pts is None:
        raise CannotCopyError("its packets do not say when they are decoded")
    shift = round(origin / packet.time_base)
    packet.pts -= shift
    packet.dts -= shift
