"""What a search returns: hits, each with its moment, its scores at the levels, and every phrase's similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from hgrkit.errors import GraphError
from hgrkit.graph import Role, RoleGraph
from hgrkit.graph.rendering import render
from hgrkit.levels import Level, PerLevel

__all__ = [
    "NOTHING_MATCHES",
    "NO_VIDEO_MATCHES",
    "Description",
    "Excluded",
    "Hit",
    "Phrase",
    "RankedSentence",
    "SearchResult",
    "clock",
    "percent",
    "signed",
    "when_seen",
]

NOTHING_MATCHES: Final = "Nothing here seems to match"
"""What is said, before all else, of an answer that did not match."""

NO_VIDEO_MATCHES: Final = "No video matches the filter."
"""The note on a search whose `where` is true of no video."""


@attrs.frozen(kw_only=True)
class Phrase:
    """One action or entity of the query, with its similarity to one clip.

    Attributes:
        node_id: the id of its node in the query graph.
        text: the phrase's words.
        role: `V` for an action, otherwise the phrase's role in the query.
        level: `action` or `entity`.
        similarity: between the phrase and the clip, in [-1, 1].
        times_s: [F] times of the clip's frames, in seconds from the beginning of the video.
        weights: [F] alignment: the weight of each frame for the phrase; the weights sum to one.
        inside: whether the frame with the largest weight is in the hit's moment, not elsewhere in the clip.
    """

    node_id: int
    text: str
    role: Role
    level: Level
    similarity: float
    times_s: tuple[float, ...]
    weights: tuple[float, ...]
    inside: bool = True

    @property
    def best_time_s(self) -> float:
        """Time of the frame that bears most on the phrase, in seconds."""
        return _best_time(self.times_s, self.weights)

    def to_dict(self) -> dict[str, Any]:
        """The phrase as plain JSON types."""
        return {
            "node_id": self.node_id,
            "text": self.text,
            "role": self.role,
            "level": self.level,
            "similarity": self.similarity,
            "times_s": list(self.times_s),
            "weights": list(self.weights),
            "inside": self.inside,
        }


@attrs.frozen(kw_only=True)
class Excluded:
    """How much one clip shows of a phrase that the question excludes.

    Attributes:
        node_ids: ids of its nodes in the query graph; empty if `without` named the phrase.
        text: the phrase's words, without those that exclude it.
        similarity: the clip's score for the phrase as a question of its own; if it is above 0, 1.5 times as much
            is subtracted from the hit's score.
        times_s: [F] times of the clip's frames, in seconds from the beginning of the video.
        weights: [F] the weight of each frame for the phrase; the weights sum to one.
    """

    node_ids: tuple[int, ...]
    text: str
    similarity: float
    times_s: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def best_time_s(self) -> float:
        """Time of the frame that bears most on the phrase, in seconds."""
        return _best_time(self.times_s, self.weights)

    def to_dict(self) -> dict[str, Any]:
        """The phrase as plain JSON types."""
        return {
            "node_ids": list(self.node_ids),
            "text": self.text,
            "similarity": self.similarity,
            "times_s": list(self.times_s),
            "weights": list(self.weights),
        }


def _best_time(times_s: Sequence[float], weights: Sequence[float]) -> float:
    return times_s[max(range(len(weights)), key=weights.__getitem__)]


@attrs.frozen(kw_only=True)
class Hit:
    """One moment that a search found: that of a video's best clip, or a further one of the video.

    Attributes:
        rank: 1 for the best.
        video: the absolute path of the video.
        start_s: where the moment begins, in seconds from the beginning of the video.
        end_s: where it ends.
        score: of the best clip: the weighted mean of its levels, in [-1, 1], minus a penalty for excluded
            phrases. If the question only excludes: minus the similarity of the phrase that the clip shows most.
            A further moment is scored as a clip of its own; its score is at most that of the best clip. With an
            example and words, the example has a weight of 0.6; without words, it is the score.
        confidence: how likely this is the video that was meant, in [0, 1]. Can be compared between questions and
            libraries. `None` if the model is not calibrated, or the question has an example.
        likeness: similarity to the example, in [-1, 1]; `None` without an example.
        levels: the score at each level. `None` if the question has no action or no entity (which counts as 0
            in the score), or no words. A further moment has the mean event of the video's clips.
        phrases: the query's actions and entities that are not excluded, in graph order.
        excluded: the query's excluded phrases.
    """

    rank: int
    video: str
    start_s: float
    end_s: float
    score: float
    levels: PerLevel[float | None]
    phrases: tuple[Phrase, ...]
    likeness: float | None = None
    confidence: float | None = None
    excluded: tuple[Excluded, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The hit as plain JSON types."""
        return {
            "rank": self.rank,
            "video": self.video,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "score": self.score,
            "likeness": self.likeness,
            "confidence": self.confidence,
            "levels": {"event": self.levels.event, "action": self.levels.action, "entity": self.levels.entity},
            "phrases": [phrase.to_dict() for phrase in self.phrases],
            "excluded": [phrase.to_dict() for phrase in self.excluded],
        }

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return render("result.html", query=None, hits=[self], matched=True, notes=(), **_SAID)


