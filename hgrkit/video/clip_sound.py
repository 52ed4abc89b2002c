"""The sound of a clip that is encoded anew: decoded beside the pictures, cut to a sample, encoded as AAC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import final

import av.error
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from hgrkit.video.container import demuxed
from hgrkit.video.limits import DecodeGuard
from hgrkit.video.recording import begins_anew

__all__ = ["ClipSound", "sound_of"]

_RATES = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_LEAD_S = 1  # decoders need some packets to get going
_JITTER_S = 0.05  # time stamps may be off so much before silence is put in or sound left out

Samples = npt.NDArray[np.float32]


def sound_of(container: InputContainer) -> AudioStream | None:
    """The sound that belongs to the pictures; `None` if there is none that can be read."""
    best = container.streams.best("audio")
    return best if isinstance(best, AudioStream) and best.codec_context is not None else None


@final
class ClipSound:
    """Sound on its way into a clip; where it is missing or damaged, silence.

    Args:
        output: the clip.
        container: the video, open for this object alone.
        source: its sound.
        span: where the clip begins and ends, in seconds on the video's own clock.
        shifts: what brings the stored times of each part after the first onto that clock, where they begin anew.
        seekable: whether the video's index is good enough to jump by.
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
        self._layout = "mono" if source.codec_context.channels == 1 else "stereo"
        self._stream = output.add_stream("aac", rate=self._rate, layout=self._layout)
        self._stream.bit_rate = 96_000 if self._layout == "mono" else 160_000
        self._total = round((self._end - self._begin) * self._rate)
        self._written = 0
        self._chunks = self._decoded()

    def add_until(self, length_s: Fraction) -> None:
        """Encode until the clip has so many seconds of sound, or a little more."""
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
        """Encode up to the clip's end, and what the encoder holds back."""
        self.add_until(self._end - self._begin)
        self._output.mux(self._stream.encode(None))

    @property
    def _channels(self) -> int:
        return 1 if self._layout == "mono" else 2

    def _encode(self, samples: Samples) -> None:
        if samples.size:
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", self._layout)
            frame.sample_rate, frame.time_base, frame.pts = self._rate, Fraction(1, self._rate), self._written
            self._written += samples.shape[1]
            self._output.mux(self._stream.encode(frame))

    def _decoded(self) -> Iterator[tuple[int, Samples]]:
        """Samples [channels, N] and where they belong in the clip, by the first one's number."""
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
        """The sound's packets, with times that go on where those of another part begin anew."""
        part, before = 0, None
        for packet in demuxed(self._container, self._source, guard=self._guard):
            if self._shifts and packet.pts is not None:
                at = packet.pts * packet.time_base
                if before is not None and part < len(self._shifts) and begins_anew(at - before):
                    part += 1
                before = at
                if part:
                    packet.pts += round(self._shifts[part - 1] / packet.time_base)
            yield packet

    def _frames(self) -> Iterator[AudioFrame]:
        """The sound's frames from a little before the clip to a little behind it."""
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
