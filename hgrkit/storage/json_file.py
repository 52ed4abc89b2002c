"""Reads the JSON files that users and other programs write; an error names the file and what is wrong with it."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from hgrkit.errors import HgrkitError
from hgrkit.storage.regular_file import open_regular

__all__ = ["read_json", "read_json_lines"]

T = TypeVar("T", dict[str, Any], list[Any])

_KINDS: dict[type, str] = {dict: "object", list: "list"}


def read_json(
    path: Path,
    shape: type[T],
    *,
    error: type[HgrkitError],
    expected: str,
    missing: type[HgrkitError] | None = None,
    most_bytes: int | None = None,
) -> T:
    """The content of a JSON file in UTF-8.

    Args:
        path: the file.
        shape: `dict` or `list`, what it must hold.
        error: raised where it cannot be read.
        expected: what the file should be, for messages.
        missing: raised where there is no such file; `error` unless given.
        most_bytes: for what strangers may have made: a larger file is not read, nor what is no regular one. In
            memory, JSON takes some twenty times its bytes.

    Raises:
        HgrkitError: `error` or `missing`; the message names the file, what is wrong with it, and where.
    """
    try:
        text = path.read_text(encoding="utf-8-sig") if most_bytes is None else _read_up_to(path, most_bytes)
        value = json.loads(text)
    except _TooLargeError as problem:
        raise error(f"{path} has {problem} bytes; {expected} has at most {most_bytes}.") from None
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


class _TooLargeError(Exception):
    """Of a file, whose size it says."""


def _read_up_to(path: Path, most_bytes: int) -> str:
    with os.fdopen(open_regular(path), encoding="utf-8-sig") as file:
        if (size := os.fstat(file.fileno()).st_size) > most_bytes:
            raise _TooLargeError(size)
        return file.read()


def read_json_lines(path: Path, *, error: type[HgrkitError]) -> Iterator[tuple[int, Any]]:
    """The values of a file of one JSON value a line in UTF-8, plain or `.gz`, with the numbers of their lines.

    Lines are numbered from 1; blank ones are left out.

    Raises:
        HgrkitError: `error`; the message names the file, the line and what is wrong with it.
    """
    try:
        # In bytes, lines end at a newline only: a caption may hold the line separators of Unicode.
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise error(f"{path}, line {number} is not UTF-8; save the file as UTF-8.") from problem
    except (ValueError, RecursionError) as problem:
        raise error(f"{path}, line {number} is not JSON: {problem}") from problem
    except (OSError, EOFError, zlib.error) as problem:
        raise error(f"{path} cannot be read: {problem}.") from problem


def _flaw(problem: ValueError | RecursionError) -> str:
    if isinstance(problem, UnicodeDecodeError):
        return f" in UTF-8: byte {problem.start} is not text; save the file as UTF-8"
    if isinstance(problem, json.JSONDecodeError):
        return f": line {problem.lineno}, column {problem.colno}: {problem.msg}"
    return ": it is nested too deeply" if isinstance(problem, RecursionError) else f": {problem}"
