"""Lengths of bars: zero for what is dissimilar, never beyond the end, the even share at a fixed height."""

from __future__ import annotations

import pytest

from hgrkit.pages.explanation import HeatScale, SimilarityScale
from tests.pages.sample import result_over


def test_a_whole_bar_is_the_highest_similarity_or_a_half():
    hits = result_over("a.mp4").hits
    assert SimilarityScale.of(hits).top == 0.5
    assert SimilarityScale.of(()).top == 0.5
    assert SimilarityScale(0.8).part(0.4) == 0.5


def test_what_is_dissimilar_has_no_bar():
    assert SimilarityScale(0.5).part(-0.3) == 0


def test_weights_are_drawn_against_an_even_share():
    (hit,) = result_over("a.mp4").hits
    scale = HeatScale.of(hit)
    assert scale.even == pytest.approx(1 / 8)
    assert scale.part(0.5) == 1
    assert HeatScale(8, 0.25).part(scale.even) == 0.5
