"""Which videos a user means by a path: one video, however its path is spelled, or everything below a folder."""

# Paths are compared as absolute ones without following links, as `os.path` does it.
# ruff: noqa: PTH100, PTH117

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePath

from hgrkit.errors import BenchmarkError, MissingPathError

__all__ = ["ends_in", "listed_path", "named_videos", "rows_named"]


def listed_path(path: str, listed: Collection[str]) -> str | None:
    """The listed video that a path names: as it is listed, or under its absolute path.

    >>> listed_path("./pets//cat.mp4", ["a.mp4", "pets/cat.mp4"]), listed_path("dog.mp4", ["a.mp4"])
    ('pets/cat.mp4', None)
    """
    if path in listed:
        return path
    place = os.path.abspath(path)
    if place in listed:
        return place
    # Earlier versions listed paths as they were typed.
    return next((video for video in listed if not os.path.isabs(video) and os.path.abspath(video) == place), None)


def named_videos(paths: Sequence[str], listed: Iterable[str]) -> tuple[str, ...]:
    """The listed videos that paths name, in the order of the list.

    >>> named_videos(["a.mp4", "pets/"], ["a.mp4", "b.mp4", "pets/cat.mp4", "petshop.mp4"])
    ('a.mp4', 'pets/cat.mp4')

    Args:
        paths: videos, or folders above them, absolute or from the current folder.
        listed: paths of all videos.

    Raises:
        MissingPathError: if a path names nothing; the message has those that look alike.
    """
    videos = dict.fromkeys(listed)
    named: set[str] = set()
    for path in filter(None, paths):
        video = listed_path(path, videos)
        found = {video} if video is not None else _below(path, videos)
        if not found:
            raise MissingPathError(_unknown(path, tuple(videos)))
        named |= found
    if "" in paths:
        raise MissingPathError(_unknown("", tuple(videos)))
    return tuple(video for video in videos if video in named)


def rows_named(names: Collection[str], listed: Sequence[str]) -> dict[str, int]:
    """The position of each named video among the listed ones, by its file's name or more of its path.

    >>> rows_named(["cat.mp4"], ["videos/dog.mp4", "videos/cat.mp4"])
    {'cat.mp4': 1}

    Raises:
        BenchmarkError: if a name is not in the library, or fits several of its videos.
    """
    rows_of: dict[str, list[int]] = {}
    for row, path in enumerate(listed):
        rows_of.setdefault(PurePath(path).name, []).append(row)
    fitting = {
        name: [row for row in rows_of.get(PurePath(name).name, ()) if ends_in(listed[row], name)] for name in names
    }
    missing = [name for name, rows in fitting.items() if not rows]
    ambiguous = [name for name, rows in fitting.items() if len(rows) > 1]
    if missing:
        raise BenchmarkError(
            f"{len(missing)} of {len(names)} videos are not in the library, first {missing[0]!r}."
        )
    if ambiguous:
        raise BenchmarkError(
            f"{len(ambiguous)} names fit several videos of the library, first {ambiguous[0]!r}; "
            "put folders before the names, or evaluate a library in which base names are unique."
        )
    return {name: row for name, (row,) in fitting.items()}


def ends_in(path: str, name: str) -> bool:
    """Whether a path is a name, or that name in some folder; `v2/a.mp4` does not end in `2/a.mp4`."""
    parts, whole = (PurePath(os.path.normpath(text)).parts for text in (name, path))
    return whole[-len(parts) :] == parts


def _below(folder: str, videos: Iterable[str]) -> set[str]:
    stem = os.path.abspath(folder).rstrip(os.sep) + os.sep
    return {video for video in videos if os.path.abspath(video).startswith(stem)}


def _unknown(path: str, videos: Sequence[str]) -> str:
    folders = {video[: video.rindex("/")] for video in videos if "/" in video.strip("/")}
    near = [
        *difflib.get_close_matches(path, [*videos, *sorted(folders)], n=3),
        *difflib.get_close_matches(os.path.abspath(path), [*videos, *sorted(folders)], n=3, cutoff=0.9),
    ]
    same_name = [video for video in videos if path and PurePath(video).name == PurePath(path).name]
    alike = [*dict.fromkeys([*near, *same_name])][:3]
    hint = f" Did you mean {' or '.join(map(repr, alike))}?" if alike else ""
    return f"the library has no video and no folder {path!r}; nothing was changed.{hint}"
