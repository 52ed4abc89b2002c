"""Reads the JSON files that users and other programs write; an error names the file and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from hgrkit.errors import HgrkitError

__all__ = ["read_json"]

T = TypeVar("T", dict[str, Any], list[Any])

_KINDS: dict[type, str] = {dict: "object", list: "list"}


def read_json(
    path: Path,
    shape: type[T],
    *,
    error: type[HgrkitError],
    expected: str,
    missing: type[HgrkitError] | None = None,
) -> T:
    """The content of a JSON file in UTF-8.

    Args:
        path: the file.
        shape: `dict` or `list`, what it must hold.
        error: raised where it cannot be read.
        expected: what the file should be, for messages.
        missing: raised where there is no such file; `error` unless given.

    Raises:
        HgrkitError: `error` or `missing`; the message names the file, what is wrong with it, and where.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as problem:
        raise (missing or error)(f"{path} is missing; expected {expected}.") from problem
    except IsADirectoryError as problem:
        raise error(f"{path} is a folder; expected {expected}, a JSON file.") from problem
    except OSError as problem:
        raise error(f"{path} cannot be read ({problem.strerror}); expected {expected}.") from problem
    except (ValueError, RecursionError) as problem:
        raise error(f"{path} is not JSON{_flaw(problem)}; expected {expected}.") from problem
    if not isinstance(value, shape):
        raise error(f"{path} must hold a JSON {_KINDS[shape]}, got {type(value).__name__}; expected {expected}.")
    return value


def _flaw(problem: ValueError | RecursionError) -> str:
    if isinstance(problem, UnicodeDecodeError):
        return f" in UTF-8: byte {problem.start} is no text; save the file as UTF-8"
    if isinstance(problem, json.JSONDecodeError):
        return f": line {problem.lineno}, column {problem.colno}: {problem.msg}"
    return ": it is nested too deeply" if isinstance(problem, RecursionError) else f": {problem}"
