"""The page's files: nothing in them is left over, loads from elsewhere, or reads text as HTML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hgrkit.serve

PAGE = Path(hgrkit.serve.__file__).with_name("page")
SCRIPTS = {path.name: path.read_text("utf-8") for path in sorted(PAGE.glob("*.js"))}
HTML = (PAGE / "index.html").read_text("utf-8")
CSS = (PAGE / "page.css").read_text("utf-8")
IMPORT = re.compile(r'^import (?:\* as (\w+)|\{([^}]*)\}) from "\./([\w-]+\.js)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)", re.MULTILINE)
MAX_LINES, MAX_WIDTH = 400, 115  # as of the modules in Python

each_script = pytest.mark.parametrize("name", SCRIPTS)


def without_comments(script):
    return re.sub(r"/\*.*?\*/|(?<!:)//[^\n]*", "", script, flags=re.DOTALL)


def taken(script):
    """What a script imports: the other script's name, the name there, and the name here."""
    body = without_comments(IMPORT.sub("", script))
    for module, names, other in IMPORT.findall(script):
        if module:
            yield from ((other, name, module) for name in re.findall(rf"\b{module}\.(\w+)", body))
        for name in filter(None, map(str.strip, names.split(","))):
            there, _, here = name.partition(" as ")
            yield other, there, here or there


@each_script
def test_a_script_is_short_and_says_what_it_is_for(name):
    lines = SCRIPTS[name].splitlines()
    assert len(lines) <= MAX_LINES
    assert [line for line in lines if len(line) > MAX_WIDTH] == []
    assert re.match(r"/\*\* \S.*[.;:].* \*/$|// \S.*\.$", lines[0]), "the first line says what the script is for"


@each_script
def test_what_a_script_imports_is_there_and_used(name):
    body = without_comments(IMPORT.sub("", SCRIPTS[name]))
    for other, there, here in taken(SCRIPTS[name]):
        assert there in EXPORT.findall(SCRIPTS[other])
        assert re.search(rf"\b{here}\b", body), here


@each_script
def test_what_a_script_exports_is_imported(name):
    imported = {there for script in SCRIPTS.values() for other, there, _ in taken(script) if other == name}
    assert set(EXPORT.findall(SCRIPTS[name])) == imported


@each_script
def test_a_script_reads_no_text_as_html_or_code_and_leaves_no_traces(name):
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|console\.|debugger|TODO"
    )
    assert re.findall(forbidden, SCRIPTS[name]) == []


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline():
    """The server's policy stops it in a browser; here nothing relies on that."""
    allowed = {"http://www.w3.org/2000/svg"}  # the name of SVG, which is not loaded
    addresses = {
        url for text in (*SCRIPTS.values(), HTML, CSS) for url in re.findall(r"https?://[^\s\"')]+", text)
    }
    assert addresses <= allowed
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=\"", HTML) == []
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', HTML) + re.findall(r'url\("([^"]+)"\)', CSS)
    fonts = PAGE.parents[1] / "pages" / "fonts"
    files = {path.name for folder in (PAGE, fonts) for path in folder.iterdir()}
    assert {address.removeprefix("page/") for address in loaded} - {"./"} <= files


def test_every_script_is_loaded_by_the_page_or_another_script():
    loaded = set(re.findall(r'src="page/([^"]+)"', HTML))
    loaded |= {other for script in SCRIPTS.values() for _, _, other in IMPORT.findall(script)}
    assert loaded == set(SCRIPTS)


def test_no_rule_or_colour_of_the_style_sheet_is_left_over():
    selectors = " ".join(re.findall(r"([^{}]*)\{", re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)))
    used = " ".join((HTML, *map(without_comments, SCRIPTS.values())))
    names = set(re.findall(r"[.#]([a-z][a-z-]*)", selectors))
    assert sorted(name for name in names if not re.search(rf"(?<![\w-]){name}(?![\w-])", used)) == []
    defined = set(re.findall(r"(--[a-z-]+):", CSS))
    assert sorted(name for name in defined if f"var({name}" not in CSS) == []
    asked = set(re.findall(r"var\((--[a-z-]+)", CSS))
    set_by_scripts = set(re.findall(r'"(--[a-z-]+)"', used))
    assert asked - defined <= set_by_scripts


def test_every_drawing_and_every_place_is_used():
    used = " ".join(SCRIPTS.values())
    names = re.findall(r'\bid="([a-z][a-z-]*)"', HTML)
    drawings = [name.removeprefix("icon-") for name in names if name.startswith("icon-")]
    assert [name for name in drawings if f'"{name}"' not in used and f'href="#icon-{name}"' not in HTML] == []
    others = [name for name in names if not name.startswith("icon-")]
    refers = r'(?:for|href|aria-[a-z]+)="#?{}"'
    left = [name for name in others if f'"{name}"' not in used and f"#{name}" not in CSS]
    assert [name for name in left if not re.search(refers.format(name), HTML)] == []
