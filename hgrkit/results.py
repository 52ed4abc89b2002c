"""What a search returns: hits, each with its moment, its level scores and what became of every phrase."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from hgrkit.errors import GraphError
from hgrkit.graph import Node, Role, RoleGraph
from hgrkit.graph.rendering import render
from hgrkit.levels import Level, PerLevel

if TYPE_CHECKING:
    from hgrkit.library.records import Float32
    from hgrkit.library.search import ClipMatch, Matches
    from hgrkit.model.query.encoder import EmbeddedQuery

__all__ = [
    "Description",
    "Hit",
    "Phrase",
    "RankedSentence",
    "SearchResult",
    "clock",
    "result_like",
    "result_of",
    "signed",
]

_LISTED = 10
"""Phrases that a note lists before it counts the rest."""


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
    """

    node_id: int
    text: str
    role: Role
    level: Level
    similarity: float
    times_s: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def best_time_s(self) -> float:
        """Time of the frame that bears most on the phrase, in seconds."""
        best = max(range(len(self.weights)), key=self.weights.__getitem__)
        return self.times_s[best]

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
        }


@attrs.frozen(kw_only=True)
class Hit:
    """One video of the answer, by its best clip.

    Attributes:
        rank: 1 for the best.
        video: the video's path; absolute, so that it opens from anywhere.
        start_s: where the moment begins, in seconds from the video's beginning.
        end_s: where it ends.
        score: of the best clip, in [-1, 1].
        likeness: how like the example it is, in [-1, 1]; `None` where the question had none.
        levels: that clip's score at each level; `None` where the question has no action or no entity, which
            counts as 0 in the score. They are of the words, and of the example where there were no words.
        phrases: the query's actions and entities, in graph order; none where there were no words.
    """

    rank: int
    video: str
    start_s: float
    end_s: float
    score: float
    levels: PerLevel[float | None]
    phrases: tuple[Phrase, ...]
    likeness: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The hit as plain JSON types."""
        return {
            "rank": self.rank,
            "video": self.video,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "score": self.score,
            "likeness": self.likeness,
            "levels": {"event": self.levels.event, "action": self.levels.action, "entity": self.levels.entity},
            "phrases": [phrase.to_dict() for phrase in self.phrases],
        }

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return render("result.html", query=None, hits=[self], notes=(), clock=clock)


@attrs.frozen(kw_only=True)
class SearchResult:
    """The answer to one query.

    Attributes:
        query: the text that was asked, or the graph's; empty for an example without words.
        like: the example that was given, as a path or in words; `None` without one.
        hits: best first, one a video.
        elapsed_ms: time from text to hits, in milliseconds.
        exact: every clip was compared at every level, not only those whose event is nearest.
        notes: what of the question was not compared, and why, in sentences; empty if all of it was.
    """

    query: str
    _graph: RoleGraph | None
    hits: tuple[Hit, ...]
    elapsed_ms: float
    exact: bool = True
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
            "notes": list(self.notes),
            "elapsed_ms": self.elapsed_ms,
        }

    def _repr_html_(self) -> str:
        """What a notebook shows; `Retriever.explain` shows more."""
        asked = self.query if self.like is None else f"{self.query} (like {self.like})".strip()
        return render("result.html", query=asked, hits=self.hits, notes=self.notes, clock=clock)


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


def signed(similarity: float | None) -> str:
    """A similarity as tables show it; `-` where there is nothing to compare.

    >>> signed(0.254), signed(None)
    ('+0.25', '-')
    """
    return "-" if similarity is None else f"{similarity:+.2f}"


def result_of(
    text: str,
    graph: RoleGraph,
    query: EmbeddedQuery,
    matches: Matches,
    *,
    num_words: int,
    started: float,
    like: str | None = None,
) -> SearchResult:
    """What a library found, told in the words of the question.

    Args:
        text: the question.
        graph: how it was read.
        query: what the model made of it.
        matches: what the library found.
        num_words: how many of the graph's tokens the model took, from the first on.
        started: when the question was put, by `time.perf_counter`.
        like: what the example is called that was given as well.
    """
    return SearchResult(
        query=text,
        graph=graph,
        hits=tuple(_hit(rank, match, graph, query) for rank, match in enumerate(matches, 1)),
        exact=matches.exact,
        elapsed_ms=(time.perf_counter() - started) * 1000,
        notes=_notes(graph, query, num_words=num_words),
        like=like,
    )


def result_like(matches: Matches, like: str, *, started: float) -> SearchResult:
    """What a library found by an example alone.

    Args:
        matches: what it found.
        like: what the example is called.
        started: when the question was put, by `time.perf_counter`.
    """
    hits = tuple(
        Hit(
            rank=rank,
            video=match.video,
            start_s=match.moment.start_s,
            end_s=match.moment.end_s,
            score=match.score,
            likeness=match.score,
            levels=match.levels,
            phrases=(),
        )
        for rank, match in enumerate(matches, 1)
    )
    elapsed_ms = (time.perf_counter() - started) * 1000
    return SearchResult(query="", graph=None, hits=hits, elapsed_ms=elapsed_ms, exact=matches.exact, like=like)


def _hit(rank: int, match: ClipMatch, graph: RoleGraph, query: EmbeddedQuery) -> Hit:
    """A clip that a library found, told in the words of the query; phrases are in the graph's order."""
    times = tuple(match.times_s.tolist())
    levels: tuple[tuple[Level, Sequence[Node], Float32, Float32], ...] = (
        ("action", query.actions, match.action_similarities, match.action_weights),
        ("entity", query.entities, match.entity_similarities, match.entity_weights),
    )
    found = {
        node.id: Phrase(
            node_id=node.id,
            text=graph.phrase(node),
            role=graph.role(node),
            level=level,
            similarity=float(similarity),
            times_s=times,
            weights=tuple(weights.tolist()),
        )
        for level, nodes, all_similarities, all_weights in levels
        for node, similarity, weights in zip(nodes, all_similarities, all_weights, strict=True)
    }
    return Hit(
        rank=rank,
        video=match.video,
        start_s=match.moment.start_s,
        end_s=match.moment.end_s,
        score=match.score,
        likeness=match.likeness,
        levels=match.levels,
        phrases=tuple(found[node.id] for node in graph.nodes if node.id in found),
    )


