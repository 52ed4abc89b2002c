"""Measures a graph parser against graphs made by hand: predicates, labelled spans and heads."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any

import attrs

from hgrkit.errors import GraphError
from hgrkit.graph import Node, RoleGraph
from hgrkit.parsing.gold_tokens import gold_conventions, parse_gold
from hgrkit.parsing.protocol import Conventions, GraphParser

__all__ = ["CORE_ROLES", "F1", "Difference", "ParserQuality", "count_mistakes", "evaluate_parser"]

CORE_ROLES = frozenset({"ARG0", "ARG1", "ARG2", "ARG3", "ARG4"})
"""The roles that a verb numbers."""

_TIMED_CAPTIONS = 2000
_BESIDE_ROLES = {"verbless": "entities without verbs", "loose": "loose phrases", "excluded": "excluded"}


@attrs.frozen
class F1:
    """How two sets of answers agree, summed over captions.

    Attributes:
        both: what stands in the gold and in the answer.
        gold: what stands in the gold.
        answer: what stands in the answer.
    """

    both: int = 0
    gold: int = 0
    answer: int = 0

    @property
    def precision(self) -> float:
        """Share of the answer that is right, in percent; 0 without an answer."""
        return 100 * self.both / self.answer if self.answer else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold that was found, in percent; 0 without gold."""
        return 100 * self.both / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, in percent."""
        return 200 * self.both / (self.gold + self.answer) if self.gold + self.answer else 0.0

    @classmethod
    def of(cls, pairs: Iterable[tuple[frozenset[Any], frozenset[Any]]]) -> F1:
        """Counts over captions, each with its gold and its answer."""
        counts = [(len(gold & answer), len(gold), len(answer)) for gold, answer in pairs]
        return cls(*map(sum, zip(*counts, strict=True)))

    def to_dict(self) -> dict[str, float]:
        """`precision`, `recall` and `f1`, in percent."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@attrs.frozen(eq=False)
class Difference:
    """A caption whose answer is not the gold graph: what is missing and what is too much, as readable triples."""

    caption: str
    gold: RoleGraph
    answer: RoleGraph | None
    missing: tuple[str, ...]
    surplus: tuple[str, ...]


