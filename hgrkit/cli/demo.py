"""`hgrkit demo`: a first result, from footage that is already on the machine."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hgrkit.cli.output import echo, legend, quoted, stdout
from hgrkit.cli.progress import IndexBar
from hgrkit.cli.search import result_text, show_hits
from hgrkit.errors import MissingPackageError

if TYPE_CHECKING:
    from hgrkit.demo import Demonstration

__all__ = ["demo"]


def demo(
    folder: Annotated[Path | None, typer.Option(help="Keep the footage and the library in this folder.")] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", "-k", min=1, help="Number of hits a question; by default 1 in a terminal, else 3."),
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Open a page to ask more, until interrupted.")] = False,
) -> None:
    """Index footage from installed packages, ask ten questions and show the hits."""
    from hgrkit.demo import demonstrate

    open_page = _page() if serve else None  # before the work: a package may be missing
    with tempfile.TemporaryDirectory(prefix="hgrkit-demo-") as scratch:
        kept = folder or Path(scratch)
        with IndexBar() as bar:
            demonstration = demonstrate(kept, k=k or (1 if stdout().is_terminal else 3), on_progress=bar.show)
        _show(demonstration)
        library = kept / "library"
        if folder is not None:
            echo(f'\nask more: hgrkit search "a cat" --library {quoted(str(library))}')
        if open_page is not None:
            open_page(library)


def _page() -> Callable[[Path], None]:
    """Return what serves a library and opens its page.

    Raises:
        MissingPackageError: if the extra `serve` is not installed.
    """
    try:
        server, settings = import_module("hgrkit.serve.server"), import_module("hgrkit.serve.settings")
    except ImportError as error:
        raise MissingPackageError(
            "demo --serve needs the extra serve; type: pip install 'hgrkit[serve]'"
        ) from error

    def on_ready(address: str) -> None:
        echo(f"\nask more at {address}; press Ctrl-C to stop.")
        sys.stdout.flush()
        # elsewhere the standard library would start a browser in the terminal
        if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
            import webbrowser

            webbrowser.open(address)

    def serve(library: Path) -> None:
        with suppress(KeyboardInterrupt):
            server.HttpServer(settings.ServeSettings(libraries=(library,), port=0)).run(on_ready)

    return serve


def _show(demonstration: Demonstration) -> None:
    """Each question as it would be typed, and below it what `hgrkit search` shows for it here."""
    console = stdout()
    for answer in demonstration.answers:
        if console.is_terminal:
            console.print(Text(f"\n$ hgrkit search {quoted(str(answer.result.query))}", style="bold cyan"))
            show_hits(answer.result)
        else:
            console.print(f"\n{answer.result.query}")
            console.print(result_text(answer.result, names_only=True))
        if not answer.right:
            console.print(Text(f"(wrong: {answer.right_video} shows it)", style="yellow"))
    if not console.is_terminal:
        hits = (hit for answer in demonstration.answers for hit in answer.result.hits)
        echo(f"\n{legend(phrase.role for hit in hits for phrase in hit.phrases)}")
    asked = len(demonstration.answers)
    echo(
        f"\nindexed {demonstration.report.indexed} videos, asked {asked} questions, "
        f"{demonstration.num_right} answered right by the first hit"
    )
