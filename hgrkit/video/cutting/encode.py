"""Re-encodes a moment of a video as MP4: pictures cut to a frame and upright, sound cut to a sample."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain
from typing import cast, final

import av.error
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec import Codec
from av.codec.codec import UnknownCodecError
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from hgrkit.errors import DecodeError
from hgrkit.video.container import demuxed, open_video
from hgrkit.video.cutting.clip import ByteSink, CutClip, open_output
from hgrkit.video.cutting.plan import CutPlan, plan_pictures
from hgrkit.video.limits import DecodeGuard
from hgrkit.video.picture import Orientation, on_white
from hgrkit.video.reader import VideoReader
from hgrkit.video.recording import times_restart

__all__ = ["ClipSound", "encode_clip", "sound_of"]

# The best first; FFmpeg may be built without the others, and always has the last.
_ENCODERS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "18", "preset": "veryfast"},
    "libopenh264": {},
    "mpeg4": {"qscale": "3"},
}
_FINEST_TICK = Fraction(1, 60000)  # MPEG-4's encoder counts at most 65,535 ticks a second

_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_LEAD_S = 1  # audio decoders need some packets before their output is sound
_JITTER_S = 0.05  # time stamps may be off by this much before silence is inserted or sound is dropped

Samples = npt.NDArray[np.float32]


def encode_clip(
    reader: VideoReader, start_s: float, end_s: float, sink: ByteSink, *, most_height: int | None = None
) -> CutClip:
    """Write a clip of a moment's pictures, each shown when and as long as in the video, upright, with its sound.

    Pictures of odd width or height lose their last column or row, because H.264 takes even sizes only.

    Args:
        reader: reads the video; its limits are kept.
        start_s: start of the moment, in seconds on the video's own time line.
        end_s: its end, in seconds.
        sink: where the clip's bytes go.
        most_height: pictures that are higher become so high.

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
        pictures = _Pictures(output, stream, first[1], base, most_height)
        sound: ClipSound | None = None
        if (source := sound_of(container)) is not None:
            sound = ClipSound(
                output,
                container,
                source,
                span=(plan.begin * base, plan.end * base),
                shifts=[part.shift * base for part in reader.index.parts],
                seekable=reader.index.seekable,
                guard=reader.guard,
            )
        for at, frame, duration in _timed(chain([first], frames), plan):
            reader.guard.on_progress()
            pictures.add(frame, at, duration)
            if sound is not None:
                sound.add_until(at * base)
        pictures.encode(None)
        if sound is not None:
            sound.finish()
    return CutClip(start_s=reader.index.seconds(plan.begin), end_s=reader.index.seconds(plan.end), container="mp4")


def _timed(frames: Iterator[tuple[int, VideoFrame]], plan: CutPlan) -> Iterator[tuple[int, VideoFrame, int]]:
    """Yield pictures with their times in the clip and their durations, in ticks."""
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
    """Encodes the clip's pictures into its container."""

    def __init__(
        self,
        output: OutputContainer,
        source: VideoStream,
        first: VideoFrame,
        base: Fraction,
        most_height: int | None,
    ) -> None:
        self._output, self._base = output, base
        self._tick = max(base, _FINEST_TICK)
        self._orientation = Orientation.of(first)
        is_turned = self._orientation.transposed
        width, height = (first.height, first.width) if is_turned else (first.width, first.height)
        self._width, self._height = max(2, width - width % 2), max(2, height - height % 2)
        self._size = _fitted(self._width, self._height, most_height)
        self._reformatter = VideoReformatter()
        self._durations: dict[int, int] = {}
        encoder = _best_encoder()
        self._stream = cast("VideoStream", output.add_stream(encoder, rate=source.average_rate or 25))
        self._stream.width, self._stream.height, self._stream.pix_fmt = *self._size, "yuv420p"
        self._stream.options = {**_ENCODERS[encoder]}
        context = self._stream.codec_context
        context.time_base = self._tick
        context.thread_count = min(4, os.cpu_count() or 1)
        shape = source.codec_context.sample_aspect_ratio
        if shape:
            context.sample_aspect_ratio = 1 / shape if is_turned else shape
        context.colorspace, context.color_range = first.colorspace, 1  # limited range, as `_upright` makes it
        # Frames have these since PyAV 17; the decoder has what the stream declares.
        colours = first if hasattr(first, "color_trc") else source.codec_context
        context.color_primaries, context.color_trc = colours.color_primaries, colours.color_trc

    def add(self, frame: VideoFrame, at: int, duration: int) -> None:
        """Encode a picture that is shown `at` ticks of the video after the clip's beginning."""
        upright = self._upright(frame)
        upright.pts, upright.time_base = self._ticks(at), self._tick
        upright.pict_type = 0  # the encoder's own choice
        self._durations[upright.pts] = max(1, self._ticks(at + duration) - upright.pts)
        self.encode(upright)

    def encode(self, frame: VideoFrame | None) -> None:
        """Write the encoder's packets; `None` flushes it."""
        for packet in self._stream.encode(frame):
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, packet.duration or 0)
            self._output.mux_one(packet)

    def _ticks(self, at: int) -> int:
        return round(at * self._base / self._tick)

    def _upright(self, frame: VideoFrame) -> VideoFrame:
        """Turn a picture upright, to even size and the encoder's format."""
        frame = on_white(frame, self._reformatter)
        even = frame.width % 2 == frame.height % 2 == 0
        if self._orientation or not even:
            colours = self._reformatter.reformat(frame, format="rgb24").to_ndarray().astype(np.uint8, copy=False)
            picture = self._orientation.upright(colours)[: self._height, : self._width]
            turned = VideoFrame.from_ndarray(np.ascontiguousarray(picture, np.uint8), "rgb24")
            turned.colorspace = frame.colorspace
            frame = turned
        return self._reformatter.reformat(
            frame,
            width=self._size[0],
            height=self._size[1],
            format="yuv420p",
            dst_colorspace=frame.colorspace,
            dst_color_range=1,
        )


