from __future__ import annotations

import pytest
import torch

from hgrkit.errors import ConfigError, ShapeError
from hgrkit.graph import RoleGraph
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.text.graph_selection import GraphLimits, Omitted, released_role_id, select
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.testing.model_contract import example_graphs


def graph_of(tokens, nodes, edges=()):
    return RoleGraph.from_dict(
        {
            "tokens": tokens.split(),
            "nodes": [{"id": i, "role": role, "span": list(span)} for i, role, span in nodes],
            "edges": [list(edge) for edge in edges],
        }
    )


LONG = graph_of(
    "one two three four five six",
    [
        (1, "ARG0", (0, 2)),
        (2, "V", (2, 3)),
        (3, "V", (3, 4)),
        (4, "ARG1", (3, 6)),
        (5, "NOUN", (5, 6)),
        (6, "V", (4, 5)),
    ],
    [(2, 1, "ARG0"), (3, 4, "ARG1"), (6, 4, "ARG2")],
)


def test_widths_are_the_largest_of_the_batch():
    batch = GraphBatch.from_graphs(example_graphs())
    assert batch.token_mask.shape == (4, 9)
    assert batch.action_mask.sum(dim=1).tolist() == [2, 1, 0, 0]
    assert batch.entity_mask.sum(dim=1).tolist() == [3, 1, 1, 0]
    assert batch.adjacency.shape == (4, 6, 6)
    assert batch.action_ids == ((1, 4), (7,), (), ())
    assert batch.entity_ids == ((2, 3, 5), (8,), (1,), ())
    assert batch.words[1] == ("a", "dog", "runs")
    assert not batch.omitted


def test_sentences_without_nodes_make_a_batch_of_width_zero():
    batch = GraphBatch.from_graphs(example_graphs()[3:])
    assert batch.action_mask.shape == batch.entity_mask.shape == (1, 0)
    assert batch.adjacency.shape == (1, 1, 1)


def test_token_ids_come_from_the_vocabulary_and_are_zero_without_one():
    vocabulary = Vocabulary(ids={"a": 5, "dog": 6}, unknown_id=2)
    graphs = example_graphs()[1:3]
    assert GraphBatch.from_graphs(graphs, vocabulary=vocabulary).token_ids.tolist() == [[5, 6, 2], [5, 2, 2]]
    assert not GraphBatch.from_graphs(graphs).token_ids.any()


def test_spans_mark_each_node_s_tokens():
    batch = GraphBatch.from_graphs([LONG])
    assert batch.entity_spans[0, 1].tolist() == [False, False, False, True, True, True]
    assert batch.action_spans[0, 0].tolist() == [False, False, True, False, False, False]


def test_nodes_past_the_last_token_are_skipped_before_nodes_are_counted():
    batch = GraphBatch.from_graphs([LONG], max_tokens=4, max_actions=2, max_entities=1)
    assert batch.words == (("one", "two", "three", "four"),)
    assert batch.action_ids == ((2, 3),)
    assert batch.entity_ids == ((1,),)
    assert batch.omitted == Omitted(actions=1, entities=2, tokens=2)


def test_tokens_past_the_limit_are_cut_from_a_kept_span():
    batch = GraphBatch.from_graphs([LONG], max_tokens=4)
    assert batch.entity_spans[0, 1].tolist() == [False, False, False, True]


def test_without_limits_everything_is_kept():
    batch = GraphBatch.from_graphs([LONG], max_actions=None, max_entities=None, max_tokens=None)
    assert not batch.omitted
    assert batch.action_mask.shape[1] == 3


def test_released_edges_are_seen_by_the_right_nodes():
    batch = GraphBatch.from_graphs([LONG])
    event, actions, entities = 0, (1, 2, 3), (4, 5, 6)
    expected = torch.zeros(7, 7, dtype=torch.bool)
    for action in actions:
        expected[action, event] = True
    for action, entity in ((1, 4), (2, 5), (3, 5)):
        expected[action, entity] = expected[entity, action] = True
    assert torch.equal(batch.adjacency[0], expected)
    assert not batch.adjacency[0, :, entities[2]].any()


def test_the_two_way_policy_also_lets_the_event_see_its_actions():
    released = GraphBatch.from_graphs([LONG]).adjacency
    two_way = GraphBatch.from_graphs([LONG], edges="two_way").adjacency
    assert two_way[0, 0].tolist() == [False, True, True, True, False, False, False]
    assert torch.equal(two_way[:, 1:], released[:, 1:])


def test_an_unknown_edge_policy_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"'released' or 'two_way', got 'everyone'"):
        GraphBatch.from_graphs([LONG], edges="everyone")


@pytest.mark.parametrize(
    ("role", "expected"),
    [("V", 0), ("ARG1", 1), ("ARG0", 2), ("C-ARG0", 2), ("R-ARGM-LOC", 6), ("C-V", 0), ("NOUN", 15), ("ARGX", 15)],
)
def test_roles_have_the_released_ids(role, expected):
    assert released_role_id(role) == expected


def test_where_node_and_edge_disagree_the_edge_decides():
    graph = graph_of("a dog runs", [(1, "V", (2, 3)), (2, "ARG1", (0, 2))], [(1, 2, "ARG0")])
    assert select(graph, GraphLimits()).entities[0].role == "ARG0"
    assert GraphBatch.from_graphs([graph]).entity_roles.tolist() == [[released_role_id("ARG0")]]


def test_an_entity_stays_one_whatever_its_edge_says():
    graph = graph_of("a dog runs", [(1, "V", (2, 3)), (2, "ARG1", (0, 2))], [(1, 2, "V")])
    assert GraphBatch.from_graphs([graph]).entity_ids == ((2,),)


def test_no_sentence_is_refused():
    with pytest.raises(ShapeError, match="at least one sentence"):
        GraphBatch.from_graphs([])


def test_a_negative_limit_is_refused():
    with pytest.raises(ConfigError, match="max_actions"):
        GraphBatch.from_graphs([LONG], max_actions=-1)


def test_its_repr_is_short():
    assert repr(GraphBatch.from_graphs([LONG])) == "GraphBatch(sentences=1, tokens=6, actions=3, entities=3)"
