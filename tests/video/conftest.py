from fractions import Fraction

import av
import numpy as np
import pytest

SIZE = (96, 128)
_BITS, _BLOCK = 10, 12


def numbered_picture(number, size=SIZE):
    """A picture that shows its number in ten bright or dark blocks, over something that moves."""
    height, width = size
    picture = np.full((height, width, 3), 60, dtype=np.uint8)
    picture[:, (number * 3) % width :: 16] = 90
    picture[:20] = 0
    for bit in range(_BITS):
        picture[4:16, bit * _BLOCK + 2 : bit * _BLOCK + 10] = 255 * (number >> bit & 1)
    return picture


@pytest.fixture
def make_video(tmp_path):
    """Writes a small video whose pictures show their numbers."""

    def make(
        name,
        codec="libx264",
        *,
        num_frames=60,
        rate=25,
        gop=12,
        b_frames=2,
        pts=None,
        time_base=None,
        pix_fmt="yuv420p",
        container_format=None,
        container_options=None,
        options=None,
        audio_s=0.0,
    ):
        path = tmp_path / name
        with av.open(str(path), "w", format=container_format, options=container_options or {}) as container:
            stream = container.add_stream(codec, rate=rate)
            stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], pix_fmt
            stream.codec_context.gop_size = gop
            if b_frames is not None:
                stream.codec_context.max_b_frames = b_frames
            stream.options = options or {}
            base = time_base or Fraction(1, rate)
            stream.codec_context.time_base = base
            sound = _add_sound(container, audio_s) if audio_s else []
            for number in range(num_frames):
                frame = av.VideoFrame.from_ndarray(numbered_picture(number), "rgb24")
                frame.pts, frame.time_base = (number if pts is None else pts[number]), base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            container.mux(sound)
        return path

    return make


def _add_sound(container, seconds):
    stream = container.add_stream("aac", rate=16000)
    frame = av.AudioFrame.from_ndarray(np.zeros((1, int(16000 * seconds)), np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts = 16000, 0
    return [*stream.encode(frame), *stream.encode(None)]
