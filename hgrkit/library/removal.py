"""Which videos a user means by a path: one video as it is listed, or everything below a folder."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from hgrkit.errors import MissingPathError

__all__ = ["named_videos"]


def named_videos(paths: Sequence[str], listed: Iterable[str]) -> tuple[str, ...]:
    """The listed videos that paths name, in the order of the list.

    >>> named_videos(["a.mp4", "pets/"], ["a.mp4", "b.mp4", "pets/cat.mp4", "petshop.mp4"])
    ('a.mp4', 'pets/cat.mp4')

    Args:
        paths: videos exactly as they are listed, or folders above them.
        listed: paths of all videos.

    Raises:
        MissingPathError: if a path names nothing; the message has those that look alike.
    """
    videos = tuple(listed)
    named: set[str] = set()
    for path in paths:
        found = {path} & set(videos) or _below(path, videos)
        if not found:
            raise MissingPathError(_unknown(path, videos))
        named |= found
    return tuple(video for video in videos if video in named)


def _below(folder: str, videos: Iterable[str]) -> set[str]:
    if not folder:
        return set()
    separators = tuple({"/", os.sep})
    stem = folder.rstrip("".join(separators))
    return {video for video in videos if video.startswith(tuple(stem + separator for separator in separators))}


def _unknown(path: str, videos: Sequence[str]) -> str:
    folders = {video[: video.rindex("/")] for video in videos if "/" in video.strip("/")}
    near = difflib.get_close_matches(path, [*videos, *sorted(folders)], n=3)
    same_name = [video for video in videos if path and PurePath(video).name == PurePath(path).name]
    alike = [*dict.fromkeys([*near, *same_name])][:3]
    hint = f" Did you mean {' or '.join(map(repr, alike))}?" if alike else ""
    return f"the library has no video and no folder {path!r}; nothing was removed.{hint}"
