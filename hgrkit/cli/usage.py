"""What a wrong use of the command line is answered with: one line that says what to type instead."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import attrs
import typer

from hgrkit.cli.output import quoted

__all__ = ["USAGE_ERROR", "Trust", "usage_line"]

Trust = Annotated[
    bool, typer.Option("--trust", help="Use the model's folder that the library names, and remember it.")
]
"""An option of every command that loads the model of a library."""

USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Click's `UsageError`; newer releases of typer bring a click of their own, so that no import finds both."""

_TEXTS = {"search": "the text to search for", "parse": "the sentence"}
"""Commands whose one argument is words that people forget to quote."""

_KINDS = {int: "a whole number", float: "a number"}
_DASHES = "-\u2013\u2014"


def usage_line(error: Any, arguments: Sequence[str], commands: Mapping[str, Any]) -> str:
    """One line about a usage error of click's.

    Args:
        error: what click raised; not every release says in which command.
        arguments: what was typed after `hgrkit`.
        commands: click's commands by their names; only the one that was asked for need be there.
    """
    if not arguments or arguments[0] not in commands:
        return _before_a_command(error, arguments, tuple(commands))
    typed = _Typed.of(commands[arguments[0]], arguments[1:])
    # The likeliest cause first: an option that was swallowed makes click complain of something else.
    answers = (_late_option, _wrong_dash, _unknown_option, _no_value, _unquoted, _missing, _bad_value)
    return next(line for answer in answers if (line := answer(error, typed)))


@attrs.frozen(kw_only=True)
class _Typed:
    """What was typed after a command's name.

    Attributes:
        command: the command, click's object.
        words: what is neither an option nor an option's value.
        rest: options and their values, in order.
        values: the value that each option was given.
        after: what follows `--`, where nothing is an option.
    """

    command: Any
    words: list[str]
    rest: list[str]
    values: dict[str, str]
    after: list[str]

    @classmethod
    def of(cls, command: Any, arguments: Sequence[str]) -> _Typed:
        takes = {name: 0 if option.is_flag else option.nargs for name, option in _options(command).items()}
        words: list[str] = []
        rest: list[str] = []
        values: dict[str, str] = {}
        after: list[str] = []
        left: Iterator[str] = iter(arguments)
        for argument in left:
            if argument == "--":
                after = list(left)
                words += after
            elif not argument.startswith("-") or argument == "-":
                words.append(argument)
            else:
                name, equals, value = argument.partition("=")
                if not equals and argument[1:2] != "-" and takes.get(argument[:2]) and argument[2:]:
                    name, equals, value = argument[:2], "-", argument[2:]  # -k5
                taken = [value] if equals else list(islice(left, takes.get(argument, 0)))
                rest += [argument] if equals else [argument, *taken]
                values |= {name: taken[-1]} if taken else {}
        return cls(command=command, words=words, rest=rest, values=values, after=after)

    @property
    def name(self) -> str:
        return str(self.command.name)

    @property
    def options(self) -> dict[str, Any]:
        return _options(self.command)

    @property
    def places(self) -> list[Any]:
        return [one for one in self.command.params if one.param_type_name == "argument"]

    @property
    def surplus(self) -> list[str]:
        """Words for which the command has no place."""
        if any(place.nargs < 0 for place in self.places):
            return []
        return self.words[sum(place.nargs for place in self.places) :]

    def metavar(self, option: str) -> str:
        found = self.options.get(option)
        return str((found.metavar or found.name.upper().replace("_", "-")) if found is not None else "VALUE")

    def shown(self, parameter: Any) -> str:
        if parameter.param_type_name == "argument":
            return str(parameter.metavar or parameter.name.upper()) + ("..." if parameter.nargs < 0 else "")
        name = max(parameter.opts, key=len)
        return f"{name} {self.metavar(name)}"

    def line(self, words: Sequence[str] | None = None) -> str:
        """The command with what was typed, and placeholders for what it lacks."""
        told = [quoted(word) for word in (self.words if words is None else words)]
        places = [self.shown(place) for place in self.places if place.required or place.nargs < 0]
        given = {self.options[name].name for name in self.values if name in self.options}
        lacking = [
            self.shown(option)
            for option in dict.fromkeys(self.options.values())
            if option.required and option.name not in given
        ]
        rest = [quoted(word) for word in self.rest]
        return " ".join(["hgrkit", self.name, *told, *places[len(told) :], *rest, *lacking])


def _options(command: Any) -> dict[str, Any]:
    return {
        spelling: option
        for option in command.params
        if option.param_type_name == "option"
        for spelling in (*option.opts, *option.secondary_opts)
    }


