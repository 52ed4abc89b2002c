"""What a parser got wrong: kinds of mistakes, counted, and a page that draws gold and answer side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from hgrkit.errors import BenchmarkError
from hgrkit.graph import RoleGraph, draw_graph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_each
from hgrkit.rendering import render
from hgrkit.research.evaluation.parser_quality import Difference, ParserQuality

__all__ = ["count_mistakes", "errors_page", "probe_parser"]

_STEM = 3  # letters that every form of a regular verb shares with its lemma


@attrs.frozen(kw_only=True)
class ProbeAnswers:
    """How often a parser passes, in percent of the probes that ask for it; 0 where none does.

    Attributes:
        probes: number of captions, each with its foil.
        verb_found: captions with participants that have any action.
        named_verb_found: captions with a named verb that have it as an action.
        agent_is_arg0: captions whose agent stands in an ARG0.
        other_elsewhere: captions whose other participant stands in another role.
        both_participants: captions of which both hold.
        foil_differs: captions whose graph, words left aside, or words differ from their foil's.
    """

    probes: int
    verb_found: float
    named_verb_found: float
    agent_is_arg0: float
    other_elsewhere: float
    both_participants: float
    foil_differs: float

    def to_dict(self) -> dict[str, float]:
        """The figures as plain JSON types."""
        return attrs.asdict(self)


def probe_parser(parser: GraphParser, records: Sequence[Mapping[str, Any]]) -> ProbeAnswers:
    """Ask a parser every probe.

    Args:
        parser: any graph parser.
        records: `caption` and `foil`, and either `agent` (and perhaps `other`), or `verb`.

    Raises:
        BenchmarkError: if a record lacks its caption or foil.
        PluginError: if the parser fails in its own way.
    """
    for number, record in enumerate(records, 1):
        if not all(isinstance(record.get(key), str) for key in ("caption", "foil")):
            raise BenchmarkError(f"probe {number} needs a 'caption' and a 'foil', got {sorted(record)}.")
    captions = parse_each(parser, [record["caption"] for record in records])
    foils = parse_each(parser, [record["foil"] for record in records])
    read = [graph if isinstance(graph, RoleGraph) else None for graph in captions]
    participants = [
        (_agent_is_arg0(graph, record), _other_elsewhere(graph, record), bool(graph and graph.actions))
        for graph, record in zip(read, records, strict=True)
        if "agent" in record
    ]
    return ProbeAnswers(
        probes=len(records),
        verb_found=_percent(verb for _, _, verb in participants),
        named_verb_found=_percent(
            _has_verb(graph, record["verb"])
            for graph, record in zip(read, records, strict=True)
            if "verb" in record and "agent" not in record
        ),
        agent_is_arg0=_percent(agent for agent, _, _ in participants),
        other_elsewhere=_percent(other for _, other, _ in participants),
        both_participants=_percent(agent and other for agent, other, _ in participants),
        foil_differs=_percent(
            isinstance(foil, RoleGraph) and graph is not None and graph != foil
            for graph, foil in zip(read, foils, strict=True)
        ),
    )


def _agent_is_arg0(graph: RoleGraph | None, record: Mapping[str, Any]) -> bool:
    return any(role == "ARG0" and record["agent"].lower() in phrase for role, phrase in _probe_arguments(graph))


def _other_elsewhere(graph: RoleGraph | None, record: Mapping[str, Any]) -> bool:
    other = record.get("other")
    return not other or any(role != "ARG0" and other.lower() in phrase for role, phrase in _probe_arguments(graph))


def _probe_arguments(graph: RoleGraph | None) -> list[tuple[str, str]]:
    if graph is None:
        return []
    nodes = {node.id: node for node in graph.nodes}
    return [(edge.role, graph.phrase(nodes[edge.entity]).lower()) for edge in graph.edges]


def _has_verb(graph: RoleGraph | None, verb: str) -> bool:
    wanted = verb.split(maxsplit=1)[0][:_STEM].lower()
    return graph is not None and any(
        graph.tokens[token].lower().startswith(wanted)
        for node in graph.actions
        for token in ([node.head] if node.head is not None else range(node.span.start, node.span.stop))
    )


def _percent(passed: Iterable[bool]) -> float:
    answers = list(passed)
    return 100 * sum(answers) / len(answers) if answers else 0.0


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


def errors_page(quality: ParserQuality, *, parser: str, source: str) -> str:
    """A self-contained HTML page: the figures, the roles, then every caption that is not as the gold has it.

    Args:
        quality: what was measured.
        parser: the parser's name.
        source: the gold file's name.
    """
    counts = {
        "predicates": quality.predicate,
        "core roles, spans": quality.core_span,
        "core roles, heads": quality.core_head,
        "all roles, spans": quality.all_span,
        **quality.roles,
    }
    title = f"{parser} on {source}"
    return render("parser_errors.html", title=title, quality=quality, counts=counts, draw_graph=draw_graph)
