"""Completion by the shell: scripts are shown and installed, and commands that load late complete, too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hgrkit.cli import app
from hgrkit.cli.app import COMMANDS

HGRKIT = [sys.executable, "-m", "hgrkit"]


def complete(shell, line):
    """What the script of a shell is told when somebody presses the tabulator at the end of a line."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_HGRKIT_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    if shell != "bash":
        del environment["COMP_WORDS"]
    ran = subprocess.run(HGRKIT, env=environment, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_options(shell):
    commands = complete(shell, "hgrkit pars")
    assert "parse" in commands
    assert "parsers" in commands
    assert "search" not in commands
    options = complete(shell, "hgrkit search --c")
    assert "--clips-out" in options
    assert "--html" not in options
    assert "evaluate-parser" in complete(shell, "hgrkit ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_shown_its_script(hgrkit, shell):
    ran = hgrkit("--show-completion", shell)
    assert ran.status == 0
    assert "_HGRKIT_COMPLETE" in ran.out


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/hgrkit.sh"),
        ("zsh", ".zfunc/_hgrkit"),
        ("fish", ".config/fish/completions/hgrkit.fish"),
    ],
)
def test_completion_is_installed_where_the_shell_looks(tmp_path, shell, file):
    environment = {**os.environ, "HOME": str(tmp_path)}
    ran = subprocess.run(
        [*HGRKIT, "--install-completion", shell], env=environment, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "_HGRKIT_COMPLETE" in (tmp_path / file).read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")
def test_bash_takes_the_script_and_completes(tmp_path, hgrkit):
    (tmp_path / "hgrkit").write_text(f'#!/bin/sh\nexec {sys.executable} -m hgrkit "$@"\n')
    (tmp_path / "hgrkit").chmod(0o755)
    (tmp_path / "script").write_text(hgrkit("--show-completion", "bash").out)
    lines = f"""
        PATH={tmp_path}:$PATH; . {tmp_path}/script
        COMP_WORDS=(hgrkit ver); COMP_CWORD=1; _hgrkit_completion hgrkit; echo "${{COMPREPLY[@]}}"
    """
    ran = subprocess.run(["bash", "--norc", "-c", lines], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["verify"]


def test_without_a_name_the_shell_is_the_one_that_asks(hgrkit, monkeypatch):
    import shellingham

    monkeypatch.setattr(shellingham, "detect_shell", lambda: ("fish", "/bin/fish"))
    assert hgrkit("--show-completion").out == hgrkit("--show-completion", "fish").out

    def nobody():
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", nobody)
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert hgrkit("--show-completion").out == hgrkit("--show-completion", "zsh").out
    monkeypatch.delenv("SHELL")
    assert hgrkit("--show-completion").error.startswith("hgrkit: the shell cannot be recognised; type: ")


@pytest.mark.parametrize(
    ("typed", "loaded"),
    [
        ("hgrkit search --k", ["search"]),
        ("hgrkit search ", ["search"]),
        ("hgrkit parse", list(COMMANDS)),
        ("hgrkit sea", list(COMMANDS)),
        ("hgrkit", list(COMMANDS)),
    ],
)
def test_only_the_command_that_was_typed_is_loaded(monkeypatch, typed, loaded):
    monkeypatch.setenv("_HGRKIT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", typed)
    assert app._completed(COMMANDS) == loaded
