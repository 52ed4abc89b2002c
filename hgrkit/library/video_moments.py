"""The moments of one video: its scenes, across the borders of the library's clips, each compared as a clip."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.levels import PerLevel
from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.moments import Moment, cut_moment, frame_bounds
from hgrkit.library.records import ClipEmbeddings, Float32, Float64, QueryEmbeddings
from hgrkit.library.scoring import Alignment, ClipSet, SearchSettings
from hgrkit.matching.clip_similarities import event_similarities
from hgrkit.matching.scenes import cut_scenes, scene_runs

__all__ = ["MomentFinder"]

_MOST_SCENES, _SCENE_COST = 3, 0.03
"""Scenes of the longest moment, and the score that one more of them costs. In a run of scenes each phrase finds
the frames that suit it; if runs cost nothing, nearly all moments are runs."""

_INSIDE_BONUS = 0.05
"""The score that a moment of the best clip gains if the best frames of all phrases lie in it."""

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
        times_s: of each, [F] the times of its frames.
    """

    starts: Rows
    counts: Rows
    costs: Float64
    bounds_s: Float64
    times_s: list[Float64]

    @classmethod
    def of(cls, arrays: ClipArrays, rows: range, *, by_scene: bool) -> Self:
        """Take the scenes and runs of scenes of these clips of a video; or else the clips.

        Raises:
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        numbers = np.array(rows, np.int64)
        arrays.check_clips(numbers)
        arrays.check_frames(numbers)
        clips = [arrays.clip(row) for row in rows]
        first_frames = arrays.clips["first_frame"][rows.start : rows.stop].tolist()
        edges = [0, *range(1, len(clips)), len(clips)]
        if by_scene:
            edges = [
                place for place in edges if place in (0, len(clips)) or not _continues(clips, first_frames, place)
            ]
        parts = [
            cls._of_stretch(clips[start:stop], first_frames[start], by_scene=by_scene)
            for start, stop in pairwise(edges)
        ]
        return cls(
            np.concatenate([part.starts for part in parts]),
            np.concatenate([part.counts for part in parts]),
            np.concatenate([part.costs for part in parts]),
            np.concatenate([part.bounds_s for part in parts]),
            [times_s for part in parts for times_s in part.times_s],
        )

    @classmethod
    def _of_stretch(cls, clips: list[ClipEmbeddings], first_frame: int, *, by_scene: bool) -> Self:
        """Take those of clips that continue each other."""
        times_s = np.concatenate([clip.times_s for clip in clips])
        starts, stops, scenes = np.array([0]), np.array([len(times_s)]), 1
        costs = np.zeros(1)
        if by_scene:
            cut = cut_scenes(np.concatenate([clip.entity for clip in clips]))
            runs, scenes = scene_runs(cut, _MOST_SCENES), len(cut)
            starts, stops = runs.starts, runs.stops
            more = [np.full(scenes - more, more) for more in range(min(_MOST_SCENES, scenes))]
            costs = _SCENE_COST * np.concatenate(more)
        edges_s = frame_bounds(times_s, start_s=clips[0].start_s, end_s=clips[-1].end_s)
        return cls(
            starts + first_frame,
            stops - starts,
            costs,
            np.stack([edges_s[starts], edges_s[stops]], axis=1),
            [times_s[start:stop] for start, stop in zip(starts, stops, strict=True)],
        )

    def clip_set(self, arrays: ClipArrays, places: list[int] | slice = slice(None)) -> ClipSet:
        """Make clips of some; the library has no events of them."""
        frames, starts = arrays.frames, self.starts[places]
        events = np.zeros((len(starts), frames["entity"].shape[1]), np.float32)
        return ClipSet(events, frames["action"], frames["entity"], starts, self.counts[places])

    def moment(self, place: int) -> Moment:
        """When one begins and ends."""
        return Moment(*self.bounds_s[place].tolist())

    def apart_from(self, moment: Moment) -> npt.NDArray[np.bool_]:
        """[W] which of them share no time with a moment."""
        starts_s, ends_s = self.bounds_s.T
        same = (starts_s == moment.start_s) & (ends_s == moment.end_s)  # both may last no time at all
        found: npt.NDArray[np.bool_] = ((ends_s <= moment.start_s) | (starts_s >= moment.end_s)) & ~same
        return found


def _continues(clips: list[ClipEmbeddings], first_frames: list[int], place: int) -> bool:
    """Whether a clip begins where the one before it ends, in time and in the array of frames."""
    before, after = clips[place - 1], clips[place]
    return (
        first_frames[place] == first_frames[place - 1] + before.num_frames
        and abs(after.start_s - before.end_s) <= _NEXT_S
        and before.times_s[-1] <= after.times_s[0]
    )


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
        Where there is one scene only, the moment is the run of the clip's frames that the phrases look at.

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
        if len(spans.starts) == 1:
            return cut_moment(clip.times_s, bearing.mean(axis=0), start_s=clip.start_s, end_s=clip.end_s)
        first_frame = int(self.arrays.clips["first_frame"][row])
        best = first_frame + bearing.argmax(axis=1)[:, None]  # [P, 1]
        stops = spans.starts + spans.counts
        inside = ((best >= spans.starts) & (best < stops)).mean(axis=0)
        shared = np.minimum(stops, first_frame + clip.num_frames) > np.maximum(spans.starts, first_frame)
        fits = self._fits(spans, np.float32(0)) + _INSIDE_BONUS * inside
        return spans.moment(int(np.where(shared, fits, -np.inf).argmax()))

    def further(self, taken: Moment, count: int) -> tuple[Alignment, list[Moment], list[Float64]]:
        """Up to `count` moments of the video that share no time with `taken` or with each other, the best first.

        Each is compared as a clip by itself. The library has no event of it: at this level it has the mean score
        of the video's clips. A question without phrases is compared with the clips.

        Returns:
            How they compare with the query, the moments, and the times of each one's frames.

        Raises:
            DamagedLibraryError: if stored embeddings are not what was written.
        """
        by_scene = len(self.query.action) + len(self.query.entity) > 0
        spans = Spans.of(self.arrays, self.rows, by_scene=by_scene)
        event = event_similarities(self.arrays.clips["event"][self.rows.start : self.rows.stop], self.query.event)
        # Scores of the moment's own clip and of the best clip find less: benchmarks/moments.py.
        event = np.full(len(spans.starts), event.mean(), np.float32) if by_scene else event
        fits, free, chosen = self._fits(spans, event), spans.apart_from(taken), list[int]()
        while free.any() and len(chosen) < count:
            chosen.append(int(np.where(free, fits, -np.inf).argmax()))
            free &= spans.apart_from(spans.moment(chosen[-1]))
        aligned = spans.clip_set(self.arrays, chosen).align(self.query, self.settings)
        return (
            aligned.with_event(event[chosen], self.settings),
            [spans.moment(place) for place in chosen],
            [spans.times_s[place] for place in chosen],
        )

    def _fits(self, spans: Spans, event: Float32 | np.float32) -> Float32:
        """Scores of spans as clips, with those of their events, less what several scenes cost, [W]."""
        levels = spans.clip_set(self.arrays).levels([self.query], self.settings)
        found: Float32 = self.settings.fuse(
            PerLevel(event=event, action=levels.action[:, 0], entity=levels.entity[:, 0])
        )
        return found - spans.costs.astype(np.float32)
