"""Settings by variables and files: which of them holds, and what a file of a folder may not choose."""

from __future__ import annotations

import os

import pytest

from hgrkit.cli.app import COMMANDS
from tests.test_retriever import create, save_random_model, write_video


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with two libraries, of one and of no video."""
    folder = tmp_path_factory.mktemp("made")
    model = save_random_model(folder / "model")
    write_video(folder / "a.mp4", 1, (200, 30, 30))
    with create(folder / "full.lib", model) as retriever:
        retriever.index(folder / "a.mp4")
    create(folder / "empty.lib", model).close()
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, and the user's own file beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "hgrkit").mkdir(parents=True)
    return tmp_path / "here"


@pytest.fixture
def project(here):
    return (here / "hgrkit.toml").write_text


@pytest.fixture
def user(here):
    file = here.parent / "config" / "hgrkit" / "config.toml"
    return file.write_text


def test_an_option_wins_over_a_variable_over_the_folders_file_over_the_users(
    hgrkit, made, user, project, monkeypatch
):
    def parser(*typed):
        line = hgrkit("parse", "a dog runs", *typed).err.splitlines()[-1]
        return line.split("'")[1], line.partition(" (")[2].rstrip(")")

    user('parser = "of-user"')
    assert parser()[0] == "of-user"
    project('parser = "of-project"')
    assert parser() == ("of-project", "parser is set by hgrkit.toml")
    monkeypatch.setenv("HGRKIT_PARSER", "of-variable")
    assert parser() == ("of-variable", "parser is set by HGRKIT_PARSER")
    assert parser("--parser", "typed") == ("typed", "")
    assert parser("--parser=typed") == ("typed", "")
    monkeypatch.setenv("HGRKIT_PARSER", "")  # as if it were not there
    assert parser()[0] == "of-project"


def test_the_library_is_found_for_every_command_that_looks_into_it(hgrkit, made, monkeypatch):
    monkeypatch.setenv("HGRKIT_LIBRARY", str(made / "full.lib"))
    assert hgrkit("search", "a dog", "--json").json["hits"][0]["video"] == str(made / "a.mp4")
    assert hgrkit("info", "--json").json["indexed"] == 1
    assert hgrkit("info", made / "empty.lib", "--json").json["indexed"] == 0
    assert hgrkit("search", "a dog", "-l", made / "empty.lib", "--json").json["hits"] == []
    assert hgrkit("search", "a dog", "-l", made / "empty.lib").out.strip() == "the library contains no videos yet"


def test_it_holds_as_well_where_typer_reads_the_line(hgrkit, made, monkeypatch):
    monkeypatch.setenv("HGRKIT_LIBRARY", str(made / "full.lib"))
    ran = hgrkit("search", "--json", "--min-confidence", "0.", "--", "- dog")  # a spelling that is left to typer
    assert ran.status == 2
    assert "calibrat" in ran.err
    assert hgrkit("search", "-k1", "a dog", "--json").json["hits"]


def test_a_new_library_takes_the_model_and_another_keeps_its_own(hgrkit, made, here, user):
    user(f'model = "{made / "model"}"')
    (here / "videos").mkdir()
    needs_features = hgrkit("index", here / "videos", "--library", here / "lib").error
    assert "frame encoder" in needs_features
    assert hgrkit("info", here / "lib", "--json").json["manifest"]["model"] == str(made / "model")
    user('model = "none"')
    assert hgrkit("index", here / "videos", "--library", here / "lib").error == needs_features
    error = hgrkit("index", here / "videos", "--library", here / "lib2").error
    assert "no model named 'none'" in error
    assert "(model is set by " in error


def test_what_is_measured_depends_on_what_is_typed_alone(hgrkit, made, monkeypatch):
    monkeypatch.setenv("HGRKIT_LIBRARY", str(made / "full.lib"))
    monkeypatch.setenv("HGRKIT_PARSER", "none")
    assert hgrkit("parsers").status == 0
    assert "give --library LIB" in hgrkit("evaluate").error


MISTAKES = {
    'libary = "a"': "hgrkit.toml: there is no setting 'libary'. Did you mean 'library'?",
    "[search]\nk = 3": "hgrkit.toml: there is no setting 'search'. Settings: library, model, parser, device.",
    "parser = 3": "hgrkit.toml: parser must be a text, got 3.",
    'device = "tpu"': "hgrkit.toml: device must be one of auto, cpu, cuda, mps, got 'tpu'.",
    "parser = ": "hgrkit.toml is not TOML: ",
    'parser = "\\xff"': "hgrkit.toml is not TOML: ",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_names_the_file_and_the_key(hgrkit, project, text):
    project(text)
    assert hgrkit("parse", "a dog runs").error.startswith(f"hgrkit: {MISTAKES[text]}")
    assert hgrkit("parse", "--help").status == 0


def test_a_wrong_variable_is_named(hgrkit, monkeypatch):
    monkeypatch.setenv("HGRKIT_DEVICE", "tpu")
    assert hgrkit("config").error.startswith("hgrkit: HGRKIT_DEVICE: device must be one of auto")


@pytest.mark.parametrize("value", ["./model", "model", "clip:model", "/abs/model", "precomputed:graphs.jsonl"])
@pytest.mark.parametrize("key", ["model", "parser"])
def test_the_file_of_a_folder_chooses_nothing_by_path(hgrkit, here, project, key, value):
    (here / "model").mkdir()
    project(f'{key} = "{value}"')
    assert "cannot choose by path" in hgrkit("parse", "a dog runs").error


def test_what_the_file_of_a_folder_chooses_is_said(hgrkit, made, project, user):
    user(f'library = "{made / "full.lib"}"')
    assert hgrkit("search", "a dog").err.count("hgrkit.toml") == 0
    project(f'library = "{made / "full.lib"}"\nparser = "lark"')
    said = f"hgrkit.toml: library {made / 'full.lib'}, parser lark"
    ran = hgrkit("search", "a dog", "--json")
    assert said in ran.err.splitlines()
    assert ran.json["hits"]
    assert "hgrkit.toml" not in hgrkit("search", "a dog", "--library", made / "full.lib", "--parser", "lark").err


@pytest.mark.skipif(os.name == "nt", reason="permissions are other ones there")
def test_a_file_that_others_can_write_is_not_used(hgrkit, here, project):
    project('parser = "none"')
    (here / "hgrkit.toml").chmod(0o666)
    ran = hgrkit("parse", "a dog runs")
    assert ran.status == 0
    assert "hgrkit.toml is not used: other users can write to it" in ran.err


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file to somebody")
def test_a_file_of_another_user_is_not_used(hgrkit, here, project):
    project('parser = "none"')
    os.chown(here / "hgrkit.toml", 12345, 12345)
    assert hgrkit("parse", "a dog runs").status == 0


def test_a_home_folder_is_understood(hgrkit, user, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    user('library = "~/videos.lib"')
    assert hgrkit("config", "--json").json["library"]["value"] == "/home/somebody/videos.lib"


def test_config_shows_what_holds_and_where_it_comes_from(hgrkit, here, user, project, monkeypatch):
    user('library = "/lib"\nparser = "stanza"\ndevice = "cuda"')
    project('parser = "lark"')
    monkeypatch.setenv("HGRKIT_DEVICE", "cpu")
    file = str(here.parent / "config" / "hgrkit" / "config.toml")
    assert hgrkit("config", "--json").json == {
        "library": {"value": "/lib", "source": file},
        "model": None,
        "parser": {"value": "lark", "source": "hgrkit.toml"},
        "device": {"value": "cpu", "source": "HGRKIT_DEVICE"},
    }
    assert hgrkit("config").out.splitlines() == [
        f"library  /lib  ({file})",
        "model    not set",
        "parser   lark  (hgrkit.toml)",
        "device   cpu  (HGRKIT_DEVICE)",
        f"files    hgrkit.toml in the current folder, then {file}",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_values_and_no_types(hgrkit, command):
    shown = hgrkit(command, "--help").out
    assert not any(f"<{kind}" in shown for kind in ("bool", "str", "path", "int", "float", "list"))
    assert "BOOLEAN" not in shown
