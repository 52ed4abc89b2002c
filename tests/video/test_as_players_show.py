"""Files as people have them, shown as players show them: made by FFmpeg, some by the shared scripts of cases."""

import itertools
import struct

import numpy as np
import pytest

from hgrkit.errors import DecodeError
from hgrkit.video.reader import VideoReader
from hgrkit.video.sampling import FpsSampling, UniformSampling

RED_THEN_BLUE = [
    "-f", "lavfi", "-i", "color=c=red:s=64x64:r=25:d=4", "-f", "lavfi", "-i", "color=c=blue:s=64x64:r=25:d=6",
    "-filter_complex", "[0][1]concat=n=2,format=yuv420p",
]  # fmt: skip


def is_blue(image):
    return image[..., 2].mean() > image[..., 0].mean() + 50


def check_change(path, at_s, *, length_s, begin_s=0.0):
    """Red before, blue after, however pictures are picked."""
    reader = VideoReader(path)
    assert reader.duration_s == pytest.approx(length_s, abs=0.1)
    for sampling in (FpsSampling(2), UniformSampling(20), UniformSampling(5), FpsSampling(25)):
        for sequential in (False, True):
            frames = list(reader.sample(sampling, sequential=sequential))
            for frame in frames:
                if abs(frame.time_s - at_s) > 0.09:  # two pictures
                    claim = f"{sampling}, sequential={sequential}, at {frame.time_s:.2f} s"
                    assert is_blue(frame.image) == (frame.time_s > at_s), claim
            assert frames[0].time_s >= begin_s - 0.05
            assert frames[-1].time_s > at_s
    assert reader.begin_s == pytest.approx(begin_s, abs=0.09)


def test_the_change_is_at_the_same_time_in_all_containers(run_case, tmp_path):
    run_case("red_then_blue.py", tmp_path)
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 12
    for path in paths:
        check_change(path, 4, length_s=10)


@pytest.mark.parametrize(
    ("name", "options"),
    {
        "a.3gp": "-c:v h263 -s 176x144",
        "a.mts": "-c:v libx264 -bf 3 -f mpegts -mpegts_m2ts_mode 1",
        "a.vob": "-c:v mpeg2video -bf 2 -f vob",
        "a.asf": "-c:v msmpeg4v3",
        "a.ogv": "-c:v libtheora -g 1",
        "a.mxf": "-c:v mpeg2video -bf 2 -s 720x576",
        "a.dv": "-s 720x576",
        "xvid.avi": "-c:v libxvid -bf 2",
        "pyramid.avi": "-c:v libx264 -bf 4 -b_strategy 2 -x264-params b-pyramid=normal",
        "hevc.avi": "-c:v libx265 -x265-params log-level=none -vtag HEVC",
        "interlaced.ts": "-c:v libx264 -flags +ilme+ildct -x264-params tff=1:bframes=3",
        "vfw.mkv": "-c:v mpeg4 -bf 2 -vtag XVID",
        "prores.mov": "-c:v prores_ks",
    }.items(),
)
def test_the_change_is_at_the_same_time_in_what_cameras_and_old_programs_write(ffmpeg, tmp_path, name, options):
    ffmpeg(*RED_THEN_BLUE, *options.split(), tmp_path / name)
    check_change(tmp_path / name, 4, length_s=10)


def parts(ffmpeg, folder, suffix, options, sizes=("64x64", "64x64")):
    """Two recordings of 5 s put end to end."""
    data = b""
    for colour, size in zip(("red", "blue"), sizes, strict=True):
        path = folder / f"{colour}{suffix}"
        ffmpeg("-f", "lavfi", "-i", f"color=c={colour}:s={size}:r=25:d=5", *options.split(), path)
        data += path.read_bytes()
        path.unlink()
    joined = folder / f"joined{suffix}"
    joined.write_bytes(data)
    return joined


