"""The 98 MSVD clips that benchmarks ask about: which are for choosing, and which stands in for another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["another_clip", "for_choosing", "for_reporting"]

FOR_CHOOSING = 49


def for_choosing(clips: Iterable[str]) -> list[str]:
    """The first half by name, which settings are chosen on."""
    return sorted(clips)[:FOR_CHOOSING]


def for_reporting(clips: Iterable[str]) -> list[str]:
    """The second half by name, which figures are reported of."""
    return sorted(clips)[FOR_CHOOSING:]


def another_clip(clips: Sequence[str]) -> dict[str, str]:
    """To each clip the one half way on in the list, round its end: one that has nothing to do with it."""
    half = len(clips) // 2
    return dict(zip(clips, [*clips[half:], *clips[:half]], strict=True))
