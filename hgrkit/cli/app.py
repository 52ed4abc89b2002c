"""Gathers the commands and turns every error of ours into one line on stderr and exit status 2.

A command's module is imported when the command is asked for, so that a quick one does not wait for the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path, PurePath
from types import NoneType
from typing import Annotated, Any, NoReturn, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

import hgrkit
from hgrkit.cli.configuration import remark, untyped_options
from hgrkit.cli.output import echo
from hgrkit.cli.plain_arguments import plain_arguments
from hgrkit.cli.usage import USAGE_ERROR, usage_line
from hgrkit.errors import ConfigError, HgrkitError
from hgrkit.storage.atomic_file import full_disk

__all__ = ["COMMANDS", "command_line", "error_line", "main"]

_INTERRUPTED = 130
_NO_READER = 141
"""What a shell reports of a program that a closed pipe ended."""

_METAVARS = {str: "TEXT", Path: "PATH", int: "N", float: "NUMBER"}
"""What the help calls the values of options."""

_COMPLETION_OPTIONS = ("--install-completion", "--show-completion")
_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")

COMMANDS = {
    "index": "index",
    "watch": "watch",
    "search": "search",
    "describe": "describe",
    "duplicates": "duplicates",
    "parse": "parse",
    "parsers": "parse",
    "plugins": "plugins",
    "evaluate": "evaluate",
    "compare": "compare",
    "benchmarks": "benchmarks",
    "foils": "foils",
    "evaluate-parser": "evaluate_parser",
    "info": "library",
    "verify": "library",
    "repair": "library",
    "backup": "library",
    "compact": "library",
    "export": "library",
    "remove": "library",
    "tag": "library",
    "tune": "tune",
    "features": "features",
    "import-release": "train",
    "train": "train",
    "export-onnx": "train",
    "mcp": "mcp",
    "serve": "serve",
    "config": "configuration",
    "demo": "demo",
}
"""The commands in the order of the help text, each with the module of `hgrkit.cli` that has its function."""


class _PlainCommand(TyperCommand):
    """A command whose help says PATH and not <path>, and nothing instead of <bool>."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the values of options named."""
        _name_values(self, ctx)
        super().format_help(ctx, formatter)


class _PlainGroup(TyperGroup):
    """The same for `hgrkit` itself."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the values of options named."""
        _name_values(self, ctx)
        super().format_help(ctx, formatter)


def _name_values(command: Any, context: Any) -> None:
    hints = get_type_hints(command.callback)
    for parameter in command.get_params(context):
        if parameter.param_type_name == "argument":
            parameter.metavar = parameter.metavar or parameter.name.upper()
            parameter.display_type_rich = _nothing  # releases of typer that have no such method show PATH
        elif parameter.metavar is None:
            parameter.metavar = "" if parameter.is_flag else _METAVARS.get(_kind(hints.get(parameter.name)))


def _nothing(ctx: Any) -> None:
    """The type of an argument: its name says as much."""


def _kind(hint: Any) -> Any:
    """The type of a value: of `list[Path] | None` it is `Path`."""
    inner = [kind for kind in get_args(hint) if kind is not NoneType]
    return _kind(inner[0]) if inner and isinstance(inner[0], type) else hint


