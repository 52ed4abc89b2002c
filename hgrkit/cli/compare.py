"""`hgrkit compare`: two runs over the same queries, figure by figure, and whether the data can tell them apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hgrkit.cli.output import echo_json, plain_table, printable, stderr, stdout
from hgrkit.research import evaluation  # loads what is asked of it

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["compare"]


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="Ranks file of the first run.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Ranks file of the second run, with the same queries.")],
    measures: Annotated[
        str, typer.Option(help="Measures, separated by commas: R@k, MedR, MeanR, mRR, SumR, Rsum.")
    ] = "R@1,R@5,R@10,MedR,MeanR,Rsum",
    resamples: Annotated[int, typer.Option(help="Number of bootstrap resamples, and of permutations.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare two runs over the same queries."""
    wanted = evaluation.parse_measures(measures)
    with stderr().status("comparing"):
        found = evaluation.compare_ranks(
            evaluation.read_ranks(a),
            evaluation.read_ranks(b),
            wanted,
            bootstrap=evaluation.Bootstrap(resamples, seed),
        )
    if json:
        echo_json({"a": str(a), "b": str(b), **found.to_dict()})
        return
    stdout().print(_table(found))
    stdout().print(
        printable(f"A is {a}, B is {b}; {found.queries} queries of {found.videos} videos."), markup=False
    )
    stdout().print(found.verdict, markup=False)


def _table(found: evaluation.Comparison) -> Table:
    table = plain_table("", "A", "B", "B - A", "95 % interval", "p")
    for figure, difference in found.differences.items():
        low, high = difference.interval
        table.add_row(
            str(figure),
            f"{difference.a:.1f}",
            f"{difference.b:.1f}",
            f"{difference.difference:+.1f}",
            f"{low:+.1f} to {high:+.1f}",
            f"{difference.p_value:.4f}",
        )
    return table
