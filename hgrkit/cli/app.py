"""Gathers the commands and turns every error of ours into one line on stderr and exit status 2.

A command's module is imported when the command is asked for, so that a quick one does not wait for the others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

import hgrkit
from hgrkit.errors import HgrkitError

__all__ = ["COMMANDS", "command_line", "main"]

_INTERRUPTED = 130

COMMANDS = {
    "index": "index",
    "search": "search",
    "parse": "parse",
    "parsers": "parsers",
    "evaluate": "evaluate",
    "compare": "compare",
    "benchmarks": "benchmarks",
    "foils": "foils",
    "evaluate-parser": "evaluate_parser",
    "info": "info",
    "verify": "verify",
    "repair": "repair",
    "compact": "compact",
    "export": "export",
    "remove": "remove",
    "import-release": "release",
    "train": "train",
    "demo": "demo",
}
"""The commands in the order of the help text, each with the module of `hgrkit.cli` whose `register` adds it."""


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"hgrkit {hgrkit.__version__}")
        raise typer.Exit


def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Search video with sentences: fine-grained retrieval with hierarchical graph reasoning."""
    del debug, version  # `main` looks for --debug itself, so that it holds wherever it stands


def command_line(names: Iterable[str] = tuple(COMMANDS)) -> typer.Typer:
    """The command line with some of the commands; with all of them unless told otherwise."""
    app = typer.Typer(
        name="hgrkit",
        help="Search video with sentences.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in names:
        import_module(f"hgrkit.cli.{COMMANDS[name]}").register(app)
    return app


def main() -> None:
    """Run the command line; the entry point of the `hgrkit` script."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    app = command_line([asked]) if asked in COMMANDS else command_line()
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
    except ImportError as error:  # a library that is not installed whole, or does not fit another
        if debug:
            raise
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        typer.echo(
            f"hgrkit: a library cannot be loaded ({what}) in {sys.prefix}; install hgrkit in a fresh virtual "
            "environment.",
            err=True,
        )
        sys.exit(2)
    except SystemExit as end:
        if end.code == _INTERRUPTED:  # typer's status for ctrl-c
            typer.echo("hgrkit: interrupted; what was finished is kept.", err=True)
        raise
