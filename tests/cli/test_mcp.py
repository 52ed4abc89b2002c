"""`hgrkit mcp` before it serves: the skill, and what has to be there."""

from __future__ import annotations

import importlib.util
import inspect
import re
import socket
from pathlib import Path

import pytest

from hgrkit.agents.answers import FoundMoment, FoundPhrase, SearchAnswer
from hgrkit.agents.tools import VideoTools
from hgrkit.library import Library
from hgrkit.retriever import Retriever
from tests.test_retriever import create, save_random_model


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    create(folder / "lib", save_random_model(folder / "model")).close()
    return folder / "lib"


def test_the_skill_is_printed_and_names_tools_and_commands_that_there_are(hgrkit):
    printed = hgrkit("mcp", "--skill").out
    head = re.fullmatch(r"---\nname: ([a-z-]+)\ndescription: (.+)\n---\n\n(# .*)", printed, re.DOTALL)
    assert head[1] == "search-video"
    assert 100 < len(head[2]) < 1024
    tools = {name: method for name, method in vars(VideoTools).items() if not name.startswith("_")}
    named = set(re.findall(r"`(\w+)[`:]", head[3]))
    assert tools.keys() <= named
    takes = {argument for method in tools.values() for argument in inspect.signature(method).parameters}
    answers = {field for record in (SearchAnswer, FoundMoment, FoundPhrase) for field in record.model_fields}
    assert named <= tools.keys() | takes | answers
    for line in re.findall(r"^    hgrkit (.*)$", head[3], re.MULTILINE):
        options = hgrkit(line.split()[0], "--help").out
        assert all(option in options for option in re.findall(r"--[a-z-]+", line))


def test_the_skill_lies_in_a_folder_of_its_name():
    import hgrkit.agents

    (skill,) = Path(hgrkit.agents.__file__).parent.glob("skills/*/SKILL.md")
    assert f"name: {skill.parent.name}\n" in skill.read_text(encoding="utf-8")


def test_without_a_library_it_says_what_to_type(hgrkit):
    assert hgrkit("mcp").error == "hgrkit: mcp needs the library to serve; type: hgrkit mcp LIB"


def test_without_the_extra_it_says_what_to_install(hgrkit, library, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "mcp" else find(name))
    assert "pip install 'hgrkit[mcp]'" in hgrkit("mcp", library).error


def test_a_port_that_is_taken_is_named(hgrkit, library):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} of 127.0.0.1 cannot be had" in hgrkit("mcp", library, "--http", "--port", port).error


def test_other_machines_need_a_token_that_cannot_be_guessed(hgrkit, library):
    serve = ("mcp", library, "--http", "--port", "0")
    assert "give a token" in hgrkit(*serve, "--host", "0.0.0.0").error
    assert "at least 16" in hgrkit(*serve, "--token", "short").error


def test_clips_never_go_into_a_library(hgrkit, library):
    assert "inside the library" in hgrkit("mcp", library, "--clips-out", library / "clips").error


def test_nothing_is_served_of_what_is_no_library(hgrkit, tmp_path):
    assert "there is no library" in hgrkit("mcp", tmp_path / "none").error


def test_a_list_of_videos_by_a_filter_leaves_out_what_failed(library, monkeypatch):
    from hgrkit.library import VideoRecord

    with Library.open(library, "w") as opened:
        opened.add(VideoRecord(path="/torn.mp4", content="", size=1, mtime_ns=1, state="failed", reason="torn"))
    with Retriever.open(library) as retriever:
        assert len(retriever.library.videos()) == 1
        assert retriever.library.videos("duration_s is null") == ()
