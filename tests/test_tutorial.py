"""The parser of the tutorial runs as it is printed, and keeps the contract of parsers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hgrkit.errors import GraphError
from hgrkit.parsing.tokenize import tokenize
from hgrkit.testing import ParserContract

PAGE = Path(__file__).resolve().parents[1] / "docs" / "plugins" / "parser-in-40-lines.md"
PROGRAM = re.search(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL).group(1)


def flat(text):
    """CoNLL-U in which every word hangs on the first one, a verb."""
    try:
        words = tokenize(text)
    except GraphError:
        return ""
    rows = (
        (number, word, word, "VERB" if number == 1 else "NOUN", "", "_", min(number - 1, 1), "obj", "_", "_")
        for number, word in enumerate(words, 1)
    )
    return "\n".join("\t".join(map(str, row)) for row in rows)


@pytest.fixture(scope="module")
def conllu_parser():
    names = {}
    exec(compile(PROGRAM, str(PAGE), "exec"), names)
    return names["ConlluParser"]


class TestConlluParser(ParserContract):
    @pytest.fixture(autouse=True)
    def _use(self, conllu_parser):
        self.parser = conllu_parser(flat, language="xx")


def test_the_parser_has_at_most_40_lines():
    code, _, _ = PROGRAM.partition("PRINTED =")
    assert len(code.rstrip().splitlines()) <= 40


def test_it_prints_what_the_tutorial_shows(conllu_parser, capsys):
    capsys.readouterr()
    exec(compile(PROGRAM, str(PAGE), "exec"), {})
    shown = re.search(r"^```text\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL).group(1)
    assert capsys.readouterr().out == shown
