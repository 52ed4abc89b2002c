import errno
import importlib.util
import os
import threading
from fractions import Fraction
from unittest.mock import Mock

import av
import av.error
import pytest

from hgrkit.errors import DecodeError, DecoderFaultError, MissingPathError
from hgrkit.video import container
from hgrkit.video.reader import VideoReader
from hgrkit.video.sampling import UniformSampling


def reason_of(path):
    with pytest.raises(DecodeError) as caught:
        list(VideoReader(path).sample(UniformSampling(4)))
    reason = str(caught.value)
    assert reason
    assert "\n" not in reason
    assert "Errno" not in reason
    return reason


SUBTITLES = b"1\n00:00:01,000 --> 00:00:02,000\nhello\n"
SDP = (
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    b"m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)
PICTURE = b"P6\n64 64\n255\n" + bytes(64 * 64 * 3)
Y4M = b"YUV4MPEG2 W64 H64 F25:1\nFRAME\n" + bytes(64 * 64 * 3 // 2)


@pytest.mark.parametrize(
    "data", [b"a text, not a video\n" * 50, SUBTITLES, SDP, PICTURE, Y4M], ids=["text", "srt", "sdp", "ppm", "y4m"]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_what_is_no_video_is_refused_whatever_its_name(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert "not a video file of a known kind" in reason_of(tmp_path / name)


def test_random_bytes_are_refused(tmp_path):
    (tmp_path / "a.avi").write_bytes(os.urandom(50_000))
    reason_of(tmp_path / "a.avi")


def test_an_empty_file_is_refused_as_empty(tmp_path):
    (tmp_path / "a.mp4").touch()
    assert reason_of(tmp_path / "a.mp4") == "the file is empty"


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{other}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{other}'\n",
        "[playlist]\nFile1={other}\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{other}</BaseURL></MPD>',
    ],
    ids=["m3u8", "ffconcat", "pls", "dash"],
)
def test_a_playlist_never_opens_what_it_names(make_video, tmp_path, text):
    fifo = tmp_path / "other.ts"  # opening it would wait for a writer for ever
    os.mkfifo(fifo)
    (tmp_path / "a.mp4").write_text(text.format(other=fifo))
    worker = threading.Thread(target=reason_of, args=(tmp_path / "a.mp4",), daemon=True)
    worker.start()
    worker.join(timeout=10)
    assert not worker.is_alive()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingPathError, match=r"absent\.mp4"):
        VideoReader(tmp_path / "absent.mp4")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("faststart", [False, True])
def test_a_truncated_mp4_is_failed(make_video, share, faststart):
    path = make_video("a.mp4", num_frames=200, container_options={"movflags": "faststart"} if faststart else None)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "cut off" in reason_of(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.85])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.mkv", {}),
        ("a.webm", {"codec": "libvpx", "b_frames": None}),
        ("a.avi", {"codec": "mpeg4"}),
        ("a.avi", {}),
        ("a.flv", {"codec": "flv", "b_frames": None}),
        ("a.wmv", {"codec": "wmv2", "b_frames": None, "container_format": "asf"}),
    ],
)
def test_other_containers_that_are_cut_off_are_failed(make_video, name, settings, share):
    path = make_video(name, num_frames=200, **settings)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    reason_of(path)


def test_sound_that_goes_on_after_the_last_picture_is_no_truncation(make_video):
    path = make_video("a.mkv", num_frames=50, audio_s=9.0)
    reader = VideoReader(path)
    assert reader.duration_s == pytest.approx(2.0, abs=0.1)  # some muxers put sound first
    assert len(list(reader.sample(UniformSampling(4)))) == 4


def test_sound_alone_is_no_video(tmp_path):
    import av
    import numpy as np

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert reason_of(path) == "the file holds no video stream, only: audio"


def test_absurd_dimensions_are_refused_before_memory_is_asked_for(tmp_path):
    path = tmp_path / "a.gif"
    size = (65535).to_bytes(2, "little")
    image = b"\x2c\x00\x00\x00\x00" + size + size + b"\x00\x02\x02\x4c\x01\x00"
    path.write_bytes(b"GIF89a" + size + size + b"\x80\x00\x00" + bytes(6) + image + b"\x3b")
    reason_of(path)


@pytest.mark.parametrize(
    "name", ["http:x.mp4", "concat:a|b.mp4", "data:a.mp4", "\udcff\udcfe.mp4", "é ü.mp4", "-i.mp4"]
)
def test_any_file_name_is_only_a_name(make_video, tmp_path, name):
    path = make_video("a.mp4", num_frames=5)
    path.rename(tmp_path / name)
    assert VideoReader(tmp_path / name).duration_s == pytest.approx(0.2)


def test_nothing_is_written_to_stderr(make_video, tmp_path, capfd):
    path = make_video("a.mp4", container_options={"movflags": "faststart"}, num_frames=100)
    path.write_bytes(path.read_bytes()[:-1000])
    (tmp_path / "b.avi").write_bytes(b"RIFF" + os.urandom(5000))
    for broken in (path, tmp_path / "b.avi"):
        reason_of(broken)
    assert capfd.readouterr() == ("", "")


