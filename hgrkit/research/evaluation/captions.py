"""Captions by the names of their videos: finding those videos, and evaluating a library against them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.library.removal import ends_in, rows_named
from hgrkit.research.evaluation.bootstrap import DEFAULT_BOOTSTRAP, Bootstrap
from hgrkit.research.evaluation.ranking import Relevance
from hgrkit.research.evaluation.retrieval import GroundTruth, Retrieval, caption_ids, rank_queries
from hgrkit.storage.json_file import read_json

__all__ = ["Captions", "ScoreCaptions", "evaluate_captions", "match_base_names", "match_names", "read_captions"]

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
    row_of = rows_named(captions, library_paths)
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


def match_names(names: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """The key of each name: the name itself, else a path that ends in it or whose stem it is.

    >>> match_names(["video1", "2.jpg", "video3"], ["clips/video1.mp4", "2", "b.avi"])
    {'video1': 'clips/video1.mp4', '2.jpg': '2'}
    >>> match_names(["clips/video1.mp4"], ["/home/me/clips/video1.mp4", "/home/me/old/video1.mp4"])
    {'clips/video1.mp4': '/home/me/clips/video1.mp4'}

    Returns:
        Names that were found, in their order, and their keys.

    Raises:
        BenchmarkError: if several keys fit a name.
    """
    exact: dict[str, list[str]] = {}
    by_base: dict[str, list[str]] = {}
    by_stem: dict[str, list[str]] = {}
    for key in keys:
        path = PurePath(key)
        exact[key] = [key]
        by_base.setdefault(path.name, []).append(key)
        by_stem.setdefault(path.stem, []).append(key)
    found = {}
    for name in dict.fromkeys(names):
        stem = PurePath(name).stem if PurePath(name).suffix else name
        places = (
            exact.get(name),
            exact.get(name.replace("/", "_")),
            [key for key in by_base.get(PurePath(name).name, ()) if ends_in(key, name)],
            by_stem.get(name),
            exact.get(stem),
        )
        fitting = next(filter(None, places), [])
        if len(fitting) > 1:
            raise BenchmarkError(f"{name!r} fits several videos: {', '.join(fitting[:3])}; keep one of them.")
        if fitting:
            found[name] = fitting[0]
    return found


def match_base_names(names: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """The key of each name as `match_names` says, else of its base name, else of that without its suffix.

    >>> match_base_names(["clip0.mp4", "a/clip1"], ["videos/clip0", "clip1.avi"])
    {'clip0.mp4': 'videos/clip0', 'a/clip1': 'clip1.avi'}

    Raises:
        BenchmarkError: if several keys fit a name.
    """
    asked, known = list(dict.fromkeys(names)), list(keys)
    found = match_names(asked, known)
    for part in ("name", "stem"):
        short = {name: getattr(PurePath(name), part) for name in asked if name not in found}
        more = match_names(short.values(), known)
        found |= {name: more[base] for name, base in short.items() if base in more}
    return {name: found[name] for name in asked if name in found}
