"""The cascade of a search: candidates by their event, exact re-ranking at every level, alignment, moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.arguments import check_sequence, check_whole
from hgrkit.errors import ShapeError
from hgrkit.levels import PerLevel
from hgrkit.library.candidates import CandidateIndex
from hgrkit.library.moments import Moment, cut_moment, moment_of_frames
from hgrkit.library.records import ClipEmbeddings, Float32, Float64, QueryEmbeddings
from hgrkit.library.scoring import PackedClips, SearchSettings
from hgrkit.library.store import Snapshot
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.matching.packed import PackedLevel, alignment, packed_similarities
from hgrkit.matching.scenes import cut_scenes
from hgrkit.matching.windows import WindowedLevel

__all__ = ["EXHAUSTIVE_UP_TO", "ClipMatch", "ClipSearch"]

EXHAUSTIVE_UP_TO = 10_000
"""Clips that a search looks at one by one unless it is told otherwise."""

_ROUNDING = 2e-6
"""More than a matrix product's rounding can change a score."""

_EQUALS = 100
"""Videos beyond the k-th that are looked at for being as good as it."""


@attrs.frozen(kw_only=True, eq=False)
class ClipMatch:
    """One answer: the best clip of a video, with what was seen when.

    Attributes:
        video: the video's path.
        start_s: where the clip begins, in seconds.
        end_s: where the clip ends, in seconds.
        score: weighted mean of the levels.
        levels: each level's score, in [-1, 1]; `None` where the query has no action or no entity.
        action_similarities: [A] of each action.
        entity_similarities: [E] of each entity.
        action_weights: [A, F] how much each frame bears on each action; rows sum to one.
        entity_weights: [E, F] the same for entities.
        times_s: [F] the frames' times, in seconds.
        moment: the scene of the clip that fits best, or in one scene the stretch that the weights point to.
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


class ClipSearch:
    """Searches one snapshot; safe for threads. The clips' vectors stay in memory once they were needed."""

    def __init__(self, snapshot: Snapshot, index: Callable[[Float32], CandidateIndex], *, embed_dim: int) -> None:
        """Search a snapshot; `index` makes the index of its unit event embeddings once one is needed."""
        self._snapshot = snapshot
        self._make_index = index
        self._index: CandidateIndex | None = None
        self._events: Float32 | None = None
        self._embed_dim = embed_dim
        self._packed: PackedClips | None = None
        self._lock = RLock()

    def search(
        self,
        query: QueryEmbeddings,
        k: int,
        settings: SearchSettings,
        videos: npt.NDArray[np.int64] | None = None,
    ) -> list[ClipMatch]:
        """The best clip of each of the k best videos, the best first; equal scores in the order of their paths.

        Args:
            query: what is asked.
            k: videos, at least 1.
            settings: how clips are scored.
            videos: look at these only, by their positions in the snapshot, and at all of them.

        Raises:
            ConfigError: if k is less than 1.
            ShapeError: if the query does not have the library's embedding size.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        k = check_whole("k", k)
        self._check([query])
        num_clips = len(self._snapshot.clip_keys)
        if not num_clips:
            return []
        if videos is not None:
            rows = np.flatnonzero(np.isin(self._snapshot.clip_videos, videos))
            return self._matches(rows, self._some_clips(rows), query, k, settings) if rows.size else []
        exhaustive = settings.exhaustive
        if exhaustive or (exhaustive is None and num_clips <= EXHAUSTIVE_UP_TO):
            return self._matches(np.arange(num_clips), self._all_clips(), query, k, settings)
        rows = self._candidates(query, k, settings.candidates)
        return self._matches(rows, self._some_clips(rows), query, k, settings)

    def scores(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> Float32:
        """Every query against every indexed video, by its best clip; exact.

        Returns:
            float32 [V, C], videos in the order of the snapshot.

        Raises:
            ShapeError: if a query does not have the library's embedding size.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        self._check(queries)
        _, starts = np.unique(self._snapshot.clip_videos, return_index=True)
        scores = np.empty((len(starts), len(queries)), np.float32)
        if not scores.size:
            return scores
        done = 0
        for part in self._all_clips().scores(queries, settings):
            scores[:, done : done + part.shape[1]] = np.maximum.reduceat(part, starts, axis=0)
            done += part.shape[1]
        return scores

    def pair_scores(
        self,
        videos: npt.NDArray[np.int64],
        queries: Sequence[QueryEmbeddings],
        settings: Sequence[SearchSettings],
    ) -> Float32:
        """One score a query, by the best clip of the one video that it is asked of; exact.

        Args:
            videos: [C] each query's video, by its position in the snapshot; one that has clips.
            queries: C queries.
            settings: S ways to score.

        Returns:
            float32 [S, C].

        Raises:
            ShapeError: if a query does not have the library's embedding size.
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        self._check(queries)
        scores = np.empty((len(settings), len(queries)), np.float32)
        for video in np.unique(videos):
            asked = np.flatnonzero(videos == video)
            clips = self._all_clips().take(np.flatnonzero(self._snapshot.clip_videos == video))
            for row, setting in enumerate(settings):
                parts = clips.scores([queries[place] for place in asked.tolist()], setting)
                scores[row, asked] = np.concatenate([part.max(axis=0) for part in parts])
        return scores

    def _check(self, queries: Sequence[QueryEmbeddings]) -> None:
        of = "QueryEmbeddings; make them of words with Retriever.read"
        for query in check_sequence("queries", queries, QueryEmbeddings, of=of, error=ShapeError):
            if query.event.size != self._embed_dim:
                raise ShapeError(
                    f"a query must have embed_dim {self._embed_dim} as the library has, got {query.event.size}."
                )

    def _all_clips(self) -> PackedClips:
        with self._lock:
            if self._packed is None:
                self._packed = self._pack(np.arange(len(self._snapshot.clip_keys)))
            return self._packed

    def _some_clips(self, rows: npt.NDArray[np.int64]) -> PackedClips:
        packed = self._packed
        return self._pack(rows) if packed is None else packed.take(rows)

    def _pack(self, rows: npt.NDArray[np.int64]) -> PackedClips:
        action, entity = self._snapshot.frames(rows.tolist())
        return PackedClips(
            self._unit_events()[rows], PackedLevel.from_clips(action), PackedLevel.from_clips(entity)
        )

    def _unit_events(self) -> Float32:
        with self._lock:
            if self._events is None:
                self._events = unit_vectors(self._snapshot.events())
            return self._events

    def _candidates(self, query: QueryEmbeddings, k: int, count: int) -> npt.NDArray[np.int64]:
        """Positions of the clips to re-rank, ascending, of at least k videos if there are so many."""
        with self._lock:
            if self._index is None:
                self._index = self._make_index(self._unit_events())
            index = self._index
        event = unit_vectors(query.event)
        count = max(count, k)
        while True:
            rows = np.sort(index.nearest(event, count))
            if len(np.unique(self._snapshot.clip_videos[rows])) >= k or count >= len(self._snapshot.clip_keys):
                return rows
            count *= 2

    def _matches(
        self,
        rows: npt.NDArray[np.int64],
        packed: PackedClips,
        query: QueryEmbeddings,
        k: int,
        settings: SearchSettings,
    ) -> list[ClipMatch]:
        """Re-rank clips at ascending positions.

        Matrix products round by where a row lies, so that equal clips may differ in the last digit: the videos at
        the top are scored once more, each by itself, before they are put in order.
        """
        (scores,) = (part[:, 0] for part in packed.scores([query], settings))
        best_first = np.argsort(-scores, kind="stable")
        _, firsts = np.unique(self._snapshot.clip_videos[rows[best_first]], return_index=True)
        best = best_first[np.sort(firsts)]  # each video's best clip, the best video first
        near = best[: k + _EQUALS]
        near = rows[np.sort(near[scores[near] >= scores[best[:k][-1]] - _ROUNDING])]
        videos = [self._snapshot.videos[video].path for video in self._snapshot.clip_videos[near].tolist()]
        clips = self._snapshot.clips(near.tolist())
        matches = [_match(video, clip, query, settings) for video, clip in zip(videos, clips, strict=True)]
        return sorted(matches, key=lambda match: -match.score)[:k]


def _match(video: str, clip: ClipEmbeddings, query: QueryEmbeddings, settings: SearchSettings) -> ClipMatch:
    action = _matched(clip.action, query.action, settings)
    entity = _matched(clip.entity, query.entity, settings)
    weights = np.concatenate([action.weights, entity.weights])
    relevance = weights.mean(axis=0) if len(weights) else np.ones(clip.num_frames, np.float32)
    levels = PerLevel(
        event=float(unit_vectors(clip.event) @ unit_vectors(query.event)), action=action.score, entity=entity.score
    )
    return ClipMatch(
        video=video,
        start_s=clip.start_s,
        end_s=clip.end_s,
        score=float(settings.fuse(levels)),
        levels=PerLevel(
            event=levels.event,
            action=levels.action if len(query.action) else None,
            entity=levels.entity if len(query.entity) else None,
        ),
        action_similarities=action.similarities,
        entity_similarities=entity.similarities,
        action_weights=action.weights,
        entity_weights=entity.weights,
        times_s=clip.times_s,
        moment=_moment(clip, query, relevance, settings),
    )


def _moment(clip: ClipEmbeddings, query: QueryEmbeddings, relevance: Float32, settings: SearchSettings) -> Moment:
    """The scene that the phrases fit best, or in a clip of one scene the run of frames that they look at."""
    scenes = cut_scenes(clip.entity)
    if len(scenes) == 1 or not len(query.action) + len(query.entity):
        return cut_moment(clip.times_s, relevance, start_s=clip.start_s, end_s=clip.end_s)
    levels = (
        (weight, WindowedLevel.cut(frames, scenes, sharpness=settings.sharpness, fusion=settings.fusion), nodes)
        for weight, frames, nodes in zip(
            settings.level_weights[1:], (clip.action, clip.entity), (query.action, query.entity), strict=True
        )
        if len(nodes)
    )
    fits = sum((weight * level.similarities(nodes).mean(axis=1) for weight, level, nodes in levels), np.float32(0))
    best = int(np.argmax(fits))
    first, stop = int(scenes.starts[best]), int(scenes.stops[best])
    return moment_of_frames(clip.times_s, first, stop, start_s=clip.start_s, end_s=clip.end_s)


@attrs.frozen(eq=False)
class _MatchedLevel:
    """One clip's frames against one query's nodes."""

    similarities: Float32
    weights: Float32

    @property
    def score(self) -> float:
        return float(self.similarities.mean()) if self.similarities.size else 0.0


def _matched(frames: Float32, nodes: Float32, settings: SearchSettings) -> _MatchedLevel:
    packed = PackedLevel.from_clips([frames])
    similarities = packed_similarities(packed, nodes, sharpness=settings.sharpness, fusion=settings.fusion)
    weights, _ = alignment(frames, nodes, sharpness=settings.sharpness)
    return _MatchedLevel(similarities[0], weights)
