"""`hgrkit search`: a sentence in, ranked moments out."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hgrkit.cli.output import clock, echo_json, printable, stdout

if TYPE_CHECKING:
    from hgrkit.results import Hit, SearchResult

__all__ = ["register", "result_text"]


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
        stdout().print(result_text(result))
    else:
        typer.echo("the library holds no video yet")


def result_text(result: SearchResult, *, names_only: bool = False) -> Text:
    """Hits as text: rank, score, video and moment, and below them what became of every phrase."""
    return Text("\n").join(_hit(hit, PurePath(hit.video).name if names_only else hit.video) for hit in result.hits)


def _hit(hit: Hit, video: str) -> Text:
    phrases = [
        Text.assemble(
            (printable(phrase.text), "italic"),
            f" {phrase.role} {phrase.similarity:+.2f} at {clock(phrase.best_time_s)}",
        )
        for phrase in hit.phrases
    ]
    return Text.assemble(
        (f"{hit.rank:>3}", "bold"),
        f"  {hit.score:.3f}  ",
        (printable(video), "bold"),
        f"  {clock(hit.start_s)}-{clock(hit.end_s)}",
        ("\n            " if phrases else ""),
        Text("  |  ").join(phrases),
    )
