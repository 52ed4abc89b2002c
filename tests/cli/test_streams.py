"""Where the output goes: encodings that lack characters, pipes that nobody reads, disks that are full."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hgrkit.cli.output import legend, quoted, shortened
from tests.test_retriever import write_video

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full here")
NARROW = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
SAID = "No space left on device; free some space and run the same command again, finished work is kept."


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """One video whose name few encodings have, and a failed one."""
    folder = tmp_path_factory.mktemp("streams")
    (folder / "videos").mkdir()
    write_video(folder / "videos" / "日本の犬.mp4", 1, (200, 30, 30))
    (folder / "videos" / "壊れた.mp4").write_text("broken")
    ran = subprocess.run(
        command("index", "videos", "--library", "lib"), cwd=folder, capture_output=True, check=True
    )
    assert ran.stdout == b"indexed 1, unchanged 0, failed 1\n"
    return folder / "lib"


def command(*arguments):
    return [sys.executable, "-m", "hgrkit", *map(str, arguments)]


def run_into(stdout, *arguments, cwd=None):
    with open(stdout, "wb") as output:  # noqa: PTH123 - /dev/full
        return subprocess.run(command(*arguments), stdout=output, stderr=subprocess.PIPE, cwd=cwd, check=False)


@pytest.mark.parametrize("encoding", NARROW)
@pytest.mark.parametrize(
    "arguments",
    [
        ["index", "videos", "--library", "lib"],
        ["search", "a man — plays", "--library", "lib"],
        ["search", "a man plays", "--library", "lib", "--json"],
        ["info", "lib", "--videos"],
        ["parse", "a café owner — waves"],
        ["--help"],
        ["search", "--help"],
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_what_an_encoding_lacks_is_replaced(library, encoding, arguments):
    environment = {**os.environ, **NARROW[encoding]}
    ran = subprocess.run(
        command(*arguments), cwd=library.parent, env=environment, capture_output=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    shown = ran.stdout + ran.stderr
    shown.decode("ascii" if encoding == "C" else encoding)
    assert b"Traceback" not in shown
    if arguments[0] in ("search", "info") and "--help" not in arguments:
        assert b".mp4" in shown
    if "--json" in arguments:
        assert json.loads(ran.stdout)["hits"][0]["video"].endswith("日本の犬.mp4")


def test_words_are_read_in_utf8_also_where_file_names_are_ascii():
    environment = os.environ | NARROW["C"]
    for words in ("日本", "a café"):
        ran = subprocess.run(command("parse", words, "--json"), capture_output=True, check=True, env=environment)
        assert " ".join(json.loads(ran.stdout)["tokens"]) == words


def test_an_error_in_a_narrow_encoding_is_one_line(library):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command("info", "日本"), env=environment, capture_output=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr == b"hgrkit: there is no library at ??; make one with `hgrkit index PATH --library ??`.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "a man plays", "--library", "lib"],
        ["search", "a man plays", "--library", "lib", "--json"],
        ["info", "lib", "--videos"],
        ["parse", "a dog runs"],
        ["--help"],
        ["--version"],
        ["nonsense"],
    ],
    ids=" ".join,
)
def test_a_closed_pipe_ends_a_command_without_a_word(library, arguments):
    read, write = os.pipe()
    os.close(read)
    both = {"stdout": write, "stderr": write} if arguments == ["nonsense"] else {"stdout": write}
    ran = subprocess.run(
        command(*arguments), cwd=library.parent, **{"stderr": subprocess.PIPE, **both}, check=False
    )
    os.close(write)
    assert ran.returncode == 141
    assert not ran.stderr


@needs_full
@pytest.mark.parametrize("option", ["--html", "--png"])
def test_a_full_disk_names_the_explanation(hgrkit, library, tmp_path, option):
    file = tmp_path / f"why.{option[2:]}"
    file.symlink_to(FULL)
    error = hgrkit("search", "a dog", "--library", library, option, file).error
    assert error == f"hgrkit: {file}: {SAID}"


@needs_full
def test_a_full_disk_names_the_drawing_the_foils_and_the_output(hgrkit, library, tmp_path):
    file, captions = tmp_path / "dog.svg", tmp_path / "captions.json"
    file.symlink_to(FULL)
    captions.write_text('{"a.mp4": ["a dog chases a cat"]}')
    assert hgrkit("parse", "a dog runs", "--svg", file).error == f"hgrkit: {file}: {SAID}"
    assert hgrkit("foils", captions, "--out", FULL).error == f"hgrkit: {FULL}: {SAID}"
    for arguments in (["--version"], ["search", "a dog", "--library", library], ["info", library, "--json"]):
        ran = run_into(FULL, *arguments)
        assert (ran.returncode, ran.stderr.decode()) == (2, f"hgrkit: standard output: {SAID}\n")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_names_the_export_and_the_library(hgrkit, library, tmp_path, monkeypatch, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("hgrkit.storage.atomic_file.sync_file", full)
    error = hgrkit("export", library, "--to", "npz", "--out", tmp_path / "clips.npz").error
    assert error.startswith(f"hgrkit: {tmp_path / 'clips.npz'}: {os.strerror(number)}; free ")
    assert not list(tmp_path.iterdir())
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", 1, (30, 200, 30))
    monkeypatch.setattr("hgrkit.storage.atomic_file.os.fsync", full)
    error = hgrkit("index", tmp_path / "videos", "--library", tmp_path / "lib").error
    assert error.startswith(f"hgrkit: {tmp_path / 'lib'}")
    assert f": {os.strerror(number)}; free " in error


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_a_limit_on_the_size_of_files_names_the_file(library, tmp_path):
    import resource

    ran = subprocess.run(
        command("export", library, "--to", "npz", "--out", "clips.npz"),
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr.decode().startswith("hgrkit: clips.npz: File too large; raise the limit on a file's size")
    assert not list(tmp_path.iterdir())


def test_long_lists_show_twenty_lines_and_where_the_rest_is():
    lines = [f"failed {number}" for number in range(2000)]
    assert shortened(lines[:20], "failed") == lines[:20]
    assert shortened(lines, "failed: look there") == [*lines[:20], "... and 1,980 more failed: look there"]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("lib", "lib"),
        ("my lib", '"my lib"'),
        ("it's", '"it\'s"'),
        ('a "b"', "'a \"b\"'"),
        ("$x", "'$x'"),
        ("", '""'),
    ],
)
def test_a_word_is_quoted_where_a_shell_needs_it(word, shown):
    assert quoted(word) == shown


def test_a_legend_has_the_roles_that_occur_and_no_others():
    assert legend(["ARGM-LOC", "V", "ARG0"]) == "V what happens; ARG0 who does it; ARGM-LOC where"
    assert legend(["NOUN"]) == "NOUN part of no action"
    assert legend(["ARGM-XYZ"]) == ""
