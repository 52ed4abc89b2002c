"""What the labeller of dependency trees must reach, on gold trees and behind Stanza."""

from __future__ import annotations

import gzip
import json

import pytest

from hgrkit.errors import ConfigError
from hgrkit.parsing.gold_tokens import gold_conventions
from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.parsing.stanza_parser import StanzaParser
from hgrkit.research.evaluation.parser_quality import evaluate_parser


def record(*, action, with_tree=True):
    tree = {
        "upos": ["NOUN", "AUX", "ADJ"],
        "xpos": ["NNS", "VBP", "JJ"],
        "lemma": ["dog", "be", "nice"],
        "feats": ["_", "_", "_"],
        "head": [2, 2, -1],
        "deprel": ["nsubj", "cop", "root"],
    }
    nodes = [{"id": 1, "role": "V", "span": [1, 2], "head": 1}] if action else []
    return {
        "tokens": ["dogs", "are", "nice"],
        "nodes": nodes,
        "edges": [],
        **({"tree": tree} if with_tree else {}),
    }


def test_gold_whose_copulas_are_no_actions_is_plain_propbank():
    assert gold_conventions([record(action=False)]) == "propbank"
    assert gold_conventions([record(action=False), record(action=True)]) == "captions"
    assert gold_conventions([record(action=False, with_tree=False)]) == "captions"


def test_the_answer_follows_the_conventions_of_the_gold():
    parser = StanzaParser()
    plain = evaluate_parser(parser, [record(action=False)], gold_trees=True)
    assert plain.conventions == "propbank"
    assert plain.predicate.answer == 0
    captions = evaluate_parser(parser, [record(action=True)], gold_trees=True)
    assert captions.conventions == "captions"
    assert captions.predicate.both == 1
    assert plain.to_dict()["conventions"] == "propbank"


def test_a_parser_without_trees_refuses_gold_trees():
    with pytest.raises(ConfigError, match="'lark' does not read dependency trees"):
        evaluate_parser(LarkParser(), [record(action=True)], gold_trees=True)


@pytest.mark.shared
def test_gold_trees_are_labelled_well(shared):
    with gzip.open(shared / "data/srl/propbank_ewt_dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    quality = evaluate_parser(StanzaParser(), records, gold_trees=True)
    assert quality.conventions == "propbank"
    assert quality.predicate.f1 >= 99
    assert quality.core_span.f1 >= 87
    assert quality.core_head.f1 >= 88
    assert quality.failures == 0


@pytest.mark.shared
def test_stanza_reads_gold_captions_well(shared):
    lines = (shared / "data/srl/caption_gold_dev.jsonl").read_text(encoding="utf-8").splitlines()
    parser = StanzaParser(dir=shared / "models/stanza_en", device="cpu")
    quality = evaluate_parser(parser, list(map(json.loads, lines)))
    assert quality.predicate.f1 >= 95
    assert quality.core_span.f1 >= 80
    assert quality.core_head.f1 >= 83
    assert quality.failures == 0


@pytest.mark.shared
def test_stanza_reads_gold_queries_well(shared):
    lines = (shared / "data/srl/query_gold_dev.jsonl").read_text(encoding="utf-8").splitlines()
    parser = StanzaParser(dir=shared / "models/stanza_en", device="cpu")
    quality = evaluate_parser(parser, list(map(json.loads, lines)))
    assert quality.predicate.f1 >= 95
    assert quality.core_span.f1 >= 79
    assert quality.verbless.f1 >= 92
    assert quality.excluded.f1 >= 85
