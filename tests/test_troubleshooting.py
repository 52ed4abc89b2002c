"""The page of troubleshooting names every error, and only messages that the code really has."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from hgrkit import errors

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([^`]+)`((?: \([^|]*\))?) \|", PAGE, re.MULTILINE)
"""The messages of the tables and the classes behind them."""


def texts() -> str:
    """Every text that the package's code has, a line each; what is filled in is a NUL."""
    lines = []
    for path in sorted((ROOT / "hgrkit").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
                lines.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                lines.append(node.value)
    return "\n".join(line.replace("\n", " ") for line in lines)


TEXTS = texts()


def in_the_code(message: str) -> bool:
    """Whether one text of the code has the message's words in order; `...` stands for anything but a new line."""
    parts = [re.escape(part) for part in re.split(r"\s*\.\.\.\s*", message) if part]
    return re.search(r"[^\n]*?".join(parts), TEXTS) is not None


def test_there_are_messages_and_none_is_listed_twice():
    messages = [message for message, _ in ROWS]
    assert len(messages) == len(set(messages)) >= 50


@pytest.mark.parametrize("message", [message for message, _ in ROWS])
def test_a_message_is_one_that_the_code_has(message):
    assert in_the_code(message)


def test_a_message_that_the_code_does_not_have_is_noticed():
    assert not in_the_code("there is no libary at ...")
    assert not in_the_code("... already at the library there is ...")


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_on_the_page(name):
    assert re.search(rf"`{name}`", PAGE)


def test_the_page_names_no_error_that_is_gone():
    named = set(re.findall(r"`(\w+Error)`", PAGE))
    assert {name for name in named if not hasattr(errors, name)} <= {"ValueError", "FileNotFoundError"}
