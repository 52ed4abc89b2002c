"""What the process that reads strangers' videos can do to anything but the video: nothing."""

import io
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hgrkit.storage.regular_file import open_regular
from hgrkit.video.limits import DecodeLimits
from hgrkit.video.sampling import FpsSampling
from hgrkit.video.worker import decoder as decoder_module
from hgrkit.video.worker import process as worker_process
from hgrkit.video.worker import sandbox
from hgrkit.video.worker.decoder import DecodeProcess
from hgrkit.video.worker.protocol import ProtocolError, read_frames

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines processes so")

OFFERED = sandbox.offered() if sys.platform == "linux" else {"landlock": 0, "seccomp": False}
WALLED = pytest.mark.skipif(
    OFFERED["landlock"] < 1 or not OFFERED["seccomp"], reason=f"this system offers {OFFERED}"
)

# Acts by name, each a call that raises OSError if it is refused. `F` is a folder of ours, `P` the parent's id.
ACTS = """
import ctypes, fcntl, mmap, os, resource, signal, socket
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
LIBC.mmap.restype = ctypes.c_void_p
def call(number, *arguments):
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    if LIBC.syscall(ctypes.c_long(number), *wide) < 0:
        raise OSError(ctypes.get_errno(), "")
def forked():
    if os.fork() == 0:
        os._exit(0)
def ran():
    os.execv("/bin/true", ["true"])
def owned():
    fcntl.fcntl(0, fcntl.F_SETOWN, P)
MACHINE = os.uname().machine
N = {"x86_64": dict(ptrace=101, readv=310, bpf=321, keyctl=250, userfaultfd=323, perf=298, memfd=319, mount=165,
                    uring=425, pidfd=434, unshare=272, clone3=435, module=175, shmget=29, pidkill=424),
     "aarch64": dict(ptrace=117, readv=270, bpf=280, keyctl=219, userfaultfd=282, perf=241, memfd=279, mount=40,
                     uring=425, pidfd=434, unshare=97, clone3=435, module=105, shmget=194, pidkill=424)}[MACHINE]
def act_shared_memory():
    if LIBC.mmap(None, ctypes.c_size_t(4096), 3, 0x21, -1, ctypes.c_long(0)) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "")
OPEN = {
    "read another file": lambda: open(F + "/secret").read(),
    "read a system file": lambda: open("/etc/passwd").read(),
    "list a folder": lambda: os.listdir(F),
    "status of a file": lambda: os.stat(F + "/secret"),
    "write a file": lambda: open(F + "/secret", "a"),
    "create a file": lambda: open(F + "/new", "w"),
    "delete a file": lambda: os.unlink(F + "/delete"),
    "rename a file": lambda: os.rename(F + "/rename", F + "/renamed"),
    "symbolic link": lambda: os.symlink("/etc/passwd", F + "/link"),
    "hard link": lambda: os.link(F + "/secret", F + "/hard"),
    "make a folder": lambda: os.mkdir(F + "/folder"),
    "make a pipe": lambda: os.mkfifo(F + "/pipe"),
    "change rights": lambda: os.chmod(F + "/secret", 0o777),
    "change times": lambda: os.utime(F + "/secret"),
    "cut a file off": lambda: os.truncate(F + "/secret", 0),
    "another folder": lambda: os.chdir("/"),
    "start a process": forked,
    "internet": lambda: socket.socket(socket.AF_INET),
    "datagrams": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "local socket": lambda: socket.socket(socket.AF_UNIX),
    "memory without limit": act_shared_memory,
    "memory file": lambda: call(N["memfd"], b"m", 0),
    "signal to the parent": lambda: os.kill(P, 0),
    "handle of the parent": lambda: call(N["pidfd"], P, 0),
    "signals by a descriptor": owned,
    "limits of the parent": lambda: resource.prlimit(P, resource.RLIMIT_NOFILE),
    "read the parent's memory": lambda: open(f"/proc/{P}/mem", "rb"),
    "read the parent's environment": lambda: open(f"/proc/{P}/environ", "rb"),
    "own memory as a file": lambda: open("/proc/self/mem", "rb"),
}
ONLY_WALLED = {
    "run a program": ran,
    "more processes": lambda: call(N["clone3"], b"", 0),
    "trace the parent": lambda: call(N["ptrace"], 16, P, 0, 0),
    "copy from the parent": lambda: call(N["readv"], P, 0, 0, 0, 0, 0),
    "mount": lambda: call(N["mount"], b"none", F.encode(), b"tmpfs", 0, 0),
    "another user": lambda: os.setuid(65534),
    "raise its memory": lambda: resource.setrlimit(resource.RLIMIT_DATA, (-1, -1)),
    "bpf": lambda: call(N["bpf"], 0, 0, 0),
    "keys": lambda: call(N["keyctl"], 0, -3, 0),
    "userfaultfd": lambda: call(N["userfaultfd"], 0),
    "performance counters": lambda: call(N["perf"], 0, 0, 0, 0, 0),
    "io_uring": lambda: call(N["uring"], 1, 0),
    "namespaces": lambda: call(N["unshare"], 0x10000000),
    "kernel module": lambda: call(N["module"], 0, 0, b""),
}
def outcomes(acts):
    found = {}
    for name, act in acts.items():
        try:
            act()
        except OSError as error:
            found[name] = error.errno
        except ValueError:  # Python's word for a limit that may not be raised
            found[name] = 1
        except AttributeError:
            continue
        else:
            found[name] = 0
    return found
"""