def test_a_recording_whose_time_stamps_begin_anew_goes_on(run_case, tmp_path):
    run_case("joined_ts.py", tmp_path)
    check_change(tmp_path / "joined.ts", 5, length_s=10)


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".ts", "-c:v mpeg2video -bf 2"),
        (".vob", "-c:v mpeg2video -bf 2 -f vob"),
        (".mpg", "-c:v mpeg1video -f mpeg"),
        (".ts", "-c:v libx264 -output_ts_offset 50000"),
        (".dv", "-s 720x576"),
    ],
)
def test_recordings_end_to_end_of_other_kinds_go_on(ffmpeg, tmp_path, suffix, options):
    check_change(parts(ffmpeg, tmp_path, suffix, options), 5, length_s=10)


def test_a_second_part_of_another_size_goes_on(ffmpeg, tmp_path):
    check_change(parts(ffmpeg, tmp_path, ".ts", "-c:v libx264", ("64x64", "128x96")), 5, length_s=10)


def test_a_clock_that_is_set_ahead_leaves_no_gap(ffmpeg, tmp_path):
    first = parts(ffmpeg, tmp_path, ".ts", "-c:v libx264")
    data = b""
    for colour, offset in (("red", 10), ("blue", 3000)):
        ffmpeg("-f", "lavfi", "-i", f"color=c={colour}:s=64x64:r=25:d=5", "-output_ts_offset", offset, first)
        data += first.read_bytes()
    first.write_bytes(data)
    check_change(first, 5, length_s=10)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".flv", ".wmv", ".ogv", ".f.mp4"])
def test_half_a_film_is_never_taken_for_the_whole(ffmpeg, tmp_path, suffix):
    options = "-movflags frag_keyframe+empty_moov" if suffix == ".f.mp4" else ""
    with pytest.raises(DecodeError, match="several recordings end to end"):
        VideoReader(parts(ffmpeg, tmp_path, suffix, options))


def test_a_moment_of_joined_recordings_is_cut_with_its_own_sound(ffmpeg, tmp_path):
    from hgrkit.video.cutting.clip import ByteSink
    from hgrkit.video.cutting.cut import cut_clip

    data = b""
    for colour, pitch in (("red", 300), ("blue", 900)):
        path = tmp_path / f"{colour}.ts"
        sound = ["-f", "lavfi", "-i", f"sine={pitch}:d=5"]
        ffmpeg("-f", "lavfi", "-i", f"color=c={colour}:s=64x64:r=25:d=5", *sound, "-c:v", "libx264", path)
        data += path.read_bytes()
    (tmp_path / "joined.ts").write_bytes(data)
    clip = bytearray()

    def write(at, piece):
        clip.extend(bytes(max(0, at + len(piece) - len(clip))))
        clip[at : at + len(piece)] = piece

    cut_clip(VideoReader(tmp_path / "joined.ts"), 6.0, 8.0, ByteSink(write, clip.clear), exact=False)
    (tmp_path / "clip.mp4").write_bytes(clip)
    ffmpeg("-i", tmp_path / "clip.mp4", "-f", "f32le", "-ac", "1", "-ar", "8000", tmp_path / "clip.raw")
    samples = np.fromfile(tmp_path / "clip.raw", np.float32)[2000:14000]
    assert np.abs(np.fft.rfft(samples)).argmax() * 8000 / len(samples) == pytest.approx(900, abs=2)
    assert all(is_blue(frame.image) for frame in VideoReader(tmp_path / "clip.mp4").sample(FpsSampling(5)))


def test_second_0_is_the_files_own_where_sound_comes_first(run_case, tmp_path):
    run_case("late_pictures.py", tmp_path)
    check_change(tmp_path / "late.mp4", 7, length_s=10, begin_s=4)


