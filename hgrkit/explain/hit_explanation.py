"""Why one hit was found: its film strip, which node each phrase is, and what spoke against it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import attrs

from hgrkit.explain.frame_choice import choose_frames
from hgrkit.explain.frame_pictures import read_pictures
from hgrkit.graph import RoleGraph
from hgrkit.results import Hit, Phrase

__all__ = ["HitExplanation", "StripFrame", "explain_hit"]

_MORE_THAN_EVEN = 1.1
"""A frame bears on a phrase if its weight is this many times what all frames would have if all were alike."""


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
        return {
            "time_s": self.time_s,
            "start": self.start,
            "stop": self.stop,
            "phrases": list(self.phrases),
            "jpeg": picture,
        }


@attrs.frozen(kw_only=True)
class HitExplanation:
    """Why one clip was found.

    Attributes:
        hit: as `search` returned it; all numbers are there.
        times_s: [F] times of the clip's frames, in seconds; those of every phrase's alignment.
        strip: the film strip, frames ascending; together they stand for every time.
        nodes: the graph's node of each phrase, by its id, in the order of `hit.phrases`.
        note: why the strip has no pictures; empty if it has.
    """

    hit: Hit
    times_s: tuple[float, ...]
    strip: tuple[StripFrame, ...]
    nodes: tuple[int, ...]
    note: str = ""

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
        inside = [
            position
            for position, time_s in enumerate(self.times_s)
            if self.hit.start_s <= time_s <= self.hit.end_s
        ]
        return (inside[0], inside[-1] + 1) if inside else (0, len(self.times_s))

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


def explain_hit(hit: Hit, graph: RoleGraph, *, num_frames: int) -> HitExplanation:
    """Read a hit's film strip and put its phrases beside it.

    Args:
        hit: what was found.
        graph: how the query was read.
        num_frames: frames of the strip, at most.
    """
    times_s = hit.phrases[0].times_s if hit.phrases else _evenly(hit, num_frames)
    by_similarity = sorted(hit.phrases, key=lambda phrase: -phrase.similarity)
    best = [max(range(len(times_s)), key=phrase.weights.__getitem__) for phrase in by_similarity]
    groups = choose_frames(len(times_s), best, most=num_frames)
    pictures = read_pictures(hit.video, [times_s[group.shown] for group in groups])
    strip = tuple(
        StripFrame(
            time_s=times_s[group.shown],
            start=group.start,
            stop=group.stop,
            phrases=_bearing(hit.phrases, group.start, group.stop),
            jpeg=jpeg,
        )
        for group, jpeg in zip(groups, pictures.jpegs, strict=True)
    )
    return HitExplanation(
        hit=hit, times_s=times_s, strip=strip, nodes=_nodes(hit.phrases, graph), note=pictures.note
    )


def _bearing(phrases: Sequence[Phrase], start: int, stop: int) -> tuple[int, ...]:
    return tuple(
        position
        for position, phrase in enumerate(phrases)
        if max(phrase.weights[start:stop]) >= min(max(phrase.weights), _MORE_THAN_EVEN / len(phrase.weights))
    )


def _nodes(phrases: Sequence[Phrase], graph: RoleGraph) -> tuple[int, ...]:
    """The node of each phrase: phrases are in the graph's order, but the model may have left nodes out."""
    left = iter(graph.nodes)
    found = []
    for phrase in phrases:
        fitting = (
            node.id
            for node in left
            if (graph.phrase(node), graph.role(node), node.is_action)
            == (phrase.text, phrase.role, phrase.level == "action")
        )
        found.append(next(fitting, -1))
    return tuple(found)


def _evenly(hit: Hit, num_frames: int) -> tuple[float, ...]:
    """Times for a query without phrases: in the middle of equal parts of the moment."""
    part = (hit.end_s - hit.start_s) / num_frames
    return tuple(hit.start_s + (number + 0.5) * part for number in range(num_frames))
