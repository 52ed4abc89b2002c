"""Long videos as windows of their frames: scored against sentences, with the moment that each sentence fits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import attrs
import numpy as np
import numpy.typing as npt
import torch

from hgrkit.errors import ConfigError
from hgrkit.levels import PerLevel
from hgrkit.library.records import Float32, Float64, QueryEmbeddings
from hgrkit.library.scoring import SearchSettings
from hgrkit.matching.clip_similarities import mean_over_nodes
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.matching.scenes import PENALTY, SHORTEST_SCENE, best_stretches, cut_scenes
from hgrkit.matching.windows import WindowedLevel, Windows, window_events
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.video import VideoFeatures
from hgrkit.video.sampling import evenly_spaced

__all__ = ["LongVideo", "WindowSettings"]

Intervals = npt.NDArray[np.float64]

_STRETCH_GROWTH, _STRETCH_STRIDE = 1.25, 0.125
"""Within a long scene the scales are finer than those that a video is scored by: they only add up numbers."""


@attrs.frozen(kw_only=True)
class WindowSettings:
    """Which windows of a long video are looked at; numbers of frames.

    Attributes:
        shortest: of the windows at several scales; the next ones are twice as long.
        max_frames: evenly spaced frames that a longer video keeps.
        scene_penalty: what a scene costs, see `cut_scenes`.
        shortest_scene: of scenes.
        long_scene: scenes longer than this are searched for a shorter moment.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    shortest: int = 8
    max_frames: int = 128
    scene_penalty: float = PENALTY
    shortest_scene: int = SHORTEST_SCENE
    long_scene: int = 40

    def __attrs_post_init__(self) -> None:
        sizes = (self.shortest, self.max_frames, self.shortest_scene, self.long_scene)
        if min(sizes) < 1 or not self.scene_penalty > 0:
            raise ConfigError(
                "shortest, max_frames, shortest_scene and long_scene must be at least 1, and scene_penalty above "
                f"0; got {', '.join(map(str, sizes))} and {self.scene_penalty}."
            )


