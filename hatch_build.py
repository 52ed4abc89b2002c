"""Compiles the matcher's kernel while a wheel is built; a wheel made without a compiler computes with numpy.

    python hatch_build.py

compiles it into a checkout, beside its source.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "hgrkit/matching/kernel.c"
LIBRARY = "hgrkit/matching/libkernel.dll" if sys.platform == "win32" else "hgrkit/matching/libkernel.so"
FLAGS = ["-std=gnu11", "-O3", "-fno-math-errno", "-ffp-contract=fast", "-fvisibility=hidden", "-shared"]


class KernelHook(BuildHookInterface[Any]):
    """Puts the compiled kernel into a wheel, or into the checkout that an editable wheel points to."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say for which platform the wheel is then."""
        self._folder = Path(mkdtemp())
        library = Path(self.root, LIBRARY) if version == "editable" else self._folder / "kernel"
        problem = compile_kernel(Path(self.root, SOURCE), library)
        if problem:
            library.unlink(missing_ok=True)  # an older one may not do what its source now says
            self.app.display_warning(f"hgrkit's kernel is not compiled, numpy is used instead: {problem}")
            return
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{_platform()}"
        if version != "editable":
            build_data["force_include"][str(library)] = LIBRARY

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove what was compiled, which the wheel now holds."""
        shutil.rmtree(self._folder, ignore_errors=True)


def compile_kernel(source: Path, library: Path) -> str:
    """Compile a kernel with `CC` or the system's compiler, and with what CFLAGS and the like ask for.

    Returns:
        What went wrong; nothing if it is compiled.
    """
    compiler = (
        shlex.split(os.environ.get("CC", ""))
        or [path for name in ("cc", "gcc", "clang") if (path := shutil.which(name))][:1]
    )
    if not compiler:
        return "there is no C compiler"
    asked = [flag for name in ("CFLAGS", "ARCHFLAGS", "LDFLAGS") for flag in shlex.split(os.environ.get(name, ""))]
    position = [] if sys.platform == "win32" else ["-fPIC"]
    part = library.with_name(f"{library.name}.{os.getpid()}")  # a process may have the old one loaded
    command = [*compiler, *FLAGS, *position, *asked, str(source), "-o", str(part), "-lm"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (the user's compiler)
    except OSError as error:
        return str(error)
    if ran.returncode:
        return f"{shlex.join(command)}: {ran.stderr.strip() or ran.stdout.strip()}"
    part.replace(library)
    return ""


def _platform() -> str:
    from packaging.tags import platform_tags

    return next(tag for tag in platform_tags() if "manylinux" not in tag and "musllinux" not in tag)


if __name__ == "__main__":
    root = Path(__file__).resolve().parent
    sys.exit(compile_kernel(root / SOURCE, root / LIBRARY) or None)
