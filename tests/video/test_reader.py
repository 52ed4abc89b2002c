from fractions import Fraction

import av
import numpy as np
import pytest

from hgrkit.errors import DecodeError
from hgrkit.video.reader import VideoReader
from hgrkit.video.sampling import FpsSampling, UniformSampling

SIZE = (96, 128)
SAMPLINGS = [UniformSampling(4), UniformSampling(20), FpsSampling(2), FpsSampling(0.7), FpsSampling(50)]


def shown_number(image):
    """The number in a picture that `numbered_picture` in conftest.py drew."""
    return sum((image[8:12, bit * 12 + 4 : bit * 12 + 8].mean() > 128) << bit for bit in range(10))


def times_and_numbers(path):
    """Every picture's time from the first one and its number, by decoding all of them with PyAV."""
    with av.open(str(path)) as container:
        frames = [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    frames.sort(key=lambda pair: pair[0])
    return [time - frames[0][0] for time, _ in frames], [shown_number(image) for _, image in frames]


def expected(times_s, numbers, wanted_s):
    """The last picture that is not after each wanted time, each once: written from the definition."""
    picked = []
    for wanted in wanted_s:
        shown = [i for i, time in enumerate(times_s) if float(time) <= wanted + 1e-6]
        picked.append(shown[-1] if shown else 0)
    return [(float(times_s[i]), numbers[i]) for i in sorted(set(picked))]


VARIABLE = np.cumsum(np.random.default_rng(0).integers(1, 90, 150)).tolist()
FILES = {
    "long groups of pictures": ("a.mp4", {"num_frames": 300, "gop": 250, "b_frames": 3}),
    "short groups": ("a.mp4", {"num_frames": 150, "gop": 10, "b_frames": 0}),
    "every picture a key frame": ("a.mp4", {"num_frames": 100, "gop": 1, "b_frames": 0}),
    "open groups": ("a.mp4", {"num_frames": 150, "gop": 25, "options": {"x264-params": "open-gop=1:bframes=3"}}),
    "variable rate": ("a.mp4", {"num_frames": 150, "pts": VARIABLE, "time_base": Fraction(1, 600)}),
    "begins at 7 s": ("a.mp4", {"pts": [175 + i for i in range(60)]}),
    "film rate": ("a.mp4", {"rate": Fraction(24000, 1001), "time_base": Fraction(1001, 24000), "num_frames": 100}),
    "matroska, jumps": ("a.mkv", {"num_frames": 400, "gop": 130}),
    "matroska, variable rate": ("a.mkv", {"num_frames": 150, "pts": VARIABLE, "time_base": Fraction(1, 600)}),
    "matroska, MPEG-4": ("a.mkv", {"codec": "mpeg4", "num_frames": 100}),
    "webm": ("a.webm", {"codec": "libvpx", "b_frames": None, "num_frames": 80, "gop": 30}),
    "transport stream": ("a.ts", {"container_format": "mpegts", "num_frames": 100}),
    "program stream": ("a.mpg", {"codec": "mpeg2video", "num_frames": 100}),
    "avi, MPEG-4": ("a.avi", {"codec": "mpeg4", "num_frames": 100}),
    "avi, H.264 without B-frames": ("a.avi", {"b_frames": 0, "num_frames": 100}),
    "flash": ("a.flv", {"codec": "flv", "b_frames": None, "num_frames": 50}),
    "windows media": ("a.wmv", {"codec": "wmv2", "b_frames": None, "container_format": "asf"}),
    "motion jpeg": ("a.mov", {"codec": "mjpeg", "b_frames": None, "pix_fmt": "yuvj420p"}),
    "gif": ("a.gif", {"codec": "gif", "b_frames": None, "pix_fmt": "rgb8"}),
    "one picture": ("a.mp4", {"num_frames": 1}),
}


@pytest.mark.parametrize("case", FILES)
def test_the_right_picture_is_found_by_jumping_and_in_sequence(make_video, case):
    name, settings = FILES[case]
    path = make_video(name, **settings)
    times_s, numbers = times_and_numbers(path)
    reader = VideoReader(path, SIZE)
    for sampling in SAMPLINGS:
        wanted = expected(times_s, numbers, sampling.times(reader.duration_s))
        for sequential in (False, True):
            frames = list(reader.sample(sampling, sequential=sequential))
            claim = f"{sampling}, sequential={sequential}"
            assert [shown_number(frame.image) for frame in frames] == [number for _, number in wanted], claim
            assert [frame.time_s for frame in frames] == pytest.approx([time for time, _ in wanted]), claim


def test_avi_with_pictures_out_of_order_shows_them_in_order(make_video):
    path = make_video("a.avi", num_frames=100, b_frames=3)
    numbers = [shown_number(frame.image) for frame in VideoReader(path, SIZE).sample(FpsSampling(25))]
    assert numbers == list(range(100))


def test_the_duration_is_that_of_the_pictures(make_video):
    assert VideoReader(make_video("a.mp4", num_frames=50, rate=25)).duration_s == pytest.approx(2.0)


def test_jumping_decodes_far_fewer_pictures(make_video):
    path = make_video("a.mp4", num_frames=600, gop=24)
    jumping, sequential = VideoReader(path, SIZE), VideoReader(path, SIZE)
    sampling = UniformSampling(4)
    assert [f.time_s for f in jumping.sample(sampling)] == [
        f.time_s for f in sequential.sample(sampling, sequential=True)
    ]
    assert sequential.decoded_frames == 600
    assert jumping.decoded_frames < 120


def test_pictures_are_squashed_to_the_frame_size(make_video):
    frames = list(VideoReader(make_video("a.mp4", num_frames=5), (32, 48)).sample(FpsSampling(25)))
    assert {frame.image.shape for frame in frames} == {(32, 48, 3)}
    assert all(frame.image.dtype == np.uint8 and frame.image.flags.c_contiguous for frame in frames)


def test_frames_come_one_by_one(make_video):
    frames = VideoReader(make_video("a.mp4", num_frames=300, gop=300), SIZE).sample(FpsSampling(5))
    assert next(frames).time_s == pytest.approx(0.1, abs=0.03)
    frames.close()


@pytest.mark.parametrize(("matrix", "turns"), [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)])
def test_a_turned_recording_is_shown_upright(make_video, matrix, turns):
    path = make_video("a.mp4", num_frames=3)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = ((value << 16) & 0xFFFFFFFF for value in matrix)
    for i, value in enumerate((a, b, 0, c, d, 0)):
        data[at + 4 * i : at + 4 * i + 4] = value.to_bytes(4, "big")
    upright = next(VideoReader(path, SIZE).sample(FpsSampling(1))).image
    path.write_bytes(data)
    size = SIZE if turns == 2 else SIZE[::-1]
    turned = next(VideoReader(path, size).sample(FpsSampling(1))).image
    np.testing.assert_array_equal(turned, np.rot90(upright, turns))


