"""What the documentation says is true: its commands exist, its programs import, its links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import typer

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "changelog.d" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAPER_MAP = (DOCS / "paper-map.md").read_text("utf-8")
LINK = re.compile(r"\]\(([^)#]+)(#[^)]*)?\)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def blocks(page, *languages):
    return [body for language, body in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def section(page, heading):
    """The text of one `## heading`, up to the next."""
    match = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return match.group(1) if match else None


@pytest.fixture(scope="module")
def commands():
    """Every command of the command line with its options' spellings."""
    from hgrkit.cli import command_line

    group = typer.main.get_command(command_line())
    return {
        name: {
            spelling
            for parameter in command.params
            for spelling in (*parameter.opts, *parameter.secondary_opts)
            if spelling.startswith("-") and spelling not in {"--help", "-h"}
        }
        for name, command in group.commands.items()
    }


# commands ------------------------------------------------------------------------------------------------------


def test_every_command_and_option_is_documented(commands):
    page = DOCS / "cli.md"
    for name, options in commands.items():
        text = section(page, f"hgrkit {name}")
        assert text is not None, f"docs/cli.md has no section '## hgrkit {name}'"
        documented = set(re.findall(r"`(--?[a-z][a-z0-9-]*)`", text))
        assert documented == options, f"hgrkit {name}: {sorted(documented ^ options)} differ from docs/cli.md"


def test_the_documentation_describes_no_command_that_is_not_there(commands):
    described = re.findall(r"^## hgrkit (\S+)$", (DOCS / "cli.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(described) == sorted(commands)


def test_the_readme_lists_every_command(commands):
    table = re.findall(r"^\| `hgrkit (\S+?)[ `]", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(table) == sorted(commands)


def shell_calls(page):
    for body in blocks(page, "bash", "console"):
        for line in body.splitlines():
            for part in line.split("&&"):
                words = shlex.split(part, comments=True)
                if words and words[0] == "hgrkit":
                    yield words[1:]


@each_page
def test_a_command_in_the_documentation_can_be_typed(page, commands):
    for name, *words in shell_calls(page):
        assert name in commands, f"there is no command 'hgrkit {name}'"
        unknown = {word for word in words if word.startswith("--")} - commands[name]
        assert not unknown, f"hgrkit {name} has no option {sorted(unknown)}"


# the readme's own commands -------------------------------------------------------------------------------------


def readme_installs():
    return [body.strip() for body in blocks(ROOT / "README.md", "bash") if body.startswith("pip install")]


def test_the_readme_gets_to_a_result_and_to_the_tests_with_one_command_each():
    demo, test = readme_installs()
    assert demo.endswith("&& hgrkit demo")
    assert test.endswith("&& pytest")
    assert "\n" not in demo + test


def test_ci_runs_the_readme_test_command():
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert readme_installs()[1] in lines
    assert "hgrkit demo" in lines


def test_the_first_screen_of_the_readme_gets_to_a_result():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert any(line.endswith("hgrkit demo") for line in lines[:15])


# programs ------------------------------------------------------------------------------------------------------


def imported(source):
    """(module, name) pairs of hgrkit that a program imports; a whole module's name is None."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "hgrkit":
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names if alias.name.split(".")[0] == "hgrkit")


@each_page
def test_a_program_in_the_documentation_imports_what_exists(page):
    for body in blocks(page, "python"):
        for module, name in imported(body):
            loaded = importlib.import_module(module)
            assert name is None or hasattr(loaded, name), f"{module} has no {name}"


@pytest.mark.parametrize("page", ["concepts/role-graph.md", "evaluation.md"])
def test_a_program_that_needs_no_library_runs(page, capsys):
    for body in blocks(DOCS / page, "python"):
        exec(compile(body, page, "exec"), {})
    printed = capsys.readouterr().out.rstrip()
    expected = [body.rstrip() for body in blocks(DOCS / page, "text")]
    assert printed
    assert not expected or printed in expected


# links and lists -----------------------------------------------------------------------------------------------


@each_page
def test_a_link_leads_somewhere(page):
    targets = [target for target, _ in LINK.findall(page.read_text("utf-8")) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def test_every_public_name_is_in_the_api_reference():
    import hgrkit

    names = set(re.findall(r"`(\w+)`", (DOCS / "api" / "index.md").read_text("utf-8")))
    assert set(hgrkit.__all__) <= names


def referenced():
    """Objects that the pages of the API reference describe."""
    for page in sorted((DOCS / "api").glob("*.md")):
        for name, members in re.findall(r"automodule:: (\S+)\n +:members:(.*)", page.read_text("utf-8")):
            module = importlib.import_module(name)
            names = re.findall(r"\w+", members) or getattr(module, "__all__", [])
            yield from (getattr(module, each) for each in names)


def public_names():
    """(module, name) of what packages export, and of what the pages' and the examples' programs import."""
    import hgrkit

    for found in pkgutil.walk_packages(hgrkit.__path__, "hgrkit."):
        if found.ispkg and not found.name.startswith("hgrkit.cli"):
            module = importlib.import_module(found.name)
            yield from ((found.name, name) for name in getattr(module, "__all__", ()))
    sources = [body for page in PAGES for body in blocks(page, "python")]
    sources += [path.read_text("utf-8") for path in sorted((ROOT / "examples").rglob("*.py"))]
    yield from ((module, name) for source in sources for module, name in imported(source) if name is not None)


def test_what_packages_export_and_the_pages_use_is_in_the_api_reference():
    described = {id(each) for each in referenced()}
    public = {(module, name): getattr(importlib.import_module(module), name) for module, name in public_names()}
    missing = [
        f"{module}.{name}"
        for (module, name), value in sorted(public.items())
        if not isinstance(value, ModuleType) and id(value) not in described
    ]
    assert not missing, "not in docs/api: " + ", ".join(missing)


def test_every_error_has_its_own_entry():
    from hgrkit import errors

    described = {each.__name__ for each in referenced() if isinstance(each, type) and issubclass(each, Exception)}
    assert set(errors.__all__) <= described


def test_the_paper_map_names_what_exists():
    rows = re.findall(r"^\| .*?(`hgrkit\.\S+`)? \| `(tests/\S+)::(test_\w+)` \|$", PAPER_MAP, re.MULTILINE)
    assert len(rows) >= 15
    for symbol, module, function in rows:
        assert re.search(rf"^ *def {function}\(", (ROOT / module).read_text("utf-8"), re.MULTILINE), function
        if symbol:
            pkgutil.resolve_name(symbol.strip("`"))


def test_every_decision_is_half_a_page_with_context_decision_and_consequences():
    for page in sorted((DOCS / "decisions").glob("0*.md")):
        text = page.read_text("utf-8")
        assert len(text.splitlines()) <= 40, page.name
        assert text.startswith(f"# {int(page.name[:4])}. "), page.name
        for part in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{page.name} lacks {part}"


def test_changelog_fragments_are_named_after_their_kind():
    kinds = {"added", "changed", "removed", "fixed", "security"}
    for fragment in (ROOT / "changelog.d").iterdir():
        if fragment.name != "README.md":
            assert re.fullmatch(r"\+[a-z0-9-]+\.([a-z]+)\.md", fragment.name), fragment.name
            assert fragment.name.split(".")[1] in kinds, fragment.name
            assert fragment.read_text("utf-8").strip(), fragment.name
