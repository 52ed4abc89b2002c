from __future__ import annotations

import json
import sys
from pathlib import Path

import attrs
import pytest

from hgrkit.cli import main


@attrs.frozen
class Ran:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        lines = self.out.splitlines()
        assert len(lines) == 1, f"stdout must be one JSON object, got {self.out!r}"
        return json.loads(lines[0])

    @property
    def error(self):
        """The one line that a user sees when something is theirs to mend."""
        assert self.status == 2, (self.status, self.out, self.err)
        (line,) = self.err.splitlines()
        return line


@pytest.fixture
def hgrkit(monkeypatch, capfd):
    """Run a command as the script would."""

    def run(*arguments):
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["hgrkit", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as exit_:
            status = exit_.code or 0
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def msvd(shared) -> Path:
    return shared / "data" / "msvd"


@pytest.fixture(scope="session")
def msvd_library(msvd, tmp_path_factory) -> Path:
    """The 98 real clips, indexed with the default model."""
    from hgrkit import Retriever

    path = tmp_path_factory.mktemp("msvd") / "library"
    with Retriever.create(path) as retriever:
        report = retriever.index(msvd / "videos")
    assert (report.indexed, report.failed) == (98, 0)
    return path
