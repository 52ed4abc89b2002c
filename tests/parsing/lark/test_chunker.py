"""Every sequence of tags has chunks, and they cover it once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hgrkit.parsing.lark.chunker import group_words

TAGS = [
    "DET", "NUM", "ADJ", "DEGREE", "LINK", "NOUN", "NOUNS", "PRON", "POS", "PREP", "TO", "MD", "HAVE", "BE",
    "DO", "NEG", "INNER", "VB", "VBZ", "VBD", "VBN", "VBG", "ADV", "PRT", "CC", "SUB", "REL", "WH", "EX",
    "PUNCT",
]  # fmt: skip


def kinds(tags: str) -> list[str]:
    return [chunk.kind for chunk in group_words(tags.split())]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(TAGS), max_size=30))
def test_chunks_cover_every_token_once_in_order(tags):
    chunks = group_words(tags)
    assert [token for chunk in chunks for token in range(chunk.start, chunk.stop)] == list(range(len(tags)))
    assert [tag for chunk in chunks for tag in chunk.tags] == tags


def test_a_possessor_belongs_to_the_noun_group():
    assert kinds("DET NOUN POS ADJ NOUN VBZ") == ["noun_group", "verb_group"]


def test_auxiliaries_and_verb_are_one_group():
    assert kinds("PRON MD NEG BE VBG PREP DET NOUN") == ["noun_group", "verb_group", "preposition", "noun_group"]


def test_two_verbs_are_two_groups():
    assert kinds("NOUN VBZ TO VB") == ["noun_group", "verb_group", "verb_group"]
