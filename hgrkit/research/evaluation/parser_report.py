"""All about one parser: how well it reads gold captions, which probes it passes, and a page of its errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import attrs

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.graph import RoleGraph, draw_graph
from hgrkit.graph.rendering import render
from hgrkit.parsing.graph_file import GraphFileHeader
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_each
from hgrkit.research.evaluation.parser_quality import ParserQuality, count_mistakes, evaluate_parser
from hgrkit.storage.json_file import read_json_lines

__all__ = ["ParserReport", "ProbeAnswers", "errors_page", "probe_parser", "read_records", "report_parser"]

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


@final
@attrs.frozen(kw_only=True, eq=False)
class ParserReport:
    """What was measured of a parser.

    Attributes:
        parser: its name.
        version: its version.
        quality: how well it reads gold captions, if there were any.
        probes: which probes it passes, if there were any.
    """

    parser: str
    version: str
    quality: ParserQuality | None
    probes: ProbeAnswers | None

    def to_dict(self) -> dict[str, Any]:
        """What `hgrkit evaluate-parser --json` prints."""
        report: dict[str, Any] = {"parser": self.parser, "version": self.version}
        if self.quality is not None:
            report |= self.quality.to_dict() | {"mistakes": count_mistakes(self.quality.differences)}
        return report if self.probes is None else report | {"probes": self.probes.to_dict()}


def report_parser(
    parser: GraphParser,
    gold: Sequence[Mapping[str, Any]] | None = None,
    probes: Sequence[Mapping[str, Any]] | None = None,
    *,
    gold_trees: bool = False,
) -> ParserReport:
    """Measure a parser as `hgrkit evaluate-parser` does.

    Args:
        parser: any graph parser.
        gold: gold graphs, as `evaluate_parser` takes them.
        probes: captions with foils, as `probe_parser` takes them.
        gold_trees: measure the labeller of a parser that works on dependency trees.

    Raises:
        GraphError: if a gold record is no role graph.
        BenchmarkError: if a probe lacks its caption or foil.
        ConfigError: if `gold_trees` is asked of a parser that has no use for trees.
        PluginError: if the parser fails in its own way.
    """
    return ParserReport(
        parser=parser.name,
        version=parser.version,
        quality=None if gold is None else evaluate_parser(parser, gold, gold_trees=gold_trees),
        probes=None if probes is None else probe_parser(parser, probes),
    )


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read gold graphs or probes, one JSON object a line; a graph file's header is left out.

    Raises:
        MissingPathError: if there is no such file.
        BenchmarkError: if it is no `.jsonl` or `.jsonl.gz` of objects, or holds none.
    """
    if not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; give one JSON object a line (.jsonl, .jsonl.gz).")
    records = []
    for number, record in read_json_lines(path, error=BenchmarkError):
        if not isinstance(record, dict):
            raise BenchmarkError(f"{path}, line {number} must be a JSON object, got {type(record).__name__}.")
        if GraphFileHeader.from_record(record) is None:
            records.append(record)
    if not records:
        raise BenchmarkError(f"{path} holds no captions.")
    return records


def errors_page(quality: ParserQuality, *, parser: str, source: str) -> str:
    """A self-contained HTML page: the figures, the roles, then every caption that is not as the gold has it.

    Args:
        quality: what was measured.
        parser: the parser's name.
        source: the gold file's name.
    """
    title = f"{parser} on {source}"
    return render(
        "parser_errors.html", title=title, quality=quality, counts=quality.figures, draw_graph=draw_graph
    )
