"""Why one hit was found: its film strip, which node each phrase is, and what spoke against it."""

from __future__ import annotations

import base64
import os
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import attrs
import numpy as np

from hgrkit.errors import DecodeError, DecodeWorkerError, MissingPathError
from hgrkit.results import Hit, Phrase
from hgrkit.video.still import encode_jpeg
from hgrkit.video.worker.answers import Pictures, Times
from hgrkit.video.worker.decoder import DecodeProcess

__all__ = [
    "MORE_THAN_EVEN",
    "PICTURE_HEIGHT",
    "HitExplanation",
    "StripFrame",
    "choose_frames",
    "encode_jpeg",
    "explain_hit",
    "read_pictures",
]

PICTURE_HEIGHT = 120
"""Pixels of a film strip's pictures; a page shows them at up to 176 wide, and each takes 4 to 11 KB."""

MORE_THAN_EVEN = 1.1
"""A frame bears on a phrase if its weight is this many times what all frames would have if all were alike."""

_LONGEST_S = 20.0  # to read one video's pictures: a broken file must not stop the page
_TOLERANCE_S = 1e-3  # far less than a picture lasts: a time that is its beginning, but for rounding, finds it


@attrs.frozen(kw_only=True)
class FrameGroup:
    """Frames that follow each other, and the one of them that is shown.

    Attributes:
        shown: the shown frame's position among the clip's frames.
        start: position of the first frame of the group.
        stop: position behind the last one.
    """

    shown: int
    start: int
    stop: int


