"""Which videos a search looks at: one SQL expression over what a library knows of its videos, run by SQLite.

What a user wrote never reaches SQLite as it is. It is read word by word, and a statement is written anew of what
is allowed: columns, literals, operators, and functions without effects whose answers are hardly longer than what
they are given. An authorizer, limits of SQLite's own and a budget of steps and of time stand behind that.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Final
from weakref import WeakKeyDictionary

import attrs
import numpy as np

from hgrkit.checks.arguments import check_text, shown
from hgrkit.errors import ConfigError
from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.store import StoredVideo, View
from hgrkit.library.tables import INDEXED_KEY, VIDEOS, row_from_record

__all__ = ["COLUMNS", "FUNCTIONS", "TAG_NAME", "TAKEN_NAMES", "Filter", "filtered_rows", "is_utf8", "table_of"]

_PATH = "CAST(path AS TEXT)"
_SEPARATOR = os.sep.replace("'", "''")
_FOLDER = f"rtrim({_PATH}, replace({_PATH}, '{_SEPARATOR}', ''))"  # up to its last separator


def _time(nanoseconds: str) -> str:
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {nanoseconds} / 1000000000, 'unixepoch')"


COLUMNS: Final[Mapping[str, str]] = {
    "path": _PATH,
    "name": f"substr({_PATH}, length({_FOLDER}) + 1)",
    "folder": f"CASE {_FOLDER} WHEN '{_SEPARATOR}' THEN {_FOLDER} ELSE rtrim({_FOLDER}, '{_SEPARATOR}') END",
    "duration_s": "duration_s",
    "modified": _time("mtime_ns"),
    "indexed": _time(f"""json_extract(metadata, '$."{INDEXED_KEY}"')"""),
}
"""The columns of every library, and what they are of the table `videos`. Times are ISO 8601 in UTC, as text: a
prefix such as `2026-03` compares as one expects."""

FUNCTIONS: Final = frozenset(
    "abs coalesce date ifnull iif instr julianday length lower ltrim max min nullif round rtrim strftime substr "
    "trim typeof upper".split()
)
"""None has an effect, and none, however nested, makes a text much longer than those that it is given, as
`replace`, `hex`, `printf` and `zeroblob` do."""

_OPERATORS = frozenset(
    "and as between case cast collate else end escape false glob in is isnull like not notnull null or then true "
    "when".split()
)
_NAMED_AFTER: Final[Mapping[str, frozenset[str]]] = {
    "AS": frozenset(("integer", "numeric", "real", "text")),
    "COLLATE": frozenset(("binary", "nocase", "rtrim")),
}

TAKEN_NAMES: Final = frozenset((*COLUMNS, *_OPERATORS))
"""What no tag can be called."""

TAG_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""Keys of the metadata that are columns; ASCII, because SQLite compares others with their escapes in JSON."""

_TOKEN = re.compile(
    r"""
    (?P<space> [ \t\r\n]+ )
    | (?P<literal> '(?:[^']|'')*' | (?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]) )
    | (?P<quoted> "[^"]*" )
    | (?P<word> [^\W\d]\w* )
    | (?P<remark> -- | /\* | ; )
    | (?P<sign> \|\| | <= | >= | <> | != | == | [=<>+\-*/%(),] )
    """,
    re.VERBOSE,
)

_LONGEST = 10_000
"""Characters of a filter: a list of some hundred paths, and no more work for SQLite's parser than 1 ms."""

_DEEPEST = 50
"""Parentheses and cases in one another. SQLite's parser takes 100 levels, or any number from 3.46 on."""

_LONGEST_VALUE = 1_000_000
"""Bytes of any value that SQLite makes or reads meanwhile."""

_LONGEST_PATTERN = 1_000
"""Bytes of a pattern of LIKE and GLOB, whose time is that of the pattern times that of the text."""

_STEPS_AT_ONCE, _MOST_STEPS, _MOST_SECONDS = 1_000, 200_000_000, 10.0
"""What a filter may take. One of three comparisons takes 0.02 s for 50,000 videos
(benchmarks/results/filters.json), at some nine steps a video; the time is for the functions, within which SQLite
counts no steps."""

_REASON_SHOWN = 120

_REFUSED: Final = frozenset(
    (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_AUTH)
)
"""Errors of SQLite that are about the expression. All others are about the library."""