@pytest.mark.parametrize("name", ["a.mkv", "a.webm", "a.ts", "a.mov", "a.flv", "a.wmv", "a.mpg"])
def test_second_0_is_the_files_own_in_other_containers(ffmpeg, tmp_path, name):
    sound = ["-f", "lavfi", "-i", "sine=300:d=10"]
    late = [
        "-filter_complex",
        "[0][1]concat=n=2,setpts=PTS+4/TB",
        "-map",
        "2:a",
        "-vsync",
        "passthrough",
        "-enc_time_base",
        "1:25",
    ]
    codecs = {"a.webm": "libvpx", "a.mpg": "mpeg2video", "a.wmv": "wmv2"}
    colours = itertools.chain(*(["-f", "lavfi", "-i", f"color=c={c}:s=64x64:r=25:d=3"] for c in ("red", "blue")))
    ffmpeg(*colours, *sound, *late, "-c:v", codecs.get(name, "libx264"), tmp_path / name)
    check_change(tmp_path / name, 7, length_s=10, begin_s=4)


def test_sound_that_comes_late_moves_nothing(ffmpeg, tmp_path):
    sound = ["-f", "lavfi", "-itsoffset", "3", "-i", "sine=300:d=7"]
    ffmpeg(*RED_THEN_BLUE[:8], *sound, *RED_THEN_BLUE[8:], "-map", "2:a", tmp_path / "a.mp4")
    check_change(tmp_path / "a.mp4", 4, length_s=10)


def test_a_subtitle_that_outlasts_the_film_is_no_truncation(run_case, tmp_path):
    run_case("subtitle_outlasts_film.py", tmp_path)
    for name in ("film.mkv", "film.mp4"):
        assert VideoReader(tmp_path / name).duration_s == pytest.approx(6, abs=0.1)


def test_the_film_behind_a_still_is_taken(run_case, tmp_path):
    run_case("still_track_first.py", tmp_path)
    reader = VideoReader(tmp_path / "still_first.mkv")
    assert reader.duration_s == pytest.approx(6, abs=0.1)
    assert len(list(reader.sample(FpsSampling(2)))) == 12


@pytest.mark.parametrize(
    ("lengths_s", "default", "film"),
    [((2, 6), None, 1), ((6, 2), None, 0), ((2, 6), 0, 0), ((2, 6), 1, 1), ((0.04, 6), 0, 1), ((6, 0.04), 1, 0)],
)
def test_of_several_tracks_a_player_takes_the_default_one_else_the_longest(
    ffmpeg, tmp_path, lengths_s, default, film
):
    colours = itertools.chain(
        *(
            ["-f", "lavfi", "-i", f"color=c={c}:s=64x64:r=25:d={s}"]
            for c, s in zip(("red", "blue"), lengths_s, strict=True)
        )
    )
    flags = itertools.chain(*([f"-disposition:v:{n}", "default" if n == default else "0"] for n in (0, 1)))
    extra = ["-default_mode", "passthrough"]
    ffmpeg(*colours, "-map", "0", "-map", "1", "-c:v", "libx264", *flags, *extra, tmp_path / "a.mkv")
    reader = VideoReader(tmp_path / "a.mkv")
    assert reader.duration_s == pytest.approx(lengths_s[film], abs=0.1)
    assert is_blue(next(reader.sample(UniformSampling(1))).image) == bool(film)


@pytest.mark.parametrize("options", [["-disposition:v", "attached_pic"], ["-disposition:v", "0"]])
def test_sound_with_a_cover_is_said_to_be_that(ffmpeg, tmp_path, options):
    cover = ["-f", "lavfi", "-i", "testsrc=s=64x64:r=25:d=0.04"]
    sound = ["-f", "lavfi", "-i", "sine=300:d=5"]
    ffmpeg(
        *sound,
        *cover,
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "mjpeg",
        "-pix_fmt",
        "yuvj420p",
        *options,
        tmp_path / "a.mp4",
    )
    with pytest.raises(DecodeError, match="sound with a cover picture, and no video"):
        VideoReader(tmp_path / "a.mp4")


