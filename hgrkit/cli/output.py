"""What commands print: one JSON object on stdout, or text for people; progress goes to stderr."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from hgrkit.graph import ACTION_ROLE, NOUN_ROLE, ROLE_MEANINGS
from hgrkit.results import clock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "clock",
    "echo",
    "echo_json",
    "filled",
    "legend",
    "measures_table",
    "plain_table",
    "printable",
    "quoted",
    "shortened",
    "shown_path",
    "stderr",
    "stdout",
    "typed_text",
    "with_interval",
]

_LINES_SHOWN = 20
_DIRECTIONS = ("text_to_video", "video_to_text")
_MOMENTS = ("right_video_moments", "corpus_moments")
_ROLES = {
    ACTION_ROLE: "what happens",
    "ARG0": "who does it",
    "ARG1": "whom or what",
    "ARG2": "to, for or with what",
    "ARG3": "from what",
    "ARG4": "where to",
    **{role: words for role, words in ROLE_MEANINGS.items() if role.startswith("ARGM")},
    "ARGM-CAU": "why",
    "ARGM-EXT": "how much",
    NOUN_ROLE: "part of no action",
}
_PLAIN = re.compile(r"[\w@%+=:,./~-]+")


def stdout() -> Console:
    """A console for results; plain text when it is piped."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def stderr() -> Console:
    """A console for progress, which never mixes with results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def plain_table(first: str, *others: str) -> Table:
    """A table without lines: the first column on the left, the others, which hold numbers, on the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def measures_table(measured: Mapping[str, Any]) -> Table:
    """Every measure of what was evaluated, and of its baselines if there are any, side by side."""
    systems = {**measured.get("baselines", {}), "model": measured}
    level = measured["intervals"]["level"]
    headings = (f"{name} [{level} %]" if name == "model" else _spaced(name) for name in systems)
    table = plain_table("", *headings)
    for label, path in _figures(measured["intervals"]):
        table.add_row(label, *(_cell(system["intervals"], path) for system in systems.values()))
    for name, group in measured.get("moment_to_video_ratio", {}).items():
        for figure in ("R@1", "SumR") if group["queries"] else ():
            empty = [""] * (len(systems) - 1)
            table.add_row(f"moment-to-video ratio {name} {figure}", *empty, _cell(group["intervals"], (figure,)))
    for direction in _DIRECTIONS:
        if direction in measured:
            empty = [""] * (len(systems) - 1)
            table.add_row(f"{_spaced(direction)} queries", *empty, str(measured[direction]["queries"]))
    return table


def _figures(intervals: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The label of every figure and where it stands."""
    for direction in (*_DIRECTIONS, *_MOMENTS):
        for name in intervals.get(direction, {}):
            yield f"{_spaced(direction)} {name}", (direction, name)
    for name, value in intervals.items():
        if isinstance(value, Mapping) and "value" in value:
            yield name, (name,)


def _cell(intervals: Mapping[str, Any], path: Sequence[str]) -> str:
    found: Any = intervals
    for key in path:
        found = found[key]
    return with_interval(found["value"], found["interval"])


def with_interval(value: float, interval: Sequence[float] | None) -> str:
    """A figure with its interval, if it has one: `27.0 [20.6, 34.0]`."""
    return f"{value:.1f}" if interval is None else f"{value:.1f} [{interval[0]:.1f}, {interval[1]:.1f}]"


def _spaced(direction: str) -> str:
    return direction.replace("_", " ")


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text in the encoding of the output; typer would take UTF-8 where that is ASCII.

    What a terminal would obey is shown escaped.
    """
    typer.echo("\n".join(map(printable, text.split("\n"))), file=sys.stderr if err else sys.stdout, nl=nl)


def echo_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line; bytes of a path that are no UTF-8 stay as escapes."""
    echo(json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f"))


def shortened(lines: Sequence[str], rest: str) -> list[str]:
    """The first twenty lines, then how many more there are and where they can be seen."""
    more = len(lines) - _LINES_SHOWN
    return [*lines[:_LINES_SHOWN], *([f"... and {more:,} more {rest}"] if more > 0 else [])]


def typed_text(argument: str) -> str:
    """An argument as it was typed, in UTF-8, also where Python was told that file names are ASCII."""
    return os.fsencode(argument).decode("utf-8", "replace")


def quoted(word: str) -> str:
    """A word as a shell takes it."""
    if _PLAIN.fullmatch(word):
        return word
    return shlex.quote(word) if re.search(r'["$`!\\]', word) else f'"{word}"'


def filled(items: Iterable[str], between: str, width: int) -> list[str]:
    """Items on as few lines as they need; only one that is longer than a line is broken, by the terminal."""
    from rich.cells import cell_len

    lines: list[str] = []
    for item in items:
        if lines and cell_len(lines[-1] + between + item) < width:
            lines[-1] += between + item
        else:
            lines += [item]
    return [line + (between.rstrip() if place < len(lines) - 1 else "") for place, line in enumerate(lines)]


def legend(roles: Iterable[str]) -> str:
    """What roles ask, in words: those that are among `roles`, in an order of their own."""
    there = set(roles)
    return "; ".join(f"{role} {words}" for role, words in _ROLES.items() if role in there)


def printable(text: str) -> str:
    r"""Text on one line that any terminal takes, and shows as it is.

    Bytes that are not UTF-8 become question marks. Control characters, ends of lines and what turns the direction
    of writing, with which one name looks like another, are shown escaped.

    >>> print(printable("harmless\u202e4pm.exe"))
    harmless\u202e4pm.exe
    """
    shown = text.encode("utf-8", "replace").decode("utf-8")
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), shown)


_OBEYED = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]")
"""What a terminal may do something else with than show it."""


def shown_path(path: str) -> str:
    """A path as a user would type it here: from the current folder if it lies below that, else as it is."""
    try:
        here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118
    except OSError:  # the current folder was removed
        return path
    return path.removeprefix(here) if here != os.sep else path