def _completion(context: typer.Context, parameter: typer.CallbackParam, shell: str | None) -> str | None:
    """Print a shell's script, or write it and name it in the shell's own settings."""
    if shell is None or context.resilient_parsing:
        return shell
    if shell not in _SHELLS:
        found = f"there is no completion for {shell!r}" if shell else "the shell cannot be recognised"
        raise ConfigError(f"{found}; type: hgrkit {parameter.opts[0]} bash (or {', '.join(_SHELLS[1:])})")
    from typer.completion import install_callback, show_callback

    (show_callback if "--show-completion" in parameter.opts else install_callback)(context, parameter, shell)
    return shell


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
            help="Install completion of commands and options: bash, zsh, fish or powershell.",
            callback=_completion,
            is_eager=True,
        ),
    ] = None,
    show_shell: Annotated[
        str | None,
        typer.Option(
            "--show-completion",
            metavar="[SHELL]",
            help="Print the completion script.",
            callback=_completion,
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
        cls=_PlainGroup,
        help="Search video with sentences.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in names:
        app.command(name, cls=_PlainCommand)(_function(name))
    return app


def _function(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module(f"hgrkit.cli.{COMMANDS[name]}"), name.replace("-", "_"))
    return function


def _ready_command(arguments: Sequence[str], defaults: Mapping[str, Any]) -> typer.Typer | None:
    """The command that was asked for with all that was typed, where nothing is left for typer to read."""
    if arguments[0] not in COMMANDS or "_HGRKIT_COMPLETE" in os.environ:
        return None
    function = _function(arguments[0])
    values = plain_arguments(function, arguments[1:], defaults)
    if values is None:
        return None
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(arguments[0], add_help_option=False)(lambda: function(**values))
    return app


def _defaults(arguments: Sequence[str]) -> dict[str, Any]:
    """What variables and files say of the options that were not typed."""
    if arguments[0] not in COMMANDS or "_HGRKIT_COMPLETE" in os.environ:
        return {}
    return untyped_options(arguments[0], _function(arguments[0]), arguments[1:])


def _with_shell(arguments: Sequence[str]) -> list[str]:
    """Arguments in which `--install-completion` and its sister name the shell that they are for.

    Where the user names none it is the one that hgrkit was started from, or that of the login.
    """
    if not arguments or arguments[0] not in _COMPLETION_OPTIONS or arguments[1:]:
        return list(arguments)
    import shellingham

    try:
        shell = shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure:
        shell = PurePath(os.environ.get("SHELL", "")).name
    return [arguments[0], shell]


def _completed(commands: Iterable[str]) -> list[str]:
    """The commands to load: one, where a shell completes what follows its name; else all of them."""
    names = list(commands)
    if "_HGRKIT_COMPLETE" not in os.environ:
        return names
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()  # makes typer's shells known, as its own two options would
    typed = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    words = typed.split()
    after_name = len(words) > 2 or (len(words) == 2 and typed[-1].isspace())
    return [words[1]] if after_name and words[1] in names else names


def main() -> None:
    """Run the command line; the entry point of the `hgrkit` script."""
    _replace_unencodable()
    debug = "--debug" in sys.argv[1:]
    arguments = _with_shell([argument for argument in sys.argv[1:] if argument != "--debug"]) or ["--help"]
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    try:
        defaults = _defaults(arguments)
        # Only the module of the command that was asked for is imported; a shell that completes needs them all.
        ready = _ready_command(arguments, defaults)
        app = ready or command_line([asked] if asked in COMMANDS else _completed(COMMANDS))
        status = app(
            args=[] if ready else arguments,
            prog_name="hgrkit",
            standalone_mode=False,
            default_map=None if ready else {arguments[0]: defaults},
        )
    except USAGE_ERROR as error:
        _fail(usage_line(error, arguments, {**dict.fromkeys(COMMANDS), **typer.main.get_group(app).commands}))
    except (HgrkitError, OSError, ImportError) as error:
        if debug:
            raise
        if not isinstance(error.__cause__, KeyboardInterrupt):  # else a library was being loaded when ctrl-c came
            line = error_line(error)
            _fail(f"{line}{remark(line, arguments)}")
        status = _INTERRUPTED
    except SystemExit as end:  # click's and rich's, after a pipe was closed; completion's own
        if isinstance(end.__context__, BrokenPipeError):
            _exit_silently()
        raise
    if status == _INTERRUPTED:  # typer's status for ctrl-c
        echo("hgrkit: interrupted; finished work is kept.", err=True)
    if status:
        sys.exit(status)


def _replace_unencodable() -> None:
    """Replace characters that the output's encoding lacks, so that the name of a file never ends a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail(line: str) -> NoReturn:
    """One line on stderr and exit status 2."""
    try:
        echo(f"hgrkit: {line}", err=True)
    except BrokenPipeError:
        _exit_silently()
    sys.exit(2)


def error_line(error: HgrkitError | OSError | ImportError) -> str:
    """What is wrong, in one line."""
    said = " ".join(str(error).split())
    if isinstance(error, HgrkitError):
        return said
    if isinstance(error, OSError):
        return _system_line(error)
    # A library is not installed whole, or does not fit another.
    what = f"{type(error).__name__}: {said}"
    return f"a library cannot be loaded ({what}) in {sys.prefix}; install hgrkit in a fresh virtual environment."


def _system_line(error: OSError) -> str:
    """What is wrong with a file that cannot be read or written, or with the output."""
    if isinstance(error, BrokenPipeError):
        _exit_silently()
    full = full_disk(error.errno)
    reason = full or error.strerror or str(error) or type(error).__name__
    name = "standard output" if error.filename is None and full else error.filename  # every file has its name
    return f"{'' if name is None or str(name) in reason else f'{name}: '}{reason.rstrip('.')}."


def _exit_silently() -> NoReturn:
    """Exit without a word when the reader of the output, such as `head`, has closed it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # there may be no such stream
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(_NO_READER)
