"""What holds where an option is not typed: variables of the environment and files, for what most commands need."""

from __future__ import annotations

import functools
import inspect
import os
import re
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from typer.models import OptionInfo

from hgrkit.cli.output import echo, echo_json, printable
from hgrkit.errors import ConfigError

__all__ = [
    "KEYS",
    "Setting",
    "config",
    "configured",
    "read_configuration",
    "remark",
    "untyped_options",
    "user_file",
]

KEYS = ("library", "model", "parser", "device")
PROJECT_FILE = "hgrkit.toml"

_COMMANDS = frozenset({"index", "watch", "search", "describe", "parse", "mcp", "serve"})
"""Commands whose options take them. What is measured or trained depends on what is typed alone."""

_DEVICES = ("auto", "cpu", "cuda", "mps")
_INSTALLED = re.compile(r"[\w.-]+(\s*,\s*[\w.-]+)*")
"""Names of what is installed: no path, and no argument that could be one."""


@attrs.frozen(kw_only=True)
class Setting:
    """A value, and where it was found.

    Attributes:
        key: `library`, `model`, `parser` or `device`.
        value: as an option would be typed.
        source: the name of the variable, or the path of the file.
        of_project: whether it is of the file in the current folder, which others may have written.
    """

    key: str
    value: str
    source: str
    of_project: bool = False


def user_file() -> Path:
    """The user's own file: `$XDG_CONFIG_HOME/hgrkit/config.toml`, or where the system keeps such files."""
    folder = os.environ.get("XDG_CONFIG_HOME")
    if folder:
        return Path(folder, "hgrkit", "config.toml")
    # platformdirs, which knows this, takes longer to import than all else that is read here.
    windows = os.environ.get("APPDATA") if os.name == "nt" else None
    return Path(windows or os.path.expanduser("~/.config"), "hgrkit", "config.toml")  # noqa: PTH111


def read_configuration() -> dict[str, Setting]:
    """Every setting that is made: a variable wins over a file, and the current folder's over the user's.

    Raises:
        ConfigError: if a file cannot be read, or names what is no setting or no value of one.
    """
    found = _of_file(user_file(), of_project=False)
    project = Path(PROJECT_FILE)
    if _is_trusted(project):
        found |= _of_file(project, of_project=True)
    for key in KEYS:
        variable = f"HGRKIT_{key.upper()}"
        if value := os.environ.get(variable):
            found[key] = _checked(Setting(key=key, value=value, source=variable))
    return found


def _is_trusted(file: Path) -> bool:
    """Whether the user, or the system's owner, wrote it: in a folder like /tmp anybody may leave one."""
    try:
        status = file.stat()
    except OSError:  # there is none, as a rule
        return False
    if os.name != "nt" and (status.st_uid not in (os.geteuid(), 0) or status.st_mode & 0o002):
        _warn(f"hgrkit: {file.absolute()} is not used: other users can write to it.")
        return False
    return True


@functools.cache  # a command may read the settings more than once
def _warn(line: str) -> None:
    echo(printable(line), err=True)


def _of_file(file: Path, *, of_project: bool) -> dict[str, Setting]:
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    import tomllib

    try:
        table = tomllib.loads(text.decode("utf-8"))
    except ValueError as error:
        raise ConfigError(f"{file} is not TOML: {error}.") from error
    return {key: _setting(file, key, value, of_project=of_project) for key, value in table.items()}


def _setting(file: Path, key: str, value: object, *, of_project: bool) -> Setting:
    if key not in KEYS:
        near = get_close_matches(key, KEYS, n=1)
        known = f"Did you mean {near[0]!r}?" if near else f"Settings: {', '.join(KEYS)}."
        raise ConfigError(f"{file}: there is no setting {key!r}. {known}")
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{file}: {key} must be a text, got {value!r}.")
    setting = _checked(Setting(key=key, value=value, source=str(file), of_project=of_project))
    if of_project and key in ("model", "parser") and not _is_installed_name(value):
        raise ConfigError(
            f"{file}: {key} must be the name of an installed one, got {value!r}; the file of a folder cannot "
            f"choose by path. Type --{key}, or set it in {user_file()}."
        )
    return attrs.evolve(setting, value=os.path.expanduser(value))  # noqa: PTH111 - raises nothing


