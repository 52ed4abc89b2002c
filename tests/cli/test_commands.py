"""What a user meets when something is theirs to mend, and what commands print."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def test_parse_prints_one_graph_a_line(hgrkit, tmp_path):
    file = tmp_path / "captions.txt"
    file.write_text("A dog runs.\nA woman throws a ball to a dog.\n")
    ran = hgrkit("parse", "--input", file, "--parser", "lark", "--json")
    graphs = [json.loads(line) for line in ran.out.splitlines()]
    assert [graph["caption"] for graph in graphs] == file.read_text().splitlines()
    assert {"tokens", "nodes", "edges"} <= set(graphs[0])
    roles = {role for _, _, role in graphs[1]["edges"]}
    assert {"ARG0", "ARG1", "ARG2"} <= roles


def test_a_line_that_cannot_be_read_keeps_its_place(hgrkit, tmp_path):
    file = tmp_path / "captions.txt"
    file.write_text("A dog runs.\n\nA cat sleeps.\n")
    ran = hgrkit("parse", "--input", file, "--json")
    first, second, third = (json.loads(line) for line in ran.out.splitlines())
    assert first["nodes"]
    assert third["nodes"]
    assert second["nodes"] == []
    assert second["error"]
    assert ran.status == 0
    assert ran.err.startswith("line 2: ")


def test_parse_shows_who_does_what(hgrkit):
    assert hgrkit("parse", "a dog runs").out == "a dog runs\n  runs\n    ARG0      a dog\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["index", "no/such/folder", "--library", "{tmp}/lib"], "no/such/folder"),
        (["index", "{tmp}", "--library", "{tmp}/lib", "--model", "no-such-model"], "no-such-model"),
        (["index", "{tmp}", "--library", "{tmp}/lib", "--parser", "larkk"], "Did you mean 'lark'?"),
        (["index", "{tmp}", "--library", "{tmp}/lib", "--frame-encoder", "nothing"], "nothing"),
        (["index", "{tmp}", "--library", "{tmp}/lib", "--sampling", "often"], "often"),
        (["index", "{tmp}", "--library", "{tmp}/lib", "--clip-seconds", "-1"], "clip_seconds"),
        (["search", "a dog", "--library", "{tmp}/none"], "none"),
        (["search", "", "--library", "{tmp}/none"], "none"),
        (["search", "a dog", "--library", "{tmp}/none", "--html", "why.pdf"], "why.pdf"),
        (["search", "a dog", "--library", "{tmp}/none", "--png", "why.jpg"], "why.jpg"),
        (["info", "--library", "{tmp}/none"], "none"),
        (["parse"], "--input"),
        (["parse", ""], "nothing to parse"),
        (["parse", "--input", "{tmp}/none.txt"], "none.txt"),
        (["parse", "a dog", "--parser", "stanzaa"], "stanzaa"),
        (["evaluate"], "--release"),
        (["evaluate", "--release", "{tmp}", "--model", "default", "--ranks", "{tmp}/r.jsonl"], "--ranks"),
        (["evaluate", "--library", "{tmp}/none", "--captions", "{tmp}/none.json"], "none.json"),
        (["evaluate", "--release", "{tmp}/none", "--model", "default"], "none"),
        (["import-release", "{tmp}/none", "--out", "{tmp}/model"], "none"),
        (["train", "--release", "{tmp}/none", "--model", "{tmp}/none"], "none"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_a_mistake_gets_one_line_and_status_2(hgrkit, tmp_path, arguments, words):
    error = hgrkit(*(argument.replace("{tmp}", str(tmp_path)) for argument in arguments)).error
    assert error.startswith("hgrkit: ")
    assert words in error
    assert not (tmp_path / "lib").exists(), "a mistake must not leave a library behind"


def test_a_library_of_another_model_is_refused(hgrkit, shared, tmp_path):
    library, model = tmp_path / "library", tmp_path / "model"
    (tmp_path / "videos").mkdir()
    assert hgrkit("index", tmp_path / "videos", "--library", library).status == 0
    assert hgrkit("import-release", shared / "parity" / "released", "--out", model).status == 0
    error = hgrkit("index", tmp_path / "videos", "--library", library, "--model", model).error
    assert "made with model" in error


def test_a_library_can_be_made_with_an_imported_release(hgrkit, shared, tmp_path):
    model = tmp_path / "model"
    (tmp_path / "videos").mkdir()
    assert hgrkit("import-release", shared / "parity" / "released", "--out", model).status == 0
    features = shared / "parity" / "released" / "trn_ft.hdf5"
    arguments = ("index", tmp_path / "videos", "--library", tmp_path / "library")
    assert "features" in hgrkit(*arguments, "--model", model).error
    ran = hgrkit(*arguments, "--model", model, "--features", features)
    assert ran.out.splitlines()[-1] == "indexed 0, unchanged 0, failed 0"


def test_the_module_runs_as_a_script():
    ran = subprocess.run([sys.executable, "-m", "hgrkit", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("hgrkit 0.")


def test_a_traceback_only_with_debug(hgrkit, tmp_path):
    from hgrkit.errors import LibraryNotFoundError

    with pytest.raises(LibraryNotFoundError):
        hgrkit("info", "--library", tmp_path / "none", "--debug")


def test_the_demo_answers_most_of_its_questions_right(hgrkit):
    ran = hgrkit("demo")
    assert ran.status == 0
    last = ran.out.splitlines()[-1]
    right = int(last.split(", ")[-1].split()[0])
    assert right >= 6, ran.out
    questions = ran.out.strip().split("\n\n")[:10]
    assert not any("(wrong: " in question for question in questions[:right]), "what is answered wrong comes last"
    assert sum("(wrong: " in question for question in questions) == 10 - right


def test_a_file_that_cannot_be_written_gets_one_line(hgrkit, tmp_path, shared):
    release, model = shared / "parity" / "released", tmp_path / "model"
    assert hgrkit("import-release", release, "--out", model).status == 0
    error = hgrkit("evaluate", "--release", release, "--model", model, "--scores", tmp_path / "no" / "s.npz").error
    assert "s.npz" in error


def test_a_library_lists_files_of_any_name_one_a_line(hgrkit, tmp_path):
    videos, library = tmp_path / "videos", tmp_path / "library"
    videos.mkdir()
    for name in ("[red]a[]b.mp4", "new\nline.mp4", "\x1b[31m.mp4", "[bold].mp4"):
        (videos / name).write_text("no video")
    (videos / "x[").mkdir()
    (videos / "x[" / "bad].mp4").write_text("no video")
    ran = hgrkit("index", videos, "--library", library)
    assert ran.out == "indexed 0, unchanged 0, failed 5\n"
    assert len(ran.err.splitlines()) == 5
    assert "\x1b" not in ran.err
    ran = hgrkit("info", "--library", library, "--videos")
    assert ran.status == 0
    assert "\x1b" not in ran.out


def test_a_demo_that_cannot_index_ends_with_status_2_and_one_line(hgrkit, monkeypatch):
    def footage(folder):
        folder.mkdir()
        (folder / "broken.mp4").write_text("no video")
        return [folder / "broken.mp4"]

    monkeypatch.setattr("hgrkit.demo.make_footage", footage)
    ran = hgrkit("demo")
    assert ran.error.startswith("hgrkit: 1 of the demo's 1 videos cannot be indexed; ")
    assert ran.out == ""


@pytest.mark.parametrize("command", [["demo"], ["index", "{tmp}", "--library", "{tmp}/lib"]])
def test_a_library_that_cannot_be_loaded_is_named_in_one_line(tmp_path, command):
    (tmp_path / "av.py").write_text("raise ImportError('libavcodec.so.99: no such file')")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from hgrkit.cli import main; main()"
    arguments = [part.format(tmp=tmp_path) for part in command]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "libavcodec.so.99" in line
    assert "install hgrkit" in line
