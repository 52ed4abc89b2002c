"""`hgrkit benchmarks`: which benchmarks there are, and whether a folder holds all of one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from hgrkit.cli.output import echo, echo_json, printable, stdout

if TYPE_CHECKING:
    from hgrkit.research.datasets.benchmark import Recipe

__all__ = ["benchmarks"]

_INCOMPLETE = 1
_COLUMNS = ("name", "task", "split", "queries", "videos", "files")
_DESCRIBED = ("name", "aliases", "task", "split", "queries", "videos", "files", "protocol", "citation")


def benchmarks(
    name: Annotated[
        str | None, typer.Argument(help="A benchmark, such as msr-vtt/1k-a; default: list all.")
    ] = None,
    annotations: Annotated[
        Path | None, typer.Option(help="Folder of its published annotation files, or its parent.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the benchmarks, describe one, or check its files. Exit status 1 if they are incomplete."""
    from hgrkit.errors import ConfigError
    from hgrkit.research.datasets.catalogue import RECIPES, find_recipe

    if name is None:
        if annotations is not None:
            raise ConfigError(
                "name the benchmark whose files are in --annotations; `hgrkit benchmarks` lists them."
            )
        _list(RECIPES, json=json)
    elif annotations is None:
        _describe(find_recipe(name), json=json)
    else:
        _check(find_recipe(name), annotations, json=json)


def _check(recipe: Recipe, annotations: Path, *, json: bool) -> None:
    benchmark = recipe.open(annotations)
    for problem in benchmark.problems:
        echo(printable(problem), err=True)
    if json:
        echo_json(benchmark.to_dict())
    else:
        counts = f"{len(benchmark.captions):,} queries, {len(benchmark.videos):,} videos"
        state = "complete" if benchmark.complete else "not complete"
        echo(f"{benchmark.name} ({benchmark.split}): {counts}; {state}")
    if not benchmark.complete:
        raise typer.Exit(_INCOMPLETE)


def _describe(recipe: Recipe, *, json: bool) -> None:
    if json:
        echo_json(_row(recipe))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in _row(recipe).items():
        table.add_row(key, Text(", ".join(value) if isinstance(value, list) else _shown(value)))
    stdout().print(table)


def _list(recipes: tuple[Recipe, ...], *, json: bool) -> None:
    rows = [_row(recipe) for recipe in recipes]
    if json:
        echo_json({"benchmarks": rows})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in _COLUMNS:
        cells = [_shown(row[column]) for row in rows]
        width = max(map(len, [column, *cells])) if column != "files" else None
        table.add_column(
            column,
            justify="right" if column in ("queries", "videos") else "left",
            min_width=width,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(_shown(row[column])) for column in _COLUMNS))
    stdout().print(table)


def _row(recipe: Recipe) -> dict[str, object]:
    row = {name: getattr(recipe, name) for name in _DESCRIBED}
    return {**row, "aliases": list(recipe.aliases)}


def _shown(value: object) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
