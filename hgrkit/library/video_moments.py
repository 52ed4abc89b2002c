"""The moments of one video: its scenes, across the borders of the library's clips, each compared as a clip."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.moments import Moment, cut_moment, frame_bounds
from hgrkit.library.records import ClipEmbeddings, Float32, Float64, QueryEmbeddings
from hgrkit.library.scoring import ClipSet, SearchSettings
from hgrkit.library.tables import damaged_library
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.matching.scenes import cut_scenes, scene_runs
from hgrkit.matching.windows import Windows

__all__ = ["MomentFinder"]

_MOST_SCENES, _SCENE_COST = 3, 0.03
"""Scenes of the longest moment, and the score that one more of them costs. The mean of unlike frames is nearer to
any phrase than each of them: without a cost 28.0 instead of 37.5 % of the occurrences are found, for choosing.
Without runs it is 38.9 %, but then 82.4 instead of 86.7 % of the phrases are seen best in first moments
(benchmarks/results/moments.json)."""

_INSIDE_BONUS = 0.05
"""The score that a moment of the best clip gains if the best frames of all phrases lie in it. Without it 77.8 % of
the phrases are seen best in first moments, and about as many moments are found."""

_NEXT_S = 1e-3
"""A clip that begins this close to the end of the one before continues it."""


@attrs.frozen(eq=False)
class Spans:
    """W stretches of a video's frames that may be moments.

    Attributes:
        starts: [W] each one's first frame record.
        counts: [W] how many there are.
        costs: [W] what it costs that they are of several scenes.
        bounds_s: [W, 2] where each begins and ends, in seconds.
        uncut: [W] which are all that there is of clips that continue one another.
    """

    starts: Rows
    counts: Rows
    costs: Float64
    bounds_s: Float64
    uncut: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, arrays: ClipArrays, rows: range, *, by_scene: bool) -> Self:
        """Take the scenes and runs of scenes of these clips of a video; or else the clips.

        Raises:
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        numbers = np.array(rows, np.int64)
        arrays.check_clips(numbers)
        arrays.check_frames(numbers)
        clips = arrays.clips[rows.start : rows.stop]
        borders = np.arange(1, len(clips))
        if by_scene:
            borders = borders[~_continue(arrays, clips)]
        edges = [0, *borders.tolist(), len(clips)]
        parts = [cls._of_run(arrays, clips[start:stop], by_scene=by_scene) for start, stop in pairwise(edges)]
        return cls(
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.costs for part in parts]),
            np.concatenate([part.bounds_s for part in parts]),
            np.concatenate([part.uncut for part in parts]),
        )

    @classmethod
    def _of_run(cls, arrays: ClipArrays, clips: npt.NDArray[Any], *, by_scene: bool) -> Self:
        """Take those of clips that continue one another: their frames lie end to end."""
        first_frame, num_frames = int(clips["first_frame"][0]), int(clips["num_frames"].sum())
        frames = arrays.frames[first_frame : first_frame + num_frames]
        scenes, most = (cut_scenes(frames["entity"]), _MOST_SCENES) if by_scene else (Windows(0, num_frames), 1)
        runs = scene_runs(scenes, most)
        further = [np.full(len(scenes) - more, more, np.float64) for more in range(min(most, len(scenes)))]
        start_s, end_s = float(clips["start_s"][0]), float(clips["end_s"][-1])
        edges_s = frame_bounds(frames["time_s"], start_s=start_s, end_s=end_s)
        return cls(
            first_frame + runs.starts,
            runs.stops - runs.starts,
            _SCENE_COST * np.concatenate(further),
            np.stack([edges_s[runs.starts], edges_s[runs.stops]], axis=1),
            np.full(len(runs), len(scenes) == 1),
        )

    def clip_set(self, arrays: ClipArrays, rows: range, *, by_scene: bool) -> ClipSet:
        """Make clips of them. The library has no events of scenes: each has that of the video's clips together."""
        events = arrays.clips["event"][rows.start : rows.stop]
        if by_scene:
            # That of the clip that a moment lies in finds less; that of the best clip lets a video fill the hits.
            mean = unit_vectors(events.astype(np.float32)).mean(axis=0)
            events = np.broadcast_to(mean, (len(self.starts), len(mean)))
        return ClipSet(events, arrays.frames["action"], arrays.frames["entity"], self.starts, self.counts)

    def times_s(self, arrays: ClipArrays, place: int) -> Float64:
        """The times of one's frames, [F]."""
        first = int(self.starts[place])
        return arrays.frames["time_s"][first : first + int(self.counts[place])].astype(np.float64)

    def moment(self, place: int) -> Moment:
        """When one begins and ends."""
        return Moment(*self.bounds_s[place].tolist())

    def apart_from(self, moment: Moment) -> npt.NDArray[np.bool_]:
        """[W] which of them share no time with a moment."""
        starts_s, ends_s = self.bounds_s.T
        same = (starts_s == moment.start_s) & (ends_s == moment.end_s)  # both may last no time at all
        found: npt.NDArray[np.bool_] = ((ends_s <= moment.start_s) | (starts_s >= moment.end_s)) & ~same
        return found


