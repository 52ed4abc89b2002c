"""Measures of graph parsers: counted by hand on small graphs, and on parsers with tokens of their own."""

from __future__ import annotations

import copy
import itertools

import pytest

from hgrkit.errors import BenchmarkError, ConfigError, GraphError
from hgrkit.graph import Edge, Node, RoleGraph, Span
from hgrkit.parsing import LarkParser
from hgrkit.parsing.gold_tokens import on_tokens
from hgrkit.research.evaluation.parser_quality import evaluate_parser
from hgrkit.research.evaluation.parser_report import errors_page, probe_parser

GOLD = {
    "tokens": ["a", "man", "throws", "a", "ball", "at", "night"],
    "nodes": [
        {"id": 1, "role": "V", "span": [2, 3], "head": 2},
        {"id": 2, "role": "ARG0", "span": [0, 2], "head": 1},
        {"id": 3, "role": "ARG1", "span": [3, 5], "head": 4},
        {"id": 4, "role": "ARGM-TMP", "span": [5, 7], "head": 6},
    ],
    "edges": [[1, 2, "ARG0"], [1, 3, "ARG1"], [1, 4, "ARGM-TMP"]],
}


class Fixed:
    """Answers with the graphs that it was made with, and begins again after the last, as timing repeats a file."""

    name, version = "fixed", "1"

    def __init__(self, graphs):
        self._graphs = itertools.cycle(graphs)

    def parse_batch(self, texts):
        return [self.parse_tokens(text) for text in texts]

    def parse_tokens(self, tokens):
        graph = next(self._graphs)
        if isinstance(graph, GraphError):
            raise graph
        return graph


def answer(*, object_start=3, role="ARG1"):
    record = copy.deepcopy(GOLD)
    record["nodes"][2]["span"] = [object_start, 5]
    record["edges"][1][2] = role
    return RoleGraph.from_dict(record)


def measured(*graphs, records=None):
    return evaluate_parser(Fixed(graphs), records or [GOLD] * len(graphs))


def test_the_gold_itself_is_perfect():
    quality = measured(answer())
    for counts in (quality.predicate, quality.core_span, quality.core_head, quality.all_span):
        assert counts.to_dict() == {"precision": 100.0, "recall": 100.0, "f1": 100.0}
    assert quality.differences == ()
    assert {role: counts.gold for role, counts in quality.roles.items()} == {"ARG0": 1, "ARG1": 1, "ARGM-TMP": 1}


def test_a_wrong_boundary_costs_the_span_and_not_the_head():
    quality = measured(answer(object_start=4))
    assert quality.core_span.f1 == pytest.approx(50)
    assert quality.core_head.f1 == pytest.approx(100)
    assert quality.all_span.f1 == pytest.approx(200 / 3)
    (difference,) = quality.differences
    assert difference.missing == ("throws ARG1 a ball",)
    assert difference.surplus == ("throws ARG1 ball",)


STREET = {
    "tokens": ["a", "street", "without", "cars"],
    "nodes": [{"id": 1, "role": "NOUN", "span": [0, 2]}, {"id": 2, "role": "NOUN", "span": [3, 4]}],
    "edges": [],
    "excluded": [2],
}


def test_entities_of_a_caption_without_verbs_are_measured_by_their_spans():
    found = RoleGraph(tokens=STREET["tokens"], nodes=[Node(1, "NOUN", Span(0, 2)), Node(2, "NOUN", Span(2, 4))])
    assert measured(found, records=[STREET]).verbless.to_dict() == {"precision": 50, "recall": 50, "f1": 50}
    assert measured(answer()).verbless is None


def test_what_is_excluded_is_measured_where_the_gold_says_it():
    wanted = RoleGraph.from_dict(STREET | {"excluded": []})
    assert measured(RoleGraph.from_dict(STREET), records=[STREET]).excluded.f1 == 100
    assert measured(wanted, records=[STREET]).excluded.recall == 0
    over = RoleGraph.from_dict(STREET | {"excluded": [1, 2]})
    assert measured(over, records=[STREET]).to_dict()["excluded"]["precision"] == 50
    assert "excluded" not in measured(answer()).to_dict()


