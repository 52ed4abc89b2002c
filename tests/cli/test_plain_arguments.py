"""What is typed plainly is read as typer reads it, and all else is left to typer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
import typer

from hgrkit.cli.plain_arguments import plain_arguments


def sample(
    place: Annotated[str, typer.Argument(help="A word.")],
    more: Annotated[list[Path] | None, typer.Argument(help="Paths.")] = None,
    number: Annotated[int | None, typer.Option("--number", "-n", min=1, max=9)] = None,
    share: Annotated[float, typer.Option(help="A number.")] = 0.5,
    many: Annotated[list[str] | None, typer.Option("--each")] = None,
    mode: Annotated[Literal["slow", "fast"], typer.Option(help="Which.")] = "slow",
    some_folder: Annotated[Path | None, typer.Option(help="A folder.")] = None,
    flag: Annotated[bool, typer.Option("--flag", "-f")] = False,
) -> dict[str, Any]:
    """A command with a parameter of every kind."""
    return dict(locals())


def as_typer_reads(arguments):
    app = typer.Typer(add_completion=False)
    app.command()(sample)
    return app(args=list(arguments), standalone_mode=False)


@pytest.mark.parametrize(
    "typed",
    [
        "one",
        "one two three",
        "one --number 3 two",
        "-n 9 one -f",
        "--number=1 one --flag --share 1.25",
        "one --share=2 --each a --each b --each=c",
        "--mode fast one --some-folder a/b",
        "one --some-folder=x=y",
        "ein-Wort ÄÖ",
    ],
)
def test_what_is_typed_plainly_is_read_as_typer_reads_it(typed):
    found = plain_arguments(sample, typed.split())
    assert found == as_typer_reads(typed.split())
    assert list(map(type, found.values())) == list(map(type, as_typer_reads(typed.split()).values()))


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "one --help",
        "one -h",
        "one --unknown",
        "one --num 3",
        "one -n9",
        "one -n=9",
        "one --number",
        "one --number=",
        "one --number 10",
        "one --number 0",
        "one --number three",
        "one --number 3.0",
        "one --number 1_0",
        "one --number 3 --number 4",
        "one --share -1",
        "one --share 1e3",
        "one --share nan",
        "one --mode medium",
        "one --some-folder --flag",
        "one --flag=yes",
        "-- one",
        "one -",
        "\udcff",
    ],
)
def test_what_leaves_a_doubt_is_left_to_typer(typed):
    assert plain_arguments(sample, typed.split()) is None


def a_callback(place: Annotated[str, typer.Option(callback=str)]) -> None: ...
def from_the_environment(place: Annotated[str, typer.Option(envvar="PLACE")]) -> None: ...
def two_options(on: Annotated[bool, typer.Option()] = False) -> None: ...
def two_named_options(on: Annotated[bool, typer.Option("--on/--off")] = False) -> None: ...
def a_pair(place: Annotated[tuple[int, int], typer.Option()] = (1, 2)) -> None: ...
def not_annotated(place: str = "") -> None: ...


@pytest.mark.parametrize(
    "command", [a_callback, from_the_environment, two_options, two_named_options, a_pair, not_annotated]
)
def test_a_parameter_that_only_typer_can_use_is_left_to_typer(command):
    assert plain_arguments(command, ["--place", "x"]) is None
    assert plain_arguments(command, []) is None


def test_the_commands_that_people_wait_for_are_read_plainly():
    from hgrkit.cli.index import index
    from hgrkit.cli.search import search

    asked = plain_arguments(search, ["a dog", "--library", "lib", "-k", "3", "--json"])
    assert (asked["text"], asked["library"], asked["k"], asked["json"]) == ("a dog", [Path("lib")], 3, True)
    asked = plain_arguments(index, ["a", "b", "-l", "lib", "--workers", "2"])
    assert (asked["paths"], asked["library"], asked["workers"]) == (["a", "b"], Path("lib"), 2)
