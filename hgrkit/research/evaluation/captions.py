"""Evaluates a library against captions of its videos: `{file name: [captions]}` in, ranks and measures out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.research.evaluation.measures import DirectionMeasures, RetrievalMeasures
from hgrkit.research.evaluation.rank_file import QueryRank, caption_ids, query_ranks, write_rank_file
from hgrkit.research.evaluation.rank_measure import Direction
from hgrkit.research.evaluation.ranking import Relevance, rank
from hgrkit.research.evaluation.video_names import ends_in
from hgrkit.storage.json_file import read_json

__all__ = ["CaptionEvaluation", "Captions", "evaluate_captions", "read_captions", "write_ranks"]

Captions = Mapping[str, Sequence[str]]
ScoreCaptions = Callable[[Sequence[str]], npt.NDArray[np.float32]]


@attrs.frozen(kw_only=True, eq=False)
class CaptionEvaluation:
    """What came of it.

    Attributes:
        videos: the annotated video of each query.
        captions: each query's words.
        measures: text to video, the queries against all videos of the library; video to text, the annotated videos
            against all captions.
        query_ranks: every query of both directions, captions first, with what is right and what stands first.
    """

    videos: tuple[str, ...]
    captions: tuple[str, ...]
    measures: RetrievalMeasures
    query_ranks: tuple[QueryRank, ...]


def read_captions(path: Path) -> Captions:
    """Read `{file name: [captions]}`.

    Raises:
        MissingPathError: if there is no such file.
        BenchmarkError: if it is not JSON of that shape, or holds no caption.
    """
    expected = "JSON of {file name: [captions]}"
    captions = read_json(path, dict, error=BenchmarkError, expected=expected, missing=MissingPathError)
    for name, texts in captions.items():
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise BenchmarkError(f"{path}: {name!r} must have a list of captions, got {texts!r:.60}.")
    if not any(captions.values()):
        raise BenchmarkError(f"{path} holds no caption.")
    return captions


def evaluate_captions(captions: Captions, library_paths: Sequence[str], score: ScoreCaptions) -> CaptionEvaluation:
    """Rank every video of a library for every caption, and every caption for every annotated video.

    Every caption is a query, duplicates kept; every video annotated with that very caption is right.

    Args:
        captions: `{base name of a video's file, or more of its path: captions}`.
        library_paths: the library's V videos.
        score: C sentences to scores, float32 [V, C], videos in the order of `library_paths`.

    Raises:
        BenchmarkError: if a name is not in the library, or fits several of its videos.
    """
    row_of = _rows(captions, library_paths)
    videos = tuple(name for name, texts in captions.items() for _ in texts)
    texts = tuple(text for texts in captions.values() for text in texts)
    distinct = list(dict.fromkeys(texts))
    number = {text: position for position, text in enumerate(distinct)}
    numbers = np.array([number[text] for text in texts], np.int64)  # [C]
    rows = np.array([row_of[name] for name in videos], np.int64)  # [C]
    scores = score(distinct)  # [V, distinct]
    named = Relevance.from_pairs(numbers, rows, (len(distinct), len(library_paths)))
    right = named.take(numbers)  # [C, V]
    forward = rank(scores.T, named).take(numbers)
    asked = {name: row_of[name] for name, own in captions.items() if own}
    backward = rank(scores, right.transposed, columns=numbers).take(list(asked.values()))
    ids = caption_ids(videos)
    return CaptionEvaluation(
        videos=videos,
        captions=texts,
        measures=RetrievalMeasures(
            text_to_video=DirectionMeasures(ranks=forward.ranks),
            video_to_text=DirectionMeasures(ranks=backward.ranks),
        ),
        query_ranks=(
            *query_ranks(forward, "text_to_video", ids, videos=videos, captions=texts, candidates=library_paths),
            *query_ranks(backward, "video_to_text", list(asked), videos=list(asked), candidates=ids),
        ),
    )


def write_ranks(evaluation: CaptionEvaluation, path: Path, direction: Direction = "text_to_video") -> None:
    """Write the ranks of one direction, one query a line; see `hgrkit.research.evaluation.rank_file`."""
    write_rank_file((row for row in evaluation.query_ranks if row.direction == direction), path)


def _rows(captions: Captions, library_paths: Sequence[str]) -> dict[str, int]:
    """Position of each annotated video among the library's."""
    rows_of: dict[str, list[int]] = {}
    for row, path in enumerate(library_paths):
        rows_of.setdefault(PurePath(path).name, []).append(row)
    fitting = {
        name: [row for row in rows_of.get(PurePath(name).name, ()) if ends_in(library_paths[row], name)]
        for name in captions
    }
    missing = [name for name, rows in fitting.items() if not rows]
    ambiguous = [name for name, rows in fitting.items() if len(rows) > 1]
    if missing:
        raise BenchmarkError(
            f"{len(missing)} of {len(captions)} videos are not in the library, first {missing[0]!r}."
        )
    if ambiguous:
        raise BenchmarkError(
            f"{len(ambiguous)} names fit several videos of the library, first {ambiguous[0]!r}; "
            "put folders before the names, or evaluate a library in which base names are unique."
        )
    return {name: row for name, (row,) in fitting.items()}
