"""`hgrkit search`: a sentence in, ranked moments out."""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hgrkit.cli.output import clock, echo_json, printable, stdout
from hgrkit.errors import ConfigError

if TYPE_CHECKING:
    from hgrkit.explain.explanation import Explanation
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
    html: Annotated[Path | None, typer.Option(help="Also write a page here that shows why.")] = None,
    png: Annotated[Path | None, typer.Option(help="Also draw why as a picture into this file.")] = None,
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="Show film strips, in a terminal of many colours.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Search a library: the best videos, the moment in each, and when each phrase was seen."""
    from hgrkit.retriever import Retriever

    _check_names(html, png)
    with Retriever.open(library, parser=parser, device=device) as retriever:
        result = retriever.search(text, k=k)
        explanation = retriever.explain(result) if html or png or thumbnails else None
    if explanation is not None:
        _save(explanation, html, png)
    if json:
        echo_json(result.to_dict())
    elif result.hits:
        _show(result, explanation if thumbnails else None)
    else:
        typer.echo("the library holds no video yet")


def _check_names(html: Path | None, png: Path | None) -> None:
    """Refuse before anything is searched what could not be written afterwards."""
    if html is not None and html.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--html writes a file that ends in .html, got {html.name!r}.")
    if png is not None:
        from hgrkit.explain.canvas import require_pillow

        if png.suffix.lower() != ".png":
            raise ConfigError(f"--png writes a file that ends in .png, got {png.name!r}.")
        require_pillow()


def _save(explanation: Explanation, *paths: Path | None) -> None:
    for path in paths:
        if path is not None:
            explanation.save(path)


def _show(result: SearchResult, explanation: Explanation | None) -> None:
    """A table where a person looks on, lines of text where a program reads."""
    console = stdout()
    if console.is_terminal and console.encoding.startswith("utf"):
        from hgrkit.cli.search_table import search_table

        pictures = explanation if console.color_system == "truecolor" else None
        console.print(search_table(result, console.width, explanation=pictures), soft_wrap=False)
    else:
        console.print(result_text(result))


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
