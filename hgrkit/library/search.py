"""One question to one version of a library, or of several: candidates by event, one exact pass, moments."""

# Paths are compared as absolute ones without following links, as `os.path` does it.
# ruff: noqa: PTH100

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import attrs
import numpy as np

from hgrkit.errors import LibraryError
from hgrkit.levels import PerLevel
from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.candidates import AnnCache
from hgrkit.library.moments import Moment, cut_moment, moment_of_frames
from hgrkit.library.records import ClipEmbeddings, Float32, Float64, QueryEmbeddings, VideoRecord, path_bytes
from hgrkit.library.removal import listed_path
from hgrkit.library.scoring import LIKE_WEIGHT, Alignment, ClipSet, SearchSettings
from hgrkit.library.store import StoredVideo, View
from hgrkit.matching.clip_similarities import clip_similarities, event_similarities
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.matching.scenes import cut_scenes

__all__ = [
    "ClipMatch",
    "Matches",
    "SearchRequest",
    "Source",
    "all_videos",
    "indexed_paths",
    "pair_scores",
    "search_clips",
    "stored_videos",
    "video_scores",
]

_DECIMALS = 6
"""Scores are compared rounded: sums in another order differ by less than 1e-6."""


@attrs.frozen(kw_only=True, eq=False)
class ClipMatch:
    """One answer: the best clip of a video, with what was seen when.

    Attributes:
        video: the video's path.
        start_s: where the clip begins, in seconds.
        end_s: where the clip ends, in seconds.
        score: weighted mean of the levels, and of the likeness if an example was given with the question.
        likeness: to that example, in [-1, 1]; `None` without one.
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
    likeness: float | None
    levels: PerLevel[float | None]
    action_similarities: Float32
    entity_similarities: Float32
    action_weights: Float32
    entity_weights: Float32
    times_s: Float64
    moment: Moment


class Matches(list[ClipMatch]):
    """The answer to a question, the best match first.

    Attributes:
        exact: every clip that was asked for was compared at every level, not only the nearest by event.
    """

    def __init__(self, matches: Iterable[ClipMatch], *, exact: bool) -> None:
        super().__init__(matches)
        self.exact = exact


@attrs.frozen(eq=False)
class Source:
    """A version that is searched, alone or with those of other libraries.

    Attributes:
        view: the version.
        ann_cache: finds candidates in a large library.
    """

    view: View
    ann_cache: AnnCache


@attrs.frozen(kw_only=True, eq=False)
class SearchRequest:
    """One question to a library.

    Attributes:
        query: what is asked.
        k: videos, at least 1.
        settings: how clips are scored, and how many.
        videos: look at the videos with these paths only, and at all of their clips; at every video if `None`.
        like: an example that clips should be like as well.
        leave_out: the path of a video that is no answer.
    """

    query: QueryEmbeddings
    k: int
    settings: SearchSettings
    videos: Sequence[str] | None = None
    like: QueryEmbeddings | None = None
    leave_out: str | None = None

    @property
    def event(self) -> Float32:
        """What candidates are nearest to, [D]: as events count in the score, if there is an example, too."""
        if self.like is None:
            return self.query.event
        words, example = unit_vectors(self.query.event), unit_vectors(self.like.event)
        return np.asarray((1 - LIKE_WEIGHT) * words + LIKE_WEIGHT * example, np.float32)


def search_clips(sources: Sequence[Source], request: SearchRequest) -> Matches:
    """Find the best clip of each of the k best videos, the best first; equal scores in the order of their paths.

    Args:
        sources: the libraries' versions; hits and order are those of one library that holds all their videos.
        request: what is asked.

    Raises:
        LibraryError: if one of the request's videos is not indexed.
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    found: list[_Found] = []
    for source, rows in zip(sources, _candidates(sources, request), strict=True):
        left = _left(source, rows, request.leave_out)
        found += _compare(source.view, left, request) if left.size else []
    found.sort(key=lambda one: (-one.score, path_bytes(one.path)))
    best = {one.path: one for one in reversed(found)}  # a video that several libraries hold counts once
    first = [one for one in found if best[one.path] is one][: request.k]
    total = sum(source.view.arrays.num_living for source in sources)
    exact = request.videos is not None or request.settings.candidates_among(total) >= total
    return Matches((_match(one, request) for one in first), exact=exact)


