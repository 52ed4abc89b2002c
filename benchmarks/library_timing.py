"""What benchmarks that search a library share: where it comes from, how the result is described and kept."""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

__all__ = ["described", "run"]


def described(packages: Sequence[str]) -> dict[str, object]:
    """The machine and the versions that figures belong to."""
    return {
        "machine": {"platform": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in packages}},
    }


def run(
    description: str,
    index: Callable[[Path, Path], object],
    measure: Callable[[Path, int], dict[str, object]],
    *,
    runs: int,
) -> None:
    """Index unless a library is named, measure, print, and write a file if one is named.

    Args:
        description: of the benchmark; its first line is the command's help.
        index: makes a library, the second path, of a folder of videos.
        measure: takes the library and the number of rounds.
        runs: rounds unless told otherwise.
    """
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    searched = parser.add_mutually_exclusive_group(required=True)
    searched.add_argument("--videos", type=Path, help="a folder of videos to index and search")
    searched.add_argument("--library", type=Path, help="a library to search")
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = arguments.library or Path(folder) / "library"
        if arguments.library is None:
            index(arguments.videos, library)
        text = json.dumps(measure(library, arguments.runs), indent=2)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
