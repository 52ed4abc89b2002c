"""The rules that every graph parser keeps, as tests for a plugin's own suite to inherit."""

from __future__ import annotations

import pytest

from hgrkit.errors import GraphError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser

__all__ = ["ParserContract"]

CAPTIONS = (
    "A woman throws a ball to a dog.",
    "man in red kicking ball",
    "two kids and a dog on a beach at sunset",
    "The onions are chopped and put into the pan.",
    "a boy who wears a hat is trying to climb a tree while his friends watch",
    "dog",
)
UNUSUAL = {
    "empty": "",
    "blank": " \t\n",
    "punctuation": "?!... -- ()",
    "emoji": "a dog 🐕‍🦺 runs 👍🏽",
    "markup": "<b>a dog</b> &amp; <script>alert('cat')</script>",
    "other script": "犬がボールを追いかける",
    "right to left": "كلب يركض",
    "combining marks": "a cafe\u0301 a\u0300\u0301\u0302\u0303",
    "control characters": "a\x00dog\x07runs\x1b[31m",
    "lone surrogate": "a dog \ud83d runs",
    "shouting": "A DOG RUNS!!!!!!!!",
    "clitics": "he's n't 's 'll they've",
    "long word": "x" * 5000,
    "many words": "the dog in the park " * 400,
}


class ParserContract:
    """Inherit, and give the parser as a class attribute.

        class TestSplitParser(ParserContract):
            parser = SplitParser()

    Attributes:
        parser: the parser under test.
    """

    parser: GraphParser

    def test_it_states_its_name_and_version(self) -> None:
        """Both are non-empty strings; the parser satisfies the protocol."""
        assert isinstance(self.parser, GraphParser)
        assert isinstance(self.parser.name, str)
        assert isinstance(self.parser.version, str)
        assert self.parser.name
        assert self.parser.version

    def test_every_text_gets_one_graph_in_its_place(self) -> None:
        """The graphs come in the order of the texts, duplicates included."""
        texts = [*CAPTIONS, CAPTIONS[0]]
        graphs = self.parser.parse_batch(texts)
        assert isinstance(graphs, list)
        assert all(isinstance(graph, RoleGraph) for graph in graphs)
        assert graphs == [self.parser.parse_batch([text])[0] for text in texts]

    def test_no_texts_give_no_graphs(self) -> None:
        """An empty batch is no error."""
        assert self.parser.parse_batch([]) == []

    def test_the_same_text_always_gives_the_same_graph(self) -> None:
        """Parsing keeps nothing that changes later answers."""
        assert self.parser.parse_batch(CAPTIONS) == self.parser.parse_batch(CAPTIONS)

    def test_the_other_texts_of_a_batch_change_nothing(self) -> None:
        """A graph depends on its own text only."""
        forwards = self.parser.parse_batch(CAPTIONS)
        backwards = self.parser.parse_batch(CAPTIONS[::-1])
        assert forwards == backwards[::-1]

    def test_spans_and_heads_lie_inside_the_sentence(self) -> None:
        """Every node covers real tokens; a head lies inside its node; every edge leads from a verb to a phrase."""
        for graph in self.parser.parse_batch(CAPTIONS):
            ids = {node.id: node for node in graph.nodes}
            for node in graph.nodes:
                assert 0 <= node.span.start < node.span.stop <= len(graph.tokens)
                assert node.head is None or node.head in node.span
            for edge in graph.edges:
                assert ids[edge.action].is_action
                assert not ids[edge.entity].is_action

    def test_a_graph_survives_json(self) -> None:
        """Graphs are kept beside videos and queries, as JSON."""
        for graph in self.parser.parse_batch(CAPTIONS):
            assert RoleGraph.from_json(graph.to_json()) == graph

    @pytest.mark.parametrize("text", UNUSUAL.values(), ids=UNUSUAL.keys())
    def test_an_unusual_text_gives_a_graph_or_a_graph_error(self, text: str) -> None:
        """Whatever people type: a graph that survives JSON, or one clear `GraphError`."""
        try:
            graphs = self.parser.parse_batch([text])
        except GraphError:
            return
        assert len(graphs) == 1
        assert RoleGraph.from_json(graphs[0].to_json()) == graphs[0]
