"""Gathers the commands and turns every error of ours into one line on stderr and exit status 2.

A command's module is imported when the command is asked for, so that a quick one does not wait for the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

import hgrkit
from hgrkit.cli.completion import completed, install_completion, show_completion, with_shell
from hgrkit.cli.output import echo
from hgrkit.cli.usage import USAGE_ERROR, usage_line
from hgrkit.errors import HgrkitError
from hgrkit.storage.writing import full_disk

__all__ = ["COMMANDS", "command_line", "main"]

_INTERRUPTED = 130
_NO_READER = 141
"""What a shell reports of a program that a closed pipe ended."""

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
    "backup": "backup",
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
        echo(f"hgrkit {hgrkit.__version__}")
        raise typer.Exit


def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
    install_shell: Annotated[
        str | None,
        typer.Option(
            "--install-completion",
            metavar="[SHELL]",
            help="Complete commands and options in the shell: bash, zsh, fish or powershell.",
            callback=install_completion,
            is_eager=True,
        ),
    ] = None,
    show_shell: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            metavar="[SHELL]",
            help="Show the script that does so.",
            callback=show_completion,
            is_eager=True,
        ),
    ] = None,
) -> None:
    """Search video with sentences: fine-grained retrieval with hierarchical graph reasoning."""
    del version, install_shell, show_shell
    del debug  # `main` looks for --debug itself, so that it holds wherever it stands


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
    _replace_what_cannot_be_shown()
    debug = "--debug" in sys.argv[1:]
    arguments = with_shell([argument for argument in sys.argv[1:] if argument != "--debug"]) or ["--help"]
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    app = command_line([asked]) if asked in COMMANDS else command_line(completed(COMMANDS))
    try:
        status = app(args=arguments, prog_name="hgrkit", standalone_mode=False)
    except USAGE_ERROR as error:
        _fail(usage_line(error, arguments, {**dict.fromkeys(COMMANDS), **typer.main.get_group(app).commands}))
    except (HgrkitError, OSError, ImportError) as error:
        if debug:
            raise
        if not isinstance(error.__cause__, KeyboardInterrupt):  # else a library was being loaded when ctrl-c came
            _fail(_line(error))
        status = _INTERRUPTED
    except SystemExit as end:  # click's and rich's, after a pipe was closed; completion's own
        if isinstance(end.__context__, BrokenPipeError):
            _end_quietly()
        raise
    if status == _INTERRUPTED:  # typer's status for ctrl-c
        echo("hgrkit: interrupted; what was finished is kept.", err=True)
    if status:
        sys.exit(status)


def _replace_what_cannot_be_shown() -> None:
    """Characters that the output's encoding lacks become question marks; a name of a file must not end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail(line: str) -> NoReturn:
    """One line on stderr and exit status 2."""
    try:
        echo(f"hgrkit: {line}", err=True)
    except BrokenPipeError:
        _end_quietly()
    sys.exit(2)


def _line(error: HgrkitError | OSError | ImportError) -> str:
    """What is wrong, in one line."""
    said = " ".join(str(error).split())
    if isinstance(error, HgrkitError):
        return said
    if isinstance(error, OSError):
        return _said_by_the_system(error)
    # A library is not installed whole, or does not fit another.
    what = f"{type(error).__name__}: {said}"
    return f"a library cannot be loaded ({what}) in {sys.prefix}; install hgrkit in a fresh virtual environment."


def _said_by_the_system(error: OSError) -> str:
    """What is wrong with a file that cannot be read or written, or with the output."""
    if isinstance(error, BrokenPipeError):
        _end_quietly()
    full = full_disk(error.errno)
    reason = full or error.strerror or str(error) or type(error).__name__
    name = "standard output" if error.filename is None and full else error.filename  # every file has its name
    return f"{'' if name is None or str(name) in reason else f'{name}: '}{reason.rstrip('.')}."


def _end_quietly() -> NoReturn:
    """End as any program does whose reader has left, such as `head`: without a word, now and as Python ends."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # there may be no such stream
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(_NO_READER)