def _fitted(width: int, height: int, most_height: int | None) -> tuple[int, int]:
    if most_height is None or height <= most_height:
        return width, height
    return max(2, round(width * most_height / height / 2) * 2), most_height


def _best_encoder() -> str:
    for name in _ENCODERS:
        try:
            Codec(name, "w")
        except UnknownCodecError:
            continue
        return name
    raise DecodeError(f"this FFmpeg has no encoder for clips; hgrkit uses {', '.join(_ENCODERS)}")


def sound_of(container: InputContainer) -> AudioStream | None:
    """Return the sound that belongs to the pictures, or `None` if there is none that can be read."""
    best = container.streams.best("audio")
    return best if isinstance(best, AudioStream) and best.codec_context is not None else None


@final
class ClipSound:
    """Encodes a clip's sound as AAC; what is missing or damaged becomes silence.

    Args:
        output: the clip.
        container: the video, opened for this object alone.
        source: the video's sound.
        span: start and end of the clip, in seconds on the video's own clock.
        shifts: seconds to add to the stored times of each part after the first, where time stamps restart.
        seekable: whether the container's index can be trusted for seeking.
        guard: limits that are kept.
    """

    def __init__(
        self,
        output: OutputContainer,
        container: InputContainer,
        source: AudioStream,
        *,
        span: tuple[Fraction, Fraction],
        shifts: Sequence[Fraction] = (),
        seekable: bool,
        guard: DecodeGuard,
    ) -> None:
        self._output, self._container, self._source = output, container, source
        self._begin, self._end = span
        self._shifts = shifts
        self._seekable, self._guard = seekable, guard
        self._rate = next((rate for rate in _RATES if rate <= source.codec_context.sample_rate), _RATES[-1])
        self._channels = 1 if source.codec_context.channels == 1 else 2
        self._layout = "mono" if self._channels == 1 else "stereo"
        self._stream = output.add_stream("aac", rate=self._rate, layout=self._layout)
        self._stream.bit_rate = 96_000 if self._channels == 1 else 160_000
        self._total = round((self._end - self._begin) * self._rate)
        self._written = 0
        self._chunks = self._decoded()

    def add_until(self, length_s: Fraction) -> None:
        """Encode until the clip has at least this many seconds of sound."""
        wanted = min(self._total, round(length_s * self._rate))
        while self._written < wanted:
            at, samples = next(self._chunks, (wanted, np.zeros((1, 0), np.float32)))
            if at - self._written > _JITTER_S * self._rate or not samples.size:
                silence = min(at, self._total) - self._written
                self._encode(np.zeros((self._channels, silence), np.float32))
            elif self._written - at > _JITTER_S * self._rate:
                samples = samples[:, self._written - at :]
            self._encode(samples[:, : self._total - self._written])

    def finish(self) -> None:
        """Encode up to the clip's end, and flush the encoder."""
        self.add_until(self._end - self._begin)
        self._output.mux(self._stream.encode(None))

    def _encode(self, samples: Samples) -> None:
        if samples.size:
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", self._layout)
            frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._written
            self._written += samples.shape[1]
            self._output.mux(self._stream.encode(frame))

    def _decoded(self) -> Iterator[tuple[int, Samples]]:
        """Yield samples [channels, N] with the position of the first one in the clip."""
        resampler = AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        for frame in self._frames():
            if frame.pts is None or frame.time_base is None:
                continue
            at = round((frame.pts * frame.time_base - self._begin) * self._rate)
            frame.pts = None
            for part in resampler.resample(frame):
                samples = np.asarray(part.to_ndarray(), np.float32)
                hidden = min(max(0, -at), samples.shape[1])
                if hidden < samples.shape[1]:
                    yield at + hidden, samples[:, hidden:]
                at += samples.shape[1]

    def _packets(self) -> Iterator[Packet[AudioStream]]:
        """Yield the sound's packets, with times that continue where those of another part restart."""
        part, before = 0, None
        for packet in demuxed(self._container, self._source, guard=self._guard):
            if self._shifts and packet.pts is not None:
                at = packet.pts * packet.time_base
                if before is not None and part < len(self._shifts) and times_restart(at - before):
                    part += 1
                before = at
                if part:
                    packet.pts += round(self._shifts[part - 1] / packet.time_base)
            yield packet

    def _frames(self) -> Iterator[AudioFrame]:
        """Decode the sound from a little before the clip to a little after it."""
        base = self._source.time_base
        if self._seekable and base and self._begin > _LEAD_S:
            self._container.seek(round((self._begin - _LEAD_S) / base), stream=self._source)
        for packet in self._packets():
            at = None if packet.pts is None else packet.pts * packet.time_base
            if at is not None and at < self._begin - _LEAD_S:
                continue
            if at is not None and at > self._end:
                return
            try:
                yield from self._source.codec_context.decode(packet)
            except MemoryError:
                raise
            except av.error.FFmpegError:
                continue  # a damaged packet is silence
