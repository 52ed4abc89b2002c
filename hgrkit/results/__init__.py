"""What a search returns: hits, each with its moment, its level scores and what became of every phrase."""

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
    """One action or entity of the query, as it was found in one clip.

    Attributes:
        node_id: the query graph's node that it is.
        text: the phrase's words.
        role: `V` for an action, else the phrase's role in the query.
        level: `action` or `entity`.
        similarity: of the phrase and the clip, in [-1, 1].
        times_s: [F] times of the clip's frames, in seconds from the video's beginning.
        weights: [F] alignment: how much each frame bears on the phrase; they sum to one.
        inside: the frame that bears most on the phrase lies in the hit's moment; elsewhere in the clip otherwise.
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
        node_ids: the query graph's nodes that it is made of; none if `without` named it.
        text: the phrase's words, without those that exclude it.
        similarity: the clip's score for the phrase as a question of its own; above 0 it takes 1.5 times as much
            off the hit's score.
        times_s: [F] times of the clip's frames, in seconds from the video's beginning.
        weights: [F] how much each frame bears on the phrase; they sum to one.
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
    """One moment of the answer: that of a video's best clip, or a further one of the video.

    Attributes:
        rank: 1 for the best.
        video: the video's path; absolute, so that it opens from anywhere.
        start_s: where the moment begins, in seconds from the video's beginning.
        end_s: where it ends.
        score: of the best clip: the weighted mean of its levels, in [-1, 1], less what it shows of excluded
            phrases. If the question only excludes: minus the similarity of the phrase that the clip shows most.
            A further moment is scored as a clip by itself; at most the best clip's. An example counts 0.6 of it,
            and all of it where there were no words.
        confidence: how likely this is the video that was meant, in [0, 1], which compares between questions and
            libraries; `None` if the model is not calibrated, or there was an example.
        likeness: how like the example it is, in [-1, 1]; `None` where the question had none.
        levels: that score at each level; `None` where the question has no action or no entity, which counts as 0
            in the score, or has no words. A further moment has the event of the video's clips together.
        phrases: the query's actions and entities that are wanted, in graph order.
        excluded: what the query excludes.
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
        query: the text that was asked, or the graph's; empty for an example without words.
        like: the example that was given, as a path or in words; `None` without one.
        hits: best first; one a video, unless more were asked for.
        elapsed_ms: time from text to hits, in milliseconds.
        exact: every clip was compared at every level, not only those whose event is nearest.
        matched: false if nothing here seems to show what was asked; the hits are then only what is nearest. Always
            true of a model that is not calibrated, and of an example.
        notes: in sentences, what of the question was not compared, and why; what is not understood; what was
            excluded; or that no video matches the filter.
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
        """How the text was read.

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
    """A sentence, as it fits a video.

    Attributes:
        rank: 1 for the best.
        sentence: as it was given.
        score: with the video's best clip, less what the sentence scores with any clip; the higher the better.
        levels: the sentence's score with that clip at each level, in [-1, 1], nothing taken off; `None` where it
            has no action or no entity.
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
    """Which of some sentences fit a video.

    Attributes:
        video: the video's path, as it was given.
        sentences: the best first; equal scores in the order in which they were given.
        notes: which sentences could not be read, and why; they are left out.
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
