"""What the Lark parser must reach on gold captions and on the probes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hgrkit.parsing.lark.parser import LarkParser
from hgrkit.research.evaluation.parser_quality import evaluate_parser
from hgrkit.research.evaluation.parser_report import probe_parser

pytestmark = pytest.mark.shared


def records(path: Path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_gold_captions_are_read_well(shared):
    quality = evaluate_parser(LarkParser(), records(shared / "data/srl/caption_gold_dev.jsonl"))
    assert quality.predicate.f1 >= 95
    assert quality.core_span.f1 >= 87
    assert quality.core_head.f1 >= 87
    assert quality.all_span.f1 >= 84


def test_the_probes_participants_are_found(shared):
    answers = probe_parser(LarkParser(), records(shared / "data/srl/caption_probes.jsonl"))
    assert answers.named_verb_found >= 98
    assert answers.both_participants >= 97
    assert answers.foil_differs >= 99
