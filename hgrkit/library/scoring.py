"""Exact scores of clips against queries: the levels and their weighted mean, as the matcher has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_flag
from hgrkit.checks.settings import setting
from hgrkit.levels import LEVELS, PerLevel
from hgrkit.library.arrays import ClipArrays
from hgrkit.library.candidates import NOT_FINITE
from hgrkit.library.records import ClipEmbeddings, Float32, QueryEmbeddings
from hgrkit.library.tables import damaged_library
from hgrkit.matching.clip_similarities import (
    clip_alignment,
    clip_similarities,
    event_similarities,
    mean_over_nodes,
)
from hgrkit.matching.config import LevelWeights, MatcherConfig

__all__ = [
    "EXCLUDED_WEIGHT",
    "EXHAUSTIVE_UP_TO",
    "LIKE_WEIGHT",
    "Alignment",
    "ClipSet",
    "LevelWeights",
    "SearchSettings",
]

EXHAUSTIVE_UP_TO = 2_000
"""Clips that a search compares one by one unless it is told otherwise: 8 ms on one core, at 4.1 us a clip
(benchmarks/results/search.json)."""

_LEAST_CANDIDATES = 500
"""Recall@10 against exact search is then 1.000 for captions on real embeddings, 10,000 to 200,000 clips, and at
least 0.998 with equal weights of the levels: benchmarks/results/search.json and search_200k.json."""

_CLIPS_A_CANDIDATE = 400
"""From 200,000 clips on candidates grow with the library: 300 already had 0.993 to 1.000 of 200,000. With 500 of
them matching takes 11.5 ms, and twice as many would take 2.7 ms more (benchmarks/results/search_200k.json)."""

_CHUNK_SIMILARITIES = 1 << 24
"""Clip-node similarities held at once: 64 MiB a level."""


EXCLUDED_WEIGHT = 1.5
"""What a clip's score for an excluded phrase takes off, times this. Up to 1.5 ever more clips without the phrase
rank above those with it; past that hardly more do, and fewer of the first ten are of what was asked
(benchmarks/results/exclusion.json)."""

_MORE_CANDIDATES = 8
"""Where something is excluded: the nearest by event may all show it. With so many more candidates the first ten
are nearly those of an exact search again (benchmarks/results/exclusion.json)."""
LIKE_WEIGHT = 0.6
"""Of the example in a score, where words are asked as well. On MSR-VTT's validation frames 0.6 to 0.8 find a video
by a frame of it and a caption about equally often; the least of them leaves words the most say. To standardise
both scores first gains nothing (benchmarks/results/examples.json)."""

_LIKE_SHARPNESS = 200.0
"""Practically the most similar frame of a clip alone, as a copy needs it (benchmarks/results/examples.json)."""


@attrs.frozen(kw_only=True)
class SearchSettings(MatcherConfig):
    """How clips are scored, as the model's matcher does, and how many are looked at.

    Attributes:
        candidates: clips that a search compares exactly, when it does not compare all of them; `None` lets their
            number grow with the library.
        exhaustive: compare every clip; `None` does so while the library is small.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    candidates: int | None = setting(None, "clips that a search compares exactly", within="[1, inf)")
    exhaustive: bool | None = setting(None, "compare every clip")

    def candidates_among(self, num_clips: int, query: QueryEmbeddings | None = None) -> int:
        """Return how many of a library's clips a search compares exactly; all if the query only excludes."""
        if self.exhaustive or (self.exhaustive is None and num_clips <= EXHAUSTIVE_UP_TO):
            return num_clips
        if query is not None and query.only_excludes:
            return num_clips
        usual = max(_LEAST_CANDIDATES, num_clips // _CLIPS_A_CANDIDATE)
        more = _MORE_CANDIDATES if query is not None and query.excluded else 1
        return min(num_clips, self.candidates or usual * more)

    def searching(self, *, exact: bool, num_candidates: int | None) -> SearchSettings:
        """The settings of a search that compares every clip, or so many, or what suits the library's size."""
        exhaustive = True if check_flag("exact", exact) else None if num_candidates is None else False
        return attrs.evolve(self, exhaustive=exhaustive, candidates=num_candidates)

    def for_examples(self) -> SearchSettings:
        """The settings that frames are compared with frames by: each with the clip's most similar ones."""
        return attrs.evolve(self, sharpness=_LIKE_SHARPNESS, fusion="sim")

    def reweighted(self, level_weights: LevelWeights | None) -> SearchSettings:
        """The settings with other weights of event, action and entity; `None` leaves them as they are."""
        return self if level_weights is None else attrs.evolve(self, level_weights=level_weights)


@attrs.frozen(eq=False)
class ClipSet:
    """V clips that can be scored as they lie: in memory or in mapped files, float16 or float32.

    Attributes:
        event: [V, D].
        action: [N, D] action frames of all clips, and of others.
        entity: [N, D] their entity frames.
        starts: [V] each clip's first frame.
        counts: [V] each clip's number of frames.
    """

    event: npt.NDArray[Any]
    action: npt.NDArray[Any]
    entity: npt.NDArray[Any]
    starts: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @classmethod
    def at(cls, arrays: ClipArrays, rows: npt.NDArray[np.int64]) -> ClipSet:
        """Take clips of a library, in the order of `rows`; the caller has checked them."""
        # Mapped events are read where they lie if they are all wanted, in their order.
        all_of_them = len(rows) == len(arrays.clips) and np.array_equal(rows, np.arange(len(rows)))
        records = arrays.clips if all_of_them else arrays.clips[rows]
        return cls(
            event=records["event"],
            action=arrays.frames["action"],
            entity=arrays.frames["entity"],
            starts=records["first_frame"],
            counts=records["num_frames"],
        )

    @classmethod
    def of(cls, clips: Sequence[ClipEmbeddings]) -> ClipSet:
        """Take clips in memory, at least one."""
        counts = np.array([clip.num_frames for clip in clips])
        return cls(
            event=np.stack([clip.event for clip in clips]),
            action=np.concatenate([clip.action for clip in clips]),
            entity=np.concatenate([clip.entity for clip in clips]),
            starts=np.cumsum(counts) - counts,
            counts=counts,
        )

    def some(self, places: Sequence[int]) -> ClipSet:
        """Take some of the clips."""
        chosen = list(places)
        return attrs.evolve(self, event=self.event[chosen], starts=self.starts[chosen], counts=self.counts[chosen])

    def levels(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> PerLevel[Float32]:
        """Return every level's score, [V, C] each; 0 where a query has no node of the level."""

        def level(frames: npt.NDArray[Any], nodes: Sequence[Float32]) -> Float32:
            similarities = _finite(
                clip_similarities(
                    frames,
                    self.starts,
                    self.counts,
                    np.concatenate(nodes),
                    sharpness=settings.sharpness,
                    fusion=settings.fusion,
                )
            )
            return mean_over_nodes(similarities, [len(part) for part in nodes])

        events = [_finite(event_similarities(self.event, query.event)) for query in queries]
        return PerLevel(
            event=np.stack(events, axis=1),
            action=level(self.action, [query.action for query in queries]),
            entity=level(self.entity, [query.entity for query in queries]),
        )

    def scores(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> Iterator[Float32]:
        """Return fused scores, some queries at a time: [V, c] each, the queries in their order.

        An example that clips should be like counts 0.6, and the words the rest; without words it is the score. A
        clip's score s for each phrase that a query excludes takes 1.5 max(s, 0) off; where the query asks for
        nothing else, the score is -s of the phrase that the clip shows most.
        """
        nodes = max((len(query.action) + len(query.entity) + 1 for query in queries), default=1)
        step = max(1, _CHUNK_SIMILARITIES // (nodes * max(1, len(self.event))))
        for start in range(0, len(queries), step):
            levels = self.levels(queries[start : start + step], settings)
            fused: Float32 = np.asarray(settings.fuse(levels), np.float32)
            for column, query in enumerate(queries[start : start + step]):
                if query.like is not None or query.excluded:
                    fused[:, column] = self._judged(fused[:, column], query, settings)[0]
            yield fused

    def _judged(
        self, fused: npt.NDArray[Any], query: QueryEmbeddings, settings: SearchSettings
    ) -> tuple[npt.NDArray[Any], Float32 | None]:
        """Scores of words with the example and what is excluded, [V]; and how like the example clips are, [V]."""
        likeness = None
        if query.like is not None:
            likeness = next(self.scores([query.like], settings.for_examples()))[:, 0]
            fused = likeness if query.has_no_words else (1 - LIKE_WEIGHT) * fused + LIKE_WEIGHT * likeness
        if query.excluded:
            shown = np.concatenate(list(self.scores(query.excluded, settings)), axis=1).astype(
                np.float64
            )  # [V, X]
            penalties = EXCLUDED_WEIGHT * np.maximum(shown, 0).sum(axis=1)
            fused = -shown.max(axis=1) if query.only_excludes else fused - penalties
        return fused, likeness

    def align(self, query: QueryEmbeddings, settings: SearchSettings) -> Alignment:
        """Compare one query with every clip, and keep which frames each node was seen in."""
        aligned = {
            level: clip_alignment(
                frames, self.starts, self.counts, nodes, sharpness=settings.sharpness, fusion=settings.fusion
            )
            for level, frames, nodes in (
                ("action", self.action, query.action),
                ("entity", self.entity, query.entity),
            )
        }
        action, entity = _finite(aligned["action"][1]), _finite(aligned["entity"][1])
        levels = PerLevel(
            event=_finite(event_similarities(self.event, query.event)),
            action=mean_over_nodes(action, [len(query.action)])[:, 0],
            entity=mean_over_nodes(entity, [len(query.entity)])[:, 0],
        )
        scores, likeness = self._judged(np.asarray(settings.fuse(levels), np.float64), query, settings)
        return Alignment(
            scores=np.asarray(scores, np.float64),
            likeness=likeness,
            levels=levels,
            similarities=PerLevel(event=levels.event, action=action, entity=entity),
            action_weights=aligned["action"][0],
            entity_weights=aligned["entity"][0],
        )


def _finite(similarities: Float32) -> Float32:
    """Similarities, none of them NaN, as those of vectors that are not finite are."""
    if np.isnan(similarities).any():
        raise damaged_library(NOT_FINITE)
    return similarities


@attrs.frozen(kw_only=True, eq=False)
class Alignment:
    """One query compared with V clips.

    Attributes:
        scores: [V] as `ClipSet.scores` has them.
        levels: [V] each level's score.
        similarities: of each node, [V, A] and [V, E]; of the event, [V].
        action_weights: of each clip [A, F], how much each frame bears on each action; rows sum to one.
        entity_weights: of each clip [E, F], the same for entities.
        likeness: [V] how like the example each clip is; `None` without one.
    """

    scores: npt.NDArray[np.float64]
    levels: PerLevel[Float32]
    similarities: PerLevel[Float32]
    action_weights: Sequence[Float32]
    entity_weights: Sequence[Float32]
    likeness: Float32 | None = None

    @classmethod
    def joined(cls, parts: Sequence[Alignment]) -> Alignment:
        """The same query compared with some clips after the other."""
        if len(parts) == 1:
            return parts[0]

        def joined(values: Sequence[PerLevel[Float32]]) -> PerLevel[Float32]:
            return PerLevel(**{level: np.concatenate([each[level] for each in values]) for level in LEVELS})

        likeness = [part.likeness for part in parts if part.likeness is not None]
        return cls(
            scores=np.concatenate([part.scores for part in parts]),
            levels=joined([part.levels for part in parts]),
            similarities=joined([part.similarities for part in parts]),
            action_weights=[weights for part in parts for weights in part.action_weights],
            entity_weights=[weights for part in parts for weights in part.entity_weights],
            likeness=np.concatenate(likeness) if likeness else None,
        )
