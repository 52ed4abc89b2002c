"""Last step of the parsers: clauses with roles, or the nouns of a verbless caption, to a role graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from hgrkit.graph import ACTION_ROLE, NOUN_ROLE, Edge, Node, Role, RoleGraph, Span
from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.sentence_state import Phrase

__all__ = ["Labeller", "clause_graph", "noun_graph"]

_NOMINAL = frozenset({"NOUN", "NOUNS", "PRON"})


class Labeller(Protocol):
    """Gives roles to the phrases of a clause."""

    def roles(self, clause: Phrase) -> Iterable[tuple[Phrase, Role]]:
        """The phrases that have a role in a clause, each with its role."""
        ...


def clause_graph(tokens: Sequence[str], clauses: Iterable[Phrase], labeller: Labeller) -> RoleGraph:
    """The graph of a sentence with verbs; a span that serves several verbs is one node."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    entities: dict[Span, int] = {}
    for clause in clauses:
        action = len(nodes) + 1
        nodes.append(Node(action, ACTION_ROLE, Span(*clause.verb), clause.head))
        linked: set[int] = set()
        for phrase, role in labeller.roles(clause):
            span, head = _extent(clause, phrase)
            if span.start <= clause.head < span.stop:
                continue
            entity = entities.get(span)
            if entity is None:
                entity = entities[span] = len(nodes) + 1
                nodes.append(Node(entity, role, span, head))
            if entity not in linked:
                linked.add(entity)
                edges.append(Edge(action, entity, role))
    return RoleGraph(tokens=tokens, nodes=nodes, edges=edges)


def _extent(clause: Phrase, phrase: Phrase) -> tuple[Span, int]:
    plain = (phrase is clause.subject and clause.antecedent) or phrase is clause.gap
    ground = phrase.find("ground")
    head = phrase.head if ground is None else ground.head
    return Span(phrase.start, phrase.plain_stop if plain else phrase.stop), head


def noun_graph(tokens: Sequence[str], chunks: Iterable[Chunk]) -> RoleGraph:
    """The graph of a caption without verbs: every base noun phrase is a node of role `NOUN`."""
    nodes: list[Node] = []
    for chunk in chunks:
        nouns = [chunk.start + at for at, tag in enumerate(chunk.tags) if tag in _NOMINAL]
        if chunk.kind == "noun_group" and nouns:
            nodes.append(Node(len(nodes) + 1, NOUN_ROLE, Span(chunk.start, chunk.stop), nouns[-1]))
    return RoleGraph(tokens=tokens, nodes=nodes)
