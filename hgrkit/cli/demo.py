"""`hgrkit demo`: a first result, from footage that is already on the machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hgrkit.cli.output import echo, legend, stdout
from hgrkit.cli.progress import IndexBar
from hgrkit.cli.search import result_text

if TYPE_CHECKING:
    from hgrkit.demo import Demonstration

__all__ = ["demo"]


def demo(
    folder: Annotated[Path | None, typer.Option(help="Keep the footage and the library in this folder.")] = None,
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Hits for each question.")] = 3,
) -> None:
    """Index footage from installed packages, ask ten questions and show the hits."""
    from hgrkit.demo import demonstrate

    with tempfile.TemporaryDirectory(prefix="hgrkit-demo-") as scratch, IndexBar() as bar:
        demonstration = demonstrate(folder or Path(scratch), k=k, on_progress=bar.show)
    _show(demonstration)
    if folder is not None:
        echo(f'\nask more: hgrkit search "a cat" --library {folder / "library"}')


def _show(demonstration: Demonstration) -> None:
    console = stdout()
    for answer in demonstration.answers:
        console.print(Text(f"\n{answer.result.query}", style="bold cyan"))
        width = console.width if console.is_terminal else None
        console.print(result_text(answer.result, names_only=True, width=width))
        if not answer.right:
            console.print(Text(f"(wrong: {answer.right_video} shows it)", style="yellow"))
    hits = (hit for answer in demonstration.answers for hit in answer.result.hits)
    echo(f"\n{legend(phrase.role for hit in hits for phrase in hit.phrases)}")
    asked = len(demonstration.answers)
    echo(
        f"\nindexed {demonstration.report.indexed} videos, asked {asked} questions, "
        f"{demonstration.num_right} answered right by the first hit"
    )