@attrs.frozen
class Filter:
    """An expression that was read: true of the videos that are looked at.

    >>> Filter.read("camera = 'front' AND duration_s > 60").names
    ('camera', 'duration_s')

    Attributes:
        words: the SQL that it consists of, columns in double quotes.
        names: the columns that it names, in lower case.
    """

    words: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Filter:
        """Read what a user wrote; which columns there are is not known yet.

        Raises:
            ConfigError: if it is no text, too long, or has in it what is no part of an expression.
        """
        check_text("where", text, hint="with an SQL expression")
        if len(text) > _LONGEST:
            raise ConfigError(f"a filter has at most {_LONGEST:,} characters, got {len(text):,}; shorten it.")
        if "\0" in text or not is_utf8(text):
            raise ConfigError(f"a filter is text in UTF-8, without NUL in it, got {shown(text)}.")
        words: list[str] = []
        names: dict[str, None] = {}
        tokens = [*_tokens(text), ("end", "")]
        for (kind, written), (_, following) in pairwise(tokens):
            before = words[-1] if words else ""
            is_column, word = (
                _read_word(written, before, following) if kind == "word" else (kind == "column", written)
            )
            if before == "IN" and word != "(":
                raise ConfigError(f"IN takes a list, got {shown(written)}; write one: in ('front', 'back')")
            if is_column:
                names[word] = None
            words.append(f'"{word}"' if is_column else word)
        _require_pairs(words)
        return cls(tuple(words), tuple(names))

    def statement(self, tags: Mapping[str, Sequence[str]]) -> str:
        """The query for the first clip and the number of clips of each video that it is true of.

        Args:
            tags: by the name of a column, the keys of the metadata that it stands for; the rest is NULL.
        """
        columns = [f'{COLUMNS.get(name) or _tag(tags.get(name, ()))} AS "{name}"' for name in self.names]
        columns += ['first_clip AS "0"', 'clips AS "1"']  # no tag can have these names
        # Its names and keys are our own columns and what `TAG_NAME` matches; its words are those of `read`.
        table = f"(SELECT {', '.join(columns)} FROM videos)"  # noqa: S608
        return f'SELECT "0", "1" FROM {table} WHERE ({" ".join(self.words)})'  # noqa: S608


def filtered_rows(views: Sequence[View], where: Filter) -> list[Rows]:
    """Find the clip records of the videos that a filter is true of, ascending, in each of several libraries.

    Raises:
        ConfigError: if no library has one of the columns, or SQLite refuses the expression.
        DamagedLibraryError: if a row of a video is not what was written.
    """
    tables = [view.table() for view in views]
    added = [name for name in where.names if name not in COLUMNS]
    tags = [_tags(table, view.arrays) if added else {} for table, view in zip(tables, views, strict=True)]
    known = [*COLUMNS, *sorted({name for own in tags for name in own})]
    for name in added:
        if name not in known:
            near = get_close_matches(name, known, 1, 0.7)
            hint = f". Did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"unknown column {shown(name)}; columns: {', '.join(known)}{hint}")
    return [_clip_rows(_run(table, where.statement(own))) for table, own in zip(tables, tags, strict=True)]


def table_of(stored: Iterable[StoredVideo]) -> sqlite3.Connection:
    """Make what `View.table` returns of videos that are in no such table."""
    connection = sqlite3.connect(":memory:")
    connection.execute(VIDEOS.definition)
    rows = [
        row_from_record(video.number, video.record, clips=video.record.clips, first_clip=video.first_clip)
        for video in stored
    ]
    VIDEOS.insert(connection, rows)
    connection.commit()
    return connection


# reading -------------------------------------------------------------------------------------------------------


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """The kind of every token, and what it is in SQL."""
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            what = "a text that does not end" if text[place] in "'\"" else shown(text[place : place + 20])
            raise ConfigError(f"a filter cannot be read at character {place + 1}: {what}.")
        kind, token = str(found.lastgroup), found[0]
        if kind == "remark":
            raise ConfigError(f"a filter is one expression, without {token!r} in it.")
        if kind == "quoted":
            kind, token = "column", token[1:-1].lower()
            if TAG_NAME.fullmatch(token) is None:
                raise ConfigError(f"{shown(token)} in double quotes is not a column; quote text like this: 'text'")
        if kind != "space":
            yield kind, token
        place = found.end()


def _read_word(word: str, before: str, following: str) -> tuple[bool, str]:
    """Whether a bare word is a column where it stands, and what it is in SQL."""
    name = word.lower()
    if before in _NAMED_AFTER:
        if name not in _NAMED_AFTER[before]:
            listed = ", ".join(sorted(_NAMED_AFTER[before]))
            raise ConfigError(f"{before} takes one of {listed}, got {shown(word)}.")
        return False, name
    if name in _OPERATORS:
        return False, name.upper()
    if following == "(":
        if name not in FUNCTIONS:
            raise ConfigError(f"unknown function {shown(word)}; functions: {', '.join(sorted(FUNCTIONS))}")
        return False, name
    return True, name


