"""The Lark parser as a whole: its contract, captions, queries, and anything else that people type."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hgrkit.errors import GraphError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.testing.parser_contract import ParserContract

PARSER = LarkParser()
WORDS = [
    "a", "the", "man", "men", "dog", "two", "who", "that", "what", "how", "there", "and", ",", ".", "while",
    "as", "of", "in", "on", "to", "with", "by", "is", "are", "has", "been", "not", "n't", "'s", "runs",
    "run", "riding", "ridden", "put", "put_down", "red", "black", "slowly", "then", "up", "down", "it",
    "her", "him", "seen", "shown", "wants", "to", "swim", "?", "2.5",
]  # fmt: skip


class TestLarkParser(ParserContract):
    parser = PARSER


def triples(text: str) -> set[tuple[str, str, str]]:
    graph = PARSER.parse(text)
    nodes = {node.id: node for node in graph.nodes}
    return {
        (graph.phrase(nodes[edge.action]), edge.role, graph.phrase(nodes[edge.entity])) for edge in graph.edges
    }


def verbs(text: str) -> list[str]:
    graph = PARSER.parse(text)
    return [graph.phrase(node) for node in graph.actions]


CASES = {
    "active": ("a woman throws a ball to a dog", {("throws", "ARG0", "a woman"), ("throws", "ARG1", "a ball")}),
    "passive": (
        "the ball is thrown by the boy",
        {("thrown", "ARG1", "the ball"), ("thrown", "ARG0", "by the boy")},
    ),
    "participle": ("man in red kicking ball", {("kicking", "ARG0", "man in red"), ("kicking", "ARG1", "ball")}),
    "relative clause": (
        "a dog that chases a cat is barking",
        {("chases", "ARG0", "a dog"), ("chases", "ARG1", "a cat")},
    ),
    "object relative": ("the swing that a boy is pushing", {("pushing", "ARG1", "the swing")}),
    "shared subject": (
        "a man sings and plays the piano",
        {("sings", "ARG0", "a man"), ("plays", "ARG0", "a man")},
    ),
    "shared subject of participles": (
        "a girl brushing her teeth and combing her hair",
        {("brushing", "ARG0", "a girl"), ("combing", "ARG0", "a girl")},
    ),
    "two subjects": ("a man and a woman walk on the beach", {("walk", "ARG0", "a man and a woman")}),
    "control": ("a man tries to climb a tree", {("climb", "ARG0", "a man"), ("tries", "ARG1", "to climb a tree")}),
    "copula": ("the house is white", {("is", "ARG1", "the house"), ("is", "ARG2", "white")}),
    "existential": ("there is a dog in the car", {("is", "ARG1", "a dog"), ("is", "ARGM-LOC", "in the car")}),
    "particle": ("the person puts down the laptop", {("puts down", "ARG1", "the laptop")}),
    "imperative": ("pour the rice into a bowl", {("pour", "ARG1", "the rice"), ("pour", "ARG3", "into a bowl")}),
    "while clause": ("he sings while driving a car", {("sings", "ARGM-TMP", "while driving a car")}),
    "negation": ("a dog does not bark", {("bark", "ARGM-NEG", "not"), ("bark", "ARG0", "a dog")}),
    "question": ("who is cutting the onion?", {("cutting", "ARG0", "who"), ("cutting", "ARG1", "the onion")}),
    "inverted question": ("what is the man doing?", {("doing", "ARG0", "the man"), ("doing", "ARG1", "what")}),
    "place of a posture": ("a cat sits on a sofa", {("sits", "ARG1", "a cat"), ("sits", "ARG2", "on a sofa")}),
    "path of a motion": ("a boy runs down the street", {("runs", "ARGM-DIR", "down the street")}),
    "shared object": (
        "a man repairing or cleaning a bicycle",
        {("repairing", "ARG1", "a bicycle"), ("cleaning", "ARG1", "a bicycle")},
    ),
    "shared object without its preposition": (
        "a man lifting or sitting on a barrel",
        {("lifting", "ARG1", "a barrel"), ("sitting", "ARG2", "on a barrel")},
    ),
    "shared adverbials of alternatives": (
        "people performing or dancing at night",
        {("performing", "ARGM-TMP", "at night"), ("dancing", "ARGM-TMP", "at night")},
    ),
    "counts": ("at least one person climbing", {("climbing", "ARG0", "at least one person")}),
    "clauses without a conjunction": ("a man on a beach, a dog jumps", {("jumps", "ARG0", "a dog")}),
    "place of a relative clause": ("a room where a man sleeps", {("sleeps", "ARG0", "a man")}),
    "two receivers": ("two girls give a dog a bath", {("give", "ARG2", "a dog"), ("give", "ARG1", "a bath")}),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES.keys())
def test_who_does_what_to_whom_is_found(text, expected):
    assert expected <= triples(text)


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("a man exercises", ["exercises"]),
        ("the dog jumps", ["jumps"]),
        ("two slides", []),
        ("a man in black swings a sword", ["swings"]),
        ("a woman points at the screen", ["points"]),
        ("boiling water in a pot", []),
        ("a man in a black north face jacket and grey hat", []),
        ("crowd cheering in the stadium", ["cheering"]),
        ("a singer holding the microphone stand", ["holding"]),
        ("a person opening a soda can", ["opening"]),
        ("a woman feeding swans", ["feeding"]),
        ("people in tribal costumes dance along the street", ["dance"]),
        ("each picks the next one", ["picks"]),
        ("a person cutting, peeling or washing vegetables", ["cutting", "peeling", "washing"]),
    ],
)
def test_words_that_are_noun_and_verb_are_decided_in_context(text, verb):
    assert verbs(text) == verb


def test_a_caption_without_verb_becomes_its_noun_phrases():
    graph = PARSER.parse("two kids and a dog on a beach at sunset")
    assert [graph.phrase(node) for node in graph.nodes] == ["two kids", "a dog", "a beach", "sunset"]
    assert {node.role for node in graph.nodes} == {"NOUN"}


def test_counts_stay_in_their_phrases():
    graph = PARSER.parse("exactly two dogs, one or more cats and at least three birds")
    assert [graph.phrase(node) for node in graph.nodes] == [
        "exactly two dogs",
        "one or more cats",
        "at least three birds",
    ]


def test_a_not_without_a_verb_is_no_action():
    assert verbs("trees, not just branches") == []


def test_given_tokens_are_kept_as_they_are():
    assert PARSER.parse_tokens(["A", "Dog", "RUNS", "!"]).tokens == ("A", "Dog", "RUNS", "!")


def test_a_phrase_of_several_verbs_is_one_node():
    graph = PARSER.parse("a man sings and dances")
    assert len(graph.entities) == 1
    assert len(graph.edges) == 2


@pytest.mark.parametrize("tokens", [[], [""], ["a", " "]])
def test_missing_tokens_are_a_graph_error(tokens):
    with pytest.raises(GraphError):
        PARSER.parse_tokens(tokens)


def check(text: str) -> None:
    try:
        graph = PARSER.parse(text)
    except GraphError:
        return
    graph.to_json().encode("utf-8")
    assert RoleGraph.from_json(graph.to_json()) == graph


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=200))
def test_any_characters_give_a_graph_or_a_graph_error(text):
    check(text)


@settings(max_examples=800, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_order_of_common_words_gives_a_graph_or_a_graph_error(words):
    check(" ".join(words))


@pytest.mark.parametrize(
    "unit",
    ["the dog in ", "a man who ", "run ", "riding a man ", "the man said that ", "while ", "a man's ", "to "],
)
def test_ten_thousand_words_take_at_most_seconds(unit):
    text = unit * (10_000 // len(unit.split()))
    start = time.process_time()
    check(text)
    assert time.process_time() - start < 5


def test_importing_hgrkit_does_not_import_lark():
    code = "import sys, hgrkit, hgrkit.parsing, hgrkit.testing; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
