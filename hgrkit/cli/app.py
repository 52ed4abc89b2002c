"""Gathers the commands and turns every error of ours into one line on stderr and exit status 2."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import hgrkit
from hgrkit.cli import (
    benchmarks,
    compact,
    compare,
    demo,
    evaluate,
    evaluate_parser,
    export,
    foils,
    index,
    info,
    parse,
    parsers,
    release,
    remove,
    repair,
    search,
    train,
    verify,
)
from hgrkit.errors import HgrkitError

__all__ = ["app", "main"]

_INTERRUPTED = 130

app = typer.Typer(
    name="hgrkit",
    help="Search video with sentences.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

index.register(app)
search.register(app)
parse.register(app)
parsers.register(app)
evaluate.register(app)
compare.register(app)
benchmarks.register(app)
foils.register(app)
evaluate_parser.register(app)
info.register(app)
verify.register(app)
repair.register(app)
compact.register(app)
export.register(app)
remove.register(app)
release.register(app)
train.register(app)
demo.register(app)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"hgrkit {hgrkit.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Search video with sentences: fine-grained retrieval with hierarchical graph reasoning."""
    del debug, version  # `main` looks for --debug itself, so that it holds wherever it stands


def main() -> None:
    """Run the command line; the entry point of the `hgrkit` script."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    try:
        app(args=[argument for argument in arguments if argument != "--debug"])
    except HgrkitError as error:
        if debug:
            raise
        typer.echo(f"hgrkit: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except OSError as error:  # a file that the user named and that cannot be read or written
        if debug:
            raise
        reason = error.strerror or str(error) or type(error).__name__
        typer.echo(f"hgrkit: {f'{error.filename}: ' if error.filename else ''}{reason}.", err=True)
        sys.exit(2)
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer's status for ctrl-c
            typer.echo("hgrkit: interrupted; what was finished is kept.", err=True)
        raise
