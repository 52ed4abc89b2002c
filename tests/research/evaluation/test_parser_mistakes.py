"""A parser's mistakes are counted once each, by kind."""

from __future__ import annotations

from hgrkit.graph import Edge, Node, RoleGraph, Span
from hgrkit.research.evaluation.parser_quality import Difference, count_mistakes

TOKENS = "a man in red throws a ball and runs".split()


def graph(*clauses):
    """A graph of (verb, {role: (start, stop)})."""
    nodes, edges, ids = [], [], {}
    for verb, roles in clauses:
        nodes.append(Node(len(nodes) + 1, "V", Span(verb, verb + 1), verb))
        action = nodes[-1].id
        for role, span in roles.items():
            if span not in ids:
                nodes.append(Node(len(nodes) + 1, role, Span(*span)))
                ids[span] = nodes[-1].id
            edges.append(Edge(action, ids[span], role))
    return RoleGraph(tokens=TOKENS, nodes=nodes, edges=edges)


def mistakes(gold, answer):
    counted = count_mistakes([Difference(caption="", gold=gold, answer=answer, missing=(), surplus=())])
    return {kind: count for kind, count in counted["kinds"].items() if count}, counted["roles"]


GOLD = graph((4, {"ARG0": (0, 4), "ARG1": (5, 7)}))


def test_every_kind_is_counted_once():
    answer = graph((4, {"ARG0": (0, 2), "ARG2": (5, 7), "ARGM-LOC": (8, 9)}), (6, {"ARG1": (5, 6)}))
    assert mistakes(GOLD, answer) == (
        {
            "verb_invented": 1,
            "argument_of_invented_verb": 1,
            "other_role": 1,
            "other_extent": 1,
            "argument_invented": 1,
        },
        {"ARG1 read as ARG2": 1},
    )


def test_a_missed_verb_takes_its_arguments_with_it():
    assert mistakes(GOLD, graph((8, {}))) == (
        {"verb_missed": 1, "verb_invented": 1, "argument_of_missed_verb": 2},
        {},
    )


def test_a_refused_caption_has_missed_everything():
    assert mistakes(GOLD, None) == ({"verb_missed": 1, "argument_of_missed_verb": 2}, {})


def test_a_phrase_that_nobody_found_is_missed():
    assert mistakes(GOLD, graph((4, {"ARG0": (0, 4)}))) == ({"argument_missed": 1}, {})
