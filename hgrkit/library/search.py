"""One question to one version of a library: candidates by their event, one exact pass, moments."""

# Paths are compared as absolute ones without following links, as `os.path` does it.
# ruff: noqa: PTH100

from __future__ import annotations

import os
from collections.abc import Sequence

import attrs
import numpy as np

from hgrkit.errors import LibraryError
from hgrkit.levels import PerLevel
from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.candidates import CandidateIndex, FlatScan
from hgrkit.library.moments import Moment, cut_moment, moment_of_frames
from hgrkit.library.records import ClipEmbeddings, Float32, Float64, QueryEmbeddings, path_bytes
from hgrkit.library.removal import listed_path
from hgrkit.library.scoring import Alignment, ClipSet, SearchSettings
from hgrkit.library.store import StoredVideo, View
from hgrkit.matching.scenes import cut_scenes
from hgrkit.matching.windows import WindowedLevel

__all__ = ["ClipMatch", "indexed_videos", "named_video", "pair_scores", "search_clips", "video_scores"]

_DECIMALS = 6
"""Scores are compared rounded: sums in another order differ by less than 1e-6."""


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


def search_clips(
    view: View,
    query: QueryEmbeddings,
    k: int,
    settings: SearchSettings,
    *,
    index: CandidateIndex | None = None,
    videos: Sequence[StoredVideo] | None = None,
) -> list[ClipMatch]:
    """Find the best clip of each of the k best videos, the best first; equal scores in the order of their paths.

    Args:
        view: the version that is asked.
        query: what is asked.
        k: videos, at least 1.
        settings: how clips are scored, and how many.
        index: finds candidates in a large library; every event is compared without one.
        videos: look at these only, and at all of them.

    Raises:
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    arrays = view.arrays
    rows = _rows_of(videos) if videos is not None else _candidates(arrays, query, k, settings, index)
    if not rows.size:
        return []
    aligned = _checked_clips(arrays, rows).align(query, settings)
    scores = aligned.scores.round(_DECIMALS)
    places = _best_places(arrays, rows, scores, k)
    numbers = arrays.clips["video"][rows[places]].tolist()
    stored = view.videos_of(numbers)
    paths = [stored[number].record.path for number in numbers]
    best = sorted(
        zip(places.tolist(), paths, strict=True), key=lambda found: (-scores[found[0]], path_bytes(found[1]))
    )[:k]
    return [
        _match(path, arrays.clip(int(rows[place])), query, settings, aligned=aligned, place=place)
        for place, path in best
    ]


def video_scores(view: View, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> Float32:
    """Score every query with every indexed video, by its best clip; exact.

    Returns:
        float32 [V, C], videos in the order of `indexed_videos`.

    Raises:
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    videos = indexed_videos(view)
    scores = np.empty((len(videos), len(queries)), np.float32)
    if not scores.size:
        return scores
    clips = _checked_clips(view.arrays, _rows_of(videos))
    starts = np.cumsum([0, *(len(video.rows) for video in videos[:-1])])
    done = 0
    for part in clips.scores(queries, settings):
        scores[:, done : done + part.shape[1]] = np.maximum.reduceat(part, starts, axis=0)
        done += part.shape[1]
    return scores


def pair_scores(
    view: View, paths: Sequence[str], queries: Sequence[QueryEmbeddings], settings: Sequence[SearchSettings]
) -> Float32:
    """Score each query with its own video, by the video's best clip; exact.

    Args:
        view: the version that is asked.
        paths: each query's video.
        queries: C queries.
        settings: S ways to score.

    Returns:
        float32 [S, C].

    Raises:
        LibraryError: if a video is not indexed.
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    scores = np.empty((len(settings), len(queries)), np.float32)
    found = {path: named_video(view, path) for path in dict.fromkeys(paths)}
    for path, video in found.items():
        asked = [place for place, other in enumerate(paths) if other == path]
        clips = _checked_clips(view.arrays, _rows_of([video]))
        for row, setting in enumerate(settings):
            parts = clips.scores([queries[place] for place in asked], setting)
            scores[row, asked] = np.concatenate([part.max(axis=0) for part in parts])
    return scores


def indexed_videos(view: View) -> list[StoredVideo]:
    """Return the videos that can be found, in the order of their paths."""
    return [video for video in view.videos() if video.record.state == "indexed"]


def named_video(view: View, path: str) -> StoredVideo:
    """Find an indexed video by its path, absolute or from the current folder.

    Raises:
        LibraryError: if it is not indexed.
    """
    found = view.find(path) or view.find(os.path.abspath(path))
    if found is None:  # earlier versions kept paths as they were typed
        listed = listed_path(path, {video.record.path for video in view.videos()})
        found = None if listed is None else view.find(listed)
    if found is None or found.record.state != "indexed":
        raise LibraryError(f"the library has no indexed video {path!r}; index it, or leave it out.")
    return found


def _rows_of(videos: Sequence[StoredVideo]) -> Rows:
    return np.array([row for video in videos for row in video.rows], np.int64)


def _candidates(
    arrays: ClipArrays, query: QueryEmbeddings, k: int, settings: SearchSettings, index: CandidateIndex | None
) -> Rows:
    """Clips to compare exactly, ascending: of at least k videos if there are so many."""
    count = settings.candidates_among(arrays.num_living)
    if count >= arrays.num_living:
        return arrays.rows
    index = index or FlatScan(arrays)
    count = max(count, k)
    while True:
        rows = np.sort(index.nearest(query.event, count))
        arrays.check_clips(rows)
        if len(np.unique(arrays.clips["video"][rows])) >= k or count >= arrays.num_living:
            return rows
        count *= 2


def _checked_clips(arrays: ClipArrays, rows: Rows) -> ClipSet:
    arrays.check_clips(rows)
    arrays.check_frames(rows)
    all_of_them = np.array_equal(rows, np.arange(len(arrays.clips)))  # mapped events are then read where they lie
    records = arrays.clips if all_of_them else arrays.clips[rows]
    return ClipSet(
        event=records["event"],
        action=arrays.frames["action"],
        entity=arrays.frames["entity"],
        starts=records["first_frame"],
        counts=records["num_frames"],
    )


def _best_places(arrays: ClipArrays, rows: Rows, scores: Float64, k: int) -> Rows:
    """Places in `rows` of the best clips of the k best videos, and of all videos that equal the last of them."""
    order = np.lexsort((rows, -scores))
    _, firsts = np.unique(arrays.clips["video"][rows[order]], return_index=True)
    best = order[np.sort(firsts)]  # each video's best clip, the best video first
    found: Rows = best[scores[best] >= scores[best[:k][-1]]]
    return found


def _match(
    video: str,
    clip: ClipEmbeddings,
    query: QueryEmbeddings,
    settings: SearchSettings,
    *,
    aligned: Alignment,
    place: int,
) -> ClipMatch:
    action, entity = aligned.weights_of(place)
    weights = np.concatenate([action, entity])
    relevance = weights.mean(axis=0) if len(weights) else np.ones(clip.num_frames, np.float32)
    return ClipMatch(
        video=video,
        start_s=clip.start_s,
        end_s=clip.end_s,
        score=float(aligned.scores[place]),
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
