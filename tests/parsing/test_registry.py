"""Parsers are found by name, or taken as they are."""

from __future__ import annotations

import pytest

from hgrkit.errors import ParserNotFoundError, PluginError
from hgrkit.parsing.lark_parser import LarkParser
from hgrkit.parsing.registry import PARSERS, load_parser


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
