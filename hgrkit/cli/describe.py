"""`hgrkit describe`: which of some sentences fit a video."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hgrkit.cli.output import echo, echo_json, printable
from hgrkit.cli.usage import Trust
from hgrkit.errors import ConfigError, MissingPathError
from hgrkit.levels import LEVELS
from hgrkit.results import signed

__all__ = ["describe"]


def describe(
    library: Annotated[Path, typer.Argument(metavar="LIB", help="The library.")],
    video: Annotated[str, typer.Argument(help="A video of the library, or another one, which is decoded.")],
    sentences: Annotated[Path, typer.Option("--sentences", "-s", help="A file with one sentence a line.")],
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Number of sentences.")] = 10,
    parser: Annotated[str, typer.Option(help="Parser that reads the sentences.")] = "lark",
    device: Annotated[str, typer.Option(help="Where the model runs: auto, cpu, cuda or mps.")] = "cpu",
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Rank sentences by how well they fit a video, less what each scores with any clip."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # products for one video are too small to share
    from hgrkit.retriever import Retriever

    lines = _lines(sentences)
    with Retriever.open(library, parser=parser, device=device, trust=trust) as retriever:
        description = retriever.describe(video, lines, k=k)
    if json:
        echo_json(description.to_dict())
        return
    for sentence in description.sentences:
        levels = " ".join(f"{level} {signed(sentence.levels[level])}" for level in LEVELS)
        echo(f"{sentence.rank:>3}  {sentence.score:+.3f}  {printable(sentence.sentence)}  ({levels})")
    for note in description.notes:
        echo(printable(note), err=True)


def _lines(path: Path) -> list[str]:
    """The sentences of a file, one a line; empty lines are none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise MissingPathError(f"there is no file {str(path)!r}; give one with a sentence a line.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8; give a file with a sentence a line.") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ConfigError(f"{path} holds no sentence; write one a line.")
    return lines
