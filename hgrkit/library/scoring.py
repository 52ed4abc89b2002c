"""Exact scores of clips against queries: the levels and their weighted mean, as the matcher has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.settings import setting
from hgrkit.levels import PerLevel
from hgrkit.library.arrays import ClipArrays
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.matching.clip_similarities import (
    clip_alignment,
    clip_similarities,
    event_similarities,
    mean_over_nodes,
)
from hgrkit.matching.config import LevelWeights, MatcherConfig

__all__ = ["EXHAUSTIVE_UP_TO", "LIKE_WEIGHT", "Alignment", "ClipSet", "LevelWeights", "SearchSettings"]

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

    def candidates_among(self, num_clips: int) -> int:
        """Return how many of a library's clips a search compares exactly."""
        if self.exhaustive or (self.exhaustive is None and num_clips <= EXHAUSTIVE_UP_TO):
            return num_clips
        return min(num_clips, self.candidates or max(_LEAST_CANDIDATES, num_clips // _CLIPS_A_CANDIDATE))

    def searching(self, *, exact: bool, num_candidates: int | None) -> SearchSettings:
        """The settings of a search that compares every clip, or so many, or what suits the library's size."""
        exhaustive = True if exact else None if num_candidates is None else False
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

    def levels(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> PerLevel[Float32]:
        """Return every level's score, [V, C] each; 0 where a query has no node of the level."""

        def level(frames: npt.NDArray[Any], nodes: Sequence[Float32]) -> Float32:
            similarities = clip_similarities(
                frames,
                self.starts,
                self.counts,
                np.concatenate(nodes),
                sharpness=settings.sharpness,
                fusion=settings.fusion,
            )
            return mean_over_nodes(similarities, [len(part) for part in nodes])

        return PerLevel(
            event=np.stack([event_similarities(self.event, query.event) for query in queries], axis=1),
            action=level(self.action, [query.action for query in queries]),
            entity=level(self.entity, [query.entity for query in queries]),
        )

    def scores(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> Iterator[Float32]:
        """Return fused scores, some queries at a time: [V, c] each, the queries in their order."""
        nodes = max((len(query.action) + len(query.entity) + 1 for query in queries), default=1)
        step = max(1, _CHUNK_SIMILARITIES // (nodes * max(1, len(self.event))))
        for start in range(0, len(queries), step):
            levels = self.levels(queries[start : start + step], settings)
            fused: Float32 = np.asarray(settings.fuse(levels), np.float32)
            yield fused

    def likeness(self, like: QueryEmbeddings, settings: SearchSettings) -> Float32:
        """Return how like an example every clip is, [V]."""
        return next(self.scores([like], settings.for_examples()))[:, 0]

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
        action, entity = aligned["action"][1], aligned["entity"][1]
        levels = PerLevel(
            event=event_similarities(self.event, query.event),
            action=mean_over_nodes(action, [len(query.action)])[:, 0],
            entity=mean_over_nodes(entity, [len(query.entity)])[:, 0],
        )
        return Alignment(
            scores=np.asarray(settings.fuse(levels), np.float64),
            levels=levels,
            similarities=PerLevel(event=levels.event, action=action, entity=entity),
            action_weights=aligned["action"][0],
            entity_weights=aligned["entity"][0],
        )


@attrs.frozen(kw_only=True, eq=False)
class Alignment:
    """One query compared with V clips.

    Attributes:
        scores: [V] weighted mean of the levels, and of the likeness if there is an example.
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

    def beside(self, likeness: Float32) -> Alignment:
        """The same where an example counts as well, by how like it the clips are, [V]."""
        scores = (1 - LIKE_WEIGHT) * self.scores + LIKE_WEIGHT * likeness
        return attrs.evolve(self, scores=scores, likeness=likeness)
