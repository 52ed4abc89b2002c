"""The plugin's tests: the contract that every parser keeps, and one example of its own."""

from __future__ import annotations

from split_parser import SplitParser

from hgrkit.testing import ParserContract


class TestSplitParser(ParserContract):
    """Inherits one test for each promise of the protocol."""

    parser = SplitParser()


def test_what_stands_before_the_verb_acts() -> None:
    graph = SplitParser().parse_batch(["a dog chases a ball"])[0]
    assert str(graph) == "a dog chases a ball\n  chases\n    ARG0      a dog\n    ARG1      a ball"
