"""What the Lark parser must reach on gold captions and on the probes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from hgrkit.parsing.lark_parser import LarkParser

pytestmark = pytest.mark.shared
SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "parser_quality.py"


@pytest.fixture(scope="module")
def parser_quality():
    spec = importlib.util.spec_from_file_location("parser_quality", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def records(path: Path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_gold_captions_are_read_well(parser_quality, shared):
    figures = parser_quality.quality(LarkParser(), records(shared / "data/srl/caption_gold_dev.jsonl"))
    assert figures["predicate"]["f1"] >= 94
    assert figures["core_span"]["f1"] >= 85
    assert figures["all_span"]["f1"] >= 82


def test_the_probes_participants_are_found(parser_quality, shared):
    figures = parser_quality.probes(LarkParser(), records(shared / "data/srl/caption_probes.jsonl"))
    assert figures["named_verb_found"] >= 98
    assert figures["both_participants"] >= 95
    assert figures["foil_differs"] >= 99