@attrs.frozen(kw_only=True)
class SearchResult:
    """The answer to one query.

    Attributes:
        query: the text of the question, or of its graph; empty for an example without words.
        like: the example, as a path or in words; `None` without one.
        hits: best first; one for each video, unless `per_video` allows more.
        elapsed_ms: time from text to hits, in milliseconds.
        exact: whether every clip was compared at every level, not only those with the nearest events.
        matched: false if nothing in the library seems to show what was asked; the hits are then the nearest
            clips. Always true for a model that is not calibrated, and for an example.
        notes: sentences about what was not compared and why, what was not understood, what was excluded, or that
            no video matches the filter.
    """

    query: str
    _graph: RoleGraph | None = attrs.field(alias="graph", repr=False)
    hits: tuple[Hit, ...]
    elapsed_ms: float
    exact: bool = True
    matched: bool = True
    notes: tuple[str, ...] = ()
    like: str | None = None

    @property
    def graph(self) -> RoleGraph:
        """The graph of the question.

        Raises:
            GraphError: if the question was an example without words; `query` is then empty.
        """
        if self._graph is None:
            raise GraphError(f"the question was the example {self.like!r} without words, which has no graph.")
        return self._graph

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types: what `hgrkit search --json` prints."""
        return {
            "query": self.query,
            "graph": None if self._graph is None else self._graph.to_dict(),
            "like": self.like,
            "hits": [hit.to_dict() for hit in self.hits],
            "exact": self.exact,
            "matched": self.matched,
            "notes": list(self.notes),
            "elapsed_ms": self.elapsed_ms,
        }

    def _repr_html_(self) -> str:
        """What a notebook shows; `Retriever.explain` shows more."""
        asked = self.query if self.like is None else f"{self.query} (like {self.like})".strip()
        shown = {"query": asked, "hits": self.hits, "matched": self.matched, "notes": self.notes}
        return render("result.html", **shown, **_SAID)


@attrs.frozen(kw_only=True)
class RankedSentence:
    """A sentence with its rank for a video.

    Attributes:
        rank: 1 for the best.
        sentence: as it was given.
        score: with the video's best clip, minus what the sentence scores with any clip; higher is better.
        levels: the sentence's score with that clip at each level, in [-1, 1], without that subtraction; `None` if
            it has no action or no entity.
    """

    rank: int
    sentence: str
    score: float
    levels: PerLevel[float | None]

    def to_dict(self) -> dict[str, Any]:
        """The sentence as plain JSON types."""
        return {
            "rank": self.rank,
            "sentence": self.sentence,
            "score": self.score,
            "levels": {"event": self.levels.event, "action": self.levels.action, "entity": self.levels.entity},
        }


@attrs.frozen(kw_only=True)
class Description:
    """Sentences ranked for a video.

    Attributes:
        video: the video's path, as it was given.
        sentences: best first; ties in the order in which they were given.
        notes: which sentences could not be parsed, and why; they are omitted.
    """

    video: str
    sentences: tuple[RankedSentence, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The description as plain JSON types: what `hgrkit describe --json` prints."""
        sentences = [sentence.to_dict() for sentence in self.sentences]
        return {"video": self.video, "sentences": sentences, "notes": list(self.notes)}


def clock(seconds: float) -> str:
    """A time within a video.

    >>> clock(3.26), clock(75), clock(3725)
    ('0:03.3', '1:15.0', '1:02:05.0')
    """
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def when_seen(phrase: Phrase) -> str:
    """When a phrase is seen best; `outside` says that the hit's moment does not have that frame."""
    return clock(phrase.best_time_s) + ("" if phrase.inside else " (outside)")


def percent(confidence: float) -> str:
    """A confidence as tables show it; none is beyond doubt.

    >>> percent(0.634), percent(0.9987), percent(0.0004)
    ('63%', '>99%', '<1%')
    """
    whole = round(confidence * 100)
    return "<1%" if whole < 1 else ">99%" if whole > 99 else f"{whole}%"


def signed(similarity: float | None) -> str:
    """A similarity as tables show it; `-` where there is nothing to compare.

    >>> signed(0.254), signed(None)
    ('+0.25', '-')
    """
    return "-" if similarity is None else f"{similarity:+.2f}"


_SAID: Final[dict[str, Any]] = {"clock": clock, "percent": percent, "nothing_matches": NOTHING_MATCHES}
"""What the templates of results call things."""
