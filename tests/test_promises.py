"""Every promise of the page of promises names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROWS = re.findall(r"^\| (.+) \| (.+) \|$", (ROOT / "docs" / "promises.md").read_text("utf-8"), re.MULTILINE)
PROMISES = [(promise, test) for promise, test in ROWS if promise not in {"promise", "---"} and test != "---"]


def test_there_are_promises_and_none_is_made_twice():
    texts = [promise for promise, _ in PROMISES]
    assert len(texts) == len(set(texts)) >= 50


@pytest.mark.parametrize(("promise", "test"), PROMISES)
def test_a_promise_is_one_sentence_and_names_a_test_that_exists(promise, test):
    assert promise.endswith(".")
    named = re.fullmatch(r"`(\S+\.py)::(test_\w+)`", test)
    assert named, f"{test} names no test"
    module, function = named.groups()
    assert (ROOT / module).is_file(), f"there is no {module}"
    functions = {
        node.name
        for node in ast.walk(ast.parse((ROOT / module).read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    assert function in functions, f"{module} has no {function}"
