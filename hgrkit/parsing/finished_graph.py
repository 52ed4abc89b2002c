"""Last step of every parser: arguments that coordinated verbs share, and what the searcher does not want."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from hgrkit.graph import Node, RoleGraph, Span

__all__ = ["finished"]

_NEGATIONS = frozenset({"not", "n't", "n’t", "nt", "never", "neither", "nor"})
_NO = frozenset({"no", "neither", "nobody", "nothing", "none"})
_LACKS = frozenset({"without", "except", "excluding", "minus"})
_RESERVED = frozenset({"just", "only", "necessarily", "merely", "simply", "longer", "matter"})
_SEEN = frozenset({"visible", "present", "seen", "shown", "there", "here", "visible", "included", "depicted"})
_ANY = frozenset({"any", "anyone", "anybody", "anything", "either"})


def finished(graph: RoleGraph) -> RoleGraph:
    """The graph with what is not wanted marked as excluded.

    >>> from hgrkit.graph import Span
    >>> nodes = [Node(1, "NOUN", Span(0, 2)), Node(2, "NOUN", Span(3, 4))]
    >>> print(finished(RoleGraph(tokens=["a", "street", "without", "cars"], nodes=nodes)))
    a street without cars
      NOUN        a street
      NOUN        ~~cars~~
    """
    words = [token.lower() for token in graph.tokens]
    if not graph.edges and not graph.actions and "of" in words:
        graph = attrs.evolve(graph, nodes=list(_with_kinds(graph.nodes, words)))
    if not (_NEGATIONS | _NO | _LACKS | {"other"}) & set(words):
        return graph
    excluded = set(_excluded(graph, words))
    if not excluded:
        return graph
    return attrs.evolve(
        graph, nodes=[attrs.evolve(node, excluded=node.id in excluded) for node in graph.nodes]
    )


_KINDS = frozenset(
    "group groups crowd crowds herd herds flock flocks pair pairs bunch pack couple kind kinds type types sort sorts "
    "variety number row rows pile team class set".split()
)


def _with_kinds(nodes: Sequence[Node], words: list[str]) -> Iterator[Node]:
    """Phrases of a caption without verbs, "a group of" and "any type of" with what they are of."""
    waiting: Node | None = None
    for node in nodes:
        if waiting is not None and node.span.start == waiting.span.stop + 1 and words[waiting.span.stop] == "of":
            node = attrs.evolve(waiting, span=Span(waiting.span.start, node.span.stop))
        elif waiting is not None:
            yield waiting
        kind = node.head is not None and words[node.head] in _KINDS and node.span.stop == node.head + 1
        waiting = node if kind else None
        if waiting is None:
            yield node
    if waiting is not None:
        yield waiting


def _excluded(graph: RoleGraph, words: list[str]) -> Iterable[int]:
    by_id = {node.id: node for node in graph.nodes}
    negating = {by_id[edge.entity].span.start for edge in graph.edges if edge.role == "ARGM-NEG"}
    # a "not" of a verb denies no phrase
    words = [" " if at in negating else word for at, word in enumerate(words)]
    for edge in graph.edges:
        action, entity = by_id[edge.action], by_id[edge.entity]
        if edge.role == "ARGM-NEG" and not _reserved(words, entity.span.stop):
            yield action.id
            yield from _denied(graph, words, action)
        elif _denies(words, entity) and not _inside_action(action, entity):
            yield entity.id
            if edge.role in {"ARG0", "ARG1"} and (entity.span.start < action.span.start or words[action.span.start] in _BE):
                yield action.id
    governed = {edge.entity for edge in graph.edges}
    for node in graph.entities:
        if node.id not in governed and _denies(words, node):
            yield node.id


_BE = frozenset({"is", "are", "was", "were", "be", "being", "been", "'s"})


def _inside_action(action: Node, entity: Node) -> bool:
    return action.span.start in entity.span


def _reserved(words: list[str], at: int) -> bool:
    """Whether "just", "only" or "necessarily" follows a negation, which then excludes nothing."""
    return at < len(words) and words[at] in _RESERVED


def _denies(words: list[str], node: Node) -> bool:
    """Whether a phrase is or follows a negation: "no cars", "without cars", "not (on) the stage"."""
    first, second = words[node.span.start], words[node.span.start + 1 : node.span.start + 2]
    if first in _NO:
        return not _reserved(words, node.span.start + 1)
    if first in _LACKS or (first == "with" and second and second[0] in _NO):
        return True
    before = words[max(node.span.start - 3, 0) : node.span.start]
    if before[-1:] and before[-1] in _LACKS | _NEGATIONS:
        return True
    if before[-2:] in (["other", "than"], ["except", "for"], ["apart", "from"], ["aside", "from"]):
        return True
    return False


def _denied(graph: RoleGraph, words: list[str], action: Node) -> Iterable[int]:
    """Entities under a negated verb: "any N", and the subject of "is not visible"."""
    own = [(edge.role, graph.node(edge.entity)) for edge in graph.edges if edge.action == action.id]
    seen = words[action.span.start] in _SEEN or any(
        role == "ARG2" and _SEEN & set(words[node.span.start : node.span.stop]) for role, node in own
    )
    for role, node in own:
        if words[node.span.start] in _ANY and node.span.start > action.span.start:
            yield node.id
        elif seen and role == "ARG1":
            yield node.id
