import pytest

from hgrkit.errors import DecodeError
from hgrkit.video.file_structure import holds_several_recordings, is_cut_off
from hgrkit.video.reader import VideoReader
from hgrkit.video.sampling import UniformSampling

GIF = {"codec": "gif", "b_frames": None, "pix_fmt": "rgb8"}
TS = {"container_format": "mpegts", "audio_s": 4.0}
PS = {"codec": "mpeg2video"}
KINDS = {"a.gif": ("gif", GIF), "a.ts": ("mpegts", TS), "a.mpg": ("mpeg", PS)}


def reason_of(path):
    with pytest.raises(DecodeError) as caught:
        list(VideoReader(path).sample(UniformSampling(3)))
    return str(caught.value)


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])
    return path


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_file_is_not_cut_off(make_video, name):
    kind, settings = KINDS[name]
    assert not is_cut_off(str(make_video(name, **settings)), kind)


@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_ends_within_a_packet_is_refused(make_video, name, share):
    _, settings = KINDS[name]
    path = make_video(name, num_frames=100, **settings)
    size = int(path.stat().st_size * share)
    cut(path, size - size % 188 + 100 if name == "a.ts" else size - size % 2048 + 100)
    assert "cut off" in reason_of(path)


def test_a_gif_without_its_trailer_is_refused(make_video):
    path = make_video("a.gif", **GIF)
    assert path.read_bytes()[-1:] == b"\x3b"
    assert "cut off" in reason_of(cut(path, -1))


def test_what_follows_a_gif_does_not_matter(make_video):
    path = make_video("a.gif", **GIF)
    path.write_bytes(path.read_bytes() + b"\x00\x21comment")
    assert not is_cut_off(str(path), "gif")


@pytest.mark.parametrize("lost", [1, 100, 187])
def test_a_transport_stream_that_lacks_part_of_a_packet_is_refused(make_video, lost):
    path = make_video("a.ts", **TS)
    assert "cut off" in reason_of(cut(path, -lost))


def test_a_transport_stream_may_end_after_any_packet(make_video):
    path = cut(make_video("a.ts", num_frames=100, **TS), 188 * 100)
    assert not is_cut_off(str(path), "mpegts")
    assert VideoReader(path).duration_s > 0


@pytest.mark.parametrize(("before", "after"), [(4, 0), (0, 16)], ids=["time stamps", "error correction"])
def test_transport_streams_of_other_spacings_are_understood(make_video, before, after):
    path = make_video("a.ts", **TS)
    data = path.read_bytes()
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    path.write_bytes(b"".join(bytes(before) + packet + bytes(after) for packet in packets))
    assert not is_cut_off(str(path), "mpegts")
    cut(path, -after - 10)
    assert is_cut_off(str(path), "mpegts")


def test_bytes_that_a_transport_stream_lost_in_its_middle_do_not_matter(make_video):
    path = make_video("a.ts", num_frames=100, **TS)
    data = path.read_bytes()
    path.write_bytes(data[:5000] + data[5077:])
    assert not is_cut_off(str(path), "mpegts")


@pytest.mark.parametrize("name", ["a.ts", "a.mpg"])
def test_padding_at_the_end_is_no_sign(make_video, name):
    kind, settings = KINDS[name]
    path = make_video(name, **settings)
    path.write_bytes(path.read_bytes() + bytes(300))
    assert not is_cut_off(str(path), kind)


def test_a_program_stream_may_end_after_any_packet(make_video):
    path = make_video("a.mpg", num_frames=100, **PS)
    data = path.read_bytes()
    cut(path, data.rindex(b"\x00\x00\x01\xba"))
    assert not is_cut_off(str(path), "mpeg")


def test_a_program_stream_may_end_with_its_end_code(make_video):
    path = make_video("a.mpg", **PS)
    path.write_bytes(path.read_bytes() + b"\x00\x00\x01\xb9")
    assert not is_cut_off(str(path), "mpeg")


def test_program_streams_of_the_first_mpeg_are_understood(make_video):
    path = make_video("a.mpg", codec="mpeg1video", container_format="mpeg")
    assert not is_cut_off(str(path), "mpeg")
    assert "cut off" in reason_of(cut(path, -7))


def test_other_containers_are_judged_by_their_time_stamps(make_video):
    assert not is_cut_off(str(cut(make_video("a.mp4"), -10)), "mov,mp4,m4a,3gp,3g2,mj2")


def test_an_asf_that_states_an_impossible_size_is_only_cut_off(make_video):
    path = make_video("a.wmv", codec="wmv2", b_frames=0)
    data = bytearray(path.read_bytes())
    at = data.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")) + 40
    data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    assert not holds_several_recordings(str(path), "asf")
    assert "cut off" in reason_of(path)
