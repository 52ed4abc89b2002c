"""Graphs of the released code and of semantic role labellers become role graphs."""

from __future__ import annotations

import json

import pytest

from hgrkit.errors import GraphError, MissingPathError
from hgrkit.graph import Edge, Node, RoleGraph, Span
from hgrkit.parsing.converted_graphs import (
    read_released_graphs,
    read_role_labelling,
    released_graph,
    role_labelling_graph,
    tagged_spans,
)

WORDS = "a man sits and plays the guitar".split()
SITS = ["B-ARG1", "I-ARG1", "B-V", "O", "O", "O", "O"]
PLAYS = ["B-ARG0", "I-ARG0", "O", "O", "B-V", "B-ARG1", "I-ARG1"]


def output(*tags, words=WORDS):
    return {"words": list(words), "verbs": [{"verb": "", "tags": list(row)} for row in tags]}


# role labellers ------------------------------------------------------------------------------------------------


def test_a_phrase_with_two_roles_is_two_nodes():
    graph = role_labelling_graph(output(SITS, PLAYS))
    assert graph == RoleGraph(
        tokens=WORDS,
        nodes=[
            Node(1, "V", Span(2, 3)),
            Node(2, "ARG1", Span(0, 2)),
            Node(3, "V", Span(4, 5)),
            Node(4, "ARG0", Span(0, 2)),
            Node(5, "ARG1", Span(5, 7)),
        ],
        edges=[Edge(1, 2, "ARG1"), Edge(3, 4, "ARG0"), Edge(3, 5, "ARG1")],
    )


def test_a_phrase_with_one_role_for_two_verbs_is_one_node():
    graph = role_labelling_graph(output(["B-ARG0", "I-ARG0", *SITS[2:]], PLAYS))
    assert [(edge.action, edge.entity) for edge in graph.edges] == [(1, 2), (3, 2), (3, 4)]


def test_a_verb_without_arguments_is_no_action():
    graph = role_labelling_graph(output(["O", "O", "B-V", "O", "O", "O", "O"], PLAYS))
    assert [graph.phrase(action) for action in graph.actions] == ["plays"]


def test_a_verb_in_two_pieces_is_no_action():
    graph = role_labelling_graph(output(["B-ARG1", "I-ARG1", "B-V", "O", "B-V", "O", "O"], PLAYS))
    assert [graph.phrase(action) for action in graph.actions] == ["plays"]


def test_a_sentence_without_arguments_has_its_noun_phrases_and_verbs():
    graph = role_labelling_graph(output(["O", "O", "B-V", "O", "O", "O", "O"]))
    shown = [(node.role, graph.phrase(node)) for node in graph.nodes]
    assert shown == [("NOUN", "a man"), ("NOUN", "the guitar"), ("V", "sits"), ("V", "plays")]
    assert graph.edges == ()


def test_an_inside_tag_that_continues_nothing_begins_a_phrase():
    assert tagged_spans(["I-ARG0", "I-ARG1", "O", "B-V", "B-V"]) == [
        ("ARG0", Span(0, 1)),
        ("ARG1", Span(1, 2)),
        ("V", Span(3, 4)),
        ("V", Span(4, 5)),
    ]


@pytest.mark.parametrize(
    "record",
    [{}, {"words": [], "verbs": []}, {"words": ["a"], "verbs": [{"tags": []}]}, {"words": ["a"], "verbs": [3]}],
    ids=["nothing", "no words", "too few tags", "no verb"],
)
def test_what_is_no_output_is_refused(record):
    with pytest.raises(GraphError, match="role labeller"):
        role_labelling_graph(record)


@pytest.mark.parametrize("form", ["lines", "mapping"])
def test_both_forms_of_a_file_are_read(tmp_path, form):
    file = tmp_path / "srl.json"
    records = {"A man sits and plays the guitar": output(PLAYS), "bad": {"words": ["bad"]}}
    lines = "\n".join(json.dumps({"sentence": caption, **record}) for caption, record in records.items())
    file.write_text(lines if form == "lines" else json.dumps(records))
    (caption, graph), (bad, reason) = read_role_labelling(file)
    assert caption == "A man sits and plays the guitar"
    assert [node.role for node in graph.nodes] == ["V", "ARG0", "ARG1"]
    assert bad == "bad"
    assert isinstance(reason, GraphError)


# the released code ---------------------------------------------------------------------------------------------

RELEASED = [
    {
        "ROOT": {"role": "ROOT", "spans": [0, 1, 2], "words": ["a", "dog", "runs"]},
        "1": {"role": "V", "spans": [2], "words": ["runs"]},
        "2": {"role": "ARG0", "spans": [0, 1], "words": ["a", "dog"]},
    },
    [["1", "2", "ARG0"]],
]


def test_a_released_graph_is_read_without_its_root():
    assert released_graph("a dog runs", RELEASED) == RoleGraph(
        tokens=["a", "dog", "runs"],
        nodes=[Node(1, "V", Span(2, 3)), Node(2, "ARG0", Span(0, 2))],
        edges=[Edge(1, 2, "ARG0")],
    )


@pytest.mark.parametrize(
    "record",
    [
        None,
        [{}],
        [{"1": {"role": "V", "spans": []}}, []],
        [{"1": {"role": "V", "spans": [9]}}, []],
        [{"1": 3}, []],
    ],
    ids=["nothing", "no edges", "no tokens", "outside", "no node"],
)
def test_a_broken_released_graph_names_its_caption(record):
    with pytest.raises(GraphError, match="the graph of 'a dog runs'"):
        released_graph("a dog runs", record)


def test_one_broken_graph_leaves_the_others(tmp_path):
    file = tmp_path / "sent2rolegraph.augment.json"
    file.write_text(json.dumps({"a dog runs": RELEASED, "a cat": None}))
    (_, graph), (_, reason) = read_released_graphs(file)
    assert isinstance(graph, RoleGraph)
    assert isinstance(reason, GraphError)


@pytest.mark.parametrize("read", [read_released_graphs, read_role_labelling])
def test_a_file_that_is_not_there_is_named(read, tmp_path):
    with pytest.raises(MissingPathError, match=r"none\.json"):
        list(read(tmp_path / "none.json"))


@pytest.mark.shared
@pytest.mark.parametrize("release", ["released", "deep_shared_noroles", "lstm_sim_4loss"])
def test_every_graph_of_the_releases_is_read(shared, release):
    path = shared / "parity" / release / "sent2rolegraph.augment.json"
    records = json.loads(path.read_text())
    graphs = dict(read_released_graphs(path))
    assert list(graphs) == list(records)
    for caption, graph in graphs.items():
        nodes, edges = records[caption]
        assert graph.tokens == tuple(caption.split())
        assert len(graph.nodes) == len(nodes) - ("ROOT" in nodes)
        assert len(graph.edges) == len(edges)
