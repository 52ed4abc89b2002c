"""`hgrkit search`: a sentence in, ranked moments out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from hgrkit.cli.output import clock, echo_json, printable, stdout

if TYPE_CHECKING:
    from hgrkit.results import Hit, SearchResult

__all__ = ["register", "result_table"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("search")(search)


def search(
    text: Annotated[str, typer.Argument(help="What to look for, in words.")],
    library: Annotated[Path, typer.Option("--library", "-l", help="The library to search.")],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Number of hits.")] = 10,
    parser: Annotated[str, typer.Option(help="Parser that reads the text.")] = "lark",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "cpu",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Search a library: the best videos, the moment in each, and when each phrase was seen."""
    from hgrkit.retriever import Retriever

    with Retriever.open(library, parser=parser, device=device) as retriever:
        result = retriever.search(text, k=k)
    if json:
        echo_json(result.to_dict())
    elif result.hits:
        stdout().print(result_table(result))
    else:
        typer.echo("the library holds no video yet")


def result_table(result: SearchResult) -> Table:
    """Hits as rows: rank, score, video, moment, and the time at which each phrase is seen best."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("score", justify="right")
    table.add_column("video", overflow="fold")
    table.add_column("moment", no_wrap=True)
    table.add_column("phrases, with role, similarity and best time", overflow="fold")
    for hit in result.hits:
        table.add_row(
            str(hit.rank),
            f"{hit.score:.3f}",
            Text(printable(hit.video)),
            f"{clock(hit.start_s)}-{clock(hit.end_s)}",
            _phrases(hit),
        )
    return table


def _phrases(hit: Hit) -> Text:
    parts = []
    for phrase in hit.phrases:
        seen = f"{phrase.role} {phrase.similarity:+.2f} at {clock(phrase.best_time_s)}"
        parts.append(Text.assemble((printable(phrase.text), "bold"), f" ({seen})"))
    return Text("; ").join(parts)