def _continue(arrays: ClipArrays, clips: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which clips but the first begin where the one before ends, in time and in the array of frames."""
    before, after = clips[:-1], clips[1:]
    stops, times_s = before["first_frame"] + before["num_frames"], arrays.frames["time_s"]
    found: npt.NDArray[np.bool_] = (
        (after["first_frame"] == stops)
        & (np.abs(after["start_s"] - before["end_s"]) <= _NEXT_S)
        & (times_s[stops - 1] <= times_s[after["first_frame"]])
    )
    return found


@attrs.frozen(kw_only=True, eq=False)
class MomentFinder:
    """Finds what a question asks for in one video.

    Attributes:
        arrays: where the video's clips are.
        rows: its clips.
        query: what is asked.
        settings: how clips are scored.
    """

    arrays: ClipArrays
    rows: range
    query: QueryEmbeddings
    settings: SearchSettings

    def in_clip(self, row: int, *weights: Float32) -> Moment:
        """The scene, or run of scenes, that the phrases fit best, of those that lie in a clip at least in part.

        Scenes are cut over the clip and its neighbours, so that one that the clip's border cuts is whole again.
        Where nothing is cut, the moment is the run of the clip's frames that the phrases look at, with the best
        frame of most of them in it.

        Args:
            row: the clip.
            *weights: how much each of its frames bears on each action, [A, F], and on each entity, [E, F].

        Raises:
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        clip, bearing = self.arrays.clip(row), np.concatenate(weights)  # [P, F]
        if not len(bearing):
            return Moment(clip.start_s, clip.end_s)
        near = range(max(self.rows.start, row - 1), min(self.rows.stop, row + 2))
        spans = Spans.of(self.arrays, near, by_scene=True)
        first_frame = int(self.arrays.clips["first_frame"][row])
        stops = spans.starts + spans.counts
        shared = np.minimum(stops, first_frame + clip.num_frames) > np.maximum(spans.starts, first_frame)
        if (shared & spans.uncut).any():
            return self._looked_at(clip, bearing)
        best = first_frame + bearing.argmax(axis=1)[:, None]  # [P, 1]
        inside = ((best >= spans.starts) & (best < stops)).mean(axis=0)
        fits = self._fits(spans, spans.clip_set(self.arrays, near, by_scene=True)) + _INSIDE_BONUS * inside
        return spans.moment(int(np.where(shared, fits, -np.inf).argmax()))

    def _looked_at(self, clip: ClipEmbeddings, bearing: Float32) -> Moment:
        relevance = bearing.mean(axis=0)
        phrases = np.bincount(bearing.argmax(axis=1), minlength=clip.num_frames)  # whose best frame each is
        best = int(np.lexsort((relevance, phrases))[-1])
        span = {"start_s": clip.start_s, "end_s": clip.end_s}
        return cut_moment(clip.times_s, relevance, **span, containing=best)

    def further(self, taken: Moment, count: int) -> tuple[ClipSet, list[Moment], list[Float64]]:
        """Up to `count` moments of the video that share no time with `taken` or with each other, the best first.

        Each is a clip by itself, with the event of the video's clips together. A question without phrases is
        compared with the clips.

        Returns:
            The moments as clips, when each begins and ends, and the times of each one's frames.

        Raises:
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        query = self.query
        by_scene = len(query.action) + len(query.entity) > 0 or (query.has_no_words and query.like is not None)
        spans = Spans.of(self.arrays, self.rows, by_scene=by_scene)
        clips = spans.clip_set(self.arrays, self.rows, by_scene=by_scene)
        fits, free, chosen = self._fits(spans, clips), spans.apart_from(taken), list[int]()
        while free.any() and len(chosen) < count:
            chosen.append(int(np.where(free, fits, -np.inf).argmax()))
            free &= spans.apart_from(spans.moment(chosen[-1]))
        return (
            clips.some(chosen),
            [spans.moment(place) for place in chosen],
            [spans.times_s(self.arrays, place) for place in chosen],
        )

    def _fits(self, spans: Spans, clips: ClipSet) -> Float64:
        """Scores of spans as clips, less what several scenes cost, [W]."""
        found = next(clips.scores([self.query], self.settings))[:, 0]
        if not np.isfinite(found).all():
            raise damaged_library(f"clips {self.rows.start} to {self.rows.stop - 1} are no clips")
        less: Float64 = found - spans.costs
        return less
