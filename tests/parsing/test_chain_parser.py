"""A chain of parsers answers whatever its first parsers do."""

from __future__ import annotations

import logging

import pytest

from hgrkit.errors import ConfigError, GraphError, ParserModelsNotFoundError, ParserNotFoundError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.registry import ChainParser, load_parser
from hgrkit.testing import ParserContract


class Picky:
    """Reads sentences about dogs; what it does with others is told."""

    name, version = "picky", "3"

    def __init__(self, error):
        self.error, self.calls = error, 0

    def parse_batch(self, texts):
        self.calls += 1
        if any("dog" not in text for text in texts):
            raise self.error
        return [RoleGraph(tokens=text.split()) for text in texts]


class TestChainParser(ParserContract):
    parser = ChainParser([Picky(ValueError("no dog")), "lark"])


@pytest.mark.parametrize("error", [GraphError("no dog"), ValueError("no dog")], ids=["refuses", "fails"])
def test_what_the_first_parser_cannot_read_the_next_one_reads(error):
    texts = ["the cat sleeps", "a dog barks", "a man sings"]
    lark = LarkParser().parse_batch(texts)
    graphs = ChainParser([Picky(error), LarkParser()]).parse_batch(texts)
    assert graphs == [lark[0], RoleGraph(tokens=["a", "dog", "barks"]), lark[2]]


def test_a_parser_without_models_is_asked_once_and_named_once(caplog):
    first = Picky(ParserModelsNotFoundError("its models are gone"))
    chain = ChainParser([first, "lark"])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert chain.parse_batch(["the cat sleeps"])[0].actions
    assert first.calls == 1
    assert [record.getMessage() for record in caplog.records] == [
        "the parser 'picky' is skipped: its models are gone"
    ]


def test_a_plugin_that_cannot_be_imported_is_passed_over(install_plugin, caplog):
    install_plugin("hgrkit.parsers", "torn", source="import nothing_of_that_name")
    chain = load_parser("torn,lark")
    assert chain.parse_batch(["the cat sleeps"]) == LarkParser().parse_batch(["the cat sleeps"])
    assert "nothing_of_that_name" in caplog.text


def test_a_text_that_no_parser_reads_is_an_event_without_nodes():
    graphs = ChainParser([Picky(GraphError("no dog"))]).parse_batch(["The cat."])
    assert graphs == [RoleGraph(tokens=["the", "cat", "."])]


def test_a_text_without_words_is_refused():
    with pytest.raises(GraphError, match="nothing to parse"):
        ChainParser(["lark"]).parse_batch([""])


def test_name_and_version_are_composed(install_plugin):
    install_plugin("hgrkit.parsers", "torn", source="1 / 0")
    chain = ChainParser([Picky(ValueError()), "torn", "lark"])
    assert (chain.name, chain.version) == ("picky,torn,lark", "3,-,3")


def test_a_name_that_is_not_installed_is_an_error_at_once():
    with pytest.raises(ParserNotFoundError, match="Did you mean 'lark'"):
        load_parser("stanza,larkk")


def test_a_chain_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="at least one parser"):
        ChainParser([])
