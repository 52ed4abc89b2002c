"""Examples as questions: clips as what others are compared with, and what a library has of one video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hgrkit.levels import LEVELS, PerLevel
from hgrkit.library.arrays import ClipArrays
from hgrkit.library.library import Library
from hgrkit.library.records import ClipEmbeddings, Float32, QueryEmbeddings
from hgrkit.library.scoring import ClipSet, SearchSettings
from hgrkit.library.search import Source, stored_videos
from hgrkit.matching.frame_weights import unit_vectors

__all__ = ["MOST_FRAMES", "clip_levels", "example_of", "stored_clips"]

MOST_FRAMES = 8
"""Frames of an example that are compared, evenly spaced. More of them find no copy more often, and each takes as
long as a phrase (benchmarks/results/examples.json)."""


def stored_clips(library: Library, path: str) -> list[ClipEmbeddings]:
    """The clips of one indexed video, by its path, absolute or from the current folder.

    Raises:
        LibraryError: if the video is not indexed.
        DamagedLibraryError: if stored embeddings are not what was written.
    """

    def clips(sources: Sequence[Source]) -> list[ClipEmbeddings]:
        source, video = stored_videos(sources, path)[0]
        arrays, rows = source.view.arrays, np.array(video.rows)
        arrays.check_clips(rows)
        arrays.check_frames(rows)
        return [arrays.clip(row) for row in video.rows]

    return library.ask(clips)


def example_of(
    clips: Sequence[ClipEmbeddings], span_s: tuple[float, float] | None = None, *, most_frames: int = MOST_FRAMES
) -> QueryEmbeddings:
    """What clips are asked with: the mean of their events, and a few of their frames.

    The event of a part of a clip is not known; it is the whole clip's.

    Args:
        clips: of one video, at least one.
        span_s: only what is shown between these seconds; if that is no frame, the nearest one.
        most_frames: how many frames, evenly spaced.
    """
    clips = sorted(clips, key=lambda clip: clip.start_s)
    times_s = np.concatenate([clip.times_s for clip in clips])
    chosen = np.arange(len(times_s))
    if span_s is not None:
        start_s, end_s = span_s
        away_s = np.maximum(start_s - times_s, times_s - end_s)
        chosen = np.flatnonzero(away_s <= max(0.0, away_s.min()))
        clips_of_frames = np.repeat(np.arange(len(clips)), [clip.num_frames for clip in clips])
        events = [clips[place].event for place in np.unique(clips_of_frames[chosen])]
    else:
        events = [clip.event for clip in clips]
    if len(chosen) > most_frames:
        chosen = chosen[np.linspace(0, len(chosen) - 1, most_frames).round().astype(np.int64)]
    return QueryEmbeddings(
        event=unit_vectors(np.stack(events)).mean(axis=0),
        action=np.concatenate([clip.action for clip in clips])[chosen],
        entity=np.concatenate([clip.entity for clip in clips])[chosen],
    )


def clip_levels(
    clips: Sequence[ClipEmbeddings], queries: Sequence[QueryEmbeddings], settings: SearchSettings
) -> tuple[Float32, PerLevel[Float32]]:
    """Score sentences with one video, each by the clip that fits it best.

    Args:
        clips: the video's, at least one.
        queries: C sentences, at least one.
        settings: how they are compared.

    Returns:
        The fused scores, [C], and those clips' scores at each level, [C] each.
    """
    arrays = ClipArrays.of_clips([(0, 0, clips)], clips[0].event.size)
    levels = ClipSet.at(arrays, np.arange(len(clips))).levels(queries, settings)
    scores = np.asarray(settings.fuse(levels), np.float32)  # [V, C]
    best = scores.argmax(axis=0), np.arange(len(queries))
    return scores[best], PerLevel(**{level: getattr(levels, level)[best] for level in LEVELS})
