"""Reads what is typed after a command where it is plain, so that typer need not load pydantic to read it.

That took a fifth of a fresh search. Help, mistakes and every spelling that leaves a doubt are typer's.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import attrs
from typer.models import ArgumentInfo, OptionInfo

__all__ = ["plain_arguments"]

_PLAIN = {int: r"\d{1,15}", float: r"\d{1,15}(\.\d{1,15})?", str: r"[^-].*", Path: r"[^-].*"}
"""Texts that mean the same to everybody who reads them as that type; one that begins with a dash does not."""

_UNUSUAL = ("callback", "click_type", "count", "default_factory", "envvar", "parser", "prompt")
"""What a parameter may have that only typer knows how to use."""


class _DoubtError(Exception):
    """What was typed is for typer to read."""


@attrs.frozen(kw_only=True)
class _Parameter:
    """A parameter of a command.

    Attributes:
        kind: the type of its value, or of each of its values.
        many: whether it takes a list.
        spellings: of the option, such as `--library` and `-l`; none for an argument.
        info: what typer was told of it.
        default: its value where nothing is typed; `inspect.Parameter.empty` if something has to be.
    """

    kind: Any
    many: bool
    spellings: tuple[str, ...]
    info: Any
    default: Any

    @classmethod
    def of(cls, name: str, hint: Any, default: Any) -> _Parameter:
        kind, *infos = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if get_origin(kind) in (Union, UnionType):  # of a type and None
            kind = next(one for one in get_args(kind) if one is not NoneType)
        many = get_origin(kind) is list
        if many:
            (kind,) = get_args(kind)
        if kind is not bool and kind not in _PLAIN and get_origin(kind) is not Literal:
            raise _DoubtError
        info = infos[0] if infos else None
        if not isinstance(info, OptionInfo | ArgumentInfo) or any(getattr(info, key, None) for key in _UNUSUAL):
            raise _DoubtError
        spellings: tuple[str, ...] = ()
        if isinstance(info, OptionInfo):
            # the first name that `typer.Option` is given is called its default
            given = [one for one in (info.default, *(info.param_decls or ())) if isinstance(one, str)]
            spellings = tuple(given) or ("--" + name.replace("_", "-"),)
            two_options = "/" in "".join(spellings) or (kind is bool and not given)
            if two_options or not all(spelling.startswith("-") for spelling in spellings):
                raise _DoubtError
        return cls(kind=kind, many=many, spellings=spellings, info=info, default=default)

    def value(self, texts: Sequence[str]) -> Any:
        """What was typed, as the command takes it."""
        if not texts and self.default is not inspect.Parameter.empty:
            return self.default
        if not texts or (len(texts) > 1 and not self.many):
            raise _DoubtError
        values = [self._one(text) for text in texts]
        return values if self.many else values[0]

    def _one(self, text: str) -> Any:
        if self.kind is bool:
            return True
        if get_origin(self.kind) is Literal:
            if text not in get_args(self.kind):
                raise _DoubtError
            return text
        if not re.fullmatch(_PLAIN[self.kind], text, re.ASCII | re.DOTALL):
            raise _DoubtError
        value = self.kind(text)
        low, high = getattr(self.info, "min", None), getattr(self.info, "max", None)
        if (low is not None and value < low) or (high is not None and value > high):
            raise _DoubtError
        return value


def plain_arguments(
    command: Callable[..., object], arguments: Sequence[str], defaults: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any] | None:
    """The values of all parameters of a command, as typer would have them; `None` where typer has to look.

    Args:
        command: a function whose parameters are annotated for typer.
        arguments: what was typed after the command's name.
        defaults: texts of what is not typed, by the names of parameters; lists for those that take many.
    """
    try:
        "".join(arguments).encode()  # bytes that are no UTF-8 are typer's
        signature, hints = inspect.signature(command), get_type_hints(command, include_extras=True)
        parameters = {
            name: _Parameter.of(name, hints[name], parameter.default)
            for name, parameter in signature.parameters.items()
        }
        typed = _sorted(parameters, arguments)
        given = {name: [text] if isinstance(text := defaults.get(name, []), str) else text for name in parameters}
        return {name: parameter.value(typed[name] or given[name]) for name, parameter in parameters.items()}
    except (_DoubtError, UnicodeEncodeError):
        return None


def _sorted(parameters: dict[str, _Parameter], arguments: Sequence[str]) -> dict[str, list[str]]:
    """The texts that were typed for each parameter."""
    options = {spelling: name for name, parameter in parameters.items() for spelling in parameter.spellings}
    typed: dict[str, list[str]] = {name: [] for name in parameters}
    words: list[str] = []
    left = iter(arguments)
    for argument in left:
        if not argument.startswith("-"):
            words.append(argument)
            continue
        spelling, equals, text = argument.partition("=")
        if spelling not in options or (equals and (spelling[:2] != "--" or not text)):
            raise _DoubtError
        name = options[spelling]
        if parameters[name].kind is bool:
            if equals:
                raise _DoubtError
        elif not equals:
            text = next(left, "")
        typed[name].append(text)
    for name, parameter in parameters.items():
        if not parameter.spellings:
            taken = len(words) if parameter.many else 1
            typed[name], words = words[:taken], words[taken:]
    if words:
        raise _DoubtError
    return typed
