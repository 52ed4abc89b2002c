"""Cuts a clip out of a video to a frame: decodes the moment and encodes it anew as MP4."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import cast, final

import numpy as np
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from hgrkit.errors import DecodeError
from hgrkit.video.clip_output import ByteSink, CutClip, open_output
from hgrkit.video.clip_sound import ClipSound, sound_of
from hgrkit.video.container import open_video
from hgrkit.video.cut_plan import CutPlan, plan_pictures
from hgrkit.video.picture import Orientation, on_ground
from hgrkit.video.reader import VideoReader

__all__ = ["encode_clip"]

_ENCODERS = ("libx264", "libopenh264", "mpeg4")
_OPTIONS = {"libx264": {"crf": "18", "preset": "veryfast"}, "mpeg4": {"qscale": "3"}}
_FINEST_TICK = Fraction(1, 60000)  # MPEG-4's encoder counts at most 65,535 ticks a second


def encode_clip(reader: VideoReader, start_s: float, end_s: float, sink: ByteSink) -> CutClip:
    """Write a clip of a moment's pictures, each shown when and as long as in the video, upright, with its sound.

    Pictures of odd width or height lose their last column or row, which H.264 does not take.

    Args:
        reader: of the video; its limits are kept.
        start_s: seconds on the video's own time line.
        end_s: the same, after it.
        sink: where the clip goes.

    Raises:
        DecodeError: if the moment cannot be decoded.
    """
    plan = plan_pictures(reader.index, start_s, end_s)
    base = reader.index.time_base
    sink.restart()
    frames = reader.frames_at(plan.stamps)
    first = next(frames, None)
    if first is None:
        raise DecodeError("no picture of the moment can be decoded")
    with (
        open_video(reader.path, reader.guard, reader.index.track) as (container, stream),
        open_output(sink, "mp4") as output,
    ):
        pictures = _Pictures(output, stream, first[1], base)
        sound = _sound(reader, plan, container, output)
        for at, frame, duration in _timed(chain([first], frames), plan):
            reader.guard.on_progress()
            pictures.add(frame, at, duration)
            if sound is not None:
                sound.add_until(at * base)
        pictures.finish()
        if sound is not None:
            sound.finish()
    return CutClip(start_s=reader.index.seconds(plan.begin), end_s=reader.index.seconds(plan.end), container="mp4")


def _sound(
    reader: VideoReader, plan: CutPlan, container: InputContainer, output: OutputContainer
) -> ClipSound | None:
    source = sound_of(container)
    if source is None:
        return None
    base = reader.index.time_base
    return ClipSound(
        output,
        container,
        source,
        span=(plan.begin * base, plan.end * base),
        shifts=[part.shift * base for part in reader.index.parts],
        seekable=reader.index.seekable,
        guard=reader.guard,
    )


def _timed(frames: Iterator[tuple[int, VideoFrame]], plan: CutPlan) -> Iterator[tuple[int, VideoFrame, int]]:
    """Pictures with their times in the clip and their durations, in ticks."""
    held: tuple[int, VideoFrame] | None = None
    for pts, frame in frames:
        at = max(0, pts - plan.begin)
        if held is not None:
            yield *held, at - held[0]
        held = at, frame
    if held is not None:
        yield *held, plan.end - plan.begin - held[0]


@final
class _Pictures:
    """The clip's pictures on their way into the container."""

    def __init__(self, output: OutputContainer, source: VideoStream, first: VideoFrame, base: Fraction) -> None:
        self._output, self._base = output, base
        self._tick = max(base, _FINEST_TICK)
        self._orientation = Orientation.of(first)
        is_turned = self._orientation.transposed
        width, height = (first.height, first.width) if is_turned else (first.width, first.height)
        self._width, self._height = max(2, width - width % 2), max(2, height - height % 2)
        self._reformatter = VideoReformatter()
        self._durations: dict[int, int] = {}
        encoder = _encoder()
        self._stream = cast("VideoStream", output.add_stream(encoder, rate=source.average_rate or 25))
        self._stream.width, self._stream.height, self._stream.pix_fmt = self._width, self._height, "yuv420p"
        self._stream.options = {**_OPTIONS.get(encoder, {})}
        context = self._stream.codec_context
        context.time_base = self._tick
        context.thread_count = min(4, os.cpu_count() or 1)
        shape = source.codec_context.sample_aspect_ratio
        if shape:
            context.sample_aspect_ratio = 1 / shape if is_turned else shape
        context.colorspace, context.color_range = first.colorspace, 1  # limited, as `_drawn` makes it
        # Frames tell these since PyAV 17; before, the decoder says what the stream declares.
        colours = first if hasattr(first, "color_trc") else source.codec_context
        context.color_primaries, context.color_trc = colours.color_primaries, colours.color_trc

    def add(self, frame: VideoFrame, at: int, duration: int) -> None:
        """Encode a picture that is shown at a tick of the video's, counted from the clip's beginning."""
        drawn = self._drawn(frame)
        drawn.pts, drawn.time_base = self._ticks(at), self._tick
        drawn.pict_type = 0  # the encoder's own choice
        self._durations[drawn.pts] = max(1, self._ticks(at + duration) - drawn.pts)
        self._mux(drawn)

    def finish(self) -> None:
        """Encode what the encoder holds back."""
        self._mux(None)

    def _mux(self, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
            self._output.mux_one(packet)

    def _ticks(self, at: int) -> int:
        return round(at * self._base / self._tick)

    def _drawn(self, frame: VideoFrame) -> VideoFrame:
        """The picture upright, of even size, in the encoder's format."""
        frame = on_ground(frame, self._reformatter)
        even = frame.width % 2 == frame.height % 2 == 0
        if self._orientation or not even:
            colours = self._reformatter.reformat(frame, format="rgb24").to_ndarray().astype(np.uint8, copy=False)
            picture = self._orientation.upright(colours)[: self._height, : self._width]
            turned = VideoFrame.from_ndarray(np.ascontiguousarray(picture, np.uint8), "rgb24")
            turned.colorspace = frame.colorspace
            frame = turned
        return self._reformatter.reformat(
            frame,
            width=self._width,
            height=self._height,
            format="yuv420p",
            dst_colorspace=frame.colorspace,
            dst_color_range=1,
        )


def _encoder() -> str:
    """The best of the encoders that this build of FFmpeg has."""
    for name in _ENCODERS:
        try:
            Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    raise DecodeError(f"this FFmpeg has no encoder for clips; hgrkit uses {', '.join(_ENCODERS)}")
