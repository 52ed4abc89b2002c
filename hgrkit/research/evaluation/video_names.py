"""Finds a benchmark's videos among files, features or a library's paths, which may have folders and suffixes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import PurePath

from hgrkit.errors import BenchmarkError

__all__ = ["ends_in", "match_names"]


def match_names(names: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """The key of each name: the name itself, else a path that ends in it or whose stem it is.

    >>> match_names(["video1", "2.jpg", "video3"], ["clips/video1.mp4", "2", "b.avi"])
    {'video1': 'clips/video1.mp4', '2.jpg': '2'}
    >>> match_names(["clips/video1.mp4"], ["/home/me/clips/video1.mp4", "/home/me/old/video1.mp4"])
    {'clips/video1.mp4': '/home/me/clips/video1.mp4'}

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
            [key for key in by_base.get(PurePath(name).name, ()) if ends_in(key, name)],
            by_stem.get(name),
            exact.get(stem),
        )
        fitting = next(filter(None, places), [])
        if len(fitting) > 1:
            raise BenchmarkError(f"{name!r} fits several videos: {', '.join(fitting[:3])}; keep one of them.")
        if fitting:
            found[name] = fitting[0]
    return found


def ends_in(path: str, name: str) -> bool:
    """Whether a path is a name, or that name in some folder.

    >>> ends_in("/home/me/v/a.mp4", "v/a.mp4"), ends_in("a.mp4", "./a.mp4"), ends_in("/me/v2/a.mp4", "2/a.mp4")
    (True, True, False)
    """
    parts, whole = (PurePath(os.path.normpath(text)).parts for text in (name, path))
    return whole[-len(parts) :] == parts
