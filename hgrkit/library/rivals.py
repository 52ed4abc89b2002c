"""What a search knows of the videos beside its hits, from which a model tells how sure a hit is."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.library.records import Float32, Float64

__all__ = ["NUM_RIVALS", "Rivals"]

NUM_RIVALS = 50
"""Videos that a hit is compared with. Models are calibrated with as many: another number needs new ones."""


@attrs.frozen(kw_only=True, eq=False)
class Rivals:
    """The best videos for a question, hits and those behind them: what tells how sure a hit is.

    Attributes:
        videos: their paths, the best first.
        scores: [R] of each one's best clip.
        actions: [R] these clips' scores at the action level; 0 if the question has no verb.
        events: [R, D] of these clips.
        num_clips: all clips that were looked at.
    """

    videos: Sequence[str]
    scores: Float64
    actions: Float64
    events: Float32
    num_clips: int
