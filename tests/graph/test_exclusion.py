"""A sentence in two parts: what it asks for, and what it excludes."""

from __future__ import annotations

import pytest

from hgrkit.graph import RoleGraph, split_excluded


def graph(text, nodes, edges=(), excluded=()):
    """Nodes are written (id, role, start, stop)."""
    return RoleGraph.from_dict(
        {
            "tokens": text.split(),
            "nodes": [{"id": id_, "role": role, "span": [start, stop]} for id_, role, start, stop in nodes],
            "edges": edges,
            "excluded": excluded,
        }
    )


WITHOUT = graph(
    "a street without cars at night", [(1, "NOUN", 0, 2), (2, "NOUN", 3, 4), (3, "NOUN", 4, 6)], [], [2]
)
HAT = graph(
    "a man who is not wearing a hat",
    [(1, "V", 5, 6), (2, "ARG0", 0, 2), (3, "ARGM-NEG", 4, 5), (4, "ARG1", 6, 8)],
    [[1, 2, "ARG0"], [1, 3, "ARGM-NEG"], [1, 4, "ARG1"]],
    [1],
)
NO_HAT = graph(
    "a man wearing no hat",
    [(1, "V", 2, 3), (2, "ARG0", 0, 2), (3, "ARG1", 3, 5)],
    [[1, 2, "ARG0"], [1, 3, "ARG1"]],
    [3],
)
TALKING = graph(
    "a man talking but no dog",
    [(1, "V", 2, 3), (2, "ARG0", 0, 2), (3, "ARG1", 4, 6)],
    [[1, 2, "ARG0"], [1, 3, "ARG1"]],
    [3],
)
SINGING = graph(
    "a woman singing with no guitar , outdoors",
    [(1, "V", 2, 3), (2, "ARG0", 0, 2), (3, "ARGM-COM", 3, 6), (4, "ARGM-LOC", 7, 8)],
    [[1, 2, "ARG0"], [1, 3, "ARGM-COM"], [1, 4, "ARGM-LOC"]],
    [3],
)
NO_DANCING = graph("no people dancing", [(1, "V", 2, 3), (2, "ARG0", 0, 2)], [[1, 2, "ARG0"]], [1, 2])
THERE_ARE = graph(
    "there are no cars on the street",
    [(1, "V", 1, 2), (2, "ARG1", 2, 4), (3, "ARGM-LOC", 4, 7)],
    [[1, 2, "ARG1"], [1, 3, "ARGM-LOC"]],
    [1, 2],
)
SHARED = graph(
    "a man holding a cup but not drinking from it",
    [
        (1, "V", 2, 3),
        (2, "V", 7, 8),
        (3, "ARG0", 0, 2),
        (4, "ARG1", 3, 5),
        (5, "ARGM-NEG", 6, 7),
        (6, "ARG2", 8, 10),
    ],
    [[1, 3, "ARG0"], [1, 4, "ARG1"], [2, 3, "ARG0"], [2, 5, "ARGM-NEG"], [2, 6, "ARG2"]],
    [2],
)
TABLE = graph("a table with no food on it", [(1, "NOUN", 0, 2), (2, "NOUN", 3, 5)], [], [2])
BRACKETS = graph("a bird ( no cat ) , outdoors", [(1, "NOUN", 0, 2), (2, "NOUN", 3, 5)], [], [2])
TWO = graph(
    "a street with no cars and no people", [(1, "NOUN", 0, 2), (2, "NOUN", 3, 5), (3, "NOUN", 6, 8)], [], [2, 3]
)
NOBODY = graph("nobody", [(1, "NOUN", 0, 1)], [], [1])
FIND = graph("find shots of no cars", [(1, "NOUN", 3, 5)], [], [1])


@pytest.mark.parametrize(
    ("sentence", "wanted", "excluded"),
    [
        (WITHOUT, "a street at night", ["cars"]),
        (HAT, "a man", ["wearing a hat"]),
        (NO_HAT, "a man", ["wearing hat"]),
        (TALKING, "a man talking", ["dog"]),
        (SINGING, "a woman singing , outdoors", ["guitar"]),
        (NO_DANCING, None, ["people dancing"]),
        (THERE_ARE, "on the street", ["cars"]),
        (SHARED, "a man holding a cup", ["drinking from it"]),
        (TABLE, "a table", ["food"]),
        (BRACKETS, "a bird , outdoors", ["cat"]),
        (TWO, "a street", ["cars", "people"]),
        (NOBODY, None, ["somebody"]),
        (FIND, None, ["cars"]),
    ],
    ids=lambda value: value.text if isinstance(value, RoleGraph) else "",
)
def test_a_sentence_is_taken_apart(sentence, wanted, excluded):
    split = split_excluded(sentence)
    assert (split.wanted and split.wanted.text) == wanted
    assert [phrase.text for phrase in split.excluded] == excluded


def test_a_graph_that_excludes_nothing_is_itself():
    asked = graph("a man walking without a dog", [(1, "V", 2, 3), (2, "ARG0", 0, 2)], [[1, 2, "ARG0"]])
    split = split_excluded(asked)
    assert split.wanted is asked
    assert not split.excluded


@pytest.mark.parametrize("sentence", [WITHOUT, HAT, NO_HAT, SINGING, SHARED, TWO], ids=lambda one: one.text)
def test_nodes_keep_their_ids_and_none_of_either_part_is_excluded(sentence):
    split = split_excluded(sentence)
    assert split.wanted is not None
    for node in split.wanted.nodes:
        assert not node.excluded
        assert split.wanted.phrase(node) in sentence.phrase(sentence.node(node.id))
    for phrase in split.excluded:
        assert phrase.graph.nodes
        assert not any(node.excluded for node in phrase.graph.nodes)
        assert (
            {node.id for node in phrase.graph.nodes}
            <= set(phrase.node_ids)
            <= {node.id for node in sentence.nodes}
        )
        assert not set(phrase.node_ids) & {node.id for node in split.wanted.nodes}


def test_an_excluded_phrase_is_a_question_of_its_own_with_its_roles():
    (hat,) = split_excluded(HAT).excluded
    assert str(hat.graph) == "wearing a hat\n  wearing\n    ARG1      a hat"
    (guitar,) = split_excluded(SINGING).excluded
    assert [node.role for node in guitar.graph.nodes] == ["NOUN"]


@pytest.mark.parametrize(
    ("text", "phrase", "wanted"),
    [
        ("a singer not on a stage", (4, 6), "a singer"),
        ("not on stage", (2, 3), None),
        ("animals other than dogs", (3, 4), "animals"),
        ("everything but dogs", (2, 3), None),
        ("a match excluding goals", (3, 4), "a match"),
    ],
)
def test_the_words_that_introduce_an_excluded_phrase_go_with_it(text, phrase, wanted):
    split = split_excluded(graph(text, [(1, "NOUN", *phrase)], [], [1]))
    assert (split.wanted.text if split.wanted else None) == wanted
    assert [one.text for one in split.excluded] == [" ".join(text.split()[slice(*phrase)])]


def test_what_says_nothing_is_not_excluded():
    asked = graph("anything with people", [(1, "NOUN", 0, 1), (2, "NOUN", 2, 3)], [], [1, 2])
    assert [phrase.text for phrase in split_excluded(asked).excluded] == ["people"]


def test_no_one_is_someone_in_what_is_excluded():
    asked = graph("a beach with no one on it", [(1, "NOUN", 0, 2), (2, "NOUN", 3, 5)], [], [2])
    split = split_excluded(asked)
    assert (split.wanted.text, [phrase.text for phrase in split.excluded]) == ("a beach", ["someone"])