def _is_installed_name(value: str) -> bool:
    # a model folder of that name in the current folder would win over the installed model
    return _INSTALLED.fullmatch(value) is not None and not Path(value).exists()


def _checked(setting: Setting) -> Setting:
    """Refuse what is no value, as far as that can be told without loading anything."""
    if setting.key == "device" and setting.value.partition(":")[0] not in _DEVICES:
        raise ConfigError(f"{setting.source}: device must be one of {', '.join(_DEVICES)}, got {setting.value!r}.")
    return setting


def configured(key: str) -> str | None:
    """A setting for a command that was told nothing itself; said aloud where a folder's file makes it."""
    setting = read_configuration().get(key)
    if setting is None:
        return None
    _say([setting])
    return setting.value


def untyped_options(name: str, function: Callable[..., Any], typed: Sequence[str]) -> dict[str, Any]:
    """What holds for the options of a command that are not typed, as click's `default_map` takes it.

    Args:
        name: the command.
        function: its function.
        typed: what was typed after its name.
    """
    if name not in _COMMANDS or {"--help", "-h"} & set(typed):
        return {}
    options = {
        key: parameter
        for key, parameter in inspect.signature(function, eval_str=True).parameters.items()
        if key in KEYS and key != "model" and isinstance(_info(parameter), OptionInfo)
    }
    open_ones = [key for key, parameter in options.items() if not _is_typed(_info(parameter), key, typed)]
    if not open_ones:
        return {}
    settings = read_configuration()
    chosen = [settings[key] for key in open_ones if key in settings]
    _say(chosen)
    return {one.key: [one.value] if "list[" in str(options[one.key].annotation) else one.value for one in chosen}


def _info(parameter: inspect.Parameter) -> Any:
    return next(iter(getattr(parameter.annotation, "__metadata__", ())), None)


def _is_typed(info: Any, key: str, typed: Sequence[str]) -> bool:
    given = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)] or [f"--{key}"]
    return any(
        word == spelling
        or (spelling.startswith("--") and word.startswith(f"{spelling}="))
        or (not spelling.startswith("--") and word.startswith(spelling) and not word.startswith("--"))
        for spelling in given
        for word in typed
    )


def _say(settings: Iterable[Setting]) -> None:
    """A folder's file never chooses in silence: it may have come with a download."""
    of_project = [f"{one.key} {one.value}" for one in settings if one.of_project]
    if of_project:
        echo(printable(f"{PROJECT_FILE}: {', '.join(of_project)}"), err=True)


def remark(line: str, typed: Sequence[str]) -> str:
    """What a message about a value does not say: that the value comes from a variable or a file.

    Args:
        line: the message.
        typed: what was typed after `hgrkit`.
    """
    try:
        settings = read_configuration().values()
    except ConfigError:  # the message is that one
        return ""
    named = [
        f"{one.key} is set by {one.source}"
        for one in settings
        if not any(word.startswith(f"--{one.key}") for word in typed)
        and (repr(one.value) in line or (one.key == "library" and one.value in line))
    ]
    return f" ({'; '.join(named)})" if named else ""


def config(json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Show what holds where an option is not typed, and where it comes from."""
    settings = read_configuration()
    if json:
        echo_json(
            {
                key: None if (one := settings.get(key)) is None else {"value": one.value, "source": one.source}
                for key in KEYS
            }
        )
        return
    for key in KEYS:
        one = settings.get(key)
        shown = "not set" if one is None else f"{one.value}  ({one.source})"
        echo(printable(f"{key:<8} {shown}"))
    echo(f"files    {PROJECT_FILE} in the current folder, then {user_file()}")
