"""One query's rank with the names that belong to it, and files of ranks: JSON lines or Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import attrs

from hgrkit.errors import BenchmarkError, MissingPackageError, MissingPathError
from hgrkit.storage.atomic_file import writing
from hgrkit.storage.json_file import read_json_lines

__all__ = ["DIRECTIONS", "Direction", "QueryRank", "read_ranks", "write_rank_file"]

Direction = Literal["text_to_video", "video_to_text"]

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)

Check = Callable[[object, "attrs.Attribute[Any]", Any], None]


def _must(words: str, fits: Callable[[Any], bool]) -> Check:
    """An attrs validator with a message of ours."""

    def check(_: object, field: attrs.Attribute[Any], value: Any) -> None:
        if not fits(value):
            raise BenchmarkError(f"{field.name!r} must be {words}, got {value!r}.")

    return check


def _whole(least: int) -> Check:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return _must(f"a whole number from {least}", fits)


_TEXT = _must("text", lambda value: isinstance(value, str))
_TEXT_OR_NONE = attrs.validators.optional(_TEXT)
_COUNT_OR_NONE = attrs.validators.optional(_whole(0))


@attrs.frozen(kw_only=True)
class QueryRank:
    """The rank of one query, with the names that belong to it.

    Attributes:
        direction: `text_to_video` or `video_to_text`.
        query: its name, which no other query of that direction has; a caption is called `VIDEO#n`, from 0.
        video: the video that the query belongs to: what resampling keeps together.
        caption: its words; empty if the query is a video.
        rank: how far down the best right answer stands, from 1; one more than `candidates` if none is right.
        positive: the best right answer, if known.
        top: the answer in first place, if known; a wrong one where a right and a wrong one are equal.
        candidates: the number of possible answers, if known.
        right: the number of right ones among them, if known.

    Raises:
        BenchmarkError: if a value has the wrong type or is out of its range.
    """

    direction: Direction = attrs.field(
        default="text_to_video",
        validator=_must(f"one of {', '.join(DIRECTIONS)}", lambda value: value in DIRECTIONS),
    )
    query: str = attrs.field(validator=_TEXT)
    video: str = attrs.field(validator=_TEXT)
    caption: str = attrs.field(default="", validator=_TEXT)
    rank: int = attrs.field(validator=_whole(1))
    positive: str | None = attrs.field(default=None, validator=_TEXT_OR_NONE)
    top: str | None = attrs.field(default=None, validator=_TEXT_OR_NONE)
    candidates: int | None = attrs.field(default=None, validator=_COUNT_OR_NONE)
    right: int | None = attrs.field(default=None, validator=_COUNT_OR_NONE)

    def __attrs_post_init__(self) -> None:
        if self.candidates is not None and max(self.rank - 1, self.right or 0) > self.candidates:
            raise BenchmarkError(
                f"rank {self.rank} and {self.right} right answers do not fit {self.candidates} candidates."
            )


_FIELDS = tuple(field.name for field in attrs.fields(QueryRank))
_NEEDED = ("video", "caption", "rank")
_WHOLE = ("rank", "candidates", "right")
_PARQUET = ".parquet"


def write_rank_file(rows: Iterable[QueryRank], path: Path, direction: Direction | None = None) -> None:
    """Write ranks: Parquet if the name ends in `.parquet`, else one JSON object a line.

    Args:
        rows: the ranks.
        path: the file.
        direction: leave out those of the other direction.

    Raises:
        MissingPackageError: if Parquet is asked for and `pyarrow` is not installed.
        BenchmarkError: if a name or caption is no Unicode text, which Parquet cannot hold.
    """
    wanted = (row for row in rows if direction in (None, row.direction))
    lines = ({name: getattr(row, name) for name in _FIELDS} for row in wanted)
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
    is_table = path.suffix.lower() == _PARQUET
    lines = enumerate(_read_parquet(path), 1) if is_table else read_json_lines(path, error=BenchmarkError)
    for number, line in lines:
        where = f"{path}, line {number}"
        try:
            row = _row(line, unnamed)
        except BenchmarkError as error:
            raise BenchmarkError(f"{where}: {error}") from error
        if (row.direction, row.query) in rows:
            raise BenchmarkError(f"{where}: the query {row.query!r} is listed a second time.")
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


def _write_parquet(lines: list[dict[str, Any]], path: Path) -> None:
    pa, parquet = _pyarrow()
    schema = pa.schema([(name, pa.int64() if name in _WHOLE else pa.string()) for name in _FIELDS])
    try:
        table = pa.Table.from_pylist(lines, schema=schema)
    except UnicodeEncodeError as error:
        raise BenchmarkError(
            f"{error.object!r} is not valid Unicode, which Parquet cannot store; write to a .jsonl file."
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
