"""`hgrkit serve` as a user types it: the line with the address, mistakes in one line, nothing loaded by others."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tomllib

import pytest

from hgrkit.serve.server import HttpServer
from hgrkit.serve.settings import ServeSettings
from tests.serve.live_server import start_process, stop_process
from tests.test_docs import ROOT


def fails(*arguments, **environment):
    """Runs a command that must end at once with one line; returns that."""
    command = [sys.executable, "-m", "hgrkit", "serve", *map(str, arguments)]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def test_the_address_is_printed_when_it_answers_and_an_interrupt_ends_it_quietly(made):
    running = start_process(made.library)
    with running.client() as client:
        assert client.get("api/health").json()["status"] == "ok"
        assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
    printed, errors = stop_process(running)
    assert (printed, errors, running.process.returncode) == ("", "", 0)


def test_a_port_that_is_taken_is_told(made):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "choose another" in fails(made.library, "--port", taken.getsockname()[1])


def test_mistakes_get_one_line(made, tmp_path):
    assert "--token" in fails(made.library, "--host", "0.0.0.0")
    assert "16 ASCII" in fails(made.library, "--token", "short")
    assert "16 ASCII" in fails(made.library, HGRKIT_TOKEN="short")
    assert "no address of this machine" in fails(
        made.library, "--host", "no.such.host.invalid", "--token", "x" * 20
    )
    assert "nowhere" in fails(tmp_path / "nowhere", "--port", "0")
    assert "parser" in fails(made.library, "--port", "0", "--parser", "no-such-parser")


def test_a_missing_package_is_named(made, tmp_path):
    """The command finds what it needs by name before it imports anything of it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'uvicorn' else find(name, *rest)\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    assert "pip install 'hgrkit[serve]'" in fails(made.library, PYTHONPATH=path)


@pytest.mark.parametrize("arguments", [["--help"], ["parse", "a dog runs"]])
def test_other_commands_load_nothing_of_it(arguments):
    program = (
        "import sys; from hgrkit.cli import main\n"
        f"sys.argv = ['hgrkit', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'starlette', 'fastapi', 'uvicorn', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_tests_have_all_that_a_server_needs():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(extras["serve"]) <= set(extras["dev"])


def test_a_server_that_cannot_open_its_library_lets_go_of_the_port(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(Exception, match="nowhere"):
        HttpServer(ServeSettings(libraries=(tmp_path / "nowhere",), port=port))
    with socket.create_server(("127.0.0.1", port)):
        pass
