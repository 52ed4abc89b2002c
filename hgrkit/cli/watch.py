"""`hgrkit watch`: indexes what arrives in folders, until it is interrupted."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from hgrkit.cli.index import decode_limits, opened_to_write, report_counts, report_remarks
from hgrkit.cli.output import echo, echo_json, printable
from hgrkit.cli.progress import IndexBar
from hgrkit.cli.usage import Trust
from hgrkit.errors import LibraryLockedError

if TYPE_CHECKING:
    from hgrkit.errors import HgrkitError
    from hgrkit.indexing.report import IndexReport
    from hgrkit.indexing.walk import Walk

__all__ = ["watch"]


def watch(
    paths: Annotated[list[str], typer.Argument(metavar="FOLDER...", help="Folders of videos.")],
    library: Annotated[
        Path, typer.Option("--library", "-l", metavar="LIB", help="The library; created if it does not exist.")
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Installed model or model folder. A new library takes `default`."),
    ] = None,
    settle: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="Index a file when it has not changed for so long."),
    ] = 5.0,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove videos whose files are gone from the library.")
    ] = False,
    device: Annotated[
        str, typer.Option(metavar="DEVICE", help="Where the model runs: auto, cpu, cuda or mps.")
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Decoding processes; by default one a core, at most 4."),
    ] = None,
    decode_seconds: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Give up on a video whose decoder makes no progress for so long."),
    ] = 60.0,
    decode_memory_gb: Annotated[
        float, typer.Option(metavar="GB", help="Memory limit for decoding one video.")
    ] = 2.0,
    trust: Trust = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each run, on a line.")] = False,
) -> None:
    """Watch folders and index what arrives, once it is complete, until interrupted."""
    from hgrkit.indexing.walk import require_videos
    from hgrkit.indexing.watch import FolderWatch, watch_folders

    chosen = {"model": model, "device": device}
    options: dict[str, Any] = {
        "limits": decode_limits(decode_seconds, decode_memory_gb),
        "num_workers": workers,
    }
    folders = FolderWatch(paths, settle_s=settle)
    require_videos(paths)
    # What is wrong from the beginning ends the command. A library that is gone later is never made anew: its drive
    # may be away.
    with suppress(LibraryLockedError):  # another process writes to it: that is waited for
        opened_to_write(library, "lark", chosen, trust=trust).close()

    def index(walk: Walk, may_prune: bool) -> IndexReport:
        # Opened for each run: between runs others may write, and the model takes no memory.
        with opened_to_write(library, "lark", chosen, trust=trust, create=False) as retriever, IndexBar() as bar:
            return retriever.index(walk, **options, prune=prune and may_prune, on_progress=bar.show)

    def on_report(report: IndexReport) -> None:
        if json:
            echo_json(report.to_dict())
        else:
            for line in report_remarks(report, library):
                echo(_dated(line), err=True)
            echo(_dated(report_counts(report)))
        sys.stdout.flush()

    interruption = _Interruption()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption)
    echo(f"watching {printable(', '.join(paths))}; press Ctrl-C to stop.", err=True)
    try:
        watch_folders(folders, index, on_report=on_report, on_problem=_show_problem, sleep=interruption.sleep)
    except KeyboardInterrupt:
        echo("stopped; what was finished is kept.", err=True)


class _Interruption:
    """What a signal does: interrupt, at the next pause if it came in a finalizer, where exceptions are lost."""

    def __init__(self) -> None:
        self._came = False

    def __call__(self, *_: object) -> NoReturn:
        self._came = True
        raise KeyboardInterrupt

    def sleep(self, seconds: float) -> None:
        if self._came:
            raise KeyboardInterrupt
        time.sleep(seconds)


def _show_problem(error: HgrkitError | OSError) -> None:
    from hgrkit.cli.app import error_line

    echo(_dated(f"{error_line(error).rstrip('.')}; trying again."), err=True)


def _dated(line: str) -> str:
    return f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S} {printable(line)}"