FORBIDDEN = """
import json, os
import hgrkit.video.worker.program as worker
from hgrkit.errors import DecodeError
exec({acts!r}, namespace := {{"F": {folder!r}, "P": os.getppid()}})
def reader(path, *arguments, **settings):
    acts = {{**namespace["OPEN"], **namespace["ONLY_WALLED"]}}
    if os.path.basename(os.fspath(path)).startswith("acts"):
        part = int(os.path.basename(os.fspath(path))[4:].split(".")[0])
        names = list(acts)[part::3]
        raise DecodeError(json.dumps(namespace["outcomes"]({{name: acts[name] for name in names}})))
    return sound(path, *arguments, **settings)
sound, worker.VideoReader = worker.VideoReader, reader
"""


@pytest.fixture
def folder(tmp_path):
    """Files that somebody might read or destroy."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in ("secret", "delete", "rename"):
        (folder / name).write_text("secret")
    return folder


@pytest.fixture
def decoder():
    process = DecodeProcess(DecodeLimits())
    timer = threading.Timer(60, process.close)
    timer.start()
    yield process
    timer.cancel()
    process.release()


def read(decoder, path, **settings):
    return decoder.read(str(path), (8, 8), FpsSampling(2), lambda *_: None, **settings)


def worker_with(monkeypatch, code):
    before, call = worker_process._PROGRAM.rsplit("; ", 1)
    monkeypatch.setattr(worker_process, "_PROGRAM", f"{before}\n{code}\n{call}")


def outcomes(decoder, tmp_path):
    found = {}
    for part in range(3):
        path = tmp_path / f"acts{part}.mp4"
        path.touch()
        found |= json.loads(read(decoder, path).reason)
    return found


@WALLED
def test_every_forbidden_act_is_refused_and_changes_nothing(monkeypatch, decoder, folder, tmp_path, make_video):
    worker_with(monkeypatch, FORBIDDEN.format(acts=ACTS, folder=str(folder)))
    found = outcomes(decoder, tmp_path)
    assert len(found) >= 40
    done = [name for name, number in found.items() if number == 0]
    assert done == []
    assert sorted(path.name for path in folder.iterdir()) == ["delete", "rename", "secret"]
    assert {path.read_text() for path in folder.iterdir()} == {"secret"}
    assert read(decoder, make_video("a.mp4")).reason is None  # the worker lives and reads


def test_without_walls_these_acts_are_done(folder):
    """What the test above refuses can be done: none of it fails for another reason."""
    code = f"F, P = {str(folder)!r}, __import__('os').getppid()\n{ACTS}\nimport json\n"
    code += "print(json.dumps(outcomes(OPEN)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    refused = {name for name, number in found.items() if number}
    assert refused <= {"limits of the parent", "read the parent's memory", "own memory as a file"}, found
    assert len(found) - len(refused) >= 24


@WALLED
@pytest.mark.parametrize("walls", [("landlock",), ("seccomp",)])
def test_either_wall_alone_keeps_files_closed(monkeypatch, folder, tmp_path, walls):
    """A container may offer one of the two only."""
    without = "_filter_calls" if walls == ("landlock",) else "_restrict_files"
    code = FORBIDDEN.format(acts=ACTS, folder=str(folder))
    worker_with(monkeypatch, f"import hgrkit.video.worker.sandbox as s; s.{without} = lambda: False\n{code}")
    process = DecodeProcess(DecodeLimits())
    found = outcomes(process, tmp_path)
    process.release()
    names = {"read another file", "read a system file", "write a file", "create a file", "delete a file"}
    names |= {"make a folder", "hard link", "symbolic link", "read the parent's memory"}
    assert [name for name in names if found[name] == 0] == []
    assert (folder / "secret").read_text() == "secret"


@WALLED
def test_the_fields_of_a_filter_jump_to_where_they_should():
    for machine in ("x86_64", "aarch64"):
        code = sandbox.filter_program(machine, os.getpid())
        instructions = [code[at : at + 8] for at in range(0, len(code), 8)]
        for place, instruction in enumerate(instructions):
            kind, holds, fails = int.from_bytes(instruction[:2], "little"), instruction[2], instruction[3]
            assert kind in (0x20, 0x15, 0x54, 0x06)
            assert kind == 0x06 or place + 1 + max(holds, fails) < len(instructions)
        assert len(instructions) < 4096


def kinds_of_open(process):
    """What a process has open, but for the picture that it checks itself with."""
    places = set()
    for link in (process / "fd").iterdir():
        with suppress(OSError):
            places.add(str(link.readlink()))
    return {place.split(":")[0] for place in places if not place.endswith("check.gif")}


def test_a_worker_has_no_secrets_and_no_open_files(monkeypatch, decoder, make_video):
    monkeypatch.setenv("HGRKIT_TOKEN", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    inherited = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        read(decoder, make_video("a.mp4"))
        process = Path(f"/proc/{decoder._worker._process.pid}")
        assert b"secret" not in (process / "environ").read_bytes()
        deadline = time.monotonic() + 20
        while (kinds := kinds_of_open(process)) != {"pipe", "socket"} and time.monotonic() < deadline:
            time.sleep(0.01)  # the video is closed after the answer
    finally:
        os.close(inherited)
    assert kinds == {"pipe", "socket"}


@WALLED
def test_a_system_without_walls_is_named_once_and_still_decodes(monkeypatch, make_video, caplog):
    monkeypatch.setattr(decoder_module, "_warn_once", decoder_module._warn_once.__wrapped__)
    worker_with(monkeypatch, "import hgrkit.video.worker.program as w; w.confine_calls = lambda **_: ()")
    process = DecodeProcess(DecodeLimits())
    assert read(process, make_video("a.mp4")).reason is None
    process.release()
    assert "of landlock and seccomp this system offers neither" in caplog.text


@WALLED
def test_a_filter_under_which_libraries_do_not_start_is_left_out(monkeypatch, make_video, caplog):
    monkeypatch.setattr(decoder_module, "_warn_once", decoder_module._warn_once.__wrapped__)
    monkeypatch.setattr(DecodeProcess, "_filters_calls", True)
    code = "import hgrkit.video.worker.sandbox as s; s._PLAIN = {'exit_group': (231, 94), 'write': (1, 64)}"
    worker_with(monkeypatch, code)
    process = DecodeProcess(DecodeLimits())
    assert read(process, make_video("a.mp4")).reason is None
    process.release()
    assert "do not start under the filter of system calls" in caplog.text


@WALLED
def test_memory_that_no_limit_counts_ends_the_worker(monkeypatch, make_video):
    """Without the filter a decoder can share memory, which the system's limit on data leaves out."""
    code = """
        import hgrkit.video.worker.program as worker, mmap, time
        worker.confine_calls = lambda **_: ()
        sound = worker.VideoReader
        def reader(path, *arguments, **settings):
            if "greedy" in path.path:
                held = mmap.mmap(-1, 600 << 20)
                for at in range(0, 600 << 20, 4096):
                    held[at] = 1
                time.sleep(60)
            return sound(path, *arguments, **settings)
        worker.VideoReader = reader
        """
    worker_with(monkeypatch, textwrap.dedent(code))
    good, greedy = make_video("a.mp4"), make_video("greedy.mp4")
    with DecodeProcess(DecodeLimits(memory_bytes=400 << 20)) as process:
        start = time.monotonic()
        assert "decoding needs more than 0.391 GB of memory" in read(process, greedy).reason
        assert time.monotonic() - start < 30
        assert read(process, good).reason is None