def test_phrases_that_no_verb_governs_are_measured_where_the_gold_lists_them():
    gold = GOLD | {"loose": [[6, 7, 6]]}
    keeps = RoleGraph.from_dict(
        GOLD | {"nodes": [*GOLD["nodes"], {"id": 9, "role": "NOUN", "span": [6, 7]}], "edges": GOLD["edges"]}
    )
    assert measured(keeps, records=[gold]).loose.f1 == 100
    assert measured(answer(), records=[gold]).loose.recall == 0
    assert measured(answer()).loose is None


def test_the_edge_decides_the_role():
    quality = measured(answer(role="ARG2"))
    assert (quality.roles["ARG1"].recall, quality.roles["ARG2"].precision) == (0, 0)
    assert quality.predicate.f1 == 100


def test_a_refused_caption_counts_as_missed_and_is_named():
    quality = measured(answer(), GraphError("no"))
    assert quality.failures == 1
    assert quality.predicate.to_dict() == {"precision": 100.0, "recall": 50.0, "f1": pytest.approx(200 / 3)}


def test_a_bad_gold_line_is_named():
    with pytest.raises(GraphError, match=r"^gold caption 2: "):
        measured(answer(), records=[GOLD, {"tokens": []}])


def test_trees_are_refused_by_a_parser_that_reads_none():
    with pytest.raises(ConfigError, match="does not read dependency trees"):
        evaluate_parser(LarkParser(), [GOLD], gold_trees=True)


def test_a_parser_with_tokens_of_its_own_is_moved_onto_the_gold_ones():
    graph = RoleGraph(
        tokens=["a", "man's", "dog", "run", "s"],
        nodes=[Node(1, "V", Span(3, 5), 3), Node(2, "ARG0", Span(0, 3), 2)],
        edges=[Edge(1, 2, "ARG0")],
    )
    moved = on_tokens(graph, ["a", "man", "'s", "dog", "runs"])
    assert [(node.span.start, node.span.stop, node.head) for node in moved.nodes] == [(4, 5, 4), (0, 4, 3)]
    assert moved.edges == graph.edges


def test_nodes_that_fall_onto_the_same_tokens_become_one():
    graph = RoleGraph(
        tokens=["ice", "cream", "melts"],
        nodes=[Node(1, "V", Span(2, 3)), Node(2, "ARG1", Span(0, 1)), Node(3, "ARG2", Span(1, 2))],
        edges=[Edge(1, 2, "ARG1"), Edge(1, 3, "ARG2")],
    )
    moved = on_tokens(graph, ["icecream", "melts"])
    assert [node.id for node in moved.nodes] == [1, 2]
    assert moved.edges == (Edge(1, 2, "ARG1"),)


def test_what_the_other_text_does_not_have_is_left_out():
    graph = RoleGraph(tokens=["dogs", "run"], nodes=[Node(1, "V", Span(1, 2)), Node(2, "ARG0", Span(0, 1))])
    assert [node.id for node in on_tokens(graph, ["do", "gs"]).nodes] == [2]


PROBES = [
    {"caption": "A man throws a ball.", "foil": "A ball throws a man.", "agent": "man", "other": "ball"},
    {"caption": "A dog runs.", "foil": "A dog runs.", "verb": "running"},
]


def test_probes_ask_for_the_verb_the_participants_and_the_foil():
    answers = probe_parser(LarkParser(), PROBES)
    assert answers.both_participants == answers.verb_found == answers.named_verb_found == 100
    assert answers.foil_differs == 50
    turned = probe_parser(LarkParser(), [{**PROBES[0], "agent": "ball", "other": "man"}])
    assert (turned.agent_is_arg0, turned.other_elsewhere, turned.both_participants) == (0, 0, 0)


def test_a_probe_without_a_foil_is_refused():
    with pytest.raises(BenchmarkError, match=r"^probe 1 needs"):
        probe_parser(LarkParser(), [{"caption": "a dog"}])


def test_the_page_of_errors_shows_text_as_text():
    quality = measured(answer(object_start=4), GraphError("no"))
    page = errors_page(quality, parser="<b>", source="gold.jsonl")
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert page.count("<section>") == 2
    assert page.count("<svg") == 3
    assert "refused" in page
