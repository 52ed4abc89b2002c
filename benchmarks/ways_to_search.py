"""Ways to search long videos for a moment: by windows and scenes, by a library's clips, by boundaries known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt
from joined_videos import Joined

from hgrkit.indexing.library_writer import cut_clips
from hgrkit.library.moments import cut_moment
from hgrkit.matching.clip_similarities import clip_alignment
from hgrkit.matching.scenes import cut_scenes
from hgrkit.matching.windows import Windows
from hgrkit.model.long_video import LongVideo, WindowSettings
from hgrkit.model.query.encoder import EmbeddedCaptions
from hgrkit.research.evaluation.long_video_search import BestWindow, FixedWindows, WayToSearch

__all__ = ["CHOICES", "REPORTED", "USUAL", "KnownBounds"]

Float64 = npt.NDArray[np.float64]

CLIP_SECONDS = 30.0


@attrs.frozen
class Windowed:
    """Other windows than the usual ones, and other settings."""

    settings: WindowSettings
    kind: str = "scenes and scales"

    def windows(self, video: LongVideo) -> Windows:
        """What a video is scored by."""
        video = attrs.evolve(video, windows=self.settings)
        every = {
            "whole": Windows([0], [video.num_frames]),
            "scenes": video.scenes,
            "scales": Windows.at_scales(video.num_frames, shortest=self.settings.shortest),
        }
        return every.get(self.kind, video.candidates)

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """The best scene, or the best stretch of a long one."""
        return attrs.evolve(video, windows=self.settings).moments(captions.queries)


@attrs.frozen
class InClips:
    """A library's clips of at most 30 s: the best one is the hit, and the moment is cut from its frames.

    `aligned` cuts where the alignment weights are; `scenes` takes the clip's scene that fits best by actions and
    entities, which a library stores of every frame.
    """

    cut: str

    def windows(self, video: LongVideo) -> Windows:
        """The clips."""
        return self._clips(video)[0]

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """The moment in the best clip."""
        clips, times_s = self._clips(video)
        best = video.scores(captions.queries, clips).argmax(axis=0)
        found = np.empty((len(best), 2))
        for clip in np.unique(best).tolist():
            asked = np.flatnonzero(best == clip).tolist()
            queries = [captions.queries[place] for place in asked]
            part = slice(int(clips.starts[clip]), int(clips.stops[clip]))
            if self.cut == "scenes":
                scenes = cut_scenes(video.frames.entity[part])
                scenes = Windows(scenes.starts + part.start, scenes.stops + part.start)
                levels = video.levels(queries, scenes)
                fused = video.settings.fuse(attrs.evolve(levels, event=np.zeros_like(levels.event)))
                found[asked] = video.seconds(scenes)[fused.argmax(axis=0)]
                continue
            for place, query in zip(asked, queries, strict=True):
                nodes = [(video.frames.action[part], query.action), (video.frames.entity[part], query.entity)]
                weights = [
                    clip_alignment(frames, [0], [len(frames)], own)[0][0] for frames, own in nodes if len(own)
                ]
                relevance = np.concatenate(weights).mean(axis=0)
                moment = cut_moment(
                    video_times(video)[part], relevance, start_s=times_s[clip][0], end_s=times_s[clip][1]
                )
                found[place] = moment.start_s, moment.end_s
        return found

    def _clips(self, video: LongVideo) -> tuple[Windows, list[tuple[float, float]]]:
        times_s = video_times(video)
        cut = cut_clips(times_s, float(np.asarray(video.bounds_s)[-1]), CLIP_SECONDS)
        windows = Windows([clip.frames.start for clip in cut], [clip.frames.stop for clip in cut])
        return windows, [(clip.start_s, clip.end_s) for clip in cut]


@attrs.frozen(eq=False)
class KnownBounds:
    """The clips themselves as windows: what could be reached if every boundary were known.

    Attributes:
        clips: by the identity of the video.
    """

    clips: Mapping[int, Windows]

    @classmethod
    def of(cls, videos: Sequence[LongVideo], joined: Sequence[Joined]) -> KnownBounds:
        """Which frames belong to which clip."""
        stops = [np.searchsorted(own.times_s, own.edges_s[1:]) for own in joined]
        return cls(
            {id(video): Windows(np.append(0, own[:-1]), own) for video, own in zip(videos, stops, strict=True)}
        )

    def windows(self, video: LongVideo) -> Windows:
        """The clips."""
        return self.clips[id(video)]

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """The best clip."""
        clips = self.clips[id(video)]
        found: Float64 = video.seconds(clips)[video.scores(captions.queries, clips).argmax(axis=0)]
        return found


def video_times(video: LongVideo) -> Float64:
    """The middles of the frames' times."""
    bounds_s = np.asarray(video.bounds_s)
    middles: Float64 = (bounds_s[1:] + bounds_s[:-1]) / 2
    return middles


USUAL = WindowSettings()
REPORTED: dict[str, WayToSearch] = {
    "scenes and scales (hgrkit)": BestWindow(),
    "fixed 10 s windows": FixedWindows(10.0),
    "fixed 5 s windows": FixedWindows(5.0),
    "fixed 20 s windows": FixedWindows(20.0),
    "whole video; stretch by contrast": Windowed(
        attrs.evolve(USUAL, scene_penalty=1e9, long_scene=1), kind="whole"
    ),
    "clips of 30 s; moment where the alignment is": InClips("aligned"),
    "clips of 30 s; best scene by action and entity": InClips("scenes"),
}
CHOICES: dict[str, WayToSearch] = {
    **{
        f"scene_penalty={penalty}": Windowed(attrs.evolve(USUAL, scene_penalty=penalty))
        for penalty in (2.0, 2.5, 3.0, 3.5, 4.0, 5.0)
    },
    **{
        f"long_scene={frames}": Windowed(attrs.evolve(USUAL, long_scene=frames))
        for frames in (16, 24, 30, 40, 60, 1000)
    },
    **{
        f"scored by {kind}, shortest={shortest}": Windowed(attrs.evolve(USUAL, shortest=shortest), kind=kind)
        for kind in ("scales", "scenes and scales")
        for shortest in (4, 8, 12, 16)
    },
    "scored by scenes": Windowed(USUAL, kind="scenes"),
    "scored by the whole video": Windowed(USUAL, kind="whole"),
    "fixed 10 s windows": FixedWindows(10.0),
}
