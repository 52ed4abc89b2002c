"""The picture of a role graph: valid XML, every phrase and role in it, nothing outside or on top of another."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hgrkit.graph import Edge, Node, RoleGraph, Span, draw_graph
from hgrkit.parsing import LarkParser

SVG = "{http://www.w3.org/2000/svg}"

SENTENCES = [
    "a woman in a red coat throws a ball to the dog of a friend while two kids are laughing on the beach",
    "a man wearing a hat tries to open the door",
    "two dogs",
    "running",
    "who is cutting the onion?",
]


def boxes(root):
    return [
        tuple(float(rect.get(name)) for name in ("x", "y", "width", "height")) for rect in root.iter(f"{SVG}rect")
    ]


def drawn(graph):
    return ET.fromstring(draw_graph(graph))


def words(root):
    return " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_phrase_and_role_stands_in_the_picture(sentence):
    graph = LarkParser().parse(sentence)
    shown = words(drawn(graph))
    for node in graph.nodes:
        assert graph.phrase(node) in shown
    for edge in graph.edges:
        assert edge.role.removeprefix("ARGM-") in shown


@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_box_lies_on_another_or_outside(sentence):
    root = drawn(LarkParser().parse(sentence))
    places = boxes(root)
    for (x, y, width, height), (x2, y2, width2, height2) in itertools.combinations(places, 2):
        apart = x + width <= x2 or x2 + width2 <= x or y + height <= y2 or y2 + height2 <= y
        assert apart
    for x, y, width, height in places:
        assert x >= 0
        assert y >= 0
        assert x + width <= float(root.get("width"))
        assert y + height <= float(root.get("height"))


def test_each_edge_and_each_loose_phrase_has_its_line():
    graph = LarkParser().parse("a man wearing a hat tries to open the door")
    assert len(list(drawn(graph).iter(f"{SVG}path"))) == len(graph.edges) + len(graph.actions)
    loose = LarkParser().parse("two kids and a dog on a beach")
    assert [path.get("class") for path in drawn(loose).iter(f"{SVG}path")] == ["loose"] * len(loose.entities)


def test_what_is_excluded_is_struck_through():
    nodes = [Node(1, "V", Span(1, 2), excluded=True), Node(2, "ARG0", Span(0, 1))]
    graph = RoleGraph(tokens=["dogs", "bark"], nodes=nodes, edges=[Edge(1, 2, "ARG0")])
    groups = {group.get("data-node"): group.get("class") for group in drawn(graph).iter(f"{SVG}g")}
    assert groups == {None: "event", "1": "action excluded", "2": "entity"}
    assert ".excluded text { text-decoration: line-through }" in draw_graph(graph)


def test_markup_in_a_sentence_is_shown_and_never_read():
    graph = RoleGraph(tokens=["<script>alert(1)</script>", "&amp;"], nodes=[Node(1, "NOUN", Span(0, 1))])
    assert "<script>alert(1)</script>" in words(drawn(graph))
    assert "<script" not in draw_graph(graph)


@given(st.lists(st.text(min_size=1, max_size=12).filter(str.strip), min_size=2, max_size=8))
def test_any_text_makes_well_formed_xml(tokens):
    graph = RoleGraph(
        tokens=tokens,
        nodes=[Node(1, "V", Span(0, 1)), Node(2, "ARG0", Span(1, len(tokens)))],
        edges=[Edge(1, 2, "ARG0")],
    )
    assert drawn(graph).get("role") == "img"


def test_a_notebook_shows_the_picture():
    graph = LarkParser().parse("a dog runs")
    assert graph._repr_svg_() == draw_graph(graph)


def test_the_description_is_the_graph_in_words():
    graph = LarkParser().parse("a dog runs")
    described = re.sub(r"\s+", " ", drawn(graph).find(f"{SVG}desc").text)
    assert described == "a dog runs runs ARG0 a dog"
