from __future__ import annotations

import pytest

from hgrkit.errors import ReleaseError
from hgrkit.model.text.graph_selection import GraphLimits, Omitted
from hgrkit.research.release.dataset import read_graph

CAPTION = "the Dog and a cat run home"


def node(role, *tokens):
    return {"role": role, "spans": list(tokens), "words": ["not", "read"]}


def read(nodes, edges=(), caption=CAPTION, **limits):
    return read_graph(caption, [nodes, [list(edge) for edge in edges]], GraphLimits(**limits))


def test_only_the_role_v_is_an_action_and_root_is_skipped():
    graph = read({"ROOT": node("ROOT", 0, 1), "1": node("V", 5), "2": node("C-V", 6), "3": node("ROOTS", 1)})
    assert [action.role for action in graph.actions] == ["V"]
    assert [entity.role for entity in graph.entities] == ["C-V", "ROOTS"]


def test_words_are_split_at_spaces_with_their_case():
    assert read({}).words == tuple(CAPTION.split())


def test_a_node_keeps_its_own_role_whatever_the_edge_says():
    graph = read({"1": node("V", 5), "2": node("ARG0", 1)}, [("1", "2", "ARG1")])
    assert graph.entities[0].role == "ARG0"
    assert graph.edges == ((0, 0),)


def test_edges_are_used_between_kept_nodes_from_action_to_entity():
    nodes = {"1": node("V", 5), "2": node("ARG0", 1), "3": node("ARG1", 6), "4": node("V", 3)}
    edges = [("1", "2", "a"), ("2", "1", "b"), ("1", "3", "c"), ("1", "4", "d"), ("ROOT", "1", "e")]
    assert read(nodes, edges, max_entities=1).edges == ((0, 0),)


def test_spans_may_have_gaps():
    assert read({"1": node("ARG0", 1, 4)}).entities[0].tokens == (1, 4)


def test_nodes_past_the_limit_are_skipped_before_nodes_are_counted():
    nodes = {"1": node("V", 5), "2": node("V", 3, 6), "3": node("V", 2)}
    graph = read(nodes, max_tokens=4, max_actions=1)
    assert graph.actions[0].tokens == (3,)
    assert graph.omitted == Omitted(actions=2, tokens=3)


def test_a_span_past_the_caption_is_left_out_and_counted():
    graph = read({"1": node("ARG0", 40), "2": node("ARG1", 6, 7)})
    assert [entity.tokens for entity in graph.entities] == [(6,)]
    assert graph.omitted.entities == 1


@pytest.mark.parametrize(
    "record",
    [None, [], [{}], [[], []], [{"1": {"role": "V"}}, []], [{"1": node("V")}, []], [{"1": node("V", -1)}, []]],
    ids=str,
)
def test_what_is_no_graph_is_refused_with_its_caption(record):
    with pytest.raises(ReleaseError, match=CAPTION):
        read_graph(CAPTION, record, GraphLimits())


def test_a_caption_without_words_is_refused():
    with pytest.raises(ReleaseError, match="has no word"):
        read({}, caption="  ")
