"""The answer of one version of a library, or of several: candidates by event, one exact pass, moments."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from hgrkit.levels import PerLevel
from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.filters import Filter, filtered_rows
from hgrkit.library.matches import ClipMatch, ExcludedMatch, Matches
from hgrkit.library.moments import Moment
from hgrkit.library.records import Float32, Float64, QueryEmbeddings, VideoRecord, path_bytes
from hgrkit.library.request import Candidates, SearchRequest, Source, rows_of, stored_videos
from hgrkit.library.rivals import NUM_RIVALS, Rivals
from hgrkit.library.scoring import Alignment, ClipSet, SearchSettings
from hgrkit.library.store import StoredVideo, View
from hgrkit.library.tables import damaged_library
from hgrkit.library.video_moments import MomentFinder

__all__ = ["all_videos", "indexed_paths", "pair_scores", "search_clips", "video_scores"]

_DECIMALS = 6
"""Scores are compared rounded: sums in another order differ by less than 1e-6."""


def search_clips(sources: Sequence[Source], request: SearchRequest) -> Matches:
    """Find the k best answers, the best first: each video's best clip, and further moments; equal ones by path.

    Args:
        sources: the libraries' versions; hits and order are those of one library that holds all their videos.
        request: what is asked.

    Raises:
        LibraryError: if one of the request's videos is not indexed.
        ConfigError: if the request's filter names an unknown column, or cannot be evaluated.
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    candidates = Candidates.of(sources, request)
    found: list[_Found] = []
    for source, rows in zip(sources, candidates.rows, strict=True):
        found += _compare(source.view, rows, request) if rows.size else []
    found.sort(key=lambda one: (-one.score, path_bytes(one.path)))
    best = {one.path: one for one in reversed(found)}  # a video that several libraries hold counts once
    first = [one for one in found if best[one.path] is one][: max(request.k, NUM_RIVALS)]
    rivals = Rivals(
        videos=[one.path for one in first],
        scores=np.array([one.words_score(request.settings) for one in first], np.float64),
        actions=np.array([one.aligned.levels.action[one.place] for one in first], np.float64),
        events=np.array([one.arrays.clips["event"][one.row] for one in first], np.float32),
        num_clips=candidates.num_clips,
    )
    return Matches(_matches(first[: request.k], request), exact=candidates.exact, rivals=rivals)


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
        clips = _checked_clips(source.view.arrays, rows_of(videos))
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
            clips = _checked_clips(source.view.arrays, rows_of([video]))
            for row, setting in enumerate(settings):
                parts = clips.scores([queries[place] for place in asked], setting)
                best = np.concatenate([part.max(axis=0) for part in parts])
                scores[row, asked] = np.maximum(scores[row, asked], best)
    return scores


def all_videos(sources: Sequence[Source], where: Filter | None = None) -> list[VideoRecord]:
    """Return every video, in the order of the paths; of one that several libraries hold, an indexed record.

    With a filter: the indexed videos that it is true of. Raises what a search with it does.
    """
    if where is None:
        return _merged([source.view.videos() for source in sources])
    stored: list[list[StoredVideo]] = []
    for source, rows in zip(sources, filtered_rows([source.view for source in sources], where), strict=True):
        source.view.arrays.check_clips(rows)
        numbers = np.unique(source.view.arrays.clips["video"][rows]).tolist()
        stored.append(list(source.view.videos_of(numbers).values()))
    return _merged(stored)


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


@attrs.frozen(eq=False)
class _Found:
    """A video's best clip, and the rows of all of its clips."""

    score: float
    path: str
    arrays: ClipArrays
    rows: range
    row: int
    aligned: Alignment
    place: int

    def words_score(self, settings: SearchSettings) -> float:
        """The score by what is asked in words alone."""
        event, action, entity = (level[self.place] for level in self.aligned.levels)
        return float(settings.fuse(PerLevel(event=event, action=action, entity=entity)))


