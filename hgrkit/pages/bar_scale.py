"""How long bars are: one scale for all similarities of an explanation, one for a hit's weights."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.results import Hit

__all__ = ["HeatScale", "SimilarityScale"]

_LEAST_TOP = 0.5
_LEAST_SHARES = 2.0


@attrs.frozen
class SimilarityScale:
    """Bars of similarities, from 0 to the highest one of some hits.

    Attributes:
        top: the similarity that a whole bar stands for.
    """

    top: float

    @classmethod
    def of(cls, hits: Sequence[Hit]) -> SimilarityScale:
        """The scale on which every level and phrase of these hits has room; it ends at 0.5 or above."""
        levels = [level for hit in hits for level in hit.levels if level is not None]
        phrases = [phrase.similarity for hit in hits for phrase in hit.phrases]
        return cls(max([_LEAST_TOP, *levels, *phrases]))

    def part(self, similarity: float | None) -> float:
        """How much of a bar is filled, in [0, 1]; none of it for what is dissimilar, or was not asked for."""
        return 0.0 if similarity is None else min(1.0, max(0.0, similarity / self.top))


@attrs.frozen
class HeatScale:
    """Columns of weights; a frame's even share, what it had if all frames were alike, is always as high.

    Attributes:
        num_frames: frames that share the weight.
        top: the weight that a whole column stands for.
    """

    num_frames: int
    top: float

    @classmethod
    def of(cls, hit: Hit) -> HeatScale:
        """The scale of one hit; it ends at twice the even share or above."""
        num_frames = len(hit.phrases[0].weights) if hit.phrases else 1
        highest = max((max(phrase.weights) for phrase in hit.phrases), default=0.0)
        return cls(num_frames, max(_LEAST_SHARES / num_frames, highest))

    @property
    def even(self) -> float:
        """A frame's even share."""
        return 1.0 / self.num_frames

    def part(self, weight: float) -> float:
        """How much of a column is filled, in [0, 1]."""
        return min(1.0, max(0.0, weight / self.top))
