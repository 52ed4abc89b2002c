"""`hgrkit watch` as a process: files arrive, change, move and go while it runs, and it is stopped."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading

import pytest

from hgrkit.library import Library
from tests.test_retriever import write_video

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no other signal than Ctrl-C ends a process there")


@pytest.fixture
def videos(tmp_path):
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", 1, (200, 30, 30))
    return tmp_path / "videos"


class Watching:
    """`hgrkit watch --json` on a folder."""

    def __init__(self, folder, library, *options):
        command = [sys.executable, "-m", "hgrkit", "watch", str(folder), "--library", str(library), "--json"]
        self.process = subprocess.Popen(
            [*command, "--settle", "0.5", "--workers", "1", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._patience = threading.Timer(60, self.process.kill)
        self._patience.start()

    def report(self):
        return json.loads(self.process.stdout.readline())

    def stop(self, sign):
        """The exit status, and the lines on stderr."""
        self.process.send_signal(sign)
        _, said = self.process.communicate()
        self._patience.cancel()
        return self.process.returncode, said.splitlines()


def test_what_arrives_is_indexed_and_what_moves_is_followed(videos, tmp_path):
    library = tmp_path / "lib"
    watching = Watching(videos, library)
    assert watching.report()["indexed"] == 1
    (videos / "torn.mp4").write_bytes(b"no video")
    write_video(tmp_path / "b.mp4", 1, (30, 200, 30))
    shutil.move(tmp_path / "b.mp4", videos / "b.mp4")
    arrived = watching.report()
    while arrived["failed"] + arrived["indexed"] < 2:  # they may have settled one after the other
        more = watching.report()
        arrived = {name: arrived[name] + more[name] for name in ("failed", "indexed")}
    assert (arrived["failed"], arrived["indexed"]) == (1, 1)
    with Library.open(library, "w"):  # between runs the library is anybody's
        pass
    (videos / "a.mp4").rename(videos / "c.mp4")
    moved = watching.report()
    assert (moved["moved"], moved["indexed"], moved["failed"]) == (1, 0, 0)
    (videos / "b.mp4").unlink()
    assert watching.report()["missing"] == [str(videos / "b.mp4")]
    status, said = watching.stop(signal.SIGTERM)
    assert status == 0
    assert said == [f"watching {videos}; press Ctrl-C to stop.", "stopped; what was finished is kept."]
    with Library.open(library) as opened:
        assert sorted(record.path for record in opened.videos()) == [
            str(videos / name) for name in ("b.mp4", "c.mp4", "torn.mp4")
        ]


def test_a_library_that_is_lost_is_told_of_and_never_made_anew(videos, tmp_path):
    library = tmp_path / "lib"
    watching = Watching(videos, library)
    assert watching.report()["indexed"] == 1
    library.rename(tmp_path / "away")
    write_video(videos / "b.mp4", 1, (30, 200, 30))
    said = ""
    while "there is no library" not in said:
        said = watching.process.stderr.readline()
    assert said.rstrip().endswith("trying again.")
    assert not library.exists()
    status, said = watching.stop(signal.SIGINT)
    assert status == 0
    assert said[-1] == "stopped; what was finished is kept."


def test_a_library_that_another_process_writes_to_is_waited_for(videos, tmp_path, hgrkit):
    assert hgrkit("index", videos, "--library", tmp_path / "lib").status == 0
    with Library.open(tmp_path / "lib", "w"):
        watching = Watching(videos, tmp_path / "lib")
        assert watching.process.stderr.readline().startswith("watching ")
        assert watching.process.stderr.readline().rstrip().endswith("trying again.")
        assert watching.stop(signal.SIGTERM)[0] == 0


def test_what_is_wrong_from_the_beginning_ends_it(hgrkit, videos, tmp_path):
    assert "there is no file or folder" in hgrkit("watch", tmp_path / "none", "--library", tmp_path / "lib").error
    assert not (tmp_path / "lib").exists()
    assert "at least 0" in hgrkit("watch", videos, "--library", tmp_path / "lib", "--settle", "-1").error
    assert "no model named" in hgrkit("watch", videos, "--library", tmp_path / "lib", "--model", "none").error
