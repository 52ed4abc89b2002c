"""Media reach neither the network nor files other than their own, whatever they hold or are called."""

import base64
import os
import socket
import struct
import sys
import threading

import av
import numpy as np
import pytest
from av.container import OutputContainer

from hgrkit.video.cutting.clip import CutClip
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.sampling import FpsSampling
from hgrkit.video.worker.decoder import DecodeProcess

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")

SUFFIXES = (".mp4", ".avi", ".mkv", ".ts", ".m3u8", ".sdp", ".mpd", ".gif")

SCRIPTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{target}\n#EXT-X-ENDLIST\n",
    "hls variants": "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n",
    "hls key": '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:5,\n{target}',
    "hls map": '#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXT-X-MAP:URI="{target}"\n#EXTINF:5,\n{target}\n',
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    "asx": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    "asf redirect": "[Reference]\nRef1={target}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "smooth streaming": '<SmoothStreamingMedia Url="{target}"></SmoothStreamingMedia>',
    "real media": "{target}\n",
    "imf": '<CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">{target}</CompositionPlaylist>',
    "vobsub": "# VobSub index file, v7\nid: en, index: 0\ntimestamp: 00:00:01:000, filepos: 000000000\n",
    "subtitles": "1\n00:00:01,000 --> 00:00:02,000\n{target}\n",
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>',
}
SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)


@pytest.fixture
def decoder():
    """A decoder that waits no longer than half a minute for what should not be waited for at all."""
    process = DecodeProcess(DecodeLimits())
    timer = threading.Timer(30, process.close)
    timer.start()
    yield process
    timer.cancel()
    process.release()


@pytest.fixture
def listener():
    """A port of this machine that somebody might connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def trap(tmp_path):
    """A named pipe: whoever opens it waits until somebody writes, which nobody does."""
    path = tmp_path / "trap.ts"
    os.mkfifo(path)
    return path


def nobody_called(listener):
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


def read(decoder, path):
    taken = []
    decoded = decoder.read(str(path), (16, 16), FpsSampling(2), lambda times_s, images: taken.append(images))
    return decoded, taken


def refuses(decoder, path):
    decoded, taken = read(decoder, path)
    return decoded.reason is not None and "\n" not in decoded.reason and not taken


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_opens_nothing_that_it_names(decoder, listener, trap, make_video, tmp_path, script):
    video = make_video("real.mp4")
    port = listener.getsockname()[1]
    data = base64.b64encode(video.read_bytes()).decode()
    targets = [
        f"http://127.0.0.1:{port}/a.ts",
        f"tcp://127.0.0.1:{port}",
        f"rtmp://127.0.0.1:{port}/a/b",
        str(trap),
        f"file:{trap}",
        trap.name,
        f"concat:{trap}|{trap}",
        f"subfile,,start,0,end,100,,:{trap}",
        f"data:video/mp4;base64,{data}",
        str(video),
    ]
    for number, target in enumerate(targets):
        path = tmp_path / f"script{number}{SUFFIXES[number % len(SUFFIXES)]}"
        path.write_text(SCRIPTS[script].format(target=target))
        assert refuses(decoder, path), target
    assert nobody_called(listener)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_script_is_refused_under_any_suffix(decoder, listener, trap, tmp_path, suffix):
    port = listener.getsockname()[1]
    for number, script in enumerate(SCRIPTS.values()):
        path = tmp_path / f"script{number}{suffix}"
        path.write_text(script.format(target=[f"http://127.0.0.1:{port}/a.ts", trap][number % 2]))
        assert refuses(decoder, path)
    assert nobody_called(listener)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_session_description_opens_no_port(decoder, tmp_path, suffix):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = tmp_path / f"a{suffix}"
    path.write_text(SDP.format(port=port))
    assert refuses(decoder, path)


@pytest.mark.parametrize(
    "name",
    ["http:{host}.mp4", "tcp:{host}.mp4", "concat:trap.ts|trap.ts", "data:video.mp4", "cache:trap.ts", "pipe:0"],
)
def test_a_name_is_never_taken_for_an_address(decoder, listener, trap, make_video, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    name = name.format(host=f"127.0.0.1:{listener.getsockname()[1]}")
    make_video("a.mp4").rename(tmp_path / name)
    assert read(decoder, name)[0].reason is None
    assert nobody_called(listener)


# files that are videos, and name others ------------------------------------------------------------------------


def box(kind, payload):
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def url_reference(target):
    return box(b"url ", bytes(4) + os.fsencode(target) + b"\0")


def alias_reference(target):
    """A Macintosh alias record, as FFmpeg's mov demuxer reads it: volume, file name, levels, absolute path."""
    volume, path = b"V", b"V" + os.fsencode(target).replace(b"/", b":")
    path += b"\0" * (len(path) % 2)
    record = bytes(10) + b"\x01" + volume.ljust(27, b"\0") + bytes(12)
    record += bytes([len(target.name)]) + os.fsencode(target.name).ljust(63, b"\0") + bytes(16)
    record += struct.pack(">hh", 1, 1) + bytes(16)
    record += struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", 0xFFFF, 0)
    return box(b"alis", bytes(4) + record)


