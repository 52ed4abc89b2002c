"""Fixtures that every test folder shares."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"

# What hgrkit keeps of its user is that of the tests, also in the processes that they start.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="hgrkit-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CONFIG_HOME"], ignore_errors=True)

torch.set_num_threads(1)  # small tensors on few cores: threads that wait for each other cost more than they save


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of development data beside the checkout."""
    if not SHARED.is_dir():
        if os.environ.get("HGRKIT_REQUIRE_SHARED") == "1":
            pytest.fail(f"the development data must be at {SHARED}, and HGRKIT_REQUIRE_SHARED is set")
        pytest.skip(f"needs the development data at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def transformer(tmp_path_factory):
    """A frozen transformer small enough to be computed by hand."""
    from tests.tiny_transformer import write_transformer

    return write_transformer(tmp_path_factory.mktemp("transformer"))


@pytest.fixture(scope="session")
def ffmpeg_folder(tmp_path_factory) -> Path:
    """A folder for PATH that holds `ffmpeg`: the one that a package of the extra `dev` carries."""
    import imageio_ffmpeg

    folder = tmp_path_factory.mktemp("ffmpeg")
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    return folder


@pytest.fixture
def ffmpeg(ffmpeg_folder):
    """Runs FFmpeg with some arguments."""

    def run(*arguments):
        subprocess.run([ffmpeg_folder / "ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)

    return run


@pytest.fixture
def run_case(shared, ffmpeg_folder, monkeypatch):
    """Runs a script of the shared cases with some arguments; returns what it printed."""
    monkeypatch.setenv(
        "PATH", os.pathsep.join([str(ffmpeg_folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    )

    def run(name, *arguments):
        program = "bash" if name.endswith(".sh") else sys.executable
        command = [program, shared / "cases" / name, *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8", errors="replace").stdout

    return run


@pytest.fixture(scope="session")
def unprivileged() -> list[str]:
    """What to put before a command so that closed folders are closed to it, also where the tests run as root."""
    if os.name == "nt" or os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root may read everything here, and there is no setpriv to give that up")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.fixture
def install_plugin(tmp_path, monkeypatch):
    """Installs a distribution of one module that brings one entry point, for the length of a test."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    modules = []

    def install(group, name, *, source="", distribution="plugin", version="1.0", target="thing"):
        module = f"{distribution.replace('-', '_')}_module"
        modules.append(module)
        (site / f"{module}.py").write_text(source)
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        with (info / "entry_points.txt").open("a") as file:
            file.write(f"[{group}]\n{name} = {module}:{target}\n")
        importlib.invalidate_caches()

    yield install
    for module in modules:
        sys.modules.pop(module, None)