def test_nobody_but_the_worker_reads_media():
    """The pages once did: every way to decode or to cut goes through a worker."""
    package = Path(worker_process.__file__).parents[3] / "hgrkit"
    reading = re.compile(r"(?<!def )\b(av\.open|VideoReader|read_still|open_container|open_video|cut_clip)\(")
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] != "video" and reading.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"demo/__init__.py"}  # whose videos are its own
    readers = {
        path.name for path in (package / "video").rglob("*.py") if " VideoReader(" in path.read_text("utf-8")
    }
    assert readers <= {"program.py"}


@pytest.mark.parametrize("width", [0, -1, 51, 1e300, "8", None])
def test_a_worker_that_lies_about_a_pictures_width_fails(width):
    header = {"kind": "frames", "count": 2, "height": 8, "width": width}
    with pytest.raises(ProtocolError):
        read_frames(io.BytesIO(bytes(1 << 20)), header, None, most_pixels=800)
    read_frames(io.BytesIO(bytes(1 << 20)), {**header, "width": 50}, None, most_pixels=800)


# what is no file of its own ------------------------------------------------------------------------------------


@pytest.fixture(params=["pipe", "socket", "device", "folder", "loop"])
def no_file(request, tmp_path):
    path = tmp_path / "a.mp4"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif request.param == "device":
        path.symlink_to("/dev/zero")
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to(path)
    return path