def video_scores(
    sources: Sequence[Source], queries: Sequence[QueryEmbeddings], settings: SearchSettings
) -> Float32:
    """Score every query with every indexed video, by its best clip; exact.

    Returns:
        float32 [V, C], videos in the order of `indexed_paths`.

    Raises:
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    stored = [source.view.videos() for source in sources]
    places = {path: place for place, path in enumerate(_indexed(_merged(stored)))}
    scores = np.full((len(places), len(queries)), -np.inf, np.float32)
    for source, every in zip(sources, stored, strict=True):
        videos = [video for video in every if video.record.state == "indexed"]
        if not videos or not queries:
            continue
        clips = _checked_clips(source.view.arrays, _rows_of(videos))
        starts = np.cumsum([0, *(len(video.rows) for video in videos[:-1])])
        rows = np.array([places[video.record.path] for video in videos])
        done = 0
        for part in clips.scores(queries, settings):
            columns = slice(done, done + part.shape[1])
            best = np.maximum.reduceat(part, starts, axis=0)
            scores[rows, columns] = np.maximum(scores[rows, columns], best)
            done += part.shape[1]
    return scores


def pair_scores(
    sources: Sequence[Source],
    paths: Sequence[str],
    queries: Sequence[QueryEmbeddings],
    settings: Sequence[SearchSettings],
) -> Float32:
    """Score each query with its own video, by the video's best clip; exact.

    Args:
        sources: the versions that are asked.
        paths: each query's video.
        queries: C queries.
        settings: S ways to score.

    Returns:
        float32 [S, C].

    Raises:
        LibraryError: if a video is not indexed.
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    scores = np.full((len(settings), len(queries)), -np.inf, np.float32)
    places: dict[str, list[int]] = {}
    for place, path in enumerate(paths):
        places.setdefault(path, []).append(place)
    for path, asked in places.items():
        for source, video in stored_videos(sources, path):
            clips = _checked_clips(source.view.arrays, _rows_of([video]))
            for row, setting in enumerate(settings):
                parts = clips.scores([queries[place] for place in asked], setting)
                best = np.concatenate([part.max(axis=0) for part in parts])
                scores[row, asked] = np.maximum(scores[row, asked], best)
    return scores


def all_videos(sources: Sequence[Source]) -> list[VideoRecord]:
    """Return every video, in the order of the paths; of one that several libraries hold, an indexed record."""
    return _merged([source.view.videos() for source in sources])


def indexed_paths(sources: Sequence[Source]) -> list[str]:
    """Return the paths of the videos that can be found, in their order."""
    return _indexed(all_videos(sources))


def _merged(stored: Sequence[Sequence[StoredVideo]]) -> list[VideoRecord]:
    found: dict[bytes, VideoRecord] = {}
    for record in (video.record for videos in stored for video in videos):
        known = found.get(key := path_bytes(record.path))
        if known is None or known.state == "failed":
            found[key] = record
    return [found[key] for key in sorted(found)]


def _indexed(records: Sequence[VideoRecord]) -> list[str]:
    return [record.path for record in records if record.state == "indexed"]


def stored_videos(sources: Sequence[Source], path: str) -> list[tuple[Source, StoredVideo]]:
    """An indexed video by its path, absolute or from the current folder, in every library that holds it.

    Raises:
        LibraryError: if none does.
    """
    found: list[tuple[Source, StoredVideo]] = []
    for source in sources:
        view = source.view
        video = view.find(path) or view.find(os.path.abspath(path))
        if video is None:  # earlier versions kept paths as they were typed
            listed = listed_path(path, {other.record.path for other in view.videos()})
            video = None if listed is None else view.find(listed)
        if video is not None and video.record.state == "indexed":
            found.append((source, video))
    if not found:
        raise LibraryError(f"the library has no indexed video {path!r}; index it, or leave it out.")
    return found


def _rows_of(videos: Sequence[StoredVideo]) -> Rows:
    return np.array([row for video in videos for row in video.rows], np.int64)


def _candidates(sources: Sequence[Source], request: SearchRequest) -> list[Rows]:
    """Clips to compare exactly, ascending, of each source: of at least k videos if there are so many."""
    if request.videos is not None:
        chosen: dict[int, list[StoredVideo]] = {id(source): [] for source in sources}
        for path in dict.fromkeys(request.videos):
            for source, video in stored_videos(sources, path):
                chosen[id(source)].append(video)
        return [np.unique(_rows_of(chosen[id(source)])) for source in sources]
    total = sum(source.view.arrays.num_living for source in sources)
    count = request.settings.candidates_among(total)
    if count >= total:
        return [source.view.arrays.rows for source in sources]
    wanted = request.k + (request.leave_out is not None)
    count = max(count, wanted)
    while True:
        rows = _nearest(sources, request.event, count)
        videos = sum(
            len(np.unique(source.view.arrays.clips["video"][part]))
            for source, part in zip(sources, rows, strict=True)
        )
        if videos >= wanted or count >= total:
            return rows
        count *= 2


def _left(source: Source, rows: Rows, leave_out: str | None) -> Rows:
    """The clips without those of a video that is no answer."""
    video = None if leave_out is None else source.view.find(leave_out)
    return rows if video is None else np.setdiff1d(rows, np.array(video.rows), assume_unique=True)