def test_the_path_is_noted_on_the_error(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(DecodeError) as caught:
        VideoReader(tmp_path / "a.mp4")
    assert "a.mp4" in caught.value.__notes__[0]


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.ts", "a.mp4"])
def test_a_recording_whose_time_stamps_begin_late_is_whole(make_video, name):
    settings = {"codec": "libvpx", "b_frames": None} if name == "a.webm" else {}
    stamps = [100_000 + 40 * number for number in range(50)]
    reader = VideoReader(make_video(name, num_frames=50, pts=stamps, time_base=Fraction(1, 1000), **settings))
    frames = list(reader.sample(UniformSampling(4)))
    assert reader.duration_s == pytest.approx(2.0, abs=0.05)
    assert 0 <= frames[0].time_s < frames[-1].time_s < 2


@pytest.mark.parametrize("share", [0.9, 0.95])
@pytest.mark.parametrize("settings", [{}, {"audio_s": 9.0}], ids=["silent", "sound"])
def test_a_matroska_file_that_lacks_its_last_pictures_is_failed(make_video, settings, share):
    path = make_video("a.mkv", num_frames=200, **settings)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "cut off" in reason_of(path)


def test_a_stream_that_begins_in_the_middle_of_a_file_is_passed_over(make_video):
    path = make_video("a.flv", codec="flv", b_frames=None, num_frames=250, gop=1)
    data = bytearray(path.read_bytes())
    at, tags = 13, []  # FLV specification, annex E: a header, then tags of type, size, time stamp and stream
    while at + 11 < len(data):
        tags.append(at)
        at += 11 + int.from_bytes(data[at + 1 : at + 4], "big") + 4
    begin = tags[-20]
    sound = bytes([8, 0, 0, 2, *data[begin + 4 : begin + 8], 0, 0, 0, 0x2E, 0]) + (13).to_bytes(4, "big")
    data[begin:begin] = sound
    path.write_bytes(data)
    reader = VideoReader(path)
    assert len(list(reader.sample(UniformSampling(4)))) == 4
    assert reader.duration_s == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize(
    "error",
    [
        AttributeError("'Frame' has no attribute 'shape'"),
        ImportError("libdav1d.so.7: cannot open shared object file"),
        KeyError("pix_fmt"),
        NotImplementedError("later"),
        RuntimeError("no hardware"),
        TypeError("open() got an unexpected keyword argument"),
        ValueError("unknown option"),
        av.error.PatchWelcomeError(1, "Not yet implemented in FFmpeg, patches welcome"),
        av.error.DecoderNotFoundError(1, "Decoder not found"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_the_libraries_lack_or_do_wrong_is_no_fault_of_the_file(make_video, monkeypatch, error):
    path = make_video("a.mp4")
    monkeypatch.setattr(av, "open", Mock(side_effect=error))
    with pytest.raises(DecoderFaultError) as caught:
        VideoReader(path)
    assert f"({type(error).__name__}: " in str(caught.value)
    assert "not of the file; please report it" in str(caught.value)


@pytest.mark.parametrize("error", [ZeroDivisionError("Fraction(1, 0)"), OverflowError("too large")])
def test_numbers_that_no_sound_file_holds_are_the_files_fault(make_video, monkeypatch, error):
    path = make_video("a.mp4")
    monkeypatch.setattr(av, "open", Mock(side_effect=error))
    with pytest.raises(DecodeError, match="the file cannot be decoded") as caught:
        VideoReader(path)
    assert not isinstance(caught.value, DecoderFaultError)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.ESTALE])
def test_a_file_that_is_not_handed_over_is_an_error_of_the_operating_system(make_video, monkeypatch, number):
    path = make_video("a.mp4")

    def refuse(*arguments, **settings):
        av.error.err_check(-number)

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        VideoReader(path)
    assert not isinstance(caught.value, av.error.FFmpegError)


@pytest.mark.parametrize(
    ("version", "options_are", "text"),
    [
        ("14.1.0", "container_options", {"metadata_errors": "replace"}),
        ("17.1.0", "container_options", {"metadata_errors": "replace"}),
        ("18.1.0", "options", {"metadata_errors": "replace"}),
        ("19.0.2", "options", {}),
    ],
)
def test_a_file_is_opened_with_the_arguments_that_each_pyav_takes(
    make_video, monkeypatch, version, options_are, text
):
    path, opened = make_video("a.mp4"), []

    def open_(file, mode="r", **settings):
        """Takes what PyAV of that version takes: 19 has no `metadata_errors`, before 18 `options` may crash it."""
        options = settings.pop(options_are)
        if settings != text:
            raise TypeError(f"open() got an unexpected keyword argument in {settings}")
        opened.append(file)
        return real_open(file, container_options=options)

    real_open = av.open
    monkeypatch.setattr(av, "__version__", version)
    monkeypatch.setattr(av, "open", open_)
    spec = importlib.util.spec_from_file_location("container_of_another_pyav", container.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("_TEXT", "_OPTIONS_ARE"):
        monkeypatch.setattr(container, name, getattr(module, name))
    frames = list(VideoReader(path).sample(UniformSampling(4)))
    assert len(frames) == 4
    assert opened


def test_a_broadcast_with_a_picture_track_that_stays_empty_is_read(make_video):
    from hgrkit.video.container import film_tracks, open_container
    from hgrkit.video.limits import DecodeGuard
    from hgrkit.video.packet_index import _Packets, _read

    guard = DecodeGuard()
    with open_container(str(make_video("a.ts", container_format="mpegts")), guard) as container:
        (film,), _ = _read(container, guard)
        empty = _Packets(film_tracks(container)[0], guard)
        assert not film.precedes(empty)
        assert not empty.precedes(film)
