"""Searches long videos for sentences that describe moments: scores of whole videos, then moments in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, final

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.matching.windows import Windows
from hgrkit.model.long_video import LongVideo
from hgrkit.model.query.encoder import EmbeddedCaptions

__all__ = [
    "BestWindow",
    "FixedWindows",
    "LoadVideo",
    "TimedFeatures",
    "WayToSearch",
    "find_moments",
    "score_videos",
]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
LoadVideo = Callable[[int], LongVideo]
"""The v-th video, embedded; called again when it is needed again, so that not all are held."""


@attrs.frozen(eq=False, repr=False)
class TimedFeatures:
    """Frame features of a long video.

    Attributes:
        features: [F, K].
        times_s: when the frames are shown, [F]; in the middles of equal parts of the video unless given.
        duration_s: the video's length in seconds, if it is known.
    """

    features: Float32
    times_s: Float64 | None = None
    duration_s: float | None = None

    def __repr__(self) -> str:
        return f"TimedFeatures({len(self.features)} frames, {self.duration_s} s)"


class WayToSearch(Protocol):
    """How a long video is scored, and where in it a moment is."""

    def windows(self, video: LongVideo) -> Windows:
        """The windows of which the best is the video's score."""
        ...

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """When what each sentence says is seen, in seconds, [Q, 2]."""
        ...


@final
@attrs.frozen
class BestWindow:
    """Scenes and windows at several scales; a moment is a scene, or a stretch of a long one."""

    def windows(self, video: LongVideo) -> Windows:
        """All of them."""
        return video.candidates

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """As `LongVideo.moments` cuts them."""
        return video.moments(captions.queries)


@final
@attrs.frozen
class FixedWindows:
    """Windows of one length, one after the other: what windows at several scales are to be better than.

    Attributes:
        seconds: their length.
    """

    seconds: float = 10.0

    def windows(self, video: LongVideo) -> Windows:
        """All of them."""
        return video.fixed(self.seconds)[0]

    def moments(self, video: LongVideo, captions: EmbeddedCaptions) -> Float64:
        """The best window of each."""
        windows, times_s = video.fixed(self.seconds)
        found: Float64 = times_s[video.scores(captions.queries, windows).argmax(axis=0)]
        return found


def score_videos(
    num_videos: int,
    load: LoadVideo,
    captions: EmbeddedCaptions,
    ways: Sequence[WayToSearch],
    *,
    on_progress: Callable[[int], object] | None = None,
) -> list[Float32]:
    """Every video's score for every sentence, by its best window.

    Args:
        num_videos: V.
        load: embeds a video.
        captions: C sentences; one that could not be read scores -1 with every video.
        ways: how to search; they share what is loaded.
        on_progress: called with the number of videos that are scored.

    Returns:
        float32 [V, C] for each way.
    """
    scores = [np.empty((num_videos, len(captions.queries)), np.float32) for _ in ways]
    for number in range(num_videos if captions.queries else 0):
        video = load(number)
        for way, own in zip(ways, scores, strict=True):
            own[number] = video.scores(captions.queries, way.windows(video)).max(axis=0)
        if on_progress is not None:
            on_progress(number + 1)
    return [captions.spread(own) for own in scores]


def find_moments(
    videos: IntArray, sentences: IntArray, load: LoadVideo, captions: EmbeddedCaptions, way: WayToSearch
) -> Float64:
    """Where each sentence is found in the one video that it is looked for in.

    Args:
        videos: the number of that video, int64 [Q].
        sentences: which of the C sentences is looked for, int64 [Q].
        load: embeds a video.
        captions: C sentences.
        way: how to search.

    Returns:
        Start and end in seconds, float64 [Q, 2]; 0 and 0 for a sentence that could not be read.
    """
    # Captions that could not be read have no query; their moments stay 0 to 0, which overlaps nothing.
    readable = {position: number for number, position in enumerate(captions.positions)}
    moments = np.zeros((len(videos), 2))
    for number in np.unique(videos).tolist():
        rows = [row for row in np.flatnonzero(videos == number).tolist() if int(sentences[row]) in readable]
        if rows:
            queries = [captions.queries[readable[int(sentences[row])]] for row in rows]
            asked = attrs.evolve(captions, queries=queries, positions=range(len(queries)), failures={})
            moments[rows] = way.moments(load(number), asked)
    return moments