def test_a_stream_that_ends_in_damage_is_failed(make_video):
    path = make_video("a.mp4", num_frames=200, container_options={"movflags": "faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10] + bytes(len(data) - len(data) * 6 // 10))
    for sequential in (False, True):
        with pytest.raises(DecodeError, match=r"ends in a decoding error at \d\.\d\d s of 8\.00 s"):
            list(VideoReader(path).sample(UniformSampling(3), sequential=sequential))


def test_damage_in_the_middle_is_passed_over(make_video):
    path = make_video("a.mp4", num_frames=200, gop=20)
    data = bytearray(path.read_bytes())
    begin = data.index(b"mdat") + (len(data) // 3)
    data[begin : begin + 300] = bytes(300)
    path.write_bytes(data)
    assert len(list(VideoReader(path).sample(FpsSampling(1)))) >= 7


@pytest.mark.shared
def test_the_originals_decode_and_show_the_right_pictures(shared):
    for path in sorted((shared / "data/msvd/originals").glob("*.avi")):
        reader = VideoReader(path, (60, 80))
        sampling = UniformSampling(6)
        jumped, sequential = (list(reader.sample(sampling, sequential=flag)) for flag in (False, True))
        assert [frame.time_s for frame in jumped] == [frame.time_s for frame in sequential]
        for one, other in zip(jumped, sequential, strict=True):
            np.testing.assert_array_equal(one.image, other.image)


@pytest.mark.shared
def test_real_clips_give_the_frames_of_a_full_decode(shared):
    for path in sorted((shared / "data/msvd/videos").glob("*.mp4"))[::20]:
        reader = VideoReader(path, (60, 80))
        found = list(reader.sample(FpsSampling(0.5)))
        with av.open(str(path)) as container:
            times = [float(frame.time) for frame in container.decode(video=0)]
        wanted = expected([time - times[0] for time in times], times, FpsSampling(0.5).times(reader.duration_s))
        assert [frame.time_s for frame in found] == pytest.approx([time for time, _ in wanted])


def test_what_an_edit_list_cuts_off_is_not_part_of_the_video(make_video, tmp_path):
    source, path = make_video("a.mp4", num_frames=100, gop=100), tmp_path / "cut.mp4"
    with (
        av.open(str(source)) as reading,
        av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as writing,
    ):
        stream = reading.streams.video[0]
        output = writing.add_stream_from_template(stream)
        output.codec_context.flags = stream.codec_context.flags  # else PyAV 14 writes another header
        second = round(1 / stream.time_base)
        for packet in reading.demux(stream):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - second, packet.dts - second, output
                writing.mux(packet)
    reader = VideoReader(path, SIZE)
    assert reader.duration_s == pytest.approx(3.0)
    frames = list(reader.sample(FpsSampling(1)))
    assert [shown_number(frame.image) for frame in frames] == [37, 62, 87]
    assert [frame.time_s for frame in frames] == pytest.approx([0.48, 1.48, 2.48])


def test_time_stamps_that_span_days_are_refused(make_video):
    path = make_video("a.mkv", num_frames=2, pts=[0, 25 * 3600 * 200])
    with pytest.raises(DecodeError, match="span 200 hours"):
        VideoReader(path)
