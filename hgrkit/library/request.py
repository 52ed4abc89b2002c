"""One question to a library, and which of its clips are compared with it."""

# Paths are compared as absolute ones without following links, as `os.path` does it.
# ruff: noqa: PTH100

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Self

import attrs
import numpy as np

from hgrkit.checks.arguments import check_whole
from hgrkit.errors import LibraryError
from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.candidates import AnnCache, FlatScan
from hgrkit.library.filters import Filter, filtered_rows
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.library.removal import listed_path
from hgrkit.library.scoring import LIKE_WEIGHT, SearchSettings
from hgrkit.library.store import StoredVideo, View
from hgrkit.matching.clip_similarities import event_similarities
from hgrkit.matching.frame_weights import unit_vectors

__all__ = ["Candidates", "SearchRequest", "Source", "rows_of", "stored_videos"]


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
        k: answers, at least 1.
        settings: how clips are scored, and how many.
        videos: look at the videos with these paths only, and at all of their clips; at every video if `None`.
        where: of those, look at the videos that this is true of only.
        per_video: answers of one video, at most; they share no time.
        leave_out: the path of a video that is no answer.

    Raises:
        ConfigError: if k or `per_video` is less than 1.
    """

    query: QueryEmbeddings
    k: int
    settings: SearchSettings
    videos: Sequence[str] | None = None
    where: Filter | None = None
    per_video: int = 1
    leave_out: str | None = None

    def __attrs_post_init__(self) -> None:
        check_whole("k", self.k)
        check_whole("per_video", self.per_video)

    @property
    def event(self) -> Float32:
        """What candidates are nearest to, [D]: as events of words and example count in the score."""
        query = self.query
        if query.like is None:
            return query.event
        words, example = unit_vectors(query.event), unit_vectors(query.like.event)
        return np.asarray((1 - LIKE_WEIGHT) * words + LIKE_WEIGHT * example, np.float32)


@attrs.frozen(eq=False)
class Candidates:
    """Clips to compare exactly, of at least k videos if there are so many.

    Attributes:
        rows: of each source, ascending.
        num_clips: how many clips are asked of.
        exact: these are all of them.
    """

    rows: list[Rows]
    num_clips: int
    exact: bool

    @classmethod
    def of(cls, sources: Sequence[Source], request: SearchRequest) -> Self:
        """Choose them."""
        asked = _asked_rows(sources, request)
        total = sum(map(len, asked))
        count = request.settings.candidates_among(total, request.query)
        exact = request.videos is not None or count >= total
        rows = asked if exact else _enough(sources, request, asked, count)
        left_out = [request.leave_out and source.view.find(request.leave_out) for source in sources]
        kept = [
            np.setdiff1d(part, np.array(video.rows), assume_unique=True) if video else part
            for part, video in zip(rows, left_out, strict=True)
        ]
        return cls(kept, total, exact)


def _enough(sources: Sequence[Source], request: SearchRequest, asked: Sequence[Rows], count: int) -> list[Rows]:
    """The `count` nearest clips, or more if they are of fewer than k videos that are an answer."""
    wanted, total = request.k + (request.leave_out is not None), sum(map(len, asked))
    count = max(count, wanted)
    while True:
        rows = _nearest(sources, None if request.where is None else asked, request.event, count)
        videos = sum(
            len(np.unique(source.view.arrays.clips["video"][part]))
            for source, part in zip(sources, rows, strict=True)
        )
        if videos >= wanted or count >= total:
            return rows
        count *= 2


def _asked_rows(sources: Sequence[Source], request: SearchRequest) -> list[Rows]:
    """All clips that a question is about, ascending, of each source."""
    rows = None
    if request.videos is not None:
        chosen: dict[int, list[StoredVideo]] = {id(source): [] for source in sources}
        for path in dict.fromkeys(request.videos):
            for source, video in stored_videos(sources, path):
                chosen[id(source)].append(video)
        rows = [np.unique(rows_of(chosen[id(source)])) for source in sources]
    if request.where is not None:
        matching = filtered_rows([source.view for source in sources], request.where)
        rows = matching if rows is None else list(map(np.intersect1d, rows, matching))
    return [source.view.arrays.rows for source in sources] if rows is None else rows


def _nearest(sources: Sequence[Source], among: Sequence[Rows] | None, event: Float32, count: int) -> list[Rows]:
    """The `count` clips of all sources, or `among` these, whose events are nearest, ascending."""
    if among is None:
        indexes = [source.ann_cache.index(source.view.arrays) for source in sources]
    else:  # an HNSW index would return mostly others
        indexes = [_scan_of(source.view.arrays, part) for source, part in zip(sources, among, strict=True)]
    rows = [index.nearest(event, count) for index in indexes]
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


def _scan_of(arrays: ClipArrays, rows: Rows) -> FlatScan:
    chosen = np.zeros(len(arrays.clips), np.bool_)
    chosen[rows] = True
    return FlatScan(arrays, chosen=chosen)


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


def rows_of(videos: Sequence[StoredVideo]) -> Rows:
    """Return the clips of videos, one video after the other."""
    return np.array([row for video in videos for row in video.rows], np.int64)
