"""Evaluates a library against captions of its videos: `{file name: [captions]}` in, ranks and measures out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.research.evaluation.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.evaluation.retrieval import GroundTruth, Retrieval, caption_ids, rank_queries
from hgrkit.research.evaluation.video_names import ends_in
from hgrkit.storage.json_file import read_json

__all__ = ["Captions", "ScoreCaptions", "evaluate_captions", "read_captions"]

Captions = Mapping[str, Sequence[str]]
ScoreCaptions = Callable[[Sequence[str]], npt.NDArray[np.float32]]


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


def evaluate_captions(
    captions: Captions,
    library_paths: Sequence[str],
    score: ScoreCaptions,
    *,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> Retrieval:
    """Rank every video of a library for every caption, and every caption for every annotated video.

    Every caption is a query, duplicates kept; every video annotated with that very caption is right.

    Args:
        captions: `{base name of a video's file, or more of its path: captions}`.
        library_paths: the library's V videos.
        score: C sentences to scores, float32 [V, C], videos in the order of `library_paths`.
        bootstrap: how intervals are found.

    Raises:
        BenchmarkError: if a name is not in the library, or fits several of its videos.
    """
    row_of = _rows(captions, library_paths)
    owners = [name for name, texts in captions.items() for _ in texts]
    texts = [text for own in captions.values() for text in own]
    distinct = list(dict.fromkeys(texts))
    number = {text: position for position, text in enumerate(distinct)}
    columns = np.array([number[text] for text in texts], np.int64)  # [C]
    rows = np.array([row_of[name] for name in owners], np.int64)  # [C]
    # Right by words, then repeated for every caption with these words: duplicates stay queries.
    right = Relevance.from_pairs(columns, rows, (len(distinct), len(library_paths)))
    truth = GroundTruth(
        videos=library_paths,
        ids=caption_ids(owners),
        captions=texts,
        owners=owners,
        relevance=right.take(columns),
        columns=columns,
        # Videos without captions are candidates, but nothing could be right for them as queries.
        asked={name: row_of[name] for name, own in captions.items() if own},
    )
    return Retrieval(query_ranks=rank_queries(score(distinct), truth), bootstrap=bootstrap)


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
