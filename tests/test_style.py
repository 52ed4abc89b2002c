"""What no linter says about the shape of the code: short modules that state their place, no stray output."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "hgrkit"
MODULES = sorted(
    path for folder in (PACKAGE, *sorted((ROOT / "plugins").glob("*/hgrkit_*"))) for path in folder.rglob("*.py")
)
SCRIPTS = sorted([*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "plugins").glob("*/scripts/*.py")])
"""What stands beside the packages and is run by hand; it may print."""

MAX_LINES = 400
LONG_MODULES = {
    # The facade: what each argument of its methods means stands where users look it up.
    "hgrkit/retriever.py": 580,
}
"""Those that may be longer, up to how many lines, and why."""
MAX_FUNCTION_LINES = 40
"""Of a function, its docstring left out."""
LONG_FUNCTIONS = {
    # Signatures: an option or an argument on each line.
    "hgrkit/agents/tools.py:search_video",
    "hgrkit/cli/evaluate.py:evaluate",
    "hgrkit/cli/features.py:features",
    "hgrkit/cli/index.py:index",
    "hgrkit/cli/mcp.py:mcp",
    "hgrkit/cli/parse.py:parse",
    "hgrkit/cli/search.py:search",
    "hgrkit/cli/serve.py:serve",
    "hgrkit/cli/train.py:train",
    "hgrkit/cli/watch.py:watch",
    "hgrkit/indexing/pipeline.py:index_videos",
    "hgrkit/retriever.py:search",
    # One walk over a file's packets, with the state that the next packet needs.
    "hgrkit/video/packet_index.py:index",
}
"""Those that may be longer, and why."""
NAMELESS = {"utils", "helpers", "common", "misc"}

each_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
each_module_or_script = pytest.mark.parametrize(
    "module", [*MODULES, *SCRIPTS], ids=lambda path: path.relative_to(ROOT).as_posix()
)


def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


@each_module_or_script
def test_a_module_has_at_most_400_lines(module):
    most = LONG_MODULES.get(module.relative_to(ROOT).as_posix(), MAX_LINES)
    assert len(module.read_text(encoding="utf-8").splitlines()) <= most


@each_module_or_script
def test_a_module_opens_with_one_sentence_about_its_place(module):
    docstring = ast.get_docstring(tree_of(module))
    assert docstring, "the module has no docstring"
    first = docstring.split("\n\n")[0]
    assert re.search(r"[.:]$", first), f"the first paragraph should be a sentence: {first!r}"


@each_module_or_script
def test_a_module_is_named_after_what_is_in_it(module):
    assert module.stem not in NAMELESS
    assert re.fullmatch(r"[a-z][a-z0-9_]*|__init__|__main__", module.stem)


@each_module
def test_a_module_neither_prints_nor_leaves_errors_unnamed(module):
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "breakpoint"}, f"line {node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: a bare except"


@each_module
def test_only_contract_suites_use_assert(module):
    if module.is_relative_to(PACKAGE / "testing"):
        return
    lines = [node.lineno for node in ast.walk(tree_of(module)) if isinstance(node, ast.Assert)]
    assert not lines, f"assert is no check of input; see lines {lines}"


@each_module
def test_a_function_has_at_most_40_lines_unless_it_is_named(module):
    name = module.relative_to(ROOT).as_posix()
    functions = [node for node in ast.walk(tree_of(module)) if isinstance(node, ast.FunctionDef)]
    long = {f"{name}:{node.name}" for node in functions if code_lines(node) > MAX_FUNCTION_LINES}
    assert long <= LONG_FUNCTIONS


def code_lines(function: ast.FunctionDef) -> int:
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_half_of_the_modules_are_at_most_200_lines_long():
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py"))
    assert lengths[len(lengths) // 2] <= 200
