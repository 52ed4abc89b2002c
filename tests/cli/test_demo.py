"""`hgrkit demo` in a terminal, and the page that it opens; its answers are told of in `test_commands.py`."""

from __future__ import annotations

import sys
import types

import pytest

from hgrkit.demo import Answer, Demonstration
from hgrkit.indexing.report import IndexReport
from tests.test_retriever import QUERY, create, save_random_model, write_video


@pytest.fixture
def demonstrate(monkeypatch, tmp_path):
    """A demonstration of one question about one video."""
    write_video(tmp_path / "a.mp4", 1, (200, 30, 30))

    def made(folder, *, k, on_progress):
        with create(folder / "library", save_random_model(tmp_path / "model")) as retriever:
            retriever.index(tmp_path / "a.mp4")
            answer = Answer(result=retriever.search(QUERY, k=k), right_video="b.mp4")
        return Demonstration(report=IndexReport(indexed=1), answers=(answer,))

    monkeypatch.setattr("hgrkit.demo.demonstrate", made)


def test_a_terminal_shows_what_a_search_shows_there(hgrkit, demonstrate, monkeypatch, tmp_path):
    from rich.console import Console

    monkeypatch.setenv("COLUMNS", "100")
    console = lambda: Console(highlight=False, soft_wrap=True, force_terminal=True, color_system=None)  # noqa: E731
    for module in ("demo", "search", "output"):
        monkeypatch.setattr(f"hgrkit.cli.{module}.stdout", console)
    shown = hgrkit("demo", "--folder", tmp_path / "demo").out
    assert f'$ hgrkit search "{QUERY}"\n' in shown
    searched = hgrkit("search", QUERY, "--library", tmp_path / "demo" / "library").out
    assert "█" in searched or "▄" in searched
    assert searched in shown
    assert "(wrong: b.mp4 shows it)" in shown


@pytest.fixture
def server(monkeypatch):
    """Modules of the room `serve` whose server answers nothing and stops; what it was told."""
    told = {}

    class HttpServer:
        def __init__(self, settings):
            told["library"] = settings.libraries[0]

        def run(self, on_ready):
            told["there"] = (told["library"] / "library.sqlite").is_file()
            on_ready("http://127.0.0.1:1/")
            raise KeyboardInterrupt  # how it is stopped

    modules = {"server": types.SimpleNamespace(HttpServer=HttpServer)}
    modules["settings"] = types.SimpleNamespace(ServeSettings=types.SimpleNamespace)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"hgrkit.serve.{name}", module)
    monkeypatch.setattr("webbrowser.open", lambda address: told.update(opened=address))
    return told


@pytest.mark.parametrize("display", ["", ":0"])
def test_the_page_is_opened_on_the_librarys_server(hgrkit, demonstrate, server, monkeypatch, display):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    ran = hgrkit("demo", "--serve")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.endswith("ask more at http://127.0.0.1:1/; press Ctrl-C to stop.\n")
    assert server["there"]
    assert not server["library"].exists(), "a temporary library is removed afterwards"
    assert server.get("opened") == ("http://127.0.0.1:1/" if display else None)


def test_without_the_extra_nothing_is_indexed(hgrkit, monkeypatch):
    monkeypatch.setitem(sys.modules, "hgrkit.serve.server", None)
    monkeypatch.setattr("hgrkit.demo.demonstrate", None)
    assert hgrkit("demo", "--serve").error == (
        "hgrkit: demo --serve needs the extra serve; type: pip install 'hgrkit[serve]'"
    )
