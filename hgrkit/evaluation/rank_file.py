"""Ranks files: one query a line as JSON, or a row of a Parquet table; checked strictly when they are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import attrs

from hgrkit.errors import BenchmarkError, MissingPackageError, MissingPathError
from hgrkit.evaluation.query_rank import QueryRank
from hgrkit.writing import writing

__all__ = ["read_ranks", "write_rank_file"]

_FIELDS = tuple(field.name for field in attrs.fields(QueryRank))
_NEEDED = ("video", "caption", "rank")
_WHOLE = ("rank", "candidates", "right")
_PARQUET = ".parquet"


def write_rank_file(rows: Iterable[QueryRank], path: Path) -> None:
    """Write ranks: Parquet if the name ends in `.parquet`, else one JSON object a line.

    Raises:
        MissingPackageError: if Parquet is asked for and `pyarrow` is not installed.
        BenchmarkError: if a name or caption is no Unicode text, which Parquet cannot hold.
    """
    lines = ({name: getattr(row, name) for name in _FIELDS} for row in rows)
    if path.suffix.lower() == _PARQUET:
        with writing(path):
            _write_parquet(list(lines), path)
        return
    with writing(path), path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")


def read_ranks(path: Path) -> tuple[QueryRank, ...]:
    """Read a ranks file; `video`, `caption` and `rank` are needed, other keys than `QueryRank`'s are left alone.

    A line without `query` is the next caption of its video, `VIDEO#n`.

    Raises:
        MissingPathError: if there is no such file.
        BenchmarkError: if a line is not what it should be, a query comes twice, or there is none.
        MissingPackageError: if it is Parquet and `pyarrow` is not installed.
    """
    if not path.is_file():
        raise MissingPathError(f"there is no ranks file {str(path)!r}; `hgrkit evaluate --ranks` writes one.")
    rows: dict[tuple[str, str], QueryRank] = {}
    unnamed: dict[tuple[str, str], int] = {}
    for number, line in _lines(path):
        where = f"{path}, line {number}"
        try:
            row = _row(line, unnamed)
        except BenchmarkError as error:
            raise BenchmarkError(f"{where}: {error}") from error
        if (row.direction, row.query) in rows:
            raise BenchmarkError(f"{where}: the query {row.query!r} stands there a second time.")
        rows[row.direction, row.query] = row
    if not rows:
        raise BenchmarkError(f"{path} holds no query.")
    return tuple(rows.values())


def _row(line: object, unnamed: dict[tuple[str, str], int]) -> QueryRank:
    if not isinstance(line, dict):
        raise BenchmarkError(f"a line must be an object with {', '.join(_NEEDED)}, got {type(line).__name__}.")
    missing = [name for name in _NEEDED if line.get(name) is None]
    if missing:
        raise BenchmarkError(f"there is no {missing[0]!r}; a line must have {', '.join(_NEEDED)}.")
    known: dict[str, Any] = {name: line[name] for name in _FIELDS if line.get(name) is not None}
    if "query" not in known:
        video = (str(known.get("direction")), str(known["video"]))
        known["query"] = f"{known['video']}#{unnamed.get(video, 0)}"
        unnamed[video] = unnamed.get(video, 0) + 1
    return QueryRank(**known)


def _lines(path: Path) -> Iterator[tuple[int, object]]:
    if path.suffix.lower() == _PARQUET:
        yield from enumerate(_read_parquet(path), 1)
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BenchmarkError(f"{path}, line {number}: not JSON: {error}") from error


def _write_parquet(lines: list[dict[str, Any]], path: Path) -> None:
    pa, parquet = _pyarrow()
    schema = pa.schema([(name, pa.int64() if name in _WHOLE else pa.string()) for name in _FIELDS])
    try:
        table = pa.Table.from_pylist(lines, schema=schema)
    except UnicodeEncodeError as error:
        raise BenchmarkError(
            f"{error.object!r} is no Unicode text, which Parquet cannot hold; write to a .jsonl file."
        ) from error
    parquet.write_table(table, path)


def _read_parquet(path: Path) -> list[object]:
    pa, parquet = _pyarrow()
    try:
        rows: list[object] = parquet.read_table(path).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BenchmarkError(f"{path} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
    return rows


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingPackageError(
            "Parquet needs pyarrow, which is not installed; pip install 'hgrkit[parquet]', or name a .jsonl file."
        ) from error
    return pa, parquet
