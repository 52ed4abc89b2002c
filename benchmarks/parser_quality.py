"""How well a graph parser reads captions: F1 on predicates and role spans, probes, speed; writes JSON.

    python benchmarks/parser_quality.py GOLD.jsonl [--probes PROBES.jsonl] [--parser lark] [--out OUT] [--show]

A triple is (verb token, edge role, span); core roles are ARG0-ARG4. The parser gets the gold tokens if it has
`parse_tokens`.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hgrkit.graph import Node, RoleGraph
from hgrkit.parsing.lark_parser import LarkParser
from hgrkit.parsing.registry import load_parser

CORE = frozenset({"ARG0", "ARG1", "ARG2", "ARG3", "ARG4"})
Triple = tuple[int, str, tuple[int, int]]


def triples(graph: RoleGraph) -> set[Triple]:
    """The labelled arguments of a graph."""
    nodes = {node.id: node for node in graph.nodes}
    return {
        (
            _verb_token(nodes[edge.action]),
            edge.role,
            (nodes[edge.entity].span.start, nodes[edge.entity].span.stop),
        )
        for edge in graph.edges
    }


def predicates(graph: RoleGraph) -> set[int]:
    """The verb tokens of a graph."""
    return {_verb_token(node) for node in graph.actions}


def _verb_token(node: Node) -> int:
    return node.span.start if node.head is None else node.head


def f1(counts: Counter[str]) -> dict[str, float]:
    """Precision, recall and F1 in percent."""
    precision = 100 * counts["both"] / max(counts["answer"], 1)
    recall = 100 * counts["both"] / max(counts["gold"], 1)
    return {"precision": precision, "recall": recall, "f1": 2 * precision * recall / max(precision + recall, 1e-9)}


def count(counts: Counter[str], gold: set[Any], answer: set[Any]) -> None:
    """Add one caption."""
    counts["both"] += len(gold & answer)
    counts["gold"] += len(gold)
    counts["answer"] += len(answer)


def quality(parser: Any, gold_graphs: Iterable[dict[str, Any]], *, show: bool = False) -> dict[str, Any]:
    """All the figures over a gold file."""
    totals: dict[str, Counter[str]] = {"predicate": Counter(), "core_span": Counter(), "all_span": Counter()}
    roles: dict[str, Counter[str]] = {}
    for record in gold_graphs:
        gold = RoleGraph.from_dict(record)
        answer = parser.parse_tokens(record["tokens"])
        count(totals["predicate"], predicates(gold), predicates(answer))
        wanted, got = triples(gold), triples(answer)
        count(totals["all_span"], wanted, got)
        count(totals["core_span"], {t for t in wanted if t[1] in CORE}, {t for t in got if t[1] in CORE})
        for role in {triple[1] for triple in wanted | got}:
            count(
                roles.setdefault(role, Counter()),
                {t for t in wanted if t[1] == role},
                {t for t in got if t[1] == role},
            )
        if show and (wanted != got or predicates(gold) != predicates(answer)):
            show_difference(record, gold, answer)
    return {name: f1(counts) for name, counts in totals.items()} | {
        "roles": {role: f1(counts) | {"gold": counts["gold"]} for role, counts in sorted(roles.items())}
    }


def show_difference(record: dict[str, Any], gold: RoleGraph, answer: RoleGraph) -> None:
    """Print what is missing (-) and what is too much (+)."""
    words = record["tokens"]
    print(record.get("id", ""), "|", " ".join(words))
    for token in sorted(predicates(gold) ^ predicates(answer)):
        print("    ", "-V" if token in predicates(gold) else "+V", words[token])
    wanted, got = triples(gold), triples(answer)
    for verb, role, (start, stop) in sorted(wanted ^ got):
        print(
            "    ",
            "-" if (verb, role, (start, stop)) in wanted else "+",
            words[verb],
            role,
            " ".join(words[start:stop]),
        )


def probes(parser: Any, records: Iterable[dict[str, Any]], *, show: bool = False) -> dict[str, float]:
    """How often the probes' verb is found, the agent is ARG0, and the other participant stands elsewhere."""
    counts: Counter[str] = Counter()
    for record in records:
        graph = parser.parse(record["caption"])
        if "agent" in record:
            counts["participants"] += 1
            counts["verb"] += bool(graph.actions)
            nodes = {node.id: node for node in graph.nodes}
            by_role = [(edge.role, graph.phrase(nodes[edge.entity])) for edge in graph.edges]
            agent = any(role == "ARG0" and record["agent"].lower() in phrase for role, phrase in by_role)
            other = not record.get("other") or any(
                role != "ARG0" and record["other"].lower() in phrase for role, phrase in by_role
            )
            counts["agent"] += agent
            counts["other"] += other
            counts["right"] += agent and other
            if show and not (agent and other):
                print(f"{record['caption']} | agent {record['agent']} other {record.get('other')}\n{graph}")
        elif "verb" in record:
            counts["verbs"] += 1
            found = {graph.tokens[token] for token in predicates(graph)}
            counts["named verb"] += any(record["verb"].split()[0][:3] == word[:3] for word in found)
            if show and not any(record["verb"].split()[0][:3] == word[:3] for word in found):
                print(f"{record['caption']} | verb {record['verb']}\n{graph}")
        foil = parser.parse(record["foil"])
        counts["foil"] += graph.to_dict() != foil.to_dict()
        counts["all"] += 1
    return {
        "verb_found": 100 * counts["verb"] / max(counts["participants"], 1),
        "named_verb_found": 100 * counts["named verb"] / max(counts["verbs"], 1),
        "agent_is_arg0": 100 * counts["agent"] / max(counts["participants"], 1),
        "other_elsewhere": 100 * counts["other"] / max(counts["participants"], 1),
        "both_participants": 100 * counts["right"] / max(counts["participants"], 1),
        "foil_differs": 100 * counts["foil"] / max(counts["all"], 1),
    }


def main() -> None:
    """Measure and write."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("gold", type=Path)
    arguments.add_argument("--probes", type=Path)
    arguments.add_argument("--parser", default="lark")
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--show", action="store_true")
    options = arguments.parse_args()
    parser = LarkParser() if options.parser == "lark" else load_parser(options.parser)
    records = [json.loads(line) for line in options.gold.read_text(encoding="utf-8").splitlines()]
    report: dict[str, Any] = {"parser": options.parser, "version": parser.version, "captions": len(records)}
    report |= quality(parser, records, show=options.show)
    texts = [" ".join(record["tokens"]) for record in records] * max(1, 2000 // len(records))
    started = time.process_time()
    parser.parse_batch(texts)
    report["captions_per_cpu_second"] = len(texts) / (time.process_time() - started)
    if options.probes:
        lines = options.probes.read_text(encoding="utf-8").splitlines()
        report["probes"] = probes(parser, map(json.loads, lines), show=options.show)
    report["machine"] = {
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
    }
    if options.out:
        options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    report.pop("roles")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
