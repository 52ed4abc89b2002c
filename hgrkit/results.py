"""What a search returns: hits, each with its moment, its level scores and what became of every phrase."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from hgrkit.checks.arguments import check_number
from hgrkit.errors import ConfigError
from hgrkit.graph import Node, Role, RoleGraph
from hgrkit.graph.rendering import render
from hgrkit.levels import Level, PerLevel
from hgrkit.parsing.language import other_language

if TYPE_CHECKING:
    from hgrkit.library.records import Float32
    from hgrkit.library.search import ClipMatch, Matches
    from hgrkit.model.loaded import LoadedModel
    from hgrkit.model.query.encoder import EmbeddedQuery

__all__ = [
    "NOTHING_MATCHES",
    "Hit",
    "Phrase",
    "SearchResult",
    "clock",
    "hit_of",
    "notes_on",
    "percent",
    "result_of",
    "signed",
]

NOTHING_MATCHES = "Nothing here seems to match"
"""What is said, before all else, of an answer that did not match."""

_LISTED = 10
"""Phrases or words that a note lists before it counts the rest."""


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
        score: of the best clip, in [-1, 1]; of one question only, one question's compares with no other's.
        confidence: how likely this is the video that was meant, in [0, 1], which compares between questions and
            libraries; `None` if the model is not calibrated.
        levels: that clip's score at each level; `None` where the question has no action or no entity, which
            counts as 0 in the score.
        phrases: the query's actions and entities, in graph order.
    """

    rank: int
    video: str
    start_s: float
    end_s: float
    score: float
    levels: PerLevel[float | None]
    phrases: tuple[Phrase, ...]
    confidence: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The hit as plain JSON types."""
        return {
            "rank": self.rank,
            "video": self.video,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "score": self.score,
            "confidence": self.confidence,
            "levels": {"event": self.levels.event, "action": self.levels.action, "entity": self.levels.entity},
            "phrases": [phrase.to_dict() for phrase in self.phrases],
        }

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return render("result.html", query=None, hits=[self], matched=True, notes=(), **_SAID)


@attrs.frozen(kw_only=True)
class SearchResult:
    """The answer to one query.

    Attributes:
        query: the text that was asked, or the graph's.
        graph: how it was read.
        hits: best first, one a video.
        elapsed_ms: time from text to hits, in milliseconds.
        exact: every clip was compared at every level, not only those whose event is nearest.
        matched: false if nothing here seems to show what was asked; the hits are then only what is nearest. Always
            true of a model that is not calibrated.
        notes: what of the question was not compared or is not understood, and why, in sentences; empty if all is.
    """

    query: str
    graph: RoleGraph
    hits: tuple[Hit, ...]
    elapsed_ms: float
    exact: bool = True
    matched: bool = True
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The result as plain JSON types: what `hgrkit search --json` prints."""
        return {
            "query": self.query,
            "graph": self.graph.to_dict(),
            "hits": [hit.to_dict() for hit in self.hits],
            "exact": self.exact,
            "matched": self.matched,
            "notes": list(self.notes),
            "elapsed_ms": self.elapsed_ms,
        }

    def _repr_html_(self) -> str:
        """What a notebook shows; `Retriever.explain` shows more."""
        shown = {"query": self.query, "hits": self.hits, "matched": self.matched, "notes": self.notes}
        return render("result.html", **shown, **_SAID)


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


_SAID: dict[str, Any] = {"clock": clock, "percent": percent, "nothing_matches": NOTHING_MATCHES}
"""What the templates of results call things."""


def result_of(
    query: str | RoleGraph,
    graph: RoleGraph,
    embedded: EmbeddedQuery,
    matches: Matches,
    *,
    num_words: int,
    language: str | None,
    model: LoadedModel,
    min_confidence: float | None,
    started: float,
) -> SearchResult:
    """What a library found, told in the words of the question, with how sure that is.

    Args:
        query: what was asked.
        graph: how it was read.
        embedded: what the model made of it.
        matches: what was found.
        num_words: how many of the graph's tokens the model took, from the first on.
        language: code of the one language that the parser reads, if there is one.
        model: what compared them.
        min_confidence: leave out hits that are less likely right.
        started: when the question came, by `time.perf_counter`.

    Raises:
        ConfigError: if `min_confidence` is out of its range, or the model is not calibrated.
    """
    confidences: Sequence[float | None] = [None] * len(matches)
    calibration, matched = model.calibration, True
    if calibration is not None:
        confidences, matched = calibration.judge(embedded.embeddings.event, matches)
    least = 0.0 if min_confidence is None else check_number("min_confidence", min_confidence, "[0, 1]")
    if min_confidence is not None and calibration is None:
        raise ConfigError(
            f"min_confidence needs a calibrated model, and {model.name!r} is not; leave it out, or calibrate the "
            "model (hgrkit.calibrate)."
        )
    hits = (
        hit_of(rank, match, graph, embedded, confidence=confidence)
        for rank, (match, confidence) in enumerate(zip(matches, confidences, strict=True), 1)
        if confidence is None or confidence >= least
    )
    english, knows = isinstance(query, str) and language == "en", model.query_side.encoder.knows
    return SearchResult(
        query=query if isinstance(query, str) else graph.text,
        graph=graph,
        hits=tuple(hits),
        exact=matches.exact,
        matched=matched,
        notes=notes_on(graph, embedded, num_words=num_words, knows=knows, english=english),
        elapsed_ms=(time.perf_counter() - started) * 1000,
    )


def hit_of(
    rank: int, match: ClipMatch, graph: RoleGraph, query: EmbeddedQuery, *, confidence: float | None = None
) -> Hit:
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
        levels=match.levels,
        phrases=tuple(found[node.id] for node in graph.nodes if node.id in found),
        confidence=confidence,
    )


def notes_on(
    graph: RoleGraph,
    query: EmbeddedQuery,
    *,
    num_words: int,
    knows: Callable[[str], bool] | None = None,
    english: bool = False,
) -> tuple[str, ...]:
    """What the model's limits left out of a question, and what of it is not understood, in sentences.

    Args:
        graph: how the question was read.
        query: what the model made of it.
        num_words: how many of the graph's tokens the model took, from the first on.
        knows: whether the model has met a word; it has met all unless given.
        english: what reads the question reads English alone.
    """
    notes = []
    language = other_language(graph.tokens) if english else None
    words = dict.fromkeys(word for word in graph.tokens if word.isalpha() and len(word) > 1)
    unknown = [] if knows is None else [word for word in words if not knows(word)]
    if language is not None:
        notes.append(f"The question seems to be in {language}; English is understood.")
    elif unknown:
        notes.append(f"Not known as words, so that hits may miss what they mean: {_listed(unknown)}.")
    if num_words < len(graph.tokens):
        late = [
            ("... " if node.span.start < num_words else "")
            + " ".join(graph.tokens[max(node.span.start, num_words) : node.span.stop])
            for node in sorted(graph.nodes, key=lambda node: node.span)
            if node.span.stop > num_words
        ]
        many = f"The question has {len(graph.tokens)} words; the model compares the first {num_words}."
        notes.append(many + _not_compared(late))
    where = "These words have" if num_words < len(graph.tokens) else "The question has"
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
    return f" Not compared: {_listed(phrases)}." if phrases else ""


def _listed(phrases: Sequence[str]) -> str:
    more = f" and {len(phrases) - _LISTED} more" if len(phrases) > _LISTED else ""
    return ", ".join(map(repr, phrases[:_LISTED])) + more
