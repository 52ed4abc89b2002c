"""What the Lark parser must reach on gold captions and on the probes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.parser_quality import evaluate_parser
from hgrkit.research.evaluation.parser_report import probe_parser

OWN = Path(__file__).resolve().parents[1]


def records(path: Path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.shared
def test_gold_captions_are_read_well(shared):
    quality = evaluate_parser(LarkParser(), records(shared / "data/srl/caption_gold_dev.jsonl"))
    assert quality.predicate.f1 >= 95
    assert quality.core_span.f1 >= 87
    assert quality.core_head.f1 >= 87
    assert quality.all_span.f1 >= 84


@pytest.mark.shared
def test_the_probes_participants_are_found(shared):
    answers = probe_parser(LarkParser(), records(shared / "data/srl/caption_probes.jsonl"))
    assert answers.named_verb_found >= 98
    assert answers.both_participants >= 97
    assert answers.foil_differs >= 99


@pytest.mark.shared
def test_gold_queries_are_read_well(shared):
    quality = evaluate_parser(LarkParser(), records(shared / "data/srl/query_gold_dev.jsonl"))
    assert quality.predicate.f1 >= 96
    assert quality.core_span.f1 >= 92
    assert quality.verbless.f1 >= 96
    assert quality.excluded.f1 >= 85


@pytest.mark.parametrize("name", ["queries_first.jsonl", "queries_second.jsonl"])
def test_queries_of_our_own_are_read_well(name):
    quality = evaluate_parser(LarkParser(), records(OWN / name))
    assert quality.predicate.f1 >= 96
    assert quality.core_span.f1 >= 94
    assert quality.verbless.f1 >= 92
    assert quality.excluded.f1 >= 90
