"""What the searcher does not want is marked, whichever parser read the query."""

from __future__ import annotations

import pytest

from hgrkit.graph import Edge, Node, RoleGraph, Span
from hgrkit.parsing.finished_graph import finished
from hgrkit.parsing.lark.parser import LarkParser

PARSER = LarkParser()


def excluded(text):
    graph = PARSER.parse(text)
    return [graph.phrase(node) for node in graph.nodes if node.excluded]


EXCLUDED = {
    "a street without cars": ["cars"],
    "a street without people or cars": ["people", "cars"],
    "a beach, no people": ["no people"],
    "people not on stage": ["stage"],
    "a bicycle other than a mountain bike": ["a mountain bike"],
    "a parking lot except trucks": ["trucks"],
    "a man who is not wearing a hat": ["wearing"],
    "a swimmer who never leaves the pool": ["leaves"],
    "the man does not use any ropes": ["use", "any ropes"],
    "the projector is not visible": ["is", "the projector"],
    "there are no cars in the street": ["are", "no cars"],
    "a garden with no dogs barking": ["barking", "no dogs"],
    "a band playing without a drummer": ["without a drummer"],
    "a bird flying, but not a cat cleaning itself": ["cleaning", "a cat"],
    "nobody wears a mask": ["wears", "nobody"],
    "a man playing guitar, but no dogs": ["no dogs"],
    "a man playing guitar but not singing": ["singing"],
    "a dog without a leash running": ["without a leash"],
    "a woman without any hat or glasses dancing": ["without any hat or glasses"],
    "everything but dogs": ["dogs"],
    "a forest minus people": ["people"],
    "a forest free of people": ["people"],
    "people not dancing": ["dancing"],
    "a car, not red": ["red"],
    "not outdoors": ["outdoors"],
    "cats, exclude dogs": ["dogs"],
    "a man lacking a beard": ["a beard"],
    "a cat rather than a dog": ["a dog"],
    "don't show me dogs in a park": ["dogs", "a park"],
    "i don't want to see people, show me cats": ["people"],
    "leave out shots of cooking": ["cooking"],
    "the man is neither running nor walking": ["running", "walking"],
    "football -soccer": ["soccer"],
    "beach -people -cars": ["people", "cars"],
    "a man jumping -indoors": ["indoors"],
    'a street -"red car" at night': ["red car"],
    'a street -"red car': ["red"],
}


@pytest.mark.parametrize(("text", "unwanted"), EXCLUDED.items(), ids=EXCLUDED.keys())
def test_what_is_under_a_negation_is_excluded(text, unwanted):
    assert sorted(excluded(text)) == sorted(unwanted)


@pytest.mark.parametrize(
    "text",
    [
        "an orchestra, not just a single musician",
        "not only dogs in a park",
        "a man wearing a hat",
        "a dog next to other dogs",
        "a person not necessarily smiling",
        "a t-shirt - a well-dressed man",
        "dogs -",
        "-5 degrees",
    ],
)
def test_these_exclude_nothing(text):
    assert excluded(text) == []


def test_what_else_a_negated_clause_names_stays_wanted():
    graph = PARSER.parse("a man not wearing a hat")
    assert {graph.phrase(node): node.excluded for node in graph.nodes} == {
        "wearing": True,
        "a man": False,
        "not": False,
        "a hat": False,
    }


def test_a_not_that_a_parser_left_in_a_phrase_is_taken_out():
    graph = finished(RoleGraph(tokens=["not", "a", "poodle"], nodes=[Node(1, "NOUN", Span(0, 3), 2)]))
    assert graph.nodes == (Node(1, "NOUN", Span(1, 3), 2, excluded=True),)


def test_a_phrase_in_which_a_denial_begins_is_divided():
    graph = PARSER.parse("a dog without a leash running")
    assert str(graph).splitlines()[1:] == [
        "  running",
        "    ARG0      a dog",
        "    ARGM-MNR  ~~without a leash~~",
    ]
    assert excluded("a man with not just one dog") == []


def test_a_verb_that_is_denied_at_the_end_has_the_subject_of_the_one_before():
    graph = PARSER.parse("a man playing guitar but not singing")
    (singing,) = [node for node in graph.actions if node.excluded]
    roles = {edge.role: graph.phrase(graph.node(edge.entity)) for edge in graph.edges if edge.action == singing.id}
    assert roles == {"ARG0": "a man", "ARGM-NEG": "not"}


def test_the_subject_of_a_denied_participle_stays_wanted():
    graph = PARSER.parse("people not dancing")
    assert [(graph.role(node), graph.phrase(node), node.excluded) for node in graph.entities] == [
        ("ARG0", "people", False),
        ("ARGM-NEG", "not", False),
    ]


def test_a_verb_that_only_excludes_is_no_action():
    graph = PARSER.parse("videos of dogs excluding puppies")
    assert [(graph.role(node), graph.phrase(node), node.excluded) for node in graph.nodes] == [
        ("NOUN", "dogs", False),
        ("NOUN", "puppies", True),
    ]


def test_a_graph_without_negations_is_not_touched():
    graph = RoleGraph(
        tokens=["a", "dog", "runs"],
        nodes=[Node(1, "V", Span(2, 3)), Node(2, "ARG0", Span(0, 2))],
        edges=[Edge(1, 2, "ARG0")],
    )
    assert finished(graph) is graph


@pytest.mark.parametrize("text", ["a group of people", "any type of musical instrument", "a herd of cows"])
def test_a_group_is_one_phrase_with_its_members(text):
    graph = PARSER.parse(text)
    assert [graph.phrase(node) for node in graph.nodes] == [text]
    assert graph.tokens[graph.nodes[0].head] == text.split()[1]
