"""What a library found, told in the words of the question."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from hgrkit.checks.arguments import check_number
from hgrkit.errors import ConfigError
from hgrkit.graph import Node, RoleGraph
from hgrkit.levels import Level
from hgrkit.library.matches import ClipMatch, Matches
from hgrkit.library.records import Float32
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.query.question import Question
from hgrkit.parsing.language import other_language
from hgrkit.results import NO_VIDEO_MATCHES, Excluded, Hit, Phrase, SearchResult

__all__ = ["result_of"]

_LISTED = 10
"""Phrases that a note lists before it counts the rest."""


def result_of(
    query: str | RoleGraph | None,
    question: Question,
    matches: Matches,
    *,
    like: str | None,
    filtered: bool,
    started: float,
    model: LoadedModel,
    language: str | None,
    min_confidence: float | None,
    tuned: bool = False,
    reweighted: bool = False,
) -> SearchResult:
    """What a library found, told in the words of the query, with how sure that is.

    Args:
        query: what was asked; `None` for an example without words.
        question: how it was put to the library.
        matches: what that found.
        like: what the example is called, if there was one.
        filtered: whether only some of the videos were looked at.
        started: when the query came, by `time.perf_counter`.
        model: what compared them.
        language: code of the one language that the parser of these words reads, if there is one.
        min_confidence: leave out hits that are less likely right.
        tuned: whether the library's level weights compared them, and not the model's own.
        reweighted: whether the question gave the levels weights of its own, for which nothing is calibrated.

    Raises:
        ConfigError: if `min_confidence` is out of its range, or hits have no confidence.
    """
    least = 0.0 if min_confidence is None else check_number("min_confidence", min_confidence, "[0, 1]")
    asked = min_confidence is not None
    confidences, matched = _judged(question, matches, model, asked=asked, tuned=tuned, reweighted=reweighted)
    hits = (
        _hit_of(rank, match, question, confidence)
        for rank, (match, confidence) in enumerate(zip(matches, confidences, strict=True), 1)
        if confidence is None or confidence >= least
    )
    knows = model.query_side.encoder.knows
    return SearchResult(
        query=query if isinstance(query, str) else "" if query is None else query.text,
        graph=question.graph,
        hits=tuple(hits),
        exact=matches.exact,
        matched=matched,
        like=like,
        elapsed_ms=(time.perf_counter() - started) * 1000,
        notes=(
            *_understanding_notes(question, knows, english=language == "en"),
            *_omission_notes(question),
            *_exclusion_notes(question),
            *((NO_VIDEO_MATCHES,) if filtered and not matches else ()),
        ),
    )


def _judged(
    question: Question, matches: Matches, model: LoadedModel, *, asked: bool, tuned: bool, reweighted: bool
) -> tuple[Sequence[float | None], bool]:
    """How likely each match is right, and whether anything matches: by what is asked in words."""
    query, calibration = question.query.embeddings, model.calibration
    if asked and reweighted:
        raise ConfigError("min_confidence is for the model's own weights of the levels; leave one of the two out.")
    if asked and calibration is None:
        raise ConfigError(
            f"min_confidence needs a calibrated model, and {model.name!r} is not; leave it out, or calibrate the "
            "model (hgrkit.calibrate)."
        )
    if asked and (query.like is not None or query.has_no_words):
        raise ConfigError("min_confidence needs a question in words; leave it out, or leave out the example.")
    if calibration is None or reweighted or query.like is not None or query.has_no_words:
        return [None] * len(matches), True
    return calibration.judge(query, matches, tuned=tuned)


def _understanding_notes(question: Question, knows: Callable[[str], bool], *, english: bool) -> tuple[str, ...]:
    """What of a question is not understood: another language, or words that the model has not met."""
    graph = question.graph
    if graph is None:
        return ()
    language = other_language(graph.tokens) if english else None
    if language is not None:
        return (f"The question seems to be in {language}; only English is understood.",)
    heard = [asked for asked in (question.wanted, *(phrase.graph for phrase in question.phrases)) if asked]
    words = dict.fromkeys(word for asked in heard for word in asked.tokens if word.isalpha() and len(word) > 1)
    unknown = [word for word in words if not knows(word)]
    return (f"Unknown words, which the search may ignore: {_listed(unknown)}.",) if unknown else ()


def _hit_of(rank: int, match: ClipMatch, question: Question, confidence: float | None) -> Hit:
    """One clip; phrases are in the graph's order."""
    times, moment, query = tuple(match.times_s.tolist()), match.moment, question.query
    levels: tuple[tuple[Level, Sequence[Node], Float32, Float32], ...] = (
        ("action", query.actions, match.action_similarities, match.action_weights),
        ("entity", query.entities, match.entity_similarities, match.entity_weights),
    )
    graph = question.wanted
    found = (
        {}
        if graph is None
        else {
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
    )
    return Hit(
        rank=rank,
        video=match.video,
        start_s=match.moment.start_s,
        end_s=match.moment.end_s,
        score=match.score,
        likeness=match.likeness,
        confidence=confidence,
        levels=match.levels,
        phrases=tuple(found[node.id] for node in graph.nodes if node.id in found) if graph else (),
        excluded=_excluded_of(match, question),
    )


def _excluded_of(match: ClipMatch, question: Question) -> tuple[Excluded, ...]:
    return tuple(
        Excluded(
            node_ids=phrase.node_ids,
            text=phrase.text,
            similarity=seen.similarity,
            times_s=tuple(match.times_s.tolist()),
            weights=tuple(seen.weights.tolist()),
        )
        for phrase, seen in zip(question.phrases, match.excluded, strict=True)
    )


def _omission_notes(question: Question) -> tuple[str, ...]:
    """What the model's limits left out of a question, in sentences."""
    graph, query = question.wanted, question.query
    if graph is None:
        return ()
    num_words = len(graph.tokens) - question.omitted.tokens
    notes = []
    if question.omitted.event_tokens:
        notes.append(
            f"The sentence is too long for the model: its last {question.omitted.event_tokens} tokens "
            "are missing from the event; actions and entities are compared separately."
        )
    if num_words < len(graph.tokens):
        late = [
            ("... " if node.span.start < num_words else "")
            + " ".join(graph.tokens[max(node.span.start, num_words) : node.span.stop])
            for node in sorted(graph.nodes, key=lambda node: node.span)
            if node.span.stop > num_words
        ]
        words = f"The question has {len(graph.tokens)} words; the model compares the first {num_words}."
        notes.append(words + _not_compared(late))
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


def _exclusion_notes(question: Question) -> tuple[str, ...]:
    if not question.phrases:
        return ()
    it = "it" if len(question.phrases) == 1 else "them"
    order = f"clips that show {it} rank lower."
    if question.query.embeddings.only_excludes:
        order = f"nothing else is asked for, so clips that show {it} least come first."
    return (f"Excluded: {_listed([phrase.text for phrase in question.phrases])}; {order}",)


def _listed(phrases: Sequence[str]) -> str:
    more = f" and {len(phrases) - _LISTED} more" if len(phrases) > _LISTED else ""
    return ", ".join(map(repr, phrases[:_LISTED])) + more