@pytest.mark.parametrize("nulls", [0, 1, 30, 300])
def test_empty_chunks_at_the_end_of_an_avi_repeat_the_last_picture(run_case, tmp_path, nulls):
    run_case("avi_null_frames.py", tmp_path / "a.avi", nulls)
    assert VideoReader(tmp_path / "a.avi").duration_s == pytest.approx((20 + nulls) / 10)


def test_an_avi_that_is_cut_off_among_its_empty_chunks_is_failed(run_case, tmp_path):
    run_case("avi_null_frames.py", tmp_path / "a.avi", 300)
    data = (tmp_path / "a.avi").read_bytes()
    movi = data.index(b"movi")
    (tmp_path / "a.avi").write_bytes(data[: movi + 20 * 660])
    with pytest.raises(DecodeError, match="cut off"):
        VideoReader(tmp_path / "a.avi")


MATRICES = [m for m in itertools.product((-1, 0, 1), repeat=4) if abs(m[0] * m[3] - m[1] * m[2]) == 1 and 0 in m]
MATRICES = [m for m in MATRICES if abs(m[0]) == abs(m[3]) and abs(m[1]) == abs(m[2]) and abs(m[0]) != abs(m[1])]


@pytest.mark.parametrize("matrix", MATRICES)
def test_pictures_are_turned_and_mirrored_as_ffmpeg_does(ffmpeg, tmp_path, matrix):
    path, raw = tmp_path / "a.mp4", tmp_path / "a.raw"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1", "-pix_fmt", "yuv420p", "-c:v", "libx264", path)
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 44
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    ffmpeg("-i", path, "-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", raw)
    size = (48, 64) if matrix[0] else (64, 48)
    ours = next(VideoReader(path, size).pictures_at(np.array([0.0]))).image
    theirs = np.fromfile(raw, np.uint8).reshape(*size, 3)
    assert np.abs(ours.astype(int) - theirs).mean() < 2


def test_the_case_of_a_mirrored_recording_is_one_of_them(run_case, ffmpeg, tmp_path):
    ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=25:d=1",
        "-pix_fmt",
        "yuv420p",
        "-c:v",
        "libx264",
        tmp_path / "in.mp4",
    )
    run_case("flip_matrix.py", tmp_path / "in.mp4", tmp_path / "out.mp4", "hflip")
    plain, mirrored = (
        next(VideoReader(tmp_path / name, (48, 64)).sample(UniformSampling(1))).image
        for name in ("in.mp4", "out.mp4")
    )
    np.testing.assert_array_equal(mirrored, plain[:, ::-1])


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_an_hdr_copy_looks_like_the_sdr_one(run_case, shared, tmp_path, transfer):
    source, copy = min((shared / "data" / "msvd" / "videos").glob("*.mp4")), tmp_path / "out.mp4"
    run_case("hdr_copy.sh", source, copy, transfer)
    sdr, hdr = (next(VideoReader(path).sample(UniformSampling(1))).image.astype(int) for path in (source, copy))
    assert np.abs(sdr - hdr).mean() < 5  # 20 and more where the curve is not undone


def test_transparent_drawings_lie_on_a_light_ground(run_case, tmp_path):
    run_case("alpha_sticker.py", tmp_path)
    for path in sorted(tmp_path.iterdir()):
        image = next(VideoReader(path, (192, 192)).sample(UniformSampling(1))).image
        assert (image[:4] > 240).all(), path.name
        assert 0.05 < (image < 60).mean() < 0.3, path.name


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mkv", "-c:v ffv1 -pix_fmt {}420p"), ("a.mov", "-c:v prores_ks -profile:v 4444 -pix_fmt {}444p10le")],
)
def test_an_opaque_picture_looks_as_without_transparency(ffmpeg, tmp_path, name, options):
    images = []
    for kind in ("yuv", "yuva"):
        path = tmp_path / f"{kind}.{name}"
        ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=10:d=1,format=rgba", *options.format(kind).split(), path)
        images.append(next(VideoReader(path, (64, 64)).sample(UniformSampling(1))).image.astype(int))
    assert np.abs(images[0] - images[1]).mean() < 2


