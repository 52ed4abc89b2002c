"""A dependency tree refuses what is none, and knows its subtrees."""

from __future__ import annotations

import pytest

from hgrkit.errors import GraphError
from hgrkit.parsing.dependency_tree import DependencyTree


def tree(heads, *, relations=None, words=None, upos=None):
    size = len(heads)
    return DependencyTree(
        upos=upos or ["NOUN"] * size,
        xpos=[""] * size,
        lemma=words or ["x"] * size,
        feats=["_"] * size,
        head=heads,
        deprel=relations or ["dep"] * size,
    )


@pytest.mark.parametrize(
    "heads", [[1, 0], [0], [5], [-2], [-1, 2, 1]], ids=["circle", "self", "far", "-2", "apart"]
)
def test_what_is_no_tree_is_refused(heads):
    with pytest.raises(GraphError, match="dependency tree"):
        tree(heads)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(GraphError, match=r"one length, got \[1, 2\]"):
        DependencyTree(upos=["X"], xpos=["X"], lemma=["x"], feats=["_"], head=[-1, 0], deprel=["root"])


def test_a_missing_column_is_named():
    with pytest.raises(GraphError, match=r"lacks \['deprel'\]"):
        DependencyTree.from_dict({"upos": [], "xpos": [], "lemma": [], "feats": [], "head": []})


def test_a_subtree_reaches_from_its_first_to_its_last_token_without_punctuation_at_its_edge():
    chain = tree([1, -1, 3, 1, 3], upos=["DET", "VERB", "DET", "NOUN", "PUNCT"])
    assert [chain.extent(token) for token in range(5)] == [(0, 1), (0, 4), (2, 3), (2, 4), (4, 5)]


def test_a_bracket_that_opens_inside_closes_inside():
    words = ["dog", "(", "brown", ")", "barks"]
    bracketed = tree([4, 2, 0, 4, -1], words=words, upos=["NOUN", "SYM", "ADJ", "PUNCT", "VERB"])
    assert bracketed.extent(0) == (0, 4)


def test_a_relation_includes_its_subtypes_unless_one_is_named():
    passive = tree([1, -1], relations=["nsubj:pass", "root"])
    assert passive.child(1, "nsubj") == 0
    assert passive.child(1, "nsubj:pass") == 0
    assert passive.child(1, "nsubj:outer") is None
