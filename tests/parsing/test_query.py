"""Queries are taken apart before they are parsed: what asks and how it was filmed goes, what is shown stays."""

from __future__ import annotations

import pytest

from hgrkit.errors import GraphError
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.query import content_of, parse_parts, read_query
from hgrkit.parsing.tokenize import tokenize

PARSER = LarkParser()


def parts(text):
    read = read_query(tokenize(text))
    return None if read is None else [part.text for part in read]


REQUESTS = {
    "find shots of a man jumping": ["a man jumping"],
    "Find a shot of someone knitting": ["someone knitting"],
    "find outdoor shots showing a tent": ["a tent"],
    "show me video of a man in a red shirt": ["a man in a red shirt"],
    "show me who stole the package": ["who stole the package"],
    "Locate the person who left the bag": ["the person who left the bag"],
    "find every time someone opened the door": ["someone opened the door"],
    "search for clips where a dog barks": ["a dog barks"],
    "I'm looking for footage of a volcano": ["a volcano"],
    "which clip has a dog in a car": ["a dog in a car"],
    "scenes that show a couple arguing": ["a couple arguing"],
    "find shots taken by a drone, where a boat is visible": ["a boat is visible"],
    "find a man taking pictures of a dog": ["a man taking pictures of a dog"],
    "find traffic footage": ["traffic footage"],
}


@pytest.mark.parametrize(("text", "content"), REQUESTS.items(), ids=REQUESTS.keys())
def test_a_request_is_no_content(text, content):
    assert parts(text) == content


CAMERAS = {
    "close-up of a dog's face": ["a dog 's face"],
    "slow motion shot of a horse": ["a horse"],
    "black and white footage of soldiers": ["soldiers"],
    "first person view from a motorbike": ["a motorbike"],
    "find shots of an elevator from the outside or inside view": ["an elevator"],
    "a girl on a bicycle, followed by a close-up of a tree": ["a girl on a bicycle", "a tree"],
    "close-up of hands playing, then of hands writing": ["hands playing", "then hands writing"],
    "a red car on a road, seen from above": ["a red car on a road"],
}


@pytest.mark.parametrize(("text", "content"), CAMERAS.items(), ids=CAMERAS.keys())
def test_how_something_was_filmed_is_no_content(text, content):
    assert parts(text) == content


BRACKETS = {
    "a yellow slug (naked snail) eating a leaf": ["a yellow slug eating a leaf"],
    "a man handing over a cup (or putting it down)": ["a man handing over a cup or putting it down"],
    "a bird taking something (not holding it)": ["a bird taking something , not holding it"],
    "one person playing (others may be visible)": ["one person playing", "others may be visible"],
}


@pytest.mark.parametrize(("text", "content"), BRACKETS.items(), ids=BRACKETS.keys())
def test_brackets_are_left_out_and_their_clauses_are_kept(text, content):
    assert parts(text) == content


QUESTIONS = {
    "What color is the shirt of the man?": ["the shirt of the man is something ?"],
    "What is the man holding?": ["what the man is holding ?"],
    "What did I put in the bowl?": ["what i put in the bowl ?"],
    "How many people are sitting on the bench?": ["someone are sitting on the bench ?"],
    "When did the truck arrive?": ["the truck arrive ?"],
    "Is there a dog?": ["there is a dog ?"],
    "Is the man wearing a hat?": ["the man is wearing a hat ?"],
}


@pytest.mark.parametrize(("text", "content"), QUESTIONS.items(), ids=QUESTIONS.keys())
def test_a_question_is_read_as_a_statement(text, content):
    assert parts(text) == content


@pytest.mark.parametrize(
    "text",
    [
        "a man rides a horse",
        "two dogs",
        "a woman finds a shell",
        "the picture of a cat hangs on a wall",
        "( ( (",
        "?",
    ],
)
def test_other_sentences_are_read_as_they_stand(text):
    assert parts(text) is None


def lines(text):
    return str(PARSER.parse(text)).splitlines()[1:]


def test_the_graph_has_the_whole_querys_tokens():
    graph = PARSER.parse("Find shots of a cook (chef) cutting an onion")
    assert graph.text == "find shots of a cook ( chef ) cutting an onion"
    assert [graph.phrase(node) for node in graph.nodes] == ["cutting", "a cook", "an onion"]
    assert [graph.tokens[node.head] for node in graph.nodes] == ["cutting", "cook", "onion"]


def test_a_bracket_inside_a_phrase_stays_in_its_span():
    assert "    ARG2      in a house ( or hut ) of wood" in lines("a man standing in a house (or hut) of wood")


def test_what_another_shot_shows_counts_only_where_it_has_a_verb():
    assert lines("a girl riding a bike, then a close-up of a tree") == [
        "  riding",
        "    ARG0      a girl",
        "    ARG1      a bike",
    ]
    assert lines("a street, then a close-up of a tree") == ["  NOUN        a street", "  NOUN        a tree"]


@pytest.mark.parametrize(
    ("text", "role", "phrase"),
    [
        ("What color is the car?", "ARG2", "what color"),
        ("What did I put in the bowl?", "ARG1", "what"),
        ("How many dogs are running?", "ARG0", "how many dogs"),
        ("When did the truck arrive?", "ARGM-TMP", "when"),
        ("Where did I put the keys?", "ARG2", "where"),
        ("In which room did he sleep?", "ARGM-LOC", "in which room"),
        ("Why is the baby crying?", "ARGM-PRP", "why"),
    ],
)
def test_question_words_take_the_role_that_they_ask_for(text, role, phrase):
    graph = PARSER.parse(text)
    assert (role, phrase) in {(edge.role, graph.phrase(graph.node(edge.entity))) for edge in graph.edges}


def test_all_parts_of_all_sentences_are_parsed_in_one_batch():
    batches = []

    def parse(sentences):
        batches.append(sentences)
        return [PARSER.parse_tokens(words) for words in sentences]

    graphs = parse_parts(parse, [tokenize("find shots of a dog"), tokenize("a cat sleeps")])
    assert batches == [[["a", "dog"], ["a", "cat", "sleeps"]]]
    assert [graph.text for graph in graphs] == ["find shots of a dog", "a cat sleeps"]


@pytest.mark.parametrize(
    "text", ["find shots of a " * 3000, "( " * 10_000, "then a shot of " * 3000, "( a ) " * 4000]
)
def test_long_heaps_of_query_words_get_a_graph(text):
    assert len(PARSER.parse(text).tokens) == len(text.split())


def test_a_request_for_nothing_is_a_graph_without_more():
    assert PARSER.parse("find").text == "find"
    with pytest.raises(GraphError):
        PARSER.parse(" ")


def test_the_content_of_a_query_keeps_its_phrases_by_their_ids():
    asked = PARSER.parse("find shots of a man playing guitar, without a hat")
    content = content_of(asked)
    assert content.text == "a man playing guitar , without a hat"
    assert {node.id: content.phrase(node) for node in content.nodes} == {
        node.id: asked.phrase(node) for node in asked.nodes
    }
    caption = PARSER.parse("a man is playing guitar")
    assert content_of(caption) is caption
