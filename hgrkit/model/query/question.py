"""A question as it is put to a library: what is asked for, and what it excludes, each as a query."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from hgrkit.checks.arguments import check_sequence, check_text
from hgrkit.errors import ConfigError
from hgrkit.graph import ExcludedPhrase, RoleGraph, split_excluded
from hgrkit.library.records import QueryEmbeddings
from hgrkit.model.query.encoder import EmbeddedQuery, QueryEncoder
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_texts

__all__ = ["Question", "excluded_phrases", "put_question"]


@attrs.frozen(kw_only=True, eq=False)
class Question:
    """A sentence and what it is compared by.

    Attributes:
        wanted: the sentence without what it excludes; the whole of it if nothing is left.
        query: of the wanted part, with what is excluded; asks nothing if nothing is left.
        phrases: what is excluded, the sentence's own first.
        omitted_tokens: how many of the wanted tokens the model's limits left out.
    """

    wanted: RoleGraph
    query: EmbeddedQuery
    phrases: tuple[ExcludedPhrase, ...]
    omitted_tokens: int


def put_question(encoder: QueryEncoder, graph: RoleGraph, without: Sequence[ExcludedPhrase] = ()) -> Question:
    """Embed a sentence: what it asks for, and by themselves what it excludes and what `without` adds to that."""
    split = split_excluded(graph)
    phrases = (*split.excluded, *without)
    embedded = encoder.embed([phrase.graph for phrase in phrases])[0] if phrases else []
    excluded = tuple(one.embeddings for one in embedded)
    if split.wanted is None and excluded:
        nothing = QueryEmbeddings.nothing(excluded[0].event.size)
        query, omitted_tokens = EmbeddedQuery(embeddings=nothing, actions=(), entities=()), 0
    else:
        (query,), omitted = encoder.embed([split.wanted or graph])
        omitted_tokens = omitted.tokens
    return Question(
        wanted=split.wanted or graph,
        query=attrs.evolve(query, embeddings=attrs.evolve(query.embeddings, excluded=excluded)),
        phrases=phrases,
        omitted_tokens=omitted_tokens,
    )


def excluded_phrases(parser: Callable[[], GraphParser], without: object) -> tuple[ExcludedPhrase, ...]:
    """Phrases that were named to be excluded, each read as a question of its own; the parser is loaded for them.

    Raises:
        ConfigError: if they are no list of phrases, or one excludes something itself.
        GraphError: if one cannot be read.
    """
    phrases = check_sequence("without", without, None, of="phrases", each=_checked)
    graphs = parse_texts(parser(), phrases) if phrases else []
    for phrase, graph in zip(phrases, graphs, strict=True):
        if any(node.excluded for node in graph.nodes):
            raise ConfigError(
                f"without names what must not be seen, and {phrase!r} excludes something itself; "
                "leave words such as 'no' and 'without' out of it."
            )
    return tuple(ExcludedPhrase((), graph) for graph in graphs)


def _checked(name: str, phrase: object) -> str:
    text = check_text(name, phrase)
    if not text.strip():
        raise ConfigError(f"{name} is empty; name what must not be seen, such as 'a car'.")
    return text
