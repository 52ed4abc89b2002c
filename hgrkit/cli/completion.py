"""Completion of commands and options by the shell; its scripts are typer's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import PurePath

import typer

from hgrkit.errors import ConfigError

__all__ = ["completed", "install_completion", "show_completion", "with_shell"]

_OPTIONS = ("--install-completion", "--show-completion")
_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


def with_shell(arguments: Sequence[str]) -> list[str]:
    """Arguments in which `--install-completion` and its sister name the shell that they are for.

    Where the user names none it is the one that hgrkit was started from, or that of the login.
    """
    if not arguments or arguments[0] not in _OPTIONS or arguments[1:]:
        return list(arguments)
    import shellingham

    try:
        shell = shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure:
        shell = PurePath(os.environ.get("SHELL", "")).name
    return [arguments[0], shell]


def completed(commands: Iterable[str]) -> list[str]:
    """The commands to load: one, where a shell asks how to go on after its name; else all of them."""
    names = list(commands)
    if "_HGRKIT_COMPLETE" not in os.environ:
        return names
    from typer.completion import get_completion_inspect_parameters

    get_completion_inspect_parameters()  # makes typer's shells known, as its own two options would
    typed = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
    words = typed.split()
    after_name = len(words) > 2 or (len(words) == 2 and typed[-1].isspace())
    return [words[1]] if after_name and words[1] in names else names


def install_completion(context: typer.Context, parameter: typer.CallbackParam, shell: str | None) -> str | None:
    """Write a shell's script and name it in the shell's own settings.

    Raises:
        ConfigError: if it is a shell that typer does not know.
    """
    if _known(shell, context, parameter):
        from typer.completion import install_callback

        install_callback(context, parameter, shell)
    return shell


def show_completion(context: typer.Context, parameter: typer.CallbackParam, shell: str | None) -> str | None:
    """Print a shell's script.

    Raises:
        ConfigError: if it is a shell that typer does not know.
    """
    if _known(shell, context, parameter):
        from typer.completion import show_callback

        show_callback(context, parameter, shell)
    return shell


def _known(shell: str | None, context: typer.Context, parameter: typer.CallbackParam) -> bool:
    if shell is None or context.resilient_parsing:
        return False
    if shell not in _SHELLS:
        option = parameter.opts[0]
        found = f"there is no completion for {shell!r}" if shell else "it cannot be told which shell this is"
        raise ConfigError(f"{found}; type: hgrkit {option} bash (or {', '.join(_SHELLS[1:])})")
    return True
