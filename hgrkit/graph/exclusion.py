"""What a sentence asks for and what it excludes, taken apart: "a street without cars" is "a street" and "cars"."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import pairwise

import attrs

from hgrkit.graph.role_graph import NOUN_ROLE, Edge, Node, RoleGraph

__all__ = ["ExcludedPhrase", "SplitGraph", "all_wanted", "split_excluded"]

_INTRODUCERS = frozenset(
    "without with no not n't never nor neither or and but except excluding minus any there who that which where "
    "is are was were be been being am 's do does did , (".split()
)
"""Words before a phrase that say no more than that it is excluded, and of whom: "who is not", "but no"."""

_PAIRS = frozenset(
    ("other than", "except for", "apart from", "aside from", "instead of", "rather than", "free of", "devoid of")
)
"""The same in two words."""

_PLACES = frozenset("on in at under behind near inside outside over by".split())
"""What stands between a denial and the phrase of a place: "not on the stage"."""

_CONTENTLESS = _INTRODUCERS | frozenset(
    "a an the of me us all everything it them some anything something find show give shot shots scene scenes "
    "video videos clip clips image images picture pictures footage i we want need like see watch to please omit "
    "exclude avoid leave out , . ; : ( ) - ! ?".split()
)
"""What is left of a sentence that asks for nothing: "find shots of"."""

_BE = frozenset("is are was were be 's".split())

_REMAINS = frozenset("on in at to with it them him her one ones visible around".split())
"""What may follow an excluded phrase and says nothing without it: "a table with no food on it"."""

_POSITIVE = {"nobody": "somebody", "no-one": "someone", "nothing": "something"}

_ENDS = _INTRODUCERS - {"there", "that"} | frozenset(", ; : ( ) exclude lacking omitting".split())
"""What cannot end a sentence, once an excluded phrase is taken out of it."""


@attrs.frozen
class ExcludedPhrase:
    """What must not be seen.

    Attributes:
        node_ids: the sentence's nodes that it is made of; none for a phrase that was given by itself.
        graph: the phrase as a question of its own.
    """

    node_ids: tuple[int, ...]
    graph: RoleGraph

    @property
    def text(self) -> str:
        """Its words."""
        return self.graph.text


@attrs.frozen
class SplitGraph:
    """A sentence in two parts.

    Attributes:
        wanted: the sentence without what it excludes; nodes keep their ids. `None` if nothing is left to ask for.
        excluded: what it excludes, in the order of reading.
    """

    wanted: RoleGraph | None
    excluded: tuple[ExcludedPhrase, ...] = ()


def split_excluded(graph: RoleGraph) -> SplitGraph:
    """Take a sentence's excluded nodes out of it.

    An excluded action takes what follows it along, but not its subject: "a man who is not wearing a hat" is "a
    man" and "wearing a hat". An excluded object takes its verb along, unless the verb has another: "a man wearing
    no hat" is that, too. The words that introduce a phrase go with it.

    A graph that excludes nothing is returned as it is.
    """
    groups = _groups(graph)
    if not groups:
        return SplitGraph(graph)
    removed: set[int] = set()
    for group in groups:
        removed |= _tokens(group)
    for node in (node for group in groups for node in group):
        start, stop = node.span.start, node.span.stop
        while words := _introducing(graph, start, removed):
            removed |= set(range(start - words, start))
            start -= words
        if graph.tokens[start] == "(" and graph.tokens[stop : stop + 1] == (")",):
            removed.add(stop)
    phrases = [_phrase(graph, group) for group in sorted(groups, key=lambda group: min(_tokens(group)))]
    return SplitGraph(_wanted(graph, removed), tuple(phrase for phrase in phrases if phrase is not None))


def all_wanted(graph: RoleGraph) -> RoleGraph:
    """The same graph with nothing excluded, as training and evaluation take it."""
    return attrs.evolve(graph, nodes=[attrs.evolve(node, excluded=False) for node in graph.nodes])


def _introducing(graph: RoleGraph, start: int, removed: Collection[int]) -> int:
    """How many of the words before a token say no more than that what follows is excluded, or are removed."""
    before = [token.casefold() for token in graph.tokens[max(start - 2, 0) : start]]
    if before and (start - 1 in removed or before[-1] in _INTRODUCERS):
        return 1
    denied_place = len(before) == 2 and before[0] in {"not", "n't", "without"} and before[1] in _PLACES
    return 2 if denied_place or " ".join(before) in _PAIRS else 0


def _wanted(graph: RoleGraph, removed: Collection[int]) -> RoleGraph | None:
    kept = [token for token in range(len(graph.tokens)) if token not in removed]
    tail = [token for token in kept if token > max(removed)]
    if all(_is(graph, token, _REMAINS | _CONTENTLESS) for token in tail):
        kept = kept[: len(kept) - len(tail)]
    while kept and kept[-1] + 1 in removed and _is(graph, kept[-1], _ENDS):
        kept.pop()
    while kept and kept[0] and _is(graph, kept[0], _ENDS):
        kept.pop(0)
    if all(_is(graph, token, _CONTENTLESS | _REMAINS) for token in kept):
        return None
    return graph.cut_to(kept)


def _groups(graph: RoleGraph) -> list[list[Node]]:
    """Excluded nodes that make one phrase, each group with all that goes with it."""
    nodes = {node.id: node for node in graph.nodes}
    groups: list[list[Node]] = []
    taken: set[int] = set()
    actions = [node for node in graph.actions if node.excluded or _only_excludes(graph, node, nodes)]
    excluded_ids = {node.id for node in actions}
    for action in actions:
        group = [action, *_arguments(graph, action, excluded_ids, nodes)]
        groups.append([node for node in group if node.id not in taken])
        taken |= {node.id for node in group}
    groups += [[node] for node in graph.entities if node.excluded and node.id not in taken]
    return groups


def _only_excludes(graph: RoleGraph, action: Node, nodes: dict[int, Node]) -> bool:
    """Whether all that a wanted verb is about is excluded: "wearing no hat", but not "talking, but no dog"."""
    objects = [
        nodes[edge.entity]
        for edge in graph.edges
        if edge.action == action.id and _is_core(edge) and _follows(nodes[edge.entity], action)
    ]
    return bool(objects) and all(node.excluded and node.span.start == action.span.stop for node in objects)


def _arguments(graph: RoleGraph, action: Node, excluded: Collection[int], nodes: dict[int, Node]) -> list[Node]:
    """What goes with an excluded action: what is excluded itself, and what follows it and no wanted action has.

    Where and when something is not are still wanted: "there are no cars on the street".
    """
    found = []
    is_be = _is(graph, action.span.start, _BE)
    for edge in graph.edges:
        node = nodes[edge.entity]
        if edge.action != action.id:
            continue
        shared = any(other.entity == node.id and other.action not in excluded for other in graph.edges)
        goes_along = _follows(node, action) and not shared and (_is_core(edge) or not is_be)
        if node.excluded or goes_along:
            found.append(node)
    return found


def _is_core(edge: Edge) -> bool:
    return edge.role.startswith("ARG") and not edge.role.startswith("ARGM")


def _follows(node: Node, action: Node) -> bool:
    return node.span.start > action.span.start


def _tokens(nodes: Iterable[Node]) -> set[int]:
    return {token for node in nodes for token in range(node.span.start, node.span.stop)}


def _is(graph: RoleGraph, token: int, words: Collection[str]) -> bool:
    return graph.tokens[token].casefold() in words


def _phrase(graph: RoleGraph, group: list[Node]) -> ExcludedPhrase | None:
    """A group as a question of its own: without the words that exclude it, each node with its role there."""
    tokens = sorted(_tokens(group))
    while tokens and _is(graph, tokens[0], _INTRODUCERS):
        tokens.pop(0)
    tokens = [token for token in tokens if not _is(graph, token, {"no", "not", "n't", "never"})]
    if all(_is(graph, token, _CONTENTLESS) for token in tokens):
        return None
    ids = {node.id for node in group}
    own = [node for node in graph.nodes if node.id in ids]
    edges = [edge for edge in graph.edges if {edge.action, edge.entity} <= ids]
    words = [_POSITIVE.get(token.casefold(), token) for token in graph.tokens]
    for before, at in pairwise(range(len(words))):
        if words[at].casefold() == "one" and _is(graph, before, {"no"}):
            words[at] = "someone"
    asked = RoleGraph(tokens=words, nodes=own, edges=edges).cut_to(tokens)
    governed = {edge.entity for edge in asked.edges}
    nodes = [
        attrs.evolve(node, excluded=False, role=node.role if node.is_action or node.id in governed else NOUN_ROLE)
        for node in asked.nodes
    ]
    return ExcludedPhrase(tuple(node.id for node in own), attrs.evolve(asked, nodes=nodes))
