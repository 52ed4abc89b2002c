"""Wrong uses of the command line: each gets one line that says what to do, and exit status 2."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
import torch

from hgrkit.cli import app
from tests.test_retriever import write_video

CPU_ONLY = pytest.mark.skipif(torch.version.cuda is not None, reason="this torch is built with CUDA")

WRONG = {
    # words that a shell took apart
    "search a man plays --library lib": (
        'the text to search for is one argument; quote it: hgrkit search "a man plays" --library lib'
    ),
    "search a man --library lib plays -k 3": (
        'the text to search for is one argument; quote it: hgrkit search "a man plays" --library lib -k 3'
    ),
    "search a man plays": (
        'the text to search for is one argument; quote it: hgrkit search "a man plays" --library LIB'
    ),
    "parse a dog runs": 'the sentence is one argument; quote it: hgrkit parse "a dog runs"',
    "verify my lib": (
        "verify takes LIB, and 'lib' is too much; a name that has spaces is quoted: hgrkit verify \"my lib\""
    ),
    "demo now": "demo takes no argument, got 'now'; `hgrkit demo --help` lists its options.",
    # what is missing
    "search 'a man'": 'search needs --library LIB; type: hgrkit search "a man" --library LIB',
    "search --library lib": "search needs TEXT, or an example with --like; type: hgrkit search TEXT --library lib",
    "verify": "verify needs LIB; type: hgrkit verify LIB",
    "remove lib": "remove needs PATHS...; type: hgrkit remove lib PATHS...",
    "export lib": "export needs --to FORMAT; type: hgrkit export lib --to FORMAT --out OUT",
    "foils captions.json": "foils needs --out OUT; type: hgrkit foils captions.json --out OUT",
    "index": "index needs --library LIB; type: hgrkit index PATHS... --library LIB",
    "info": "info needs the library; type: hgrkit info LIB",
    "info one --library other": "info takes one library, got 'one' and 'other'; leave one of them out.",
    "search x --library": "--library needs a value; type: --library LIB",
    "search x --library --k 5": "--library needs a value, got the option '--k'.",
    # names
    "serch x": "there is no command 'serch'. Did you mean 'search'?",
    "sing": "there is no command 'sing'; `hgrkit --help` lists them.",
    "'a man plays'": (
        "there is no command 'a man plays'; to search, type: hgrkit search \"a man plays\" --library LIB"
    ),
    "videos": "there is no command 'videos'; to index it, type: hgrkit index videos --library LIB",
    "search x --libary lib": "search has no option '--libary'. Did you mean '--library'?",
    "search x --library lib --zzz": "search has no option '--zzz'; `hgrkit search --help` lists its options.",
    "search x -library lib": "search has no option '-library'; long options begin with two dashes: --library",
    "search x —library lib": "search has no option '—library'; long options begin with two dashes: --library",
    "search '-a dog' --library lib": (
        "search takes '-a dog' for an option; put -- before a text that begins with a dash: "
        'hgrkit search --library LIB -- "-a dog"'
    ),
    "search -- 'a dog' --library lib": (
        "'--library' comes after --, where nothing is an option; type: hgrkit search --library lib -- \"a dog\""
    ),
    "index --library lib -- videos -l2": "there is no file or folder '-l2'; nothing was indexed.",
    "--library lib search x": (
        "there is no option '--library' before the command; options come after the command: "
        "hgrkit search TEXT --library LIB"
    ),
    "--json search x": (
        "there is no option '--json' before the command; options come after the command: "
        "hgrkit search TEXT --library LIB"
    ),
    "SEARCH x": "there is no command 'SEARCH'. Did you mean 'search'?",
    "--versoin": "there is no option '--versoin' before the command. Did you mean '--version'?",
    # values
    "search x --library lib --k many": "--k must be a whole number of at least 1, got 'many'.",
    "search x --library lib -k 0": "-k must be a whole number of at least 1, got '0'.",
    "search x --library lib -k0": "-k must be a whole number of at least 1, got '0'.",
    "search x --library lib --min-confidence 2": "--min-confidence must be a number from 0 to 1, got '2'.",
    "index videos --library lib --decode-seconds=long": "--decode-seconds must be a number, got 'long'.",
    "index videos --library lib --decode-seconds nan": (
        "--decode-seconds must be a number of seconds above 0, such as 60, got nan."
    ),
    "index videos --library lib --decode-memory-gb 0": (
        "--decode-memory-gb must be a number of gigabytes above 0, such as 2, got 0."
    ),
    "evaluate --library lib --captions c --protocol x": "--protocol must be 'standard' or 'released', got 'x'.",
    "parse x --from elsewhere": "--from must be 'allennlp' or 'released', got 'elsewhere'.",
    "search x --library lib --json=1": "--json takes no value; leave it out.",
    # places
    "index nowhere --library lib": "there is no file or folder 'nowhere'; nothing was indexed.",
    "index https://example.org/a.mp4 --library lib": (
        "'https://example.org/a.mp4' is a URL, and hgrkit reads files; download it and give its path."
    ),
    "index file:///films/a%20dog.mp4 --library lib": (
        "'file:///films/a%20dog.mp4' is a URL; give the path alone: /films/a dog.mp4"
    ),
    "index videos --library s3://bucket/lib": (
        "'s3://bucket/lib' is a URL, and hgrkit reads files; download it and give its path."
    ),
    "search x --library http://example.org/lib": (
        "'http://example.org/lib' is a URL, and hgrkit reads files; download it and give its path."
    ),
    "verify gs://bucket/lib": "'gs://bucket/lib' is a URL, and hgrkit reads files; download it and give its path.",
    "search x --library lib": "there is no library at lib; make one with `hgrkit index PATH --library lib`.",
    "index videos --library videos": (
        "videos holds other files and no library; choose a folder that is empty or does not exist."
    ),
    # parts
    "parse x --parser larkk": (
        "no parser named 'larkk'; installed: 'lark', 'precomputed', 'spacy', 'stanza'. Did you mean 'lark'?"
    ),
    "--show-completion tcsh": (
        "there is no completion for 'tcsh'; type: hgrkit --show-completion bash (or zsh, fish, powershell, pwsh)"
    ),
}
"""What is typed after `hgrkit`, and what is said after `hgrkit: `."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", 1, (200, 30, 30))
    return tmp_path