def _notes(graph: RoleGraph, query: EmbeddedQuery, *, num_words: int) -> tuple[str, ...]:
    """What the model's limits left out of a question, in sentences.

    Args:
        graph: how the question was read.
        query: what the model made of it.
        num_words: how many of the graph's tokens the model took, from the first on.
    """
    notes = []
    if num_words < len(graph.tokens):
        late = [
            ("... " if node.span.start < num_words else "")
            + " ".join(graph.tokens[max(node.span.start, num_words) : node.span.stop])
            for node in sorted(graph.nodes, key=lambda node: node.span)
            if node.span.stop > num_words
        ]
        words = f"The question has {len(graph.tokens)} words; the model compares the first {num_words}."
        notes.append(words + _not_compared(late))
    where = "These words have" if notes else "The question has"
    levels = (("actions", graph.actions, query.actions), ("entities", graph.entities, query.entities))
    for name, nodes, kept in levels:
        read = [node for node in nodes if node.span.start < num_words]
        left = [node for node in read if node not in kept]
        if left:
            taken = f"the first {len(kept)}" if kept else "none"
            count = f"{len(read)} {name}; the model compares {taken}."
            notes.append(f"{where} {count}{_not_compared([graph.phrase(node) for node in left])}")
    return tuple(notes)


def _not_compared(phrases: Sequence[str]) -> str:
    listed = ", ".join(map(repr, phrases[:_LISTED]))
    more = f" and {len(phrases) - _LISTED} more" if len(phrases) > _LISTED else ""
    return f" Not compared: {listed}{more}." if phrases else ""
