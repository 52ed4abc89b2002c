"""Finds a benchmark's videos among files, features or a library's paths, which may bear folders and suffixes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from hgrkit.errors import BenchmarkError

__all__ = ["match_names"]


def match_names(names: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """Which key stands for each name: the very name, else a path whose base name or stem it is.

    >>> match_names(["video1", "2.jpg", "video3"], ["clips/video1.mp4", "2", "b.avi"])
    {'video1': 'clips/video1.mp4', '2.jpg': '2'}

    Returns:
        Names that were found, in their order, and their keys.

    Raises:
        BenchmarkError: if several keys fit a name.
    """
    exact: dict[str, list[str]] = {}
    by_base: dict[str, list[str]] = {}
    by_stem: dict[str, list[str]] = {}
    for key in keys:
        path = PurePath(key)
        exact[key] = [key]
        by_base.setdefault(path.name, []).append(key)
        by_stem.setdefault(path.stem, []).append(key)
    found = {}
    for name in dict.fromkeys(names):
        stem = PurePath(name).stem if PurePath(name).suffix else name
        places = (
            exact.get(name),
            exact.get(name.replace("/", "_")),
            by_base.get(name),
            by_stem.get(name),
            exact.get(stem),
        )
        fitting = next(filter(None, places), [])
        if len(fitting) > 1:
            raise BenchmarkError(f"{name!r} fits several videos: {', '.join(fitting[:3])}; keep one of them.")
        if fitting:
            found[name] = fitting[0]
    return found