@attrs.frozen(kw_only=True, eq=False)
class ParserQuality:
    """What `evaluate_parser` found.

    A triple is (verb token, edge role, entity span); with heads, (verb token, edge role, head token).

    Attributes:
        captions: number of gold captions.
        predicate: verb tokens.
        core_span: triples whose role is ARG0-ARG4.
        core_head: the same with the entity's head instead of its span.
        all_span: triples of every role.
        roles: triples by role.
        verbless: spans of the entities of captions whose gold has no verb; `None` without such captions.
        loose: spans of phrases that no verb governs in captions with verbs; `None` unless the gold has `loose`.
        excluded: verb tokens and entity spans of excluded nodes; `None` unless the gold has `excluded`.
        captions_per_cpu_second: speed of the parser on these captions, loading not counted.
        failures: captions that the parser refused; all of their gold counts as missed.
        conventions: whose annotation the parser's labeller of trees followed; `None` without gold trees.
        differences: every caption that is not as the gold has it.
    """

    captions: int
    predicate: F1
    core_span: F1
    core_head: F1
    all_span: F1
    roles: Mapping[str, F1]
    verbless: F1 | None
    loose: F1 | None
    excluded: F1 | None
    captions_per_cpu_second: float
    failures: int
    conventions: Conventions | None
    differences: tuple[Difference, ...] = attrs.field(repr=False)

    @property
    def figures(self) -> dict[str, F1]:
        """All of them by the names that people read."""
        return {
            "predicates": self.predicate,
            "core roles, spans": self.core_span,
            "core roles, heads": self.core_head,
            "all roles, spans": self.all_span,
            **self.roles,
            **{_BESIDE_ROLES[name]: counts for name, counts in self._beside_roles().items()},
        }

    def _beside_roles(self) -> dict[str, F1]:
        measured = {name: getattr(self, name) for name in _BESIDE_ROLES}
        return {name: counts for name, counts in measured.items() if counts is not None}

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON types, in percent."""
        return {
            "captions": self.captions,
            **{
                name: getattr(self, name).to_dict() for name in ("predicate", "core_span", "core_head", "all_span")
            },
            **{name: counts.to_dict() for name, counts in self._beside_roles().items()},
            "roles": {role: counts.to_dict() | {"gold": counts.gold} for role, counts in self.roles.items()},
            "captions_per_cpu_second": self.captions_per_cpu_second,
            "failures": self.failures,
            "conventions": self.conventions,
        }


def evaluate_parser(
    parser: GraphParser, records: Sequence[Mapping[str, Any]], *, gold_trees: bool = False
) -> ParserQuality:
    """Compare a parser's graphs with gold graphs.

    The parser gets the gold tokens, or with `gold_trees` the gold dependency trees. Gold with trees in which no
    copula is ever an action is plain PropBank; the parser's labeller then follows these conventions, so that it
    leaves copulas out as well.

    Args:
        parser: any graph parser; see `hgrkit.parsing.gold_tokens` for what it is given.
        records: gold graphs as `RoleGraph.to_dict` has them; with `gold_trees` they hold `tree` too.
        gold_trees: measure the labeller of a parser that works on dependency trees.

    Raises:
        GraphError: if a record is no role graph; the message says which.
        ConfigError: if `gold_trees` is asked of a parser that has no use for trees.
        PluginError: if the parser fails in its own way.
    """
    golds = [_gold(number, record) for number, record in enumerate(records, 1)]
    conventions = gold_conventions(records) if gold_trees else None
    parse = partial(parse_gold, parser, records, gold_trees=gold_trees, conventions=conventions or "captions")
    # A parser may load its model at the first sentence; that is not its speed.
    parse_gold(parser, records[:1], gold_trees=gold_trees)
    started = time.process_time()
    answers = parse()
    elapsed, parsed = time.process_time() - started, len(records)
    # A few gold captions take less than the clock can tell: repeat them up to a second.
    while parsed and parsed < _TIMED_CAPTIONS and elapsed < 1:
        started = time.process_time()
        parse()
        elapsed, parsed = elapsed + time.process_time() - started, parsed + len(records)
    graphs = [answer if isinstance(answer, RoleGraph) else None for answer in answers]
    speed = parsed / elapsed if elapsed else 0.0
    return _compared(golds, graphs, speed=speed, conventions=conventions, **_beside_roles(golds, graphs, records))


def _beside_roles(
    golds: Sequence[RoleGraph], answers: Sequence[RoleGraph | None], records: Sequence[Mapping[str, Any]]
) -> dict[str, F1 | None]:
    """What is measured of nodes without edges, where the gold has it."""
    pairs = list(zip(golds, answers, records, strict=True))
    found = {
        "verbless": [(_phrases(gold), _phrases(answer)) for gold, answer, _ in pairs if not gold.actions],
        "loose": [
            (frozenset((start, stop) for start, stop, _ in record.get("loose", ())), _phrases(answer))
            for gold, answer, record in pairs
            if gold.actions
        ],
        "excluded": [(_excluded(gold), _excluded(answer)) for gold, answer, _ in pairs],
    }
    measured = {
        "verbless": bool(found["verbless"]),
        "loose": any("loose" in record for record in records),
        "excluded": any("excluded" in record for record in records),
    }
    return {name: F1.of(found[name]) if measured[name] else None for name in found}


def _phrases(graph: RoleGraph | None) -> frozenset[Any]:
    """Spans of the entities that no verb governs."""
    if graph is None:
        return frozenset()
    governed = {edge.entity for edge in graph.edges}
    return frozenset((n.span.start, n.span.stop) for n in graph.entities if n.id not in governed)


def _excluded(graph: RoleGraph | None) -> frozenset[Any]:
    nodes = () if graph is None else (node for node in graph.nodes if node.excluded)
    return frozenset((_head(node),) if node.is_action else (node.span.start, node.span.stop) for node in nodes)


def _compared(
    golds: Sequence[RoleGraph],
    answers: Sequence[RoleGraph | None],
    *,
    speed: float,
    conventions: Conventions | None = None,
    verbless: F1 | None = None,
    loose: F1 | None = None,
    excluded: F1 | None = None,
) -> ParserQuality:
    pairs = list(zip(golds, answers, strict=True))
    verbs = [(_predicates(gold), _predicates(answer)) for gold, answer in pairs]
    spans = [(_triples(gold), _triples(answer)) for gold, answer in pairs]
    heads = [(_triples(gold, heads=True), _triples(answer, heads=True)) for gold, answer in pairs]
    roles = sorted({role for own in spans for side in own for _, role, _ in side})
    equal = [own[0] == own[1] and both[0] == both[1] for own, both in zip(verbs, spans, strict=True)]
    return ParserQuality(
        captions=len(golds),
        predicate=F1.of(verbs),
        core_span=F1.of(_with_roles(spans, CORE_ROLES)),
        core_head=F1.of(_with_roles(heads, CORE_ROLES)),
        all_span=F1.of(spans),
        roles={role: F1.of(_with_roles(spans, {role})) for role in roles},
        verbless=verbless,
        loose=loose,
        excluded=excluded,
        captions_per_cpu_second=speed,
        failures=sum(answer is None for answer in answers),
        conventions=conventions,
        differences=tuple(_difference(*pair) for pair, same in zip(pairs, equal, strict=True) if not same),
    )


def _gold(number: int, record: Mapping[str, Any]) -> RoleGraph:
    try:
        return RoleGraph.from_dict(record)
    except GraphError as error:
        raise GraphError(f"gold caption {number}: {error}") from error


Triple = tuple[int, str, tuple[int, ...]]


def _edges(graph: RoleGraph, *, heads: bool = False) -> Iterator[Triple]:
    """Verb token, role and entity: its span, or its head."""
    nodes = {node.id: node for node in graph.nodes}
    for edge in graph.edges:
        entity = nodes[edge.entity]
        place = (_head(entity, last=True),) if heads else (entity.span.start, entity.span.stop)
        yield _head(nodes[edge.action]), edge.role, place


def _triples(graph: RoleGraph | None, *, heads: bool = False) -> frozenset[Triple]:
    return frozenset() if graph is None else frozenset(_edges(graph, heads=heads))


def _with_roles(
    pairs: Iterable[tuple[frozenset[Triple], frozenset[Triple]]], roles: Set[str]
) -> Iterator[tuple[frozenset[Triple], frozenset[Triple]]]:
    for pair in pairs:
        gold, answer = (frozenset(triple for triple in side if triple[1] in roles) for side in pair)
        yield gold, answer


def _predicates(graph: RoleGraph | None) -> frozenset[int]:
    return frozenset() if graph is None else frozenset(_head(node) for node in graph.actions)


def _head(node: Node, *, last: bool = False) -> int:
    """The head, or where a parser names none the first token of a verb and the last one of a phrase."""
    if node.head is not None:
        return node.head
    return node.span.stop - 1 if last else node.span.start


def _difference(gold: RoleGraph, answer: RoleGraph | None) -> Difference:
    wanted, got = _described(gold), set() if answer is None else _described(answer)
    missing, surplus = tuple(sorted(wanted - got)), tuple(sorted(got - wanted))
    return Difference(caption=gold.text, gold=gold, answer=answer, missing=missing, surplus=surplus)


def _described(graph: RoleGraph) -> set[str]:
    words = graph.tokens
    described = {f"{words[verb]} (verb {verb})" for verb in _predicates(graph)}
    for verb, role, (start, stop) in _triples(graph):
        described.add(f"{words[verb]} {role} {' '.join(words[start:stop])}")
    return described


Place = tuple[int, tuple[int, ...]]
"""A verb token and the span of one of its arguments."""


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
    verbs, found = _predicates(gold), _predicates(answer)
    kinds.update(verb_missed=len(verbs - found), verb_invented=len(found - verbs))
    wanted, got = ({(verb, place): role for verb, role, place in _edges(one)} for one in (gold, answer))
    for place in wanted.keys() & got.keys():
        if wanted[place] != got[place]:
            kinds["other_role"] += 1
            roles[f"{wanted[place]} read as {got[place]}"] += 1
    missing, surplus = wanted.keys() - got.keys(), got.keys() - wanted.keys()
    kinds["argument_of_missed_verb"] += sum(verb not in found for verb, _ in missing)
    kinds["argument_of_invented_verb"] += sum(verb not in verbs for verb, _ in surplus)
    left = sorted(place for place in surplus if place[0] in verbs)
    for place in sorted(place for place in missing if place[0] in found):
        # An overlapping phrase of the same verb is the same argument with another extent: it counts once.
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
