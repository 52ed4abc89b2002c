"""One query's rank with what belongs to it, and files of ranks: JSON lines or Parquet, checked strictly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, MissingPackageError, MissingPathError
from hgrkit.research.evaluation.rank_measure import Direction
from hgrkit.research.evaluation.ranking import Ranking, Relevance, rank
from hgrkit.storage.atomic_file import writing

__all__ = [
    "DIRECTIONS",
    "QueryRank",
    "caption_ids",
    "query_ranks",
    "read_ranks",
    "retrieval_ranks",
    "write_rank_file",
]

DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


def _text(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise BenchmarkError(f"{field.name!r} must be text, got {value!r}.")


def _text_or_none(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        _text(_, field, value)


def _direction(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value not in DIRECTIONS:
        raise BenchmarkError(f"{field.name!r} must be one of {', '.join(DIRECTIONS)}, got {value!r}.")


def _from_one(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BenchmarkError(f"{field.name!r} must be a whole number from 1, got {value!r}.")


def _from_zero_or_none(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise BenchmarkError(f"{field.name!r} must be a whole number from 0, got {value!r}.")


@attrs.frozen(kw_only=True)
class QueryRank:
    """What came of one query.

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

    direction: Direction = attrs.field(default="text_to_video", validator=_direction)
    query: str = attrs.field(validator=_text)
    video: str = attrs.field(validator=_text)
    caption: str = attrs.field(default="", validator=_text)
    rank: int = attrs.field(validator=_from_one)
    positive: str | None = attrs.field(default=None, validator=_text_or_none)
    top: str | None = attrs.field(default=None, validator=_text_or_none)
    candidates: int | None = attrs.field(default=None, validator=_from_zero_or_none)
    right: int | None = attrs.field(default=None, validator=_from_zero_or_none)

    def __attrs_post_init__(self) -> None:
        if self.candidates is not None and max(self.rank - 1, self.right or 0) > self.candidates:
            raise BenchmarkError(
                f"rank {self.rank} and {self.right} right answers do not fit {self.candidates} candidates."
            )


def caption_ids(videos: Sequence[str]) -> tuple[str, ...]:
    """Names of captions, `VIDEO#n`, n counting each video's from 0.

    >>> caption_ids(["a", "b", "a"])
    ('a#0', 'b#0', 'a#1')
    """
    seen: Counter[str] = Counter()
    names = []
    for video in videos:
        names.append(f"{video}#{seen[video]}")
        seen[video] += 1
    return tuple(names)


def query_ranks(
    ranking: Ranking,
    direction: Direction,
    queries: Sequence[str],
    *,
    videos: Sequence[str],
    candidates: Sequence[str],
    captions: Sequence[str] | None = None,
) -> tuple[QueryRank, ...]:
    """Name what a ranking says in numbers.

    Args:
        ranking: of Q queries over N candidates.
        direction: which way.
        queries: the queries' names, [Q], each once.
        videos: the video that each query belongs to, [Q].
        candidates: the candidates' names, [N].
        captions: the queries' words, [Q]; none for videos.
    """
    words = captions if captions is not None else ("",) * len(queries)
    numbers = (column.tolist() for column in (ranking.ranks, ranking.positives, ranking.tops, ranking.counts))
    columns = zip(queries, videos, words, *numbers, strict=True)
    return tuple(
        QueryRank(
            direction=direction,
            query=query,
            video=video,
            caption=caption,
            rank=rank_,
            positive=candidates[positive] if positive >= 0 else None,
            top=candidates[top],
            candidates=len(candidates),
            right=right,
        )
        for query, video, caption, rank_, positive, top, right in columns
    )


def retrieval_ranks(
    scores: npt.ArrayLike,
    positives: npt.ArrayLike | Relevance,
    *,
    videos: Sequence[str],
    captions: Sequence[str],
) -> tuple[QueryRank, ...]:
    """Rank both ways; a caption belongs to the first video that it describes, or to one without a name.

    Args:
        scores: [V, C], videos by captions.
        positives: whether the caption describes the video, bool [V, C], or the pairs of video and caption.
        videos: the videos' names, [V], each once.
        captions: the captions' words, [C].

    Returns:
        The captions as queries, then the videos, Q = C + V.

    Raises:
        BenchmarkError: if the shapes differ or a score is not a number.
    """
    table = np.asarray(scores)
    right = positives if isinstance(positives, Relevance) else Relevance.from_table(positives)
    backward, named = rank(table, right), right.transposed
    owners = [""] * len(captions)
    described, first = np.unique(named.queries, return_index=True)
    for column, row in zip(described.tolist(), named.candidates[first].tolist(), strict=True):
        owners[column] = videos[row]
    ids = caption_ids(owners)
    return (
        *query_ranks(
            rank(table.T, named), "text_to_video", ids, videos=owners, captions=captions, candidates=videos
        ),
        *query_ranks(backward, "video_to_text", videos, videos=videos, candidates=ids),
    )


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
