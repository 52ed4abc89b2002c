"""The example in the documentation: made by the page as it is now, small, and the search's own page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hgrkit.graph.rendering import render

STATIC = Path(__file__).resolve().parents[2] / "docs" / "_static"
AGAIN = "run scripts/draw_explanation_example.py docs/_static"


@pytest.fixture(scope="module")
def page():
    return (STATIC / "why.html").read_text("utf-8")


def test_the_example_was_made_by_this_page(page):
    assert f"<style>\n{render('explanation.css')}" in page, AGAIN
    assert f"<script>{render('explanation.js')}" in page, AGAIN


def test_the_example_shows_pictures_and_tells_nothing_of_the_machine_it_was_made_on(page):
    assert page.count("<article") == 2
    assert page.count("data:image/jpeg;base64,") >= 12
    assert re.findall(r'<bdi title="([^"]*)">', page) == ["videos/bigbuckbunny.mp4", "videos/horse.mp4"]


def test_the_example_is_small():
    assert all((STATIC / name).stat().st_size < 200 * 1024 for name in ("why.html", "why.png", "why-dark.png"))