def test_what_is_no_regular_file_is_refused_at_once(decoder, no_file):
    start = time.monotonic()
    decoded = read(decoder, no_file)
    assert decoded.reason is not None
    assert "\n" not in decoded.reason
    assert decoder.cut(str(no_file), 0, 1, exact=False, take=print) is not None
    assert time.monotonic() - start < 20
    assert decoder._worker is None  # nobody was asked to read it


@pytest.mark.parametrize("made", ["link", "pipe", "folder"])
def test_a_file_that_was_swapped_behind_a_walk_is_not_read(decoder, make_video, tmp_path, made):
    video = make_video("a.mp4")
    secret = make_video("secret.mp4")
    assert read(decoder, video, follow_links=False).reason is None
    video.unlink()
    {"link": lambda: video.symlink_to(secret), "pipe": lambda: os.mkfifo(video), "folder": video.mkdir}[made]()
    assert "the file cannot be read: it is a" in read(decoder, video, follow_links=False).reason


def test_a_file_that_is_swapped_while_it_is_opened_is_refused(monkeypatch, tmp_path):
    path, pipe = tmp_path / "a.mp4", tmp_path / "pipe"
    path.write_bytes(b"x")
    os.mkfifo(pipe)
    sound = os.stat

    def stat(*arguments, **settings):
        status = sound(*arguments, **settings)
        pipe.replace(path)
        return status

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(OSError, match="it is a named pipe"):
        open_regular(path, follow_links=False)
