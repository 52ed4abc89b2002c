"""What the file of a moment is called: its rank, its video and its span, on any system."""

from __future__ import annotations

import unicodedata
from pathlib import PurePath

from hgrkit.results import Hit

__all__ = ["clip_name"]

_RESERVED = '<>:"/\\|?*'
_LONGEST_BYTES = 120


def clip_name(hit: Hit) -> str:
    """The name of a hit's clip, without a suffix: rank, video and moment.

    What a file system or a shell may take amiss becomes an underscore, and a long name is cut.

    >>> from hgrkit.levels import PerLevel
    >>> levels = PerLevel(event=0.0, action=0.0, entity=0.0)
    >>> clip_name(Hit(rank=1, video="videos/dog_park.mp4", start_s=12.0, end_s=15.52, score=0.4, levels=levels,
    ...     phrases=()))
    '01 dog_park 12.0-15.5s'
    """
    stem = PurePath(hit.video).stem.encode("utf-8", "replace").decode("utf-8")
    safe = "".join("_" if _is_unsafe(character) else character for character in stem)
    safe = safe.encode()[:_LONGEST_BYTES].decode("utf-8", "ignore").strip(" .") or "video"
    return f"{hit.rank:02d} {safe} {hit.start_s:.1f}-{hit.end_s:.1f}s"


def _is_unsafe(character: str) -> bool:
    """Whether it means something to a file system, or nothing to a person: controls, marks of direction, gaps."""
    return character in _RESERVED or unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")