def _before_a_command(error: Any, arguments: Sequence[str], commands: Sequence[str]) -> str:
    """What stands where a command should."""
    option = getattr(error, "option_name", None)
    if option is not None:
        near = (
            ""
            if option == "--json"
            else _near(option, ("--version", "--help", "--debug", "--install-completion", "--show-completion"))
        )
        after = "; options come after the command: hgrkit search TEXT --library LIB"
        return f"there is no option {option!r} before the command{near or after}"
    typed = next((argument for argument in arguments if not argument.startswith("-")), None)
    if typed is None or typed in commands:  # an option of `hgrkit` itself
        return " ".join(error.format_message().split())
    if Path(typed).exists():
        return f"there is no command {typed!r}; to index it, type: hgrkit index {quoted(typed)} --library LIB"
    near = _near(typed, commands)
    if near:
        return f"there is no command {typed!r}{near}"
    if " " in typed:
        return f"there is no command {typed!r}; to search, type: hgrkit search {quoted(typed)} --library LIB"
    return f"there is no command {typed!r}; `hgrkit --help` lists them."


def _late_option(error: Any, typed: _Typed) -> str:  # noqa: ARG001
    """An option behind `--`."""
    options = [number for number, word in enumerate(typed.after) if word.partition("=")[0] in typed.options]
    if not options:
        return ""
    words, late = typed.after[: options[0]], typed.after[options[0] :]
    line = " ".join(["hgrkit", typed.name, *map(quoted, (*typed.rest, *late)), "--", *map(quoted, words)])
    return f"{late[0]!r} comes after --, where nothing is an option; type: {line}"


def _wrong_dash(error: Any, typed: _Typed) -> str:  # noqa: ARG001
    """One dash where there should be two, or a long one from a text processor."""
    for argument in (*typed.rest, *typed.words):
        name = "--" + argument.partition("=")[0].lstrip(_DASHES)
        if len(name) > 3 and argument[:1] in _DASHES and argument[:2] != "--" and name in typed.options:
            return f"{typed.name} has no option {argument!r}; long options begin with two dashes: {name}"
    return ""


def _unknown_option(error: Any, typed: _Typed) -> str:
    if type(error).__name__ != "NoSuchOption":
        return ""
    option = error.option_name
    text = next((word for word in typed.rest if word.startswith(option) and " " in word), None)
    if text is not None:
        return (
            f"{typed.name} takes {text!r} for an option; put -- before a text that begins with a dash: "
            f"hgrkit {typed.name} --library LIB -- {quoted(text)}"
        )
    near = _near(option, (*typed.options, "--help"))
    return f"{typed.name} has no option {option!r}{near or f'; `hgrkit {typed.name} --help` lists its options.'}"


def _no_value(error: Any, typed: _Typed) -> str:
    """An option without its value, or a flag with one."""
    if type(error).__name__ == "BadOptionUsage":
        option = error.option_name
        if "not take" in error.message:
            return f"{option} takes no value; leave it out."
        return f"{option} needs a value; type: {option} {typed.metavar(option)}"
    swallowed = next((name for name, value in typed.values.items() if value in typed.options), None)
    return f"{swallowed} needs a value, got the option {typed.values[swallowed]!r}." if swallowed else ""


def _unquoted(error: Any, typed: _Typed) -> str:  # noqa: ARG001
    """More words than there are places for."""
    if not typed.surplus:
        return ""
    if typed.name in _TEXTS:
        return f"{_TEXTS[typed.name]} is one argument; quote it: {typed.line([' '.join(typed.words)])}"
    count = len(typed.places)
    if not count:
        listed = f"`hgrkit {typed.name} --help` lists its options."
        return f"{typed.name} takes no argument, got {typed.words[0]!r}; {listed}"
    joined = [*typed.words[: count - 1], " ".join(typed.words[count - 1 :])]
    takes = " ".join(map(typed.shown, typed.places))
    return (
        f"{typed.name} takes {takes}, and {typed.surplus[0]!r} is too much; "
        f"a name that has spaces is quoted: {typed.line(joined)}"
    )


def _missing(error: Any, typed: _Typed) -> str:
    if type(error).__name__ != "MissingParameter":
        return ""
    return f"{typed.name} needs {typed.shown(error.param)}; type: {typed.line()}"


def _bad_value(error: Any, typed: _Typed) -> str:
    """A value that is not of its option's kind, or anything else that click has to say."""
    message = " ".join(str(error.message).split())
    parameter = getattr(error, "param", None)
    if parameter is None:
        return message
    option = next((option for option in parameter.opts if option in typed.values), None)
    expected = _expected(typed.command, parameter.name)
    if option is None or not expected:
        return f"{typed.shown(parameter)}: {message}"
    return f"{option} must be {expected}, got {typed.values[option]!r}."


def _expected(command: Any, name: str) -> str:
    """What a parameter's type is in words; empty if any text will do."""
    hint, info = get_args(get_type_hints(inspect.unwrap(command.callback), include_extras=True)[name])
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    if get_origin(hint) is Literal or get_origin(kinds[0]) is Literal:
        return " or ".join(map(repr, get_args(hint if get_origin(hint) is Literal else kinds[0])))
    words = _KINDS.get(kinds[0], "")
    least, most = getattr(info, "min", None), getattr(info, "max", None)
    if least is None:
        return words
    return f"{words} of at least {least}" if most is None else f"{words} from {least} to {most}"


def _near(typed: str, known: Iterable[str]) -> str:
    names = list(known)
    near = get_close_matches(typed.lower(), names, n=1) or [
        name for name in names if len(typed) > 3 and name.startswith(typed)
    ]
    return f". Did you mean {near[0]!r}?" if near else ""