def with_reference(data, reference):
    """An mp4 file whose last track lies in another file: another `dref` box, the boxes around grown."""
    old = data.rindex(b"dref") - 4
    new = box(b"dref", bytes(4) + struct.pack(">I", 1) + reference)
    old_bytes = struct.unpack(">I", data[old : old + 4])[0]
    grown = len(new) - old_bytes
    changed = bytearray(data[:old] + new + data[old + old_bytes :])
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        at = data.rindex(kind, 0, old) - 4
        struct.pack_into(">I", changed, at, struct.unpack_from(">I", data, at)[0] + grown)
    return bytes(changed)


@pytest.mark.parametrize("kind", ["url", "url to the network", "alias"])
@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".avi"])
def test_a_movie_whose_pictures_lie_elsewhere_is_refused(
    decoder, listener, trap, make_video, tmp_path, kind, suffix
):
    references = {
        "url": url_reference(f"file://{trap}"),
        "url to the network": url_reference(f"http://127.0.0.1:{listener.getsockname()[1]}/a.mov"),
        "alias": alias_reference(trap),
    }
    path = tmp_path / f"a{suffix}"
    path.write_bytes(with_reference(make_video("real.mp4").read_bytes(), references[kind]))
    decoded, _ = read(decoder, path)
    # What a reference is not understood of is read as if it were not there.
    assert decoded.reason is not None or kind != "alias"
    assert nobody_called(listener)


def matroska(path, **attachments):
    if not hasattr(OutputContainer, "add_attachment"):
        pytest.skip("needs PyAV 15.1 or later, to write attachments")
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for name, data in attachments.items():
            container.add_attachment(name, "application/x-truetype-font", data)
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_matroska_file_that_is_linked_to_others_opens_none(decoder, trap, tmp_path):
    path = matroska(tmp_path / "a.mkv")
    data = path.read_bytes()
    begin, end = data.index(b"\x4d\x80"), data.index(b"\x73\xa4")  # muxing and writing application; next, the UID
    name = os.fsencode(trap.name)
    linked = b"\x3e\x83\xbb" + bytes([0x80 | len(name)]) + name  # the file that goes on after this one
    linked += b"\x3c\x83\xab" + bytes([0x80 | len(name)]) + name  # the one before it
    room = end - begin - len(linked) - 2
    assert room >= 0
    path.write_bytes(data[:begin] + linked + b"\xec" + bytes([0x80 | room]) + bytes(room) + data[end:])
    assert read(decoder, path)[0].reason is None


def test_an_attachment_is_never_written(decoder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = matroska(tmp_path / "a.mkv", **{"../evil.ttf": b"evil", "evil.ttf": b"evil", "/tmp/evil.ttf": b"evil"})
    assert read(decoder, path)[0].reason is None
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.mkv"]


# clips that are cut out ----------------------------------------------------------------------------------------


def cut(decoder, path, *, exact):
    """What cutting came to, and how many bytes of a clip came."""
    taken = []
    return decoder.cut(str(path), 0.0, 1.0, exact=exact, take=lambda at, data: taken.append(data)), taken


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("script", SCRIPTS)
def test_cutting_opens_nothing_that_a_script_names(decoder, listener, trap, tmp_path, script, exact):
    for number, target in enumerate([f"http://127.0.0.1:{listener.getsockname()[1]}/a.ts", str(trap)]):
        path = tmp_path / f"script{number}{SUFFIXES[number]}"
        path.write_text(SCRIPTS[script].format(target=target))
        ended, taken = cut(decoder, path, exact=exact)
        assert ended.reason
        assert taken == []
    assert nobody_called(listener)


def with_sound(path):
    """A small movie, its pictures in the first track and its sound in the last."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("aac", rate=16000, layout="mono")
        for number in range(20):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), number, np.uint8), "rgb24"))
            )
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 32000), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux([*stream.encode(None), *sound.encode(frame), *sound.encode(None)])
    return path


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("kind", ["url", "url to the network", "alias"])
def test_cutting_a_movie_whose_sound_lies_elsewhere_opens_nothing(decoder, listener, trap, tmp_path, kind, exact):
    references = {
        "url": url_reference(f"file://{trap}"),
        "url to the network": url_reference(f"http://127.0.0.1:{listener.getsockname()[1]}/a.mov"),
        "alias": alias_reference(trap),
    }
    path = with_sound(tmp_path / "a.mov")
    path.write_bytes(with_reference(path.read_bytes(), references[kind]))
    ended, taken = cut(decoder, path, exact=exact)
    assert isinstance(ended, CutClip) == bool(taken)
    assert nobody_called(listener)


@pytest.mark.parametrize("exact", [False, True])
def test_cutting_writes_no_file_of_its_own(decoder, tmp_path, monkeypatch, exact):
    monkeypatch.chdir(tmp_path)
    path = matroska(tmp_path / "a.mkv", **{"../evil.ttf": b"evil", "evil.ttf": b"evil"})
    ended, taken = cut(decoder, path, exact=exact)
    assert isinstance(ended, CutClip)
    assert b"evil" not in b"".join(data or b"" for data in taken)
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.mkv"]