@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class LongVideo:
    """One video's frames at every level.

    Attributes:
        frames: e_t, a_t and n_t, each [F, D].
        logits: how much each frame counts in an event, [F].
        bounds_s: where each frame's time begins and the last one's ends, in seconds, [F + 1]; `None` if the
            video's length is not known.
        settings: how the model compares.
        windows: which windows are looked at.
    """

    frames: PerLevel[Float32]
    logits: Float32
    bounds_s: Float64 | None
    settings: SearchSettings
    windows: WindowSettings

    @classmethod
    def embed(
        cls,
        model: HgrModel,
        features: Float32,
        *,
        settings: SearchSettings,
        windows: WindowSettings,
        duration_s: float | None = None,
        times_s: Float64 | None = None,
    ) -> Self:
        """Embed frame features; the model's own `max_frames`, which is that of a clip, does not count.

        Args:
            model: the model, in evaluation mode.
            features: [F, K].
            settings: how the model compares.
            windows: which windows are looked at.
            duration_s: the video's length; without it no time is known.
            times_s: when the frames are shown, [F]; in the middles of equal parts unless given.

        Raises:
            ShapeError: if K is not the model's `feature_dim`.
        """
        kept = evenly_spaced(len(features), windows.max_frames)
        bounds_s = None
        if duration_s is not None:
            even = (np.arange(len(features)) + 0.5) * (duration_s / len(features))
            bounds_s = _bounds(even[kept] if times_s is None else times_s[kept], duration_s)
        with torch.inference_mode():
            batch = VideoFeatures.from_arrays([features[kept]]).to(model.device)
            views = model.video.frame_views(batch)
            logits = model.video.attention_logits(views.event)
        return cls(
            frames=views.map(lambda level: level[0].float().cpu().numpy()),
            logits=logits[0].float().cpu().numpy(),
            bounds_s=bounds_s,
            settings=settings,
            windows=windows,
        )

    @property
    def num_frames(self) -> int:
        """F."""
        return len(self.logits)

    @cached_property
    def scenes(self) -> Windows:
        """The video cut where its picture changes."""
        return cut_scenes(
            self.frames.entity, penalty=self.windows.scene_penalty, shortest=self.windows.shortest_scene
        )

    @cached_property
    def candidates(self) -> Windows:
        """Scenes, windows at several scales and the whole video: what a video is scored by."""
        return self.scenes.joined(Windows.at_scales(self.num_frames, shortest=self.windows.shortest))

    def fixed(self, seconds: float) -> tuple[Windows, Intervals]:
        """Windows of so many seconds one after the other, the last one shorter, and their times [W, 2].

        A frame belongs to the window that its middle lies in; a window without a frame is left out.

        Raises:
            ConfigError: if the video's length is not known, or the windows have none.
        """
        bounds_s = self._known_bounds()
        if not seconds > 0:
            raise ConfigError(f"fixed windows must be longer than 0 s, got {seconds}.")
        numbers = (bounds_s[1:] + bounds_s[:-1]) / 2 // seconds  # [F]
        edges = np.append(np.flatnonzero(np.diff(numbers, prepend=-1)), self.num_frames)
        starts_s = numbers[edges[:-1]] * seconds
        ends_s = np.minimum(starts_s + seconds, bounds_s[-1])
        return Windows(edges[:-1], edges[1:]), np.stack([starts_s, ends_s], axis=1)

    def levels(self, queries: Sequence[QueryEmbeddings], windows: Windows) -> PerLevel[Float32]:
        """Every level's score of windows as clips, each [W, C]; 0 where a query has no node of the level."""
        events = unit_vectors(window_events(self.frames.event, self.logits, windows))
        return PerLevel(
            event=events @ unit_vectors(np.stack([query.event for query in queries])).T,
            action=self._level(self.frames.action, [query.action for query in queries], windows),
            entity=self._level(self.frames.entity, [query.entity for query in queries], windows),
        )

    def node_similarities(self, query: QueryEmbeddings, windows: Windows) -> Float32:
        """How similar each window is to one query's actions and then entities, [W, A + E]."""
        return np.concatenate(
            [
                self._cut(self.frames.action, windows).similarities(query.action),
                self._cut(self.frames.entity, windows).similarities(query.entity),
            ],
            axis=1,
        )

    def scores(self, queries: Sequence[QueryEmbeddings], windows: Windows) -> Float32:
        """Scores of windows as clips, float32 [W, C]."""
        fused: Float32 = np.asarray(self.settings.fuse(self.levels(queries, windows)), np.float32)
        return fused

    def moments(self, queries: Sequence[QueryEmbeddings]) -> Intervals:
        """The moment that each sentence describes, in seconds from the video's beginning: [C, 2].

        The scene that fits best as a clip; of a scene longer than `long_scene` frames, the stretch whose frames
        fit better than the rest of it.

        Raises:
            ConfigError: if the video's length is not known.
        """
        best = self.scores(queries, self.scenes).argmax(axis=0)  # [C]
        starts, stops = self.scenes.starts[best], self.scenes.stops[best]
        for scene in np.unique(best).tolist():
            start, stop = int(self.scenes.starts[scene]), int(self.scenes.stops[scene])
            if stop - start > self.windows.long_scene:
                asked = np.flatnonzero(best == scene)
                stretch = self._stretches([queries[place] for place in asked.tolist()], start, stop)
                starts[asked], stops[asked] = stretch.starts, stretch.stops
        return self.seconds(Windows(starts, stops))

    def seconds(self, windows: Windows) -> Intervals:
        """When windows begin and end, in seconds, [W, 2].

        Raises:
            ConfigError: if the video's length is not known.
        """
        bounds_s = self._known_bounds()
        return np.stack([bounds_s[windows.starts], bounds_s[windows.stops]], axis=1)

    def _known_bounds(self) -> Float64:
        if self.bounds_s is None:
            raise ConfigError("the video's length is not known, so nothing in it has a time.")
        return self.bounds_s

    def _level(self, frames: Float32, nodes: Sequence[Float32], windows: Windows) -> Float32:
        similarities = self._cut(frames, windows).similarities(np.concatenate(nodes))
        return mean_over_nodes(similarities, [len(part) for part in nodes])

    def _cut(self, frames: Float32, windows: Windows) -> WindowedLevel:
        return WindowedLevel.cut(frames, windows, sharpness=self.settings.sharpness, fusion=self.settings.fusion)

    def _stretches(self, queries: Sequence[QueryEmbeddings], start: int, stop: int) -> Windows:
        """The stretch of one scene that each query fits, one window a query."""
        frames = np.arange(start, stop)
        choice = Windows.at_scales(
            stop - start, shortest=self.windows.shortest, growth=_STRETCH_GROWTH, stride=_STRETCH_STRIDE
        )
        best = best_stretches(self.scores(queries, Windows(frames, frames + 1)), choice)
        return Windows(choice.starts[best] + start, choice.stops[best] + start)

    def __repr__(self) -> str:
        return f"LongVideo(frames={self.num_frames})"


def _bounds(times_s: npt.NDArray[np.floating], duration_s: float) -> Float64:
    """Where each frame's time begins: half-way from the frame before it, [F + 1]."""
    middles = (times_s[:-1] + times_s[1:]) / 2
    bounds: Float64 = np.clip([0.0, *middles, duration_s], 0.0, duration_s)
    return bounds
