"""One crafted library of each kind; `just torture` makes hundreds."""

from __future__ import annotations

import sys

import pytest

from tests.torture import forged_libraries, strangers

NAMES = sorted(name for name, make in strangers.GENERATORS.items() if make.__module__ == forged_libraries.__name__)


@pytest.mark.skipif(sys.platform != "linux", reason="links, pipes and forks as Linux has them")
def test_no_crafted_library_hurts(tmp_path):
    found = strangers.run(len(NAMES), seed=3, folder=tmp_path, names=NAMES)
    assert not {name: found[name] for name in strangers.MUST_BE_ZERO if found[name]}, found["details"]
    assert found["answers"]
    assert found["one_line"]


@pytest.mark.skipif(sys.platform != "linux", reason="links, pipes and forks as Linux has them")
def test_what_harms_is_noticed(tmp_path, monkeypatch):
    """The judge itself: a command that writes outside, one that ends by a signal, one that prints controls."""

    def harm(words, *_):
        import os
        import signal

        if words[0] == "write":
            (tmp_path / "outside" / "precious.txt").write_text("gone")
        if words[0] == "print":
            (tmp_path / "stdout").write_text("\x1b[2J")
        if words[0] == "die":
            os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)

    for file in ("stdout", "stderr"):
        (tmp_path / file).write_text("")
    monkeypatch.setattr(strangers, "_be_hgrkit", harm)
    kinds = {}
    for word in ("write", "print", "die"):
        monkeypatch.setitem(strangers.GENERATORS, "harm", lambda _rng, _room, word=word: [word])
        kinds[word] = [kind for kind, _ in strangers.one("harm", [0], tmp_path).problems]
        (tmp_path / "stdout").write_text("")
    assert kinds == {"write": ["writes_outside"], "print": ["raw_controls"], "die": ["signals"]}