@pytest.fixture
def library(folder, hgrkit):
    (folder / "none").mkdir()
    assert hgrkit("index", "none", "--library", "lib").status == 0
    return folder / "lib"


@pytest.mark.parametrize("typed", WRONG)
def test_a_wrong_use_gets_one_line(hgrkit, folder, typed):
    ran = hgrkit(*shlex.split(typed))
    assert ran.error == f"hgrkit: {WRONG[typed]}"
    assert ran.out == ""
    assert not (folder / "lib").exists(), "a mistake must not leave a library behind"


@pytest.mark.parametrize("device", ["gpu", "tpu", "meta", "cuda:x", "GPU"])
def test_a_device_that_nobody_knows_lists_those_that_are_there(hgrkit, library, device):
    for command in (["search", "a dog"], ["index", "videos"]):
        error = hgrkit(*command, "--library", "lib", "--device", device).error
        assert error.startswith(f"hgrkit: there is no device {device!r} here")
        assert "use 'auto', or one of: 'cpu'" in error


@CPU_ONLY
@pytest.mark.parametrize("device", ["cuda", "cuda:9"])
def test_a_cuda_device_without_cuda_is_said_to_be_that(hgrkit, library, device):
    for command in (["search", "a dog"], ["index", "videos"]):
        assert hgrkit(*command, "--library", "lib", "--device", device).error == (
            f"hgrkit: there is no device {device!r} here (this torch is built without CUDA); "
            "use 'auto', or one of: 'cpu'."
        )


