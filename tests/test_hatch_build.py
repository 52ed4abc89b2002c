"""The build compiles the matcher's kernel where it can, and goes on without it where it cannot."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from hgrkit.matching.kernel import kernel_names

pytest.importorskip("hatchling", reason="the build backend is not installed; the extra 'dev' has it")

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "hgrkit/matching/kernel.c"
QUICK = "-O0"  # optimised, the kernel takes 8 s to compile

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="there is no C compiler"
)


@pytest.fixture(autouse=True)
def build_variables(monkeypatch):
    for name in ("CC", "ARCHFLAGS", "LDFLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CFLAGS", QUICK)


@pytest.fixture(scope="module")
def build():
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path):
    """What a build reads, in a folder of its own: an editable build writes into it."""
    folder = tmp_path / "checkout"
    (folder / "hgrkit/matching").mkdir(parents=True)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, folder)
    for name in ("hgrkit/__init__.py", "hgrkit/parsing/NOTICE"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for path in SOURCE.parent.glob("kernel*"):
        shutil.copy(path, folder / "hgrkit/matching")
    return folder


def built(folder, target="wheel"):
    """The file that the build backend makes."""
    pytest.importorskip("hatch_fancy_pypi_readme", reason="the build's own plugin is not installed")
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", "dist"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return max((folder / "dist").iterdir(), key=lambda path: path.stat().st_mtime)


def test_where_ci_runs_the_kernel_is_compiled():
    if kernel_names() == ("numpy",):
        assert os.environ.get("CI") != "true", "hgrkit was installed without its kernel: see pip install -v"
        pytest.skip("the kernel is not compiled here; pip install -e . does it")
    assert kernel_names()[-2:] == ("portable", "numpy")


@needs_compiler
def test_the_compiled_kernel_loads(build, tmp_path):
    library = tmp_path / "kernel.so"
    assert build.compile_kernel(SOURCE, library) == ""
    assert ctypes.CDLL(str(library)).hgrkit_kernel_version() == 4
    assert [path.name for path in tmp_path.iterdir()] == ["kernel.so"]


def test_without_a_compiler_the_build_says_so(build, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.compile_kernel(SOURCE, tmp_path / "kernel.so") == "there is no C compiler"
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    assert "no-such-compiler" in build.compile_kernel(SOURCE, tmp_path / "kernel.so")
    assert not list(tmp_path.iterdir())


@needs_compiler
def test_what_a_compiler_says_of_its_failure_is_told(build, tmp_path):
    source = tmp_path / "kernel.c"
    source.write_text("#error not today\n")
    assert "not today" in build.compile_kernel(source, tmp_path / "kernel.so")
    assert not (tmp_path / "kernel.so").exists()


@needs_compiler
def test_a_wheel_holds_the_kernel_and_names_the_platform(checkout):
    wheel = built(checkout)
    assert wheel.name.startswith("hgrkit-")
    assert "-py3-none-" in wheel.name
    assert not wheel.name.endswith("-any.whl")
    assert "hgrkit/matching/libkernel" in " ".join(zipfile.ZipFile(wheel).namelist())
    assert not list(checkout.glob("hgrkit/matching/libkernel*"))


def test_a_wheel_without_a_compiler_is_for_any_platform(checkout, monkeypatch):
    (checkout / "hgrkit/matching/libkernel.so").write_bytes(b"an older one")
    monkeypatch.setenv("CC", "no-such-compiler")
    wheel = built(checkout)
    assert wheel.name.endswith("-py3-none-any.whl")
    assert "libkernel" not in " ".join(zipfile.ZipFile(wheel).namelist())


def test_the_source_distribution_holds_what_compiles_it(checkout):
    with tarfile.open(built(checkout, "sdist")) as archive:
        names = archive.getnames()
    for name in ("hatch_build.py", "hgrkit/matching/kernel.c", "hgrkit/matching/kernel_variant.h"):
        assert any(path.endswith(f"/{name}") for path in names), name
