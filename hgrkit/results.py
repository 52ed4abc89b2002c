"""What a search returns: hits, each with its moment, its level scores and what became of every phrase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from hgrkit.graph import Node, Role, RoleGraph
from hgrkit.graph.rendering import render
from hgrkit.levels import Level, PerLevel

if TYPE_CHECKING:
    from hgrkit.library.matches import ClipMatch
    from hgrkit.library.records import Float32
    from hgrkit.model.query.encoder import EmbeddedQuery

__all__ = ["Hit", "Phrase", "SearchResult", "clock", "hit_of", "notes_on", "signed", "when_seen"]

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
            "inside": self.inside,
        }


@attrs.frozen(kw_only=True)
class Hit:
    """One moment of the answer: that of a video's best clip, or a further one of the video.

    Attributes:
        rank: 1 for the best.
        video: the video's path; absolute, so that it opens from anywhere.
        start_s: where the moment begins, in seconds from the video's beginning.
        end_s: where it ends.
        score: of the best clip, in [-1, 1]; of a further moment its own as a clip, at most that of the best clip.
        levels: that score at each level; `None` where the question has no action or no entity, which counts as 0
            in the score. A further moment has the mean of the video's clips for its event.
        phrases: the query's actions and entities, in graph order.
    """

    rank: int
    video: str
    start_s: float
    end_s: float
    score: float
    levels: PerLevel[float | None]
    phrases: tuple[Phrase, ...]

    def to_dict(self) -> dict[str, Any]:
        """The hit as plain JSON types."""
        return {
            "rank": self.rank,
            "video": self.video,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "score": self.score,
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
        query: the text that was asked, or the graph's.
        graph: how it was read.
        hits: best first; one a video, unless more were asked for.
        elapsed_ms: time from text to hits, in milliseconds.
        exact: every clip was compared at every level, not only those whose event is nearest.
        notes: what of the question was not compared, and why, in sentences; empty if all of it was.
    """

    query: str
    graph: RoleGraph
    hits: tuple[Hit, ...]
    elapsed_ms: float
    exact: bool = True
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types: what `hgrkit search --json` prints."""
        return {
            "query": self.query,
            "graph": self.graph.to_dict(),
            "hits": [hit.to_dict() for hit in self.hits],
            "exact": self.exact,
            "notes": list(self.notes),
            "elapsed_ms": self.elapsed_ms,
        }

    def _repr_html_(self) -> str:
        """What a notebook shows; `Retriever.explain` shows more."""
        return render("result.html", query=self.query, hits=self.hits, notes=self.notes, clock=clock)


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


def signed(similarity: float | None) -> str:
    """A similarity as tables show it; `-` where there is nothing to compare.

    >>> signed(0.254), signed(None)
    ('+0.25', '-')
    """
    return "-" if similarity is None else f"{similarity:+.2f}"


def hit_of(rank: int, match: ClipMatch, graph: RoleGraph, query: EmbeddedQuery) -> Hit:
    """A clip that a library found, told in the words of the query; phrases are in the graph's order."""
    times, moment = tuple(match.times_s.tolist()), match.moment
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
            inside=moment.start_s <= times[int(weights.argmax())] <= moment.end_s,
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
        levels=match.levels,
        phrases=tuple(found[node.id] for node in graph.nodes if node.id in found),
    )


def notes_on(graph: RoleGraph, query: EmbeddedQuery, *, num_words: int) -> tuple[str, ...]:
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
