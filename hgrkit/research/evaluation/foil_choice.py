"""Fine-grained binary selection: which of a caption and its foil fits the video better (HGR, section 4.4)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import BenchmarkError, MissingPathError
from hgrkit.research.evaluation.bootstrap import (
    DEFAULT_BOOTSTRAP,
    LEVEL,
    Bootstrap,
    percentile_interval,
)
from hgrkit.research.evaluation.captions import match_names
from hgrkit.storage.json_file import read_json_lines

__all__ = ["FoilAccuracy", "FoilEvaluation", "FoilPair", "FoilTable", "evaluate_foils", "read_foils"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

ScorePairs = Callable[[Sequence[str], Sequence[str]], Float32]
"""C videos and C sentences to scores [2, C]: of all levels together, and of the event level alone."""

_SHAPE = '{"video", "caption", "foil", "type"}'
_VIDEO_KEYS = ("video", "video_file", "image_file", "filename", "image")
_FOIL_KEYS = ("foil", "foils", "negative_caption")
_TYPE_KEYS = ("type", "linguistic_phenomena", "kind", "category")


@attrs.frozen(kw_only=True)
class FoilPair:
    """One choice.

    Attributes:
        video: the video's name.
        caption: the right sentence.
        foil: the wrong one.
        type: what was changed; any name.
    """

    video: str
    caption: str
    foil: str
    type: str


def read_foils(path: Path) -> tuple[FoilPair, ...]:
    """Read a file of foils.

    A file of one JSON object `{id: record}` or one list of records is taken as well as one record a line. A
    record names its video `video`, `video_file`, `image_file`, `image` or `filename`, its foil `foil`, `foils` (a
    list) or `negative_caption`, and its type `type`, `linguistic_phenomena`, `kind` or `category`; without a type
    it has the name of the file.

    Raises:
        MissingPathError: if there is no such file.
        BenchmarkError: if it is not UTF-8 or not of such a shape, or holds no foil.
    """
    if not path.is_file():
        raise MissingPathError(f"there is no file {str(path)!r}; expected JSON lines of {_SHAPE}.")
    pairs = tuple(
        pair for place, record in _records(path) for pair in _pairs(record, f"{path}, {place}", path.stem)
    )
    if not pairs:
        raise BenchmarkError(f"{path} holds no foil; expected JSON lines of {_SHAPE}.")
    return pairs


def _records(path: Path) -> Iterator[tuple[str, Any]]:
    """Each record with its place in the file."""
    try:
        whole = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        yield from ((f"line {number}", record) for number, record in read_json_lines(path, error=BenchmarkError))
        return
    if isinstance(whole, dict) and "caption" not in whole:
        yield from ((f"record {name!r}", record) for name, record in whole.items())
    elif isinstance(whole, list):
        yield from ((f"record {number}", record) for number, record in enumerate(whole))
    else:
        yield "line 1", whole


def _pairs(record: object, place: str, default_type: str) -> Iterator[FoilPair]:
    """The choices of one record; several if it has several foils."""
    if not isinstance(record, dict):
        raise BenchmarkError(f"{place} must be an object of {_SHAPE}, got {type(record).__name__}.")
    video, caption = _text(record, _VIDEO_KEYS, place), _text(record, ("caption",), place)
    kind = _text(record, _TYPE_KEYS, place) if any(key in record for key in _TYPE_KEYS) else default_type
    listed = record.get("foils")
    foils = listed if isinstance(listed, list) else [_text(record, _FOIL_KEYS, place)]
    for foil in foils:
        if not isinstance(foil, str):
            raise BenchmarkError(f"{place} must have sentences for foils, got {foil!r}.")
        yield FoilPair(video=video, caption=caption, foil=foil, type=kind)


def _text(record: Mapping[str, Any], keys: tuple[str, ...], place: str) -> str:
    key = next((key for key in keys if key in record), None)
    if key is None:
        raise BenchmarkError(f"{place} has no {keys[0]!r}; expected an object of {_SHAPE}.")
    value = record[key]
    if not isinstance(value, str):
        raise BenchmarkError(f"{place} must have a string for {key!r}, got {type(value).__name__}.")
    return value


@attrs.frozen(kw_only=True)
class FoilAccuracy:
    """How often the caption was chosen.

    Attributes:
        accuracy: per cent of the choices; a tie is wrong.
        n: number of choices.
        interval: the bootstrap's interval of the accuracy.
    """

    accuracy: float
    n: int
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """`{"accuracy", "n", "interval"}`."""
        return {"accuracy": self.accuracy, "n": self.n, "interval": list(self.interval)}


@attrs.frozen(kw_only=True)
class FoilTable:
    """One system's accuracies.

    Attributes:
        types: of each type, in the order of the file.
        mean: their mean, every type counted once.
        mean_interval: the bootstrap's interval of the mean.
    """

    types: Mapping[str, FoilAccuracy]
    mean: float
    mean_interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """`{"types": {type: {...}}, "mean", "mean_interval"}`."""
        types = {name: found.to_dict() for name, found in self.types.items()}
        return {"types": types, "mean": self.mean, "mean_interval": list(self.mean_interval)}


@attrs.frozen(kw_only=True)
class FoilEvaluation:
    """The accuracies of a system with all levels, and of the event level alone.

    Attributes:
        fused: all levels, as a search ranks.
        event_only: the event level alone.
        missing: names of videos that the library does not have.
        videos: number of videos that were asked about.
        bootstrap: how intervals are found.
    """

    fused: FoilTable
    event_only: FoilTable
    missing: tuple[str, ...]
    videos: int
    bootstrap: Bootstrap

    def to_dict(self) -> dict[str, Any]:
        """What `hgrkit evaluate --foils` reports."""
        return {
            **self.fused.to_dict(),
            "event_only": self.event_only.to_dict(),
            "videos": self.videos,
            "missing": len(self.missing),
            "level": LEVEL,
            **attrs.asdict(self.bootstrap),
        }


def evaluate_foils(
    pairs: Sequence[FoilPair],
    library_paths: Sequence[str],
    score: ScorePairs,
    *,
    allow_missing: bool = False,
    bootstrap: Bootstrap = DEFAULT_BOOTSTRAP,
) -> FoilEvaluation:
    """Choose between each caption and its foil, with all levels and with the event level alone.

    Args:
        pairs: the choices.
        library_paths: the library's videos; a choice names its video by the path, the base name or the stem.
        score: C videos of the library and C sentences to scores, float32 [2, C].
        allow_missing: leave out choices about videos that the library does not have.
        bootstrap: how intervals are found.

    Raises:
        BenchmarkError: if a video is not in the library, or its name fits several.

    Source: HGR (arXiv 2003.00392), section 4.4.
    """
    paths = match_names((pair.video for pair in pairs), library_paths)
    missing = tuple(dict.fromkeys(pair.video for pair in pairs if pair.video not in paths))
    kept = [pair for pair in pairs if pair.video in paths]
    if missing and not (allow_missing and kept):
        raise BenchmarkError(
            f"{len(missing)} of the foils' {len(missing) + len(paths)} videos are not in the library, first "
            f"{missing[0]!r}; index them{', or leave them out with --allow-missing' if kept else ''}."
        )
    chosen = _chosen(kept, paths, score)  # [2, P]
    videos = list(dict.fromkeys(paths[pair.video] for pair in kept))
    place = {video: number for number, video in enumerate(videos)}
    clusters = np.array([place[paths[pair.video]] for pair in kept], np.int64)
    weights = np.concatenate(list(bootstrap.draws(len(videos))))  # [B, V]
    types = [pair.type for pair in kept]
    fused, event_only = (_table(row, types, clusters, weights) for row in chosen)
    return FoilEvaluation(
        fused=fused,
        event_only=event_only,
        missing=missing,
        videos=len(videos),
        bootstrap=bootstrap,
    )


def _chosen(pairs: Sequence[FoilPair], paths: Mapping[str, str], score: ScorePairs) -> npt.NDArray[np.bool_]:
    """Whether each caption scores higher than its foil, [2, P]; every sentence is scored once for its video."""
    # A caption has several foils; each sentence is read and scored once for its video.
    asked = dict.fromkeys((paths[pair.video], text) for pair in pairs for text in (pair.caption, pair.foil))
    column = {question: number for number, question in enumerate(asked)}
    scores = score([video for video, _ in asked], [text for _, text in asked])
    captions = [column[paths[pair.video], pair.caption] for pair in pairs]
    foils = [column[paths[pair.video], pair.foil] for pair in pairs]
    right: npt.NDArray[np.bool_] = scores[:, captions] > scores[:, foils]
    return right


def _table(
    right: npt.NDArray[np.bool_], types: Sequence[str], clusters: npt.NDArray[np.int64], weights: Float64
) -> FoilTable:
    """Accuracies of each type and their mean, with intervals from the same resamples."""
    names = list(dict.fromkeys(types))
    of_type = np.array([names.index(name) for name in types])
    found, drawn = {}, []
    for number, name in enumerate(names):
        rows = of_type == number
        hits = np.bincount(clusters[rows], right[rows].astype(np.float64), minlength=weights.shape[1])  # [V]
        asked = np.bincount(clusters[rows], minlength=weights.shape[1])
        with np.errstate(invalid="ignore"):
            # The types share their draws, so that their mean has an interval, too.
            resampled = 100 * (weights @ hits) / (weights @ asked)  # [B]; no number where none was drawn
        drawn.append(resampled)
        found[name] = FoilAccuracy(
            accuracy=float(100 * right[rows].mean()), n=int(rows.sum()), interval=percentile_interval(resampled)
        )
    mean = float(np.mean([value.accuracy for value in found.values()]))
    return FoilTable(types=found, mean=mean, mean_interval=percentile_interval(np.mean(drawn, axis=0)))
