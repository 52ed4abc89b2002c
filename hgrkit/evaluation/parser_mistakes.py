"""What kinds of mistakes a parser makes, counted: verbs, extents, roles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hgrkit.evaluation.parser_quality import Difference
from hgrkit.graph import RoleGraph

__all__ = ["count_mistakes"]

Span = tuple[int, int]
Place = tuple[int, Span]


def count_mistakes(differences: Iterable[Difference]) -> dict[str, dict[str, int]]:
    """Counts of mistakes, the most frequent first; each wrong or missing triple counts once.

    `kinds` are: verbs that were missed or invented, the arguments of these, and of the other verbs the arguments
    with another role, another extent (an overlapping phrase of the same verb), missed or invented. `roles` says of
    what has the right extent which role was read as which.

    Args:
        differences: those of a `ParserQuality`.
    """
    kinds: Counter[str] = Counter()
    roles: Counter[str] = Counter()
    for difference in differences:
        _count(difference.gold, difference.answer or RoleGraph(tokens=difference.gold.tokens), kinds, roles)
    return {"kinds": dict(kinds.most_common()), "roles": dict(roles.most_common())}


def _count(gold: RoleGraph, answer: RoleGraph, kinds: Counter[str], roles: Counter[str]) -> None:
    verbs, found = _verbs(gold), _verbs(answer)
    kinds.update(verb_missed=len(verbs - found), verb_invented=len(found - verbs))
    wanted, got = _arguments(gold), _arguments(answer)
    for place in wanted.keys() & got.keys():
        if wanted[place] != got[place]:
            kinds["other_role"] += 1
            roles[f"{wanted[place]} read as {got[place]}"] += 1
    missing, surplus = wanted.keys() - got.keys(), got.keys() - wanted.keys()
    kinds["argument_of_missed_verb"] += sum(verb not in found for verb, _ in missing)
    kinds["argument_of_invented_verb"] += sum(verb not in verbs for verb, _ in surplus)
    left = sorted(place for place in surplus if place[0] in verbs)
    for place in sorted(place for place in missing if place[0] in found):
        overlapping = next((other for other in left if _overlap(place, other)), None)
        if overlapping is None:
            kinds["argument_missed"] += 1
        else:
            left.remove(overlapping)
            kinds["other_extent"] += 1
    kinds["argument_invented"] += len(left)


def _overlap(place: Place, other: Place) -> bool:
    (verb, (start, stop)), (other_verb, (other_start, other_stop)) = place, other
    return verb == other_verb and start < other_stop and other_start < stop


def _head(node_head: int | None, start: int) -> int:
    return start if node_head is None else node_head


def _verbs(graph: RoleGraph) -> set[int]:
    return {_head(node.head, node.span.start) for node in graph.actions}


def _arguments(graph: RoleGraph) -> dict[Place, str]:
    nodes = {node.id: node for node in graph.nodes}
    return {
        (
            _head(nodes[edge.action].head, nodes[edge.action].span.start),
            (nodes[edge.entity].span.start, nodes[edge.entity].span.stop),
        ): edge.role
        for edge in graph.edges
    }