def test_a_library_inside_a_library_is_refused_however_deep(hgrkit, library):
    for place in ("lib/sub", "lib/a/b/c"):
        error = hgrkit("index", "videos", "--library", place).error
        assert error == f"hgrkit: {place} is inside the library {library}; choose a folder outside it."
        assert not (library / place.split("/")[1]).exists()


def test_a_library_is_no_video_folder(hgrkit, library):
    advice = "name the videos or their folder."
    assert hgrkit("index", "lib", "--library", "new").error == f"hgrkit: 'lib' is a library; {advice}"
    (library / "films").mkdir()
    inside = f"hgrkit: 'lib/films' lies inside {str(library)!r}, a library; {advice}"
    assert hgrkit("index", "lib/films", "--library", "lib").error == inside
    assert not (library.parent / "new").exists()


def test_a_library_below_the_videos_is_no_mistake(hgrkit, folder):
    assert hgrkit("index", "videos", "--library", "videos/lib").status == 0
    assert hgrkit("index", "videos", "--library", "videos/lib").out == "indexed 0, unchanged 1, failed 0\n"


def test_clips_do_not_go_into_a_library(hgrkit, library):
    for place in ("lib", "lib/clips"):
        assert hgrkit("search", "x", "--library", "lib", "--clips-out", place).error == (
            f"hgrkit: --clips-out {place} is inside the library {library}; choose a folder outside it."
        )


def test_foils_never_replace_the_captions_that_they_are_made_from(hgrkit, folder):
    captions = folder / "c.json"
    captions.write_text('{"a.mp4": ["a dog runs"]}')
    error = hgrkit("foils", "c.json", "--out", "videos/../c.json").error
    assert error == "hgrkit: --out videos/../c.json is the file of captions itself; name another file."
    assert captions.read_text() == '{"a.mp4": ["a dog runs"]}'


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_an_export_takes_the_place_of_no_device(hgrkit, library):
    os.mkfifo("pipe")
    error = hgrkit("export", "lib", "--to", "npz", "--out", "pipe", "--force").error
    assert error == "hgrkit: pipe is a device or a pipe; name a file to write."
    assert Path("pipe").is_fifo()


def test_bytes_that_are_no_archive_are_said_to_be_that_without_advice_to_trust_them(hgrkit, folder):
    (folder / "f.npz").write_bytes(b"no archive")
    error = hgrkit("index", "videos", "--library", "lib", "--features", "f.npz").error
    assert error == "hgrkit: 'f.npz' cannot be read as .npz: File is not a zip file"


def test_an_interruption_while_a_library_is_loaded_is_no_broken_installation(hgrkit, monkeypatch):
    def interrupted():
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr(app, "_function", lambda _: interrupted)
    ran = hgrkit("parsers")
    assert (ran.status, ran.err) == (130, "hgrkit: interrupted; finished work is kept.\n")


def test_without_a_model_the_package_to_install_is_named(hgrkit, library, monkeypatch):
    from hgrkit import plugins

    found = plugins.metadata.entry_points
    monkeypatch.setattr(
        plugins.metadata, "entry_points", lambda group: [] if group == "hgrkit.models" else found(group=group)
    )
    for command in (["index", "videos", "--library", "new"], ["search", "x", "--library", "lib"], ["demo"]):
        assert hgrkit(*command).error == (
            "hgrkit: the model 'mini' is not installed; it comes with the package hgrkit-model-mini: "
            "from a clone of hgrkit, pip install ./plugins/hgrkit-model-mini"
        )
    assert not (library.parent / "new").exists()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["search", "--help"]])
def test_help_is_help(monkeypatch, capfd, hgrkit, arguments):
    ran = hgrkit(*arguments)
    assert (ran.status, ran.err) == (0, "")
    assert "Usage: hgrkit" in ran.out


def test_python_m_hgrkit_speaks_of_hgrkit(hgrkit, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py"])
    assert "hgrkit search needs" not in hgrkit("search").error
    assert hgrkit("search").error == "hgrkit: search needs --library LIB; type: hgrkit search --library LIB"
