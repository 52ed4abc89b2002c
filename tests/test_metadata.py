"""What is said of the package is true: its metadata, the page on installation, the README of a package index."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "installation.md").read_text("utf-8")
PROJECTS = [
    pytest.param(tomllib.loads(path.read_text("utf-8"))["project"], id=path.parent.name)
    for path in (ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml")))
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

each_project = pytest.mark.parametrize("project", PROJECTS)


def same(requirements):
    return {(each.name, each.specifier, str(each.marker)) for each in map(Requirement, requirements)}


def bounds(python):
    """Each package's releases that a Python may have, as the table of the page spells them."""
    allowed: dict[str, SpecifierSet] = {}
    for requirement in map(Requirement, PROJECT["project"]["dependencies"]):
        if requirement.marker is None or requirement.marker.evaluate({"python_version": python}):
            allowed[requirement.name] = allowed.get(requirement.name, SpecifierSet()) & requirement.specifier
    return {name: spelled(specifiers) for name, specifiers in allowed.items()}


def spelled(specifiers):
    """As in "14.2, not 17.0": the highest lower bound, and what is left out."""
    lower = [each.version for each in specifiers if each.operator == ">="]
    left_out = [each.version.removesuffix(".*") for each in specifiers if each.operator == "!="]
    assert len(lower) + len(left_out) == len(specifiers), f"the page has no words for {specifiers}"
    highest = max(lower, key=lambda version: [int(part) for part in version.split(".")])
    return ", ".join([highest, *(f"not {version}" for version in left_out)])


def rows(heading):
    """The cells of the table below a heading of the page."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@each_project
def test_the_installed_metadata_is_that_of_the_checkout(project):
    try:
        installed = metadata.metadata(project["name"])
    except metadata.PackageNotFoundError:
        pytest.skip(f"{project['name']} is not installed")
    stale = "the installed metadata are older than pyproject.toml: install it again"
    assert installed["Requires-Python"] == project["requires-python"], stale
    assert installed["License-Expression"] == project["license"], stale
    assert set(installed.get_all("License-File", [])) == set(project.get("license-files", ())), stale
    requires = [line for line in installed.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert same(requires) == same(project["dependencies"]), stale


@each_project
def test_every_package_tells_its_addresses_and_pythons(project):
    assert set(project["urls"]) == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert all(url.startswith(PROJECT["project"]["urls"]["Homepage"]) for url in project["urls"].values())
    assert pythons_tried() == {line.rpartition(" ")[2] for line in project["classifiers"] if ":: 3." in line}
    assert min(pythons_tried()) in project["requires-python"]


def pythons_tried():
    """The Pythons that the page calls tested."""
    return {
        python for cell, state in rows("Pythons")[2:] if state.startswith("tested") for python in cell.split(", ")
    }


def test_the_page_has_the_bounds_of_every_package_on_every_python():
    head, _, *body = rows("What is installed")
    for column, pythons in enumerate(head[1:-1], start=1):
        table = {cells[0].strip("`"): cells[column] for cells in body}
        for python in pythons.split(", "):
            assert table == bounds(python), f"Python {python}"


def test_the_page_names_the_version_of_torch_that_the_constraints_pin():
    (pinned,) = re.findall(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert f"with torch {pinned}" in PAGE
    assert Requirement(f"torch=={pinned}").specifier & SpecifierSet(">=2.6")


def test_every_extra_and_plugin_is_on_the_page():
    named = "\n".join(cells[0] for cells in rows("Extras and plugins"))
    for extra in PROJECT["project"]["optional-dependencies"]:
        assert f"`.[{extra}]`" in named
    for plugin in ROOT.glob("plugins/*/pyproject.toml"):
        assert f"`./plugins/{plugin.parent.name}`" in named


def test_the_licence_names_the_terms_of_every_table_in_the_wheel():
    notice = (ROOT / "hgrkit/parsing/NOTICE").read_text("utf-8")
    terms = PROJECT["project"]["license"].split(" AND ")
    for words, licence in [("Attribution-ShareAlike 4.0", "CC-BY-SA-4.0"), ("MIT licence", "MIT")]:
        assert (words in notice) == (licence in terms)
    assert "hgrkit/parsing/NOTICE" in PROJECT["project"]["license-files"]


def test_on_a_package_index_no_link_or_picture_of_the_readme_is_relative():
    text = (ROOT / "README.md").read_text("utf-8")
    for each in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    targets = re.findall(r"\]\(([^)]*)\)", text)
    assert len(targets) > 10
    assert [target for target in targets if not target.startswith("https://")] == []
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    assert pictures
    assert all(picture.startswith("https://raw.") for picture in pictures)
    inside = [target.partition("/main/")[2].partition("#")[0] for target in targets if "/hgrkit/" in target]
    assert [path for path in inside if not (ROOT / path).exists()] == []
