"""Tokens are cut as the gold captions are."""

from __future__ import annotations

import json

import pytest

from hgrkit.errors import GraphError
from hgrkit.parsing.tokenize import tokenize


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("He's a MAN.", "he 's a man ."),
        ("they don't; it cannot", "they do n't ; it can not"),
        ("an 8-wheeler, 2.5 kg r&b/rock", "an 8-wheeler , 2.5 kg r&b/rock"),
        ("man\u2019s \u201cdog\u201d", "man \u2019s \u201c dog \u201d"),
        ("a\x00dog\ud800runs", "a dog runs"),
    ],
)
def test_punctuation_and_clitics_are_tokens(text, tokens):
    assert tokenize(text) == tokens.split(" ")


@pytest.mark.parametrize("text", ["", " \n", "\x00\x1f", "\ud800", "\u200b"])
def test_a_text_without_visible_characters_is_a_graph_error(text):
    with pytest.raises(GraphError, match="nothing to parse"):
        tokenize(text)


def test_what_is_no_string_is_a_graph_error():
    with pytest.raises(GraphError, match="must be a string, got int"):
        tokenize(3)


@pytest.mark.shared
def test_gold_captions_are_cut_as_their_annotators_cut_them(shared):
    lines = (shared / "data/srl/caption_gold_dev.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    same = [tokenize(record["caption"]) == record["tokens"] for record in records]
    assert sum(same) >= 0.97 * len(same)
