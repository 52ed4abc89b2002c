"""Last step of every parser: marks what the searcher does not want."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import pairwise

import attrs

from hgrkit.graph import ACTION_ROLE, NOUN_ROLE, Edge, Node, RoleGraph, Span
from hgrkit.parsing.lexicon import in_class

__all__ = ["finished"]

_NOT = frozenset({"not", "n't", "n\u2019t", "nt", "never"})
_NO = frozenset({"no", "neither", "nobody", "nothing", "none"})
_LACKS = frozenset({"without", "except", "excluding", "minus"})
_EXCLUDING = frozenset({"exclude", "excludes", "excluding", "omit", "omitting", "lack", "lacks", "lacking"})
"""Verbs that ask for nothing themselves: what they take is not there, or not wanted."""

_JOINS = frozenset({",", "and", "but"})
_OTHER = (
    *(["other", "than"], ["except", "for"], ["apart", "from"], ["aside", "from"], ["instead", "of"]),
    *(["rather", "than"], ["free", "of"], ["devoid", "of"]),
    *(["everything", "but"], ["anything", "but"], ["all", "but"]),
)
_TRIGGERS = {"nor"} | _NOT | _NO | _LACKS | _EXCLUDING | {words[0] for words in _OTHER} | {"but"}
_EXCLUDES_NOTHING = frozenset({"just", "only", "necessarily", "merely", "simply", "longer", "matter"})
_SEEN = frozenset({"visible", "present", "seen", "shown", "there", "here", "included", "depicted"})
_ANY = frozenset({"any", "anyone", "anybody", "anything", "either"})
_BE = frozenset({"is", "are", "was", "were", "be", "being", "been", "'s"})
_OR = frozenset({"or", "nor", "and", ","})
_KINDS = frozenset(
    "group groups crowd crowds herd herds flock flocks pair pairs bunch pack couple kind kinds type types sort "
    "sorts variety number row rows pile team class set".split()
)


def finished(graph: RoleGraph) -> RoleGraph:
    """The graph with what is not wanted marked as excluded; without verbs, "a group of people" is one phrase.

    >>> nodes = [Node(1, "NOUN", Span(0, 2)), Node(2, "NOUN", Span(3, 4))]
    >>> print(finished(RoleGraph(tokens=["a", "street", "without", "cars"], nodes=nodes)))
    a street without cars
      NOUN        a street
      NOUN        ~~cars~~
    """
    words = [token.lower() for token in graph.tokens]
    if not graph.actions and "of" in words:
        graph = attrs.evolve(graph, nodes=list(_with_kinds(graph.nodes, words)))
    if _TRIGGERS.isdisjoint(words):
        return graph
    graph = _without_excluding_verbs(graph, words)
    graph = _with_denied_properties(_with_denied_verbs(_divided(graph, words), words), words)
    graph = _with_neither(graph, words)
    negating = {graph.node(edge.entity).span.start for edge in graph.edges if edge.role == "ARGM-NEG"}
    # a "not" of a verb denies no phrase
    outside = [" " if at in negating else word for at, word in enumerate(words)]
    graph = attrs.evolve(graph, nodes=[_after_not(node, outside) for node in graph.nodes])
    excluded = _excluded(graph, words, outside) | {node.id for node in graph.nodes if node.excluded}
    return attrs.evolve(graph, nodes=[attrs.evolve(node, excluded=node.id in excluded) for node in graph.nodes])


def _with_kinds(nodes: Sequence[Node], words: Sequence[str]) -> Iterator[Node]:
    """The phrases of a caption without verbs, "a group of" and "any type of" with what they are of."""
    waiting: Node | None = None
    for found in nodes:
        node = found
        if waiting is not None and node.span.start == waiting.span.stop + 1 and words[waiting.span.stop] == "of":
            node = attrs.evolve(waiting, span=Span(waiting.span.start, node.span.stop))
        elif waiting is not None:
            yield waiting
        is_kind = node.head is not None and words[node.head] in _KINDS and node.span.stop == node.head + 1
        waiting = node if is_kind else None
        if waiting is None:
            yield node
    if waiting is not None:
        yield waiting


def _divided(graph: RoleGraph, words: Sequence[str]) -> RoleGraph:
    """Phrases in two where a denial begins within: "a dog [without a leash] runs"."""
    nodes, edges = list[Node](), list(graph.edges)
    number = max((node.id for node in graph.nodes), default=0)
    for node in graph.nodes:
        at = None if node.is_action else _denial(words, node.span)
        if at is None:
            nodes.append(node)
            continue
        number += 1
        stop = at
        while stop - 1 > node.span.start and words[stop - 1] in _JOINS:
            stop -= 1
        own = [edge for edge in graph.edges if edge.entity == node.id]
        is_manner = bool(own) and words[at] in _LACKS | {"with"}
        start = at if is_manner or words[at] in _NO else at + 1
        head = node.head if node.head is not None and node.head < stop else None
        nodes.append(attrs.evolve(node, span=Span(node.span.start, stop), head=head))
        nodes.append(Node(number, "ARGM-MNR" if is_manner else NOUN_ROLE, Span(start, node.span.stop)))
        edges += [Edge(edge.action, number, "ARGM-MNR") for edge in own[:1] if is_manner]
    return attrs.evolve(graph, nodes=nodes, edges=edges)


def _denial(words: Sequence[str], span: Span) -> int | None:
    """Where within a phrase, behind its first word, the denial of something begins that has a word of its own."""
    for at in range(span.start + 1, span.stop - 1):
        lacks = words[at] in _LACKS or (words[at] == "with" and words[at + 1] in _NO)
        joined = words[at - 1] in _JOINS and words[at] in _NO | _NOT
        if (lacks or joined) and not _excludes_nothing(words, at + 1):
            return at
    return None


def _without_excluding_verbs(graph: RoleGraph, words: Sequence[str]) -> RoleGraph:
    """The graph without verbs that only say that something is missing: "dogs, exclude [cats]"."""
    verbs = {node.id for node in graph.actions if words[node.span.start] in _EXCLUDING}
    if not verbs:
        return graph
    missing = {edge.entity for edge in graph.edges if edge.action in verbs and edge.role == "ARG1"}
    edges = [edge for edge in graph.edges if edge.action not in verbs]
    governed = {edge.entity for edge in edges}
    nodes = [
        attrs.evolve(node, excluded=node.id in missing, role=node.role if _stays(node, governed) else NOUN_ROLE)
        for node in graph.nodes
        if node.id not in verbs
    ]
    return attrs.evolve(graph, nodes=nodes, edges=edges)


def _stays(node: Node, governed: Set[int]) -> bool:
    """Whether a node keeps its role: an action, or a phrase that an action still has."""
    return node.is_action or node.id in governed


def _with_denied_verbs(graph: RoleGraph, words: Sequence[str]) -> RoleGraph:
    """The graph with verbs that no parser took for one: "a man plays, but not [singing]", "dogs not [barking]"."""
    taken = _tokens(graph.nodes)
    number = max((node.id for node in graph.nodes), default=0)
    nodes, edges = list(graph.nodes), list(graph.edges)
    for at in range(2, len(words)):
        if words[at - 1] not in _NOT or not words[at].endswith("ing") or words[at] in _BE or at in taken:
            continue
        before = [node for node in graph.actions if node.span.stop < at - 1]
        subjects = [node.id for node in graph.entities if node.span.stop == at - 1]
        if words[at - 2] in _JOINS and before:
            subjects = [e.entity for e in graph.edges if (e.action, e.role) == (before[-1].id, "ARG0")]
        elif not subjects:
            continue
        nodes += [
            Node(number + 1, ACTION_ROLE, Span(at, at + 1), at),
            Node(number + 2, "ARGM-NEG", Span(at - 1, at)),
        ]
        edges += [Edge(number + 1, subject, "ARG0") for subject in subjects]
        edges.append(Edge(number + 1, number + 2, "ARGM-NEG"))
        number += 2
    governed = {edge.entity: edge.role for edge in reversed(edges)}
    return attrs.evolve(
        graph,
        nodes=[
            attrs.evolve(node, role=governed.get(node.id, node.role)) if node.role == NOUN_ROLE else node
            for node in nodes
        ],
        edges=edges,
    )


def _with_neither(graph: RoleGraph, words: Sequence[str]) -> RoleGraph:
    """The graph with the negation of "neither [running] nor [walking]"."""
    nodes, edges = list(graph.nodes), list(graph.edges)
    number = max((node.id for node in nodes), default=0)
    for action in graph.actions:
        at = action.span.start - 1
        if at < 0 or words[at] not in {"neither", "nor"}:
            continue
        number += 1
        nodes = [node for node in nodes if node.span != Span(at, at + 1)]
        nodes.append(Node(number, "ARGM-NEG", Span(at, at + 1)))
        kept = {node.id for node in nodes}
        edges = [edge for edge in edges if edge.entity in kept]
        edges.append(Edge(action.id, number, "ARGM-NEG"))
    return attrs.evolve(graph, nodes=nodes, edges=edges)


def _with_denied_properties(graph: RoleGraph, words: Sequence[str]) -> RoleGraph:
    """The graph with the words that stand alone behind a "not", as phrases: "a guitar, not [electric]"."""
    taken = _tokens(graph.nodes)
    number = max((node.id for node in graph.nodes), default=0)
    found = [
        at
        for at in range(1, len(words))
        if words[at - 1] in {"not", "never"}
        and not {at, at - 1} & taken
        and words[at].isalpha()
        and not (_excludes_nothing(words, at) or in_class(words[at], "static"))
        and (at + 1 == len(words) or not words[at + 1].isalpha() or words[at + 1] in _OR)
    ]
    alone = [Node(number + count, NOUN_ROLE, Span(at, at + 1), at) for count, at in enumerate(found, 1)]
    return attrs.evolve(graph, nodes=[*graph.nodes, *alone]) if alone else graph


def _tokens(nodes: Sequence[Node]) -> set[int]:
    return {at for node in nodes for at in range(node.span.start, node.span.stop)}


def _after_not(node: Node, words: Sequence[str]) -> Node:
    """A phrase without the "not" that a parser left in it; "not just a dog" keeps it."""
    start, stop = node.span.start, node.span.stop
    if node.is_action or stop - start < 2 or words[start] != "not" or words[start + 1] in _EXCLUDES_NOTHING:
        return node
    return attrs.evolve(node, span=Span(start + 1, stop), head=None if node.head == start else node.head)


def _excluded(graph: RoleGraph, words: Sequence[str], outside: Sequence[str]) -> set[int]:
    """Ids of the negated actions, of what is under a negation, and of the actions that it is the subject of.

    `outside` has the words without the negations of verbs.
    """
    by_id = {node.id: node for node in graph.nodes}
    excluded: set[int] = set()
    negated = [(by_id[e.action], by_id[e.entity].span) for e in graph.edges if e.role == "ARGM-NEG"]
    for action, span in negated:
        if not _excludes_nothing(words, span.stop):
            excluded |= {action.id, *_denied(graph, words, action)}
    denied = {node.id for node in graph.entities if _denies(outside, node)}
    excluded |= denied
    for edge in graph.edges:
        action, entity = by_id[edge.action], by_id[edge.entity]
        before = entity.span.start < action.span.start or words[action.span.start] in _BE
        if edge.entity in denied and before and edge.role in {"ARG0", "ARG1"}:
            excluded.add(action.id)
    return excluded | _coordinated(graph, words, excluded)


def _excludes_nothing(words: Sequence[str], at: int) -> bool:
    """Whether "just", "only" or "necessarily" follows a negation."""
    return at < len(words) and words[at] in _EXCLUDES_NOTHING


def _denies(words: Sequence[str], node: Node) -> bool:
    """Whether a phrase says or follows a negation: "no cars", "without cars", "not (on) the stage"."""
    start = node.span.start
    first, second = words[start], words[start + 1] if start + 1 < node.span.stop else ""
    if first in _NO or (first == "with" and second in _NO):
        return not _excludes_nothing(words, start + 1)
    before = list(words[max(start - 2, 0) : start])
    behind = before[-1:] and before[-1] in _LACKS | _NOT | {"neither", "nor"}
    of_place = len(before) == 2 and before[0] in _LACKS | _NOT and in_class(before[1], "static")
    return first in _LACKS or ((behind or of_place or before in _OTHER) and not _excludes_nothing(words, start))


def _denied(graph: RoleGraph, words: Sequence[str], action: Node) -> Iterator[int]:
    """Entities under a negated verb: "any N", and the subject of "is not visible"."""
    own = [
        (edge.role, graph.node(edge.entity).span, edge.entity) for edge in graph.edges if edge.action == action.id
    ]
    said = {word for role, span, _ in own if role == "ARG2" for word in words[span.start : span.stop]}
    seen = bool(_SEEN & (said | {words[action.span.start]}))
    for role, span, entity in own:
        if (words[span.start] in _ANY and span.start > action.span.start) or (seen and role == "ARG1"):
            yield entity


def _coordinated(graph: RoleGraph, words: Sequence[str], excluded: Set[int]) -> set[int]:
    """Phrases without a verb after an excluded one and "or": "without people or [cars]"."""
    more: set[int] = set()
    nodes = sorted(graph.nodes, key=lambda node: node.span) if not graph.actions else []
    for node, following in pairwise(nodes):
        between = words[node.span.stop : following.span.start]
        if node.id in excluded | more and {"or", "nor"} & set(between) and set(between) <= _OR:
            more.add(following.id)
    return more
