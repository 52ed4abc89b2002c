"""What a library answers: clips and moments, with what was seen when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import attrs

from hgrkit.levels import PerLevel
from hgrkit.library.moments import Moment
from hgrkit.library.records import Float32, Float64, QueryEmbeddings
from hgrkit.library.rivals import Rivals
from hgrkit.library.scoring import Alignment

__all__ = ["ClipMatch", "ExcludedMatch", "Matches"]


@attrs.frozen(kw_only=True, eq=False)
class ExcludedMatch:
    """How much the clip of an answer shows of one excluded phrase.

    Attributes:
        similarity: the clip's score for the phrase as a question of its own.
        weights: [F] mean over its nodes of how much each frame bears on them; even if it has none.
    """

    similarity: float
    weights: Float32


@attrs.frozen(kw_only=True, eq=False)
class ClipMatch:
    """One answer: the best clip of a video, or a further moment as a clip by itself, with what was seen when.

    Attributes:
        video: the video's path.
        start_s: where the clip begins, in seconds.
        end_s: where the clip ends, in seconds.
        score: weighted mean of the levels, less what excluded phrases take off; a further moment's is at most that
            of the best clip.
        levels: each level's score, in [-1, 1]; `None` where the query has no action or no entity, or asks nothing.
        action_similarities: [A] of each action.
        entity_similarities: [E] of each entity.
        action_weights: [A, F] how much each frame bears on each action; rows sum to one.
        entity_weights: [E, F] the same for entities.
        times_s: [F] the frames' times, in seconds.
        moment: the scenes that fit best, of those that lie in the clip at least in part; where nothing is cut, the
            stretch that the weights point to; a further moment itself.
        likeness: to the example, in [-1, 1]; `None` without one.
        excluded: how much the clip shows of each excluded phrase.
    """

    video: str
    start_s: float
    end_s: float
    score: float
    levels: PerLevel[float | None]
    action_similarities: Float32
    entity_similarities: Float32
    action_weights: Float32
    entity_weights: Float32
    times_s: Float64
    moment: Moment
    likeness: float | None = None
    excluded: tuple[ExcludedMatch, ...] = ()

    @classmethod
    def of(
        cls,
        video: str,
        query: QueryEmbeddings,
        *,
        aligned: Alignment,
        place: int,
        span: Moment,
        times_s: Float64,
        excluded: tuple[ExcludedMatch, ...],
        moment: Moment | None = None,
    ) -> Self:
        """Say what was found in one of the clips that were compared with a query.

        Args:
            video: the video's path.
            query: what is asked.
            aligned: how the clips compare.
            place: which clip it is.
            span: when it begins and ends.
            times_s: [F] the times of its frames.
            excluded: how much it shows of each excluded phrase.
            moment: the clip itself unless given.
        """
        return cls(
            video=video,
            start_s=span.start_s,
            end_s=span.end_s,
            score=float(aligned.scores[place]),
            levels=PerLevel(
                event=None if query.has_no_words else float(aligned.levels.event[place]),
                action=float(aligned.levels.action[place]) if len(query.action) else None,
                entity=float(aligned.levels.entity[place]) if len(query.entity) else None,
            ),
            action_similarities=aligned.similarities.action[place],
            entity_similarities=aligned.similarities.entity[place],
            action_weights=aligned.action_weights[place],
            entity_weights=aligned.entity_weights[place],
            times_s=times_s,
            moment=moment or span,
            likeness=None if aligned.likeness is None else float(aligned.likeness[place]),
            excluded=excluded,
        )


class Matches(list[ClipMatch]):
    """The answer to a question, the best match first.

    Attributes:
        exact: every clip that was asked for was compared at every level, not only the nearest by event.
        rivals: the best videos, at least those of the matches.
    """

    def __init__(self, matches: Iterable[ClipMatch], *, exact: bool, rivals: Rivals) -> None:
        super().__init__(matches)
        self.exact = exact
        self.rivals = rivals