def coloured(ffmpeg, path, colour, seconds, options, *, source="color=c={}:s=64x64:r=25"):
    """The bytes of a recording of one colour."""
    ffmpeg("-f", "lavfi", "-i", f"{source.format(colour)}:d={seconds}", *options.split(), path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "options", ["-c:v mpeg1video -f mpeg", "-c:v mpeg2video -bf 2 -f svcd", "-c:v libx264 -f vob"]
)
@pytest.mark.parametrize("offsets", [(0, 0, 0), (0, 1000, 2000), (2000, 1000, 0)])
def test_parts_of_a_program_stream_have_their_whole_lengths(ffmpeg, tmp_path, options, offsets):
    path = tmp_path / "a.mpg"
    data = b"".join(
        coloured(ffmpeg, path, colour, 2, f"{options} -output_ts_offset {offset}")
        for colour, offset in zip(("red", "red", "blue"), offsets, strict=True)
    )
    path.write_bytes(data)
    check_change(path, 4, length_s=6)


@pytest.mark.parametrize("name", ["a.mpg", "a.ts"])
def test_a_loss_in_the_middle_of_a_broadcast_shortens_nothing(ffmpeg, tmp_path, name):
    path = tmp_path / name
    data = coloured(ffmpeg, path, "", 10, "-c:v mpeg2video -bf 2 -g 12", source="testsrc2=s=320x240:r=25")
    path.write_bytes(data[: len(data) // 3] + data[len(data) // 3 + len(data) // 10 // 188 * 188 :])
    assert VideoReader(path).duration_s == pytest.approx(10, abs=0.15)


def test_pictures_that_share_a_packet_of_a_program_stream_have_their_own_times(ffmpeg, tmp_path):
    ffmpeg(*RED_THEN_BLUE, "-c:v", "libx264", "-g", "12", "-f", "vob", tmp_path / "a.mpg")
    check_change(tmp_path / "a.mpg", 4, length_s=10)


@pytest.mark.parametrize(
    "second",
    ["-mpegts_start_pid 0x200", "-mpegts_start_pid 0x200 -mpegts_pmt_start_pid 0x300 -mpegts_service_id 7"],
)
@pytest.mark.parametrize(
    "source", ["color=c={}:s=64x64:r=25", "testsrc2=s=640x360:r=25"]
)  # found at once, or late
def test_a_part_of_another_channel_is_not_left_out(ffmpeg, tmp_path, source, second):
    path = tmp_path / "a.ts"
    data = coloured(ffmpeg, path, "red", 14, "-c:v libx264 -qp 1", source=source)
    VideoReader(path)
    path.write_bytes(data + coloured(ffmpeg, path, "blue", 3, f"-c:v libx264 {second}"))
    with pytest.raises(DecodeError, match="several recordings end to end"):
        VideoReader(path)


def test_two_angles_side_by_side_are_one_recording(ffmpeg, tmp_path):
    angles = itertools.chain(*(["-f", "lavfi", "-i", f"color=c={c}:s=64x64:r=25:d=5"] for c in ("red", "blue")))
    ffmpeg(*angles, "-map", "0", "-map", "1", "-c:v", "libx264", tmp_path / "a.ts")
    assert VideoReader(tmp_path / "a.ts").duration_s == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
def test_a_live_recording_that_others_follow_is_not_taken_for_the_whole(ffmpeg, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    data = coloured(ffmpeg, path, "red", 4, "-live 1")
    assert VideoReader(path).duration_s == pytest.approx(4, abs=0.1)
    path.write_bytes(data + coloured(ffmpeg, path, "blue", 3, "-live 1 -s 128x96"))
    with pytest.raises(DecodeError, match="several recordings end to end"):
        VideoReader(path)


def test_joined_mxf_files_are_said_to_be_that(ffmpeg, tmp_path):
    sound = " -f lavfi -i sine=300:d=3 -ar 48000"
    path = tmp_path / "a.mxf"
    data = b"".join(
        coloured(ffmpeg, path, colour, 3, f"{sound} -c:v mpeg2video -s 720x576") for colour in ("red", "blue")
    )
    path.write_bytes(data)
    with pytest.raises(DecodeError, match="recordings end to end"):
        VideoReader(path)


def test_a_second_mp4_that_is_cut_off_is_not_passed_over(ffmpeg, tmp_path):
    data = coloured(ffmpeg, tmp_path / "a.mp4", "red", 3, "-c:v libx264")
    (tmp_path / "a.mp4").write_bytes(data + data[: len(data) // 2])
    with pytest.raises(DecodeError, match="several recordings end to end"):
        VideoReader(tmp_path / "a.mp4")


@pytest.mark.parametrize("junk", [b"moov" * 40, bytes(5000), struct.pack(">I4s", 108, b"free") + bytes(100)])
def test_what_stands_behind_an_mp4_is_no_second_recording(ffmpeg, tmp_path, junk):
    data = coloured(ffmpeg, tmp_path / "a.mp4", "red", 3, "-c:v libx264")
    (tmp_path / "a.mp4").write_bytes(data + junk)
    assert VideoReader(tmp_path / "a.mp4").duration_s == pytest.approx(3, abs=0.1)


def test_an_avi_that_was_written_into_a_pipe_is_read(ffmpeg, tmp_path):
    coloured(ffmpeg, tmp_path / "a.avi", "red", 3, "-c:v mpeg4")
    data = bytearray((tmp_path / "a.avi").read_bytes())
    for mark, at in ((b"avih", 24), (b"strh", 40)):  # the numbers of pictures, as FFmpeg leaves them
        struct.pack_into("<I", data, data.index(mark) + at, 1 << 30)
    (tmp_path / "a.avi").write_bytes(data)
    assert VideoReader(tmp_path / "a.avi").duration_s == pytest.approx(3, abs=0.1)


def with_empty_chunks(data, counts):
    """An AVI with so many empty chunks before pictures of these numbers."""
    begin = data.index(b"movi") + 4
    end = begin - 4 + int.from_bytes(data[begin - 8 : begin - 4], "little")
    movie, at, number = b"", begin, 0
    while at < end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        movie += b"00dc\0\0\0\0" * counts.get(number, 0) + data[at : at + 8 + length + length % 2]
        number, at = number + 1, at + 8 + length + length % 2
    head = bytearray(data[: begin - 12])
    for mark, place in ((b"avih", 24), (b"strh", 40)):
        struct.pack_into("<I", head, head.index(mark) + place, number + sum(counts.values()))
    struct.pack_into("<I", head, 4, len(head) + 4 + len(movie))
    return bytes(head) + b"LIST" + struct.pack("<I", 4 + len(movie)) + b"movi" + movie


@pytest.mark.parametrize("codec", ["libx264 -bf 0", "mpeg4", "mjpeg"])
@pytest.mark.parametrize("counts", [{1: 5, 120: 5}, {10: 5}, {50: 3, 60: 4, 110: 9}, {100: 25}])
def test_empty_chunks_anywhere_in_an_avi_keep_pictures_at_their_places(ffmpeg, tmp_path, codec, counts):
    path = tmp_path / "a.avi"
    ffmpeg(*RED_THEN_BLUE, "-c:v", *codec.split(), path)
    path.write_bytes(with_empty_chunks(path.read_bytes(), counts))
    before = sum(count for number, count in counts.items() if number <= 100)
    check_change(path, 4 + before / 25, length_s=10 + sum(counts.values()) / 25)