def _compare(view: View, rows: Rows, request: SearchRequest) -> list[_Found]:
    """The best videos of one version, k or more, and all that equal the last of them."""
    arrays = view.arrays
    parts = [_checked_clips(arrays, some).align(request.query, request.settings) for some in arrays.passes(rows)]
    aligned = Alignment.joined(parts)
    scores = aligned.scores.round(_DECIMALS)
    places = _best_places(arrays, rows, scores, max(request.k, NUM_RIVALS))
    numbers = arrays.clips["video"][rows[places]].tolist()
    videos = view.videos_of(numbers)
    for place, number in zip(places.tolist(), numbers, strict=True):
        own = videos[number].rows
        if int(rows[place]) not in own or not arrays.belongs(number, own):
            raise damaged_library(f"clip {rows[place]} is not among those of its video")
    return [
        _Found(float(scores[place]), video.record.path, arrays, video.rows, int(rows[place]), aligned, place)
        for place, video in zip(places.tolist(), map(videos.__getitem__, numbers), strict=True)
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


def _matches(found: Sequence[_Found], request: SearchRequest) -> list[ClipMatch]:
    """The k best answers; of equal ones first those of the first video, and its best clip before all."""
    matches: list[ClipMatch] = []
    for one in found:
        if sum(round(match.score, _DECIMALS) >= one.score for match in matches) >= request.k:
            break  # no moment of this video or a later one comes before these
        matches.append(_best_match(one, request))
        if request.per_video > 1:
            matches += _further_matches(one, matches[-1], request)
    matches.sort(key=lambda match: -round(match.score, _DECIMALS))
    return matches[: request.k]


def _best_match(found: _Found, request: SearchRequest) -> ClipMatch:
    clip, aligned, place = found.arrays.clip(found.row), found.aligned, found.place
    weights = [aligned.action_weights[place], aligned.entity_weights[place]]
    clips = ClipSet.at(found.arrays, np.array([found.row], np.int64))
    if request.query.like is not None and request.query.has_no_words:
        example = clips.align(request.query.like, request.settings.for_examples())
        weights = [example.action_weights[0], example.entity_weights[0]]
    return ClipMatch.of(
        found.path,
        request.query,
        aligned=aligned,
        place=place,
        span=Moment(clip.start_s, clip.end_s),
        times_s=clip.times_s,
        excluded=_excluded(clips, request)[0],
        moment=_finder(found, request).in_clip(found.row, *weights),
    )


def _further_matches(found: _Found, best: ClipMatch, request: SearchRequest) -> list[ClipMatch]:
    clips, spans, times_s = _finder(found, request).further(best.moment, request.per_video - 1)
    aligned, excluded = clips.align(request.query, request.settings), _excluded(clips, request)
    matches = [
        ClipMatch.of(
            found.path,
            request.query,
            aligned=aligned,
            place=place,
            span=span,
            times_s=times_s[place],
            excluded=excluded[place],
        )
        for place, span in enumerate(spans)
    ]
    matches = [attrs.evolve(match, score=min(match.score, best.score)) for match in matches]
    return sorted(matches, key=lambda match: -match.score)


def _finder(found: _Found, request: SearchRequest) -> MomentFinder:
    return MomentFinder(
        arrays=found.arrays,
        rows=found.rows,
        query=request.query,
        settings=request.settings,
    )


def _excluded(clips: ClipSet, request: SearchRequest) -> list[tuple[ExcludedMatch, ...]]:
    """What each clip shows of each excluded phrase; to rounding what was taken off its score."""
    seen: list[list[ExcludedMatch]] = [[] for _ in clips.counts]
    for phrase in request.query.excluded:
        aligned = clips.align(phrase, request.settings)
        for place, count in enumerate(clips.counts.tolist()):
            weights = np.concatenate([aligned.action_weights[place], aligned.entity_weights[place]])
            mean = weights.mean(axis=0) if len(weights) else np.full(count, 1 / count, np.float32)
            seen[place].append(ExcludedMatch(similarity=float(aligned.scores[place]), weights=mean))
    return [tuple(matches) for matches in seen]