def choose_frames(num_frames: int, best: Sequence[int], *, most: int) -> tuple[FrameGroup, ...]:
    """Frames to show, ascending; every frame of the clip belongs to the shown one that is nearest to it.

    The best frames come first, as many as there is room for; each further one is put into the middle of the widest
    gap that is left.

    >>> [group.shown for group in choose_frames(9, [4], most=3)]
    [0, 4, 8]
    >>> choose_frames(3, [2], most=1)
    (FrameGroup(shown=2, start=0, stop=3),)

    Args:
        num_frames: frames of the clip.
        best: positions of frames that should be shown, the most important first.
        most: how many to show at most, at least 1.
    """
    if num_frames <= most:
        chosen = list(range(num_frames))
    else:
        chosen = sorted(list(dict.fromkeys(best))[:most])
        while len(chosen) < most:
            chosen = sorted([*chosen, _farthest(num_frames, chosen)])
    bounds = [0, *((left + right + 1) // 2 for left, right in pairwise(chosen)), num_frames]
    return tuple(
        FrameGroup(shown=shown, start=start, stop=stop)
        for shown, (start, stop) in zip(chosen, pairwise(bounds), strict=True)
    )


def _farthest(num_frames: int, chosen: Sequence[int]) -> int:
    """The frame that is farthest from all that are chosen; the first of several."""
    if not chosen:
        return 0
    return max(range(num_frames), key=lambda frame: min(abs(frame - other) for other in chosen))


def read_pictures(
    video: str, times_s: Sequence[float], decoder: DecodeProcess, *, height: int = PICTURE_HEIGHT
) -> tuple[tuple[bytes | None, ...], str]:
    """Read the pictures that are on the screen at some times; the video is read once.

    Args:
        video: path of the file.
        times_s: [F] ascending seconds on the video's own time line.
        decoder: reads it.
        height: of the pictures, in pixels.

    Returns:
        F pictures as JPEG files, all `None` if the video cannot be read; and why it cannot, empty if it can.
    """
    if not times_s:
        return (), ""
    try:
        return _read(video, times_s, decoder, height), ""
    except MissingPathError:
        note = "the video is no longer where it was indexed"
    except (DecodeError, DecodeWorkerError) as error:
        note = f"the video cannot be read: {error}"
    return (None,) * len(times_s), note


def _read(video: str, times_s: Sequence[float], decoder: DecodeProcess, height: int) -> tuple[bytes, ...]:
    if not os.path.lexists(video):
        raise MissingPathError(f"no file {video!r}.")
    deadline = time.monotonic() + _LONGEST_S
    shown_s: list[float] = []
    pictures: list[bytes] = []

    def take(some_s: Times, images: Pictures) -> None:
        if time.monotonic() > deadline:
            raise DecodeError(f"reading its pictures took longer than {_LONGEST_S:.0f} seconds")
        shown_s.extend(some_s.tolist())
        pictures.extend(map(encode_jpeg, images))

    decoded = decoder.read(video, height, np.asarray(times_s, np.float64), take)
    if decoded.reason is not None or not pictures:
        raise DecodeError(decoded.reason or "no picture of the file can be decoded")
    places = [bisect_right(shown_s, time_s + _TOLERANCE_S) - 1 for time_s in times_s]
    return tuple(pictures[max(0, place)] for place in places)


@attrs.frozen(kw_only=True)
class StripFrame:
    """One frame of a film strip.

    Attributes:
        time_s: of the frame, in seconds from the video's beginning.
        start: the first of the hit's times that the frame stands for, by its position.
        stop: the position behind the last one.
        phrases: positions of the phrases that one of these times bears on, with clearly more than an even share
            of the weight or with the most of all.
        jpeg: the picture as a JPEG file; `None` if the video could not be read.
    """

    time_s: float
    start: int
    stop: int
    phrases: tuple[int, ...]
    jpeg: bytes | None = attrs.field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """The frame as plain JSON types; the picture in base64."""
        picture = None if self.jpeg is None else base64.b64encode(self.jpeg).decode("ascii")
        return {**attrs.asdict(self), "jpeg": picture}


@attrs.frozen(kw_only=True)
class HitExplanation:
    """Why one clip was found.

    Attributes:
        hit: as `search` returned it; all numbers are there.
        times_s: [F] times of the clip's frames, in seconds; those of every phrase's alignment.
        strip: the film strip, frames ascending; together they stand for every time.
        note: why the strip has no pictures; empty if it has.
    """

    hit: Hit
    times_s: tuple[float, ...]
    strip: tuple[StripFrame, ...]
    note: str = ""

    @property
    def nodes(self) -> tuple[int, ...]:
        """The graph's node of each phrase, by its id, in the order of `hit.phrases`."""
        return tuple(phrase.node_id for phrase in self.hit.phrases)

    @property
    def name(self) -> str:
        """The video's name, without its folders."""
        return PurePath(self.hit.video).name or self.hit.video

    @property
    def weakest(self) -> Phrase | None:
        """The phrase that spoke most against the hit, the one that is least similar; `None` without phrases."""
        return min(self.hit.phrases, key=lambda phrase: phrase.similarity, default=None)

    @property
    def moment(self) -> tuple[int, int]:
        """The first of the times that lie in the moment, and the one behind the last, by position."""
        start, stop = bisect_left(self.times_s, self.hit.start_s), bisect_right(self.times_s, self.hit.end_s)
        return (start, stop) if start < stop else (0, len(self.times_s))

    @property
    def edges(self) -> tuple[float, ...]:
        """[F + 1] where each time begins on the strip, and where the last one ends, in shown frames.

        Shown frames are as wide as each other; the times that one stands for share its width.
        """
        starts = [
            number + step / (frame.stop - frame.start)
            for number, frame in enumerate(self.strip)
            for step in range(frame.stop - frame.start)
        ]
        return (*starts, float(len(self.strip)))

    def to_dict(self) -> dict[str, Any]:
        """The hit's own record, and what explains it."""
        weakest = self.weakest
        return {
            **self.hit.to_dict(),
            "strip": [frame.to_dict() for frame in self.strip],
            "nodes": list(self.nodes),
            "weakest": None if weakest is None else self.hit.phrases.index(weakest),
            "note": self.note,
        }


def explain_hit(
    hit: Hit, *, num_frames: int, decoder: DecodeProcess, height: int = PICTURE_HEIGHT
) -> HitExplanation:
    """Read a hit's film strip and put its phrases beside it.

    Args:
        hit: what was found.
        num_frames: frames of the strip, at most.
        decoder: reads the video.
        height: of its pictures, in pixels.
    """
    times_s = hit.phrases[0].times_s if hit.phrases else _evenly(hit, num_frames)
    by_similarity = sorted(hit.phrases, key=lambda phrase: -phrase.similarity)
    best = [max(range(len(times_s)), key=phrase.weights.__getitem__) for phrase in by_similarity]
    groups = choose_frames(len(times_s), best, most=num_frames)
    jpegs, note = read_pictures(hit.video, [times_s[group.shown] for group in groups], decoder, height=height)
    strip = tuple(
        StripFrame(
            time_s=times_s[group.shown],
            start=group.start,
            stop=group.stop,
            phrases=_bearing(hit.phrases, group.start, group.stop),
            jpeg=jpeg,
        )
        for group, jpeg in zip(groups, jpegs, strict=True)
    )
    return HitExplanation(hit=hit, times_s=times_s, strip=strip, note=note)


def _bearing(phrases: Sequence[Phrase], start: int, stop: int) -> tuple[int, ...]:
    return tuple(
        position
        for position, phrase in enumerate(phrases)
        if max(phrase.weights[start:stop]) >= min(max(phrase.weights), MORE_THAN_EVEN / len(phrase.weights))
    )


def _evenly(hit: Hit, num_frames: int) -> tuple[float, ...]:
    """Times for a query without phrases: in the middle of equal parts of the moment."""
    part = (hit.end_s - hit.start_s) / num_frames
    return tuple(hit.start_s + (number + 0.5) * part for number in range(num_frames))
