"""Templates: values are shown as text, missing ones are errors, and every file of the folder is used."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from html import unescape
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hgrkit
from hgrkit.graph.rendering import render

TEMPLATES = Path(hgrkit.__file__).parent / "pages" / "templates"


def test_a_value_never_becomes_markup():
    words = "<b onclick='x'> & \"c\""
    page = render("result.html", query=words, hits=(), matched=True, notes=[words])
    assert "<b onclick" not in page
    assert unescape(page).count(words) == 2


@given(st.text())
def test_any_text_stands_in_a_page_that_is_xml_in_utf_8(text):
    page = render("result.html", query=text + "\ud800\x00", hits=(), matched=True, notes=())
    paragraph, _ = ET.fromstring(f"<div>{page}</div>".encode())
    assert paragraph.find("b").text.endswith("\ufffd\ufffd")


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="query"):
        render("result.html")


def test_every_template_is_used():
    sources = "".join(path.read_text("utf-8") for path in TEMPLATES.parents[1].rglob("*.py"))
    sources += "".join(path.read_text("utf-8") for path in TEMPLATES.iterdir())
    assert [path.name for path in TEMPLATES.iterdir() if f'"{path.name}"' not in sources] == []
