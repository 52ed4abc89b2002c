import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from hgrkit.errors import ConfigError, DecodeWorkerError
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.reader import VideoReader
from hgrkit.video.sampling import FpsSampling, UniformSampling
from hgrkit.video.worker import process as worker_process
from hgrkit.video.worker.answers import Decoded
from hgrkit.video.worker.decoder import DecodeProcess

SIZE = (24, 32)
TWO_A_SECOND = FpsSampling(2)
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# What a worker does with files of some names, before it would read them.
MISCHIEF = """
import os, signal, sys, time
import hgrkit.video.worker.program as worker
sound = worker.VideoReader
def reader(path, *arguments, **settings):
    name = os.path.basename(path)
    if name.startswith("signal"):
        os.kill(os.getpid(), int(name[6:].split(".")[0]))
    if name.startswith("exit"):
        os._exit(3)
    if name.startswith("raise"):
        raise RuntimeError("no such thing\\x1b[31m")
    if name.startswith("quit"):
        raise SystemExit("no such thing\\x1b[31m")
    if name.startswith("sleep"):
        time.sleep(1000)
    if name.startswith("busy"):
        worker._PROGRESS_S = 0.0
        while True:
            settings["guard"].on_progress()
    if name.startswith("greedy"):
        bytearray(3 << 30)
    if name.startswith("garbage"):
        stream = settings["guard"].on_progress.__self__._stream
        stream.write(path.stream().read())
        stream.flush()
        time.sleep(1000)
    if name.startswith("noisy"):
        os.write(1, b"{noise}\\n")
        sys.stderr.write("noise\\n" * 100_000)
    return sound(path, *arguments, **settings)
worker.VideoReader = reader
"""


def program_with(code):
    before, call = worker_process._PROGRAM.rsplit("; ", 1)
    return f"{before}\n{code}\n{call}"


@pytest.fixture
def mischief(monkeypatch):
    monkeypatch.setattr(worker_process, "_PROGRAM", program_with(MISCHIEF))


@pytest.fixture
def decoder():
    process = DecodeProcess(DecodeLimits())
    yield process
    process.release()


def read(decoder, path, sampling=TWO_A_SECOND):
    taken = []
    decoded = decoder.read(str(path), SIZE, sampling, lambda times_s, images: taken.append((times_s, images)))
    return decoded, taken


def pid_of(decoder):
    return decoder._worker._process.pid


