"""Parsers are found by name, or taken as they are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hgrkit.errors import GraphError, ParserNotFoundError, PluginError
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.registry import PARSERS, load_parser, parse_texts


def test_a_parser_instance_is_taken_as_it_is():
    parser = LarkParser()
    assert load_parser(parser) is parser


def test_an_unknown_name_lists_what_is_installed():
    with pytest.raises(ParserNotFoundError, match="no parser named 'larc'"):
        load_parser("larc")


def test_what_is_no_parser_is_refused_by_what_it_lacks():
    with pytest.raises(PluginError, match="lacks version, parse_batch"):
        load_parser(type("Named", (), {"name": "x"})())


def test_the_lark_parser_registers_like_any_plugin():
    if not PARSERS.plugins():
        pytest.skip("hgrkit runs from a source tree that is not installed, so it has no entry points")
    assert load_parser("lark").name == "lark"


@pytest.mark.parametrize(
    "parse_batch",
    [lambda texts: [], lambda texts: None, list, lambda texts: 1 / 0],
    ids=["none", "nothing", "text", "raises"],
)
def test_a_parser_that_breaks_its_contract_is_named(parse_batch):
    parser = SimpleNamespace(name="faulty", version="1", parse_batch=parse_batch)
    with pytest.raises(PluginError, match="'faulty'"):
        parse_texts(parser, ["a dog runs"])


def test_what_is_wrong_with_a_text_is_no_fault_of_the_parser():
    with pytest.raises(GraphError):
        parse_texts(load_parser("lark"), [""])