def _nearest(sources: Sequence[Source], event: Float32, count: int) -> list[Rows]:
    """The `count` clips of all sources whose events are nearest, ascending."""
    rows = [source.ann_cache.index(source.view.arrays).nearest(event, count) for source in sources]
    if len(sources) > 1:
        nearness = [
            event_similarities(source.view.arrays.clips["event"][part], event)
            for source, part in zip(sources, rows, strict=True)
        ]
        every = np.concatenate(nearness)
        least = np.partition(every, -count)[-count] if count < len(every) else -np.inf
        rows = [part[near >= least] for part, near in zip(rows, nearness, strict=True)]
    for source, part in zip(sources, rows, strict=True):
        source.view.arrays.check_clips(part)
    return [np.sort(part) for part in rows]


@attrs.frozen(eq=False)
class _Found:
    """A video's best clip."""

    score: float
    path: str
    arrays: ClipArrays
    row: int
    aligned: Alignment
    place: int


def _compare(view: View, rows: Rows, request: SearchRequest) -> list[_Found]:
    """The k best videos of one version, and all that equal the last of them."""
    arrays = view.arrays
    clips = _checked_clips(arrays, rows)
    aligned = clips.align(request.query, request.settings)
    if request.like is not None:
        aligned = aligned.beside(clips.likeness(request.like, request.settings))
    scores = aligned.scores.round(_DECIMALS)
    places = _best_places(arrays, rows, scores, request.k)
    numbers = arrays.clips["video"][rows[places]].tolist()
    videos = view.videos_of(numbers)
    return [
        _Found(float(scores[place]), videos[number].record.path, arrays, int(rows[place]), aligned, place)
        for place, number in zip(places.tolist(), numbers, strict=True)
    ]


def _checked_clips(arrays: ClipArrays, rows: Rows) -> ClipSet:
    arrays.check_clips(rows)
    arrays.check_frames(rows)
    return ClipSet.at(arrays, rows)


def _best_places(arrays: ClipArrays, rows: Rows, scores: Float64, k: int) -> Rows:
    """Places in `rows` of the best clips of the k best videos, and of all videos that equal the last of them."""
    order = np.lexsort((rows, -scores))
    _, firsts = np.unique(arrays.clips["video"][rows[order]], return_index=True)
    best = order[np.sort(firsts)]  # each video's best clip, the best video first
    found: Rows = best[scores[best] >= scores[best[:k][-1]]]
    return found


def _match(found: _Found, request: SearchRequest) -> ClipMatch:
    query, clip, aligned, place = request.query, found.arrays.clip(found.row), found.aligned, found.place
    action, entity = aligned.action_weights[place], aligned.entity_weights[place]
    weights = np.concatenate([action, entity])
    relevance = weights.mean(axis=0) if len(weights) else np.ones(clip.num_frames, np.float32)
    return ClipMatch(
        video=found.path,
        start_s=clip.start_s,
        end_s=clip.end_s,
        score=float(aligned.scores[place]),
        likeness=None if aligned.likeness is None else float(aligned.likeness[place]),
        levels=PerLevel(
            event=float(aligned.levels.event[place]),
            action=float(aligned.levels.action[place]) if len(query.action) else None,
            entity=float(aligned.levels.entity[place]) if len(query.entity) else None,
        ),
        action_similarities=aligned.similarities.action[place],
        entity_similarities=aligned.similarities.entity[place],
        action_weights=action,
        entity_weights=entity,
        times_s=clip.times_s,
        moment=_moment(clip, query, relevance, request.settings),
    )


def _moment(clip: ClipEmbeddings, query: QueryEmbeddings, relevance: Float32, settings: SearchSettings) -> Moment:
    """The scene that the phrases fit best, or in a clip of one scene the run of frames that they look at."""
    scenes = cut_scenes(clip.entity)
    if len(scenes) == 1 or not len(query.action) + len(query.entity):
        return cut_moment(clip.times_s, relevance, start_s=clip.start_s, end_s=clip.end_s)
    fits = np.zeros(len(scenes), np.float32)
    for weight, frames, nodes in zip(
        settings.level_weights[1:], (clip.action, clip.entity), (query.action, query.entity), strict=True
    ):
        if len(nodes):
            counts = scenes.stops - scenes.starts
            similarities = clip_similarities(
                frames, scenes.starts, counts, nodes, sharpness=settings.sharpness, fusion=settings.fusion
            )
            fits += np.float32(weight) * similarities.mean(axis=1)
    best = int(np.argmax(fits))
    first, stop = int(scenes.starts[best]), int(scenes.stops[best])
    return moment_of_frames(clip.times_s, first, stop, start_s=clip.start_s, end_s=clip.end_s)