def is_gone(pid):
    """Whether a process is, at the latest in ten seconds, no more; one that nobody waited for is."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_a_worker_gives_the_pictures_that_a_reader_gives(decoder, make_video):
    path = make_video("a.mp4", seconds=12)
    decoded, taken = read(decoder, path, FpsSampling(3))
    reader = VideoReader(path, SIZE)
    frames = list(reader.sample(FpsSampling(3)))
    assert len(taken) > 1
    np.testing.assert_array_equal(
        np.concatenate([times for times, _ in taken]), [frame.time_s for frame in frames]
    )
    np.testing.assert_array_equal(
        np.concatenate([images for _, images in taken]), np.stack([frame.image for frame in frames])
    )
    assert (decoded.duration_s, decoded.decoded_frames) == (reader.duration_s, reader.decoded_frames)
    assert (decoded.reason, decoded.lasting) == (None, False)


def test_without_a_sampling_only_the_length_is_read(decoder, make_video):
    decoded, taken = read(decoder, make_video("a.mp4", seconds=3), None)
    assert (decoded.duration_s, decoded.decoded_frames, taken) == (pytest.approx(3.0), 0, [])


def test_a_sampling_of_ones_own_is_asked_in_its_own_process(decoder, make_video):
    class Ends:
        def times(self, duration_s):
            return np.array([0.0, duration_s - 0.05])

    _, taken = read(decoder, make_video("a.mp4", seconds=3), Ends())
    assert taken[0][0].tolist() == pytest.approx([0.0, 2.9])


@pytest.mark.parametrize("name", ["é ü.mp4", "http:x.mp4", "data:a.mp4", "-i.mp4", "a\nb.mp4"])
def test_a_name_may_hold_anything(decoder, make_video, name):
    assert read(decoder, make_video(name))[0].reason is None


@LINUX
def test_a_name_may_be_no_text(decoder, make_video, tmp_path):
    path = make_video("a.mp4")
    other = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mp4")
    path.rename(other)
    assert read(decoder, other)[0].reason is None


def test_a_relative_path_means_the_owners_folder(decoder, make_video, tmp_path, monkeypatch):
    read(decoder, make_video("a.mp4"))  # the worker starts in another folder
    (tmp_path / "folder").mkdir()
    make_video("folder/b.mp4")
    monkeypatch.chdir(tmp_path / "folder")
    assert read(decoder, "b.mp4")[0].reason is None


def test_one_worker_reads_many_videos(decoder, make_video, tmp_path):
    path = make_video("a.mp4")
    (tmp_path / "bad.mp4").write_text("text")
    read(decoder, path)
    pid = pid_of(decoder)
    assert "not a video file" in read(decoder, tmp_path / "bad.mp4")[0].reason
    assert read(decoder, path)[0].reason is None
    assert pid_of(decoder) == pid


def test_a_file_that_is_gone_is_no_lasting_failure(decoder, tmp_path):
    decoded, _ = read(decoder, tmp_path / "absent.mp4")
    assert "absent.mp4" in decoded.reason
    assert not decoded.lasting


# crashes -------------------------------------------------------------------------------------------------------


@POSIX
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_fails_its_video_alone(mischief, decoder, make_video, number):
    path = make_video("a.mp4")
    read(decoder, path)
    first = pid_of(decoder)
    decoded, _ = read(decoder, make_video(f"signal{int(number)}.mp4"))
    assert decoded.reason == f"the decoder crashed on this file (signal {int(number)})"
    assert decoded.lasting
    assert read(decoder, path)[0].reason is None
    assert pid_of(decoder) != first


@POSIX
def test_a_worker_that_was_killed_from_outside_says_nothing_about_its_file(mischief, decoder, make_video):
    decoded, _ = read(decoder, make_video("signal9.mp4"))
    assert decoded.reason == "the decoder was killed on this file (signal 9)"
    assert not decoded.lasting


@LINUX
def test_a_worker_that_died_between_videos_is_replaced(decoder, make_video):
    path = make_video("a.mp4")
    read(decoder, path)
    os.kill(pid_of(decoder), signal.SIGKILL)
    assert is_gone(pid_of(decoder))
    assert read(decoder, path)[0].reason is None


def test_what_a_crashed_worker_said_last_is_in_the_reason_and_nowhere_else(mischief, decoder, make_video, capfd):
    assert read(decoder, make_video("exit.mp4"))[0].reason == "the decoder crashed on this file (exit status 3)"
    assert "(SystemExit: no such thing [31m)" in read(decoder, make_video("quit.mp4"))[0].reason
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("name", "kind"), [("raise.mp4", "RuntimeError"), ("quit.mp4", "SystemExit")])
def test_a_failure_of_the_worker_itself_is_called_that_and_says_nothing_about_the_file(
    mischief, decoder, make_video, name, kind
):
    decoded, _ = read(decoder, make_video(name))
    assert decoded.reason == (
        f"hgrkit failed on this file ({kind}: no such thing [31m); this is a fault of hgrkit or of a library "
        f"(PyAV {av.__version__}), not of the file; please report it"
    )
    assert not decoded.lasting
    assert read(decoder, make_video("a.mp4"))[0].reason is None


def test_what_libraries_print_disturbs_nothing(mischief, decoder, make_video, capfd):
    assert read(decoder, make_video("noisy.mp4"))[0].reason is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\n",
        b"[1]\n",
        b'{"kind": 1}\n',
        b'{"kind": "opened", "duration_s": NaN}\n',
        b'{"kind": "frames", "count": 99}\n',
        b'{"kind": "frames", "count": -1}\n',
        b'{"kind": "done", "decoded_frames": 3}\n',
        b'{"kind": "done"}\n',
        b'{"kind": "sing", "decoded_frames": 3}\n',
        b"[" * 100_000 + b"\n",
        b'{"kind": "opened", "begin_s": 0, "duration_s": 1' + b"0" * 400 + b"}\n",
        b'{"kind": "opened", "begin_s": 0, "duration_s": 1' + b"0" * 5000 + b"}\n",
        b'{"kind": "frames", "count": 1' + b"0" * 400 + b"}\n",
        b"\xff" * (2 << 20),
    ],
)
def test_a_worker_that_talks_nonsense_fails_its_video(mischief, decoder, make_video, tmp_path, answer):
    (tmp_path / "garbage.mp4").write_bytes(answer)
    decoded, _ = read(decoder, tmp_path / "garbage.mp4")
    assert decoded.reason == "the decoder failed on this file: its answer is not valid"
    assert read(decoder, make_video("a.mp4"))[0].reason is None


@pytest.mark.parametrize(
    "answer",
    [
        b'{"kind": "done", "start_s": 0, "end_s": 1, "container": "exe", "encoded": ""}\n',
        b'{"kind": "done", "start_s": 0, "end_s": 1, "container": ["mp4"], "encoded": ""}\n',
        b'{"kind": "done", "start_s": 0, "container": "mp4", "encoded": ""}\n',
        b'{"kind": "frames", "count": 1}\n',
        b'{"kind": "bytes", "at": -1, "count": 1}\nx',
        b'{"kind": "bytes", "at": 0, "count": 2000000}\n',
        b'{"kind": "bytes", "at": 1099511627776, "count": 1}\nx',
    ],
)
def test_a_worker_that_talks_nonsense_makes_no_clip(mischief, decoder, tmp_path, answer):
    (tmp_path / "garbage.mp4").write_bytes(answer)
    taken = []
    ended = decoder.cut(
        str(tmp_path / "garbage.mp4"), 0.0, 1.0, exact=False, take=lambda at, data: taken.append((at, data))
    )
    assert ended == Decoded(reason="the decoder failed on this file: its answer is not valid", lasting=True)
    assert taken == []


def test_a_worker_that_cannot_start_is_an_error_that_says_why(monkeypatch, decoder, make_video):
    monkeypatch.setattr(worker_process, "_PROGRAM", "raise SystemExit('no room')")
    with pytest.raises(DecodeWorkerError, match="no room"):
        read(decoder, make_video("a.mp4"))


@pytest.mark.parametrize(
    "misfit",
    [
        "sys.modules['av'] = None",
        "import av; av.open = lambda file: None",
        "import hgrkit.video.reader as reader; del reader.VideoReader.sample",
    ],
    ids=["import", "argument", "attribute"],
)
def test_where_no_video_can_be_read_at_all_the_worker_does_not_start(monkeypatch, decoder, make_video, misfit):
    program = worker_process._PROGRAM.replace("from hgrkit", f"{misfit}; from hgrkit", 1)
    monkeypatch.setattr(worker_process, "_PROGRAM", program)
    with pytest.raises(DecodeWorkerError, match=rf"Error: .* No video can be read with PyAV {av.__version__}"):
        read(decoder, make_video("a.mp4"))


def test_an_interpreter_that_is_not_there_is_an_error_that_names_it(monkeypatch, decoder, make_video, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "absent"))
    with pytest.raises(DecodeWorkerError, match="absent"):
        read(decoder, make_video("a.mp4"))


# limits --------------------------------------------------------------------------------------------------------


@pytest.fixture
def hurry(decoder, make_video):
    """Lets minutes pass in a moment, once the worker is there."""
    read(decoder, make_video("first.mp4"))
    done = threading.Event()

    def tick():
        while not done.wait(0.01):
            decoder.check(10.0)

    thread = threading.Thread(target=tick)
    thread.start()
    yield
    done.set()
    thread.join()


def test_a_decoder_that_makes_no_progress_is_stopped(mischief, hurry, decoder, make_video):
    pid = pid_of(decoder)
    decoded, _ = read(decoder, make_video("sleep.mp4"))
    assert decoded.reason == "decoding made no progress for 60 seconds; allow more with --decode-seconds"
    assert decoded.lasting
    assert is_gone(pid)


def test_a_decoder_that_gets_on_for_ever_is_ended(mischief, hurry, decoder, make_video):
    decoded, _ = read(decoder, make_video("busy.mp4"))
    assert decoded.reason == "decoding took longer than 600 seconds; allow more with --decode-seconds"


def test_time_in_which_nobody_waits_for_the_worker_does_not_count(hurry, decoder, make_video):
    path = make_video("a.mp4")
    decoder.read(str(path), SIZE, FpsSampling(2), lambda *_: time.sleep(0.2))
    assert read(decoder, path)[0].reason is None


@LINUX
def test_a_decoder_that_asks_for_too_much_memory_is_refused_it(mischief, decoder, make_video):
    decoded, _ = read(decoder, make_video("greedy.mp4"))
    assert decoded.reason == "decoding needs more than 2 GB of memory; allow more with --decode-memory-gb"
    assert decoded.lasting
    assert read(decoder, make_video("a.mp4"))[0].reason is None


@LINUX
def test_pictures_that_need_too_much_memory_are_refused(tmp_path):
    size = (8000).to_bytes(2, "little")
    image = b"\x2c\x00\x00\x00\x00" + size + size + b"\x00\x02\x02\x4c\x01\x00"
    path = tmp_path / "a.gif"
    path.write_bytes(b"GIF89a" + size + size + b"\x80\x00\x00" + bytes(6) + 3 * image + b"\x3b")
    process = DecodeProcess(DecodeLimits(memory_bytes=256 << 20))
    try:
        assert "needs more than 0.25 GB of memory" in read(process, path)[0].reason
    finally:
        process.release()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (DecodeLimits(pixels=1000), "pictures of 64 x 64 are beyond 1,000 pixels"),
        (DecodeLimits(pictures=19), "the file holds more than 19 pictures"),
        (DecodeLimits(frames=3), "the sampling picks 4 pictures, more than 3"),
    ],
)
def test_a_limit_is_named_with_what_raises_it(make_video, limits, reason):
    process = DecodeProcess(limits)
    try:
        decoded, taken = read(process, make_video("a.mp4"))
        assert decoded.reason.startswith(reason)
        assert "DecodeLimits(" in decoded.reason
        assert decoded.lasting
        assert not taken
    finally:
        process.release()


def test_a_file_that_claims_to_last_for_days_makes_no_list_of_times(decoder, tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for number in (0, 10 * 90 * 3600):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    decoded, _ = read(decoder, path, FpsSampling(1000))
    assert "the sampling picks 324,000,100 pictures, more than 200,000" in decoded.reason
    assert read(decoder, path, UniformSampling(20))[0].duration_s == pytest.approx(90 * 3600, abs=1)


@pytest.mark.parametrize("settings", [{"seconds": 0}, {"memory_bytes": 1000}, {"frames": 0}, {"pixels": -1}])
def test_a_limit_that_nothing_keeps_is_refused(settings):
    with pytest.raises(ConfigError, match=r"at least|above 0"):
        DecodeLimits(**settings)


# ends ----------------------------------------------------------------------------------------------------------


@LINUX
def test_closing_ends_the_worker_in_the_middle_of_a_video(mischief, decoder, make_video):
    read(decoder, make_video("a.mp4"))
    pid, path, raised = pid_of(decoder), make_video("sleep.mp4"), []

    def wait():
        try:
            read(decoder, path)
        except DecodeWorkerError as error:
            raised.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.1)
    decoder.close()
    thread.join(timeout=20)
    assert len(raised) == 1
    assert is_gone(pid)


@LINUX
def test_an_error_of_the_one_who_takes_the_pictures_ends_the_worker(decoder, make_video):
    def refuse(times_s, images):
        raise KeyboardInterrupt

    path = make_video("a.mp4")
    read(decoder, path)
    pid = pid_of(decoder)
    with pytest.raises(KeyboardInterrupt):
        decoder.read(str(path), SIZE, FpsSampling(2), refuse)
    assert is_gone(pid)
    assert read(decoder, path)[0].reason is None


@POSIX
def test_an_interrupt_at_the_keyboard_does_not_reach_a_worker(decoder, make_video):
    read(decoder, make_video("a.mp4"))
    assert os.getsid(pid_of(decoder)) != os.getsid(0)


@LINUX
@pytest.mark.parametrize("belt", ["", "worker.die_with_parent = lambda parent: None\n"], ids=["signal", "pipe"])
def test_a_worker_does_not_outlive_its_parent(make_video, belt):
    program = """
        from hgrkit.video.worker import process as worker_process
        from hgrkit.video.worker.decoder import DecodeProcess
        from hgrkit.video.limits import DecodeLimits

        worker_process._PROGRAM = {program!r}
        decoder = DecodeProcess(DecodeLimits())
        decoder.read({good!r}, (8, 8), None, None)
        print(decoder._worker._process.pid, flush=True)
        decoder.read({bad!r}, (8, 8), None, None)
    """
    program = textwrap.dedent(program).format(
        program=program_with(MISCHIEF + belt), good=str(make_video("a.mp4")), bad=str(make_video("sleep.mp4"))
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}/cmdline").read_bytes() != b""
        time.sleep(0.2)
        parent.kill()
    assert is_gone(pid)


@LINUX
def test_a_worker_can_write_no_file_and_leaves_no_core(mischief, decoder, make_video):
    read(decoder, make_video("a.mp4"))
    limits = Path(f"/proc/{pid_of(decoder)}/limits").read_text()
    for name in ("Max file size", "Max core file size"):
        line = next(line for line in limits.splitlines() if line.startswith(name))
        assert line.split()[-3:-1] == ["0", "0"], line


def test_a_worker_loads_neither_torch_nor_the_callers_program(decoder, make_video, monkeypatch):
    code = "import sys; import hgrkit.video.worker.program; raise SystemExit(' '.join(sorted(sys.modules)))"
    monkeypatch.setattr(worker_process, "_PROGRAM", worker_process._PROGRAM.rsplit("; ", 2)[0] + "; " + code)
    with pytest.raises(DecodeWorkerError) as caught:
        read(decoder, make_video("a.mp4"))
    assert "torch" not in str(caught.value)
    assert "pytest" not in str(caught.value)