def _require_pairs(words: Sequence[str]) -> None:
    """Refuse parentheses that would end those that are written around a filter, and too many in one another."""
    depth = cases = 0
    for word in words:
        depth += (word == "(") - (word == ")")
        cases += (word == "CASE") - (word == "END")
        if depth + cases > _DEEPEST:
            raise ConfigError(f"a filter is nested at most {_DEEPEST} deep; make it simpler.")
        if depth < 0:
            break
    if depth or not words:
        what = "its parentheses are not in pairs" if words else "it is empty"
        raise ConfigError(f"a filter cannot be read: {what}; write one such as: camera = 'front'")


def is_utf8(text: str) -> bool:
    """Whether a text can be stored; surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# running -------------------------------------------------------------------------------------------------------


def _tags(table: sqlite3.Connection, version: ClipArrays) -> Mapping[str, Sequence[str]]:
    """The columns that the videos' metadata make, by their names in lower case, and the keys of each."""
    known = _KNOWN_TAGS.get(version)
    if known is not None:
        return known
    tags: dict[str, list[str]] = {}
    for (key,) in table.execute("SELECT DISTINCT key FROM videos, json_each(metadata) ORDER BY key"):
        if TAG_NAME.fullmatch(key) and key.lower() not in COLUMNS:
            tags.setdefault(key.lower(), []).append(key)
    _KNOWN_TAGS[version] = tags
    return tags


_KNOWN_TAGS = WeakKeyDictionary[ClipArrays, dict[str, list[str]]]()
"""By the arrays of a version, which readers keep as long as it is the last: looking for keys takes as long as
filtering by them."""


def _tag(keys: Sequence[str]) -> str:
    values = [f"""json_extract(metadata, '$."{key}"')""" for key in keys]
    return f"coalesce({', '.join(values)})" if len(values) > 1 else "".join(values) or "NULL"


def _run(table: sqlite3.Connection, statement: str) -> list[tuple[int, int]]:
    """Run a statement that may do nothing but read videos, and not for long."""
    with _confined(table):
        try:
            return table.execute(statement).fetchall()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            if code not in _REFUSED or "malformed JSON" in str(error):  # no function of a filter reads JSON
                raise
            said = " ".join(str(error).split())[:_REASON_SHOWN]  # it quotes what was typed
            reason = "it takes too long" if code == sqlite3.SQLITE_INTERRUPT else said
            raise ConfigError(f"a filter cannot be evaluated: {reason}; correct or shorten it.") from error


@contextmanager
def _confined(table: sqlite3.Connection) -> Iterator[None]:
    limits = {
        sqlite3.SQLITE_LIMIT_LENGTH: _LONGEST_VALUE,
        sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: _LONGEST_PATTERN,
    }
    before = {limit: table.setlimit(limit, most) for limit, most in limits.items()}
    table.set_authorizer(_authorize)
    table.set_progress_handler(_budget(), _STEPS_AT_ONCE)
    try:
        yield
    finally:
        table.set_progress_handler(None, 0)
        table.set_authorizer(None)
        for limit, most in before.items():
            table.setlimit(limit, most)


def _authorize(action: int, first: str | None, second: str | None, *_: Any) -> int:
    allowed = (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and first == "videos" and second in VIDEOS.columns)
        or (action == sqlite3.SQLITE_FUNCTION and second in _AUTHORIZED)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


_AUTHORIZED = FUNCTIONS | {"glob", "json_extract", "like", "replace"}
"""What a statement calls: what a filter may, its operators' functions, and what the columns are made with."""


def _budget() -> Callable[[], bool]:
    """Make what SQLite asks now and then whether to stop."""
    left, end_s = _MOST_STEPS // _STEPS_AT_ONCE, time.monotonic() + _MOST_SECONDS

    def is_spent() -> bool:
        nonlocal left
        left -= 1
        return left < 0 or time.monotonic() > end_s

    return is_spent


def _clip_rows(videos: Sequence[tuple[int, int]]) -> Rows:
    """The clip records of videos, of each its first one and how many, ascending."""
    if not videos:
        return np.empty(0, np.int64)
    firsts, counts = np.array(sorted(videos), np.int64).T
    return np.repeat(firsts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
