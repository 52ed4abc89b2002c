"""Finds clips by names that may bear a folder and a suffix in one file and not in the other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from hgrkit.evaluation.video_names import match_names

__all__ = ["find_clips"]


def find_clips(names: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """Which key stands for each name: as `match_names` says, else by its base name, else by that without suffix.

    >>> find_clips(["clip0.mp4", "a/clip1"], ["videos/clip0", "clip1.avi"])
    {'clip0.mp4': 'videos/clip0', 'a/clip1': 'clip1.avi'}

    Raises:
        BenchmarkError: if several keys fit a name.
    """
    asked, known = list(dict.fromkeys(names)), list(keys)
    found = match_names(asked, known)
    for shorten in (_base, _stem):
        short = {name: shorten(name) for name in asked if name not in found}
        more = match_names(short.values(), known)
        found |= {name: more[base] for name, base in short.items() if base in more}
    return {name: found[name] for name in asked if name in found}


def _base(name: str) -> str:
    return PurePath(name).name


def _stem(name: str) -> str:
    return PurePath(name).stem
