"""Learns how much each level counts from captions of videos that a library holds; never worse than the event.

Weights are chosen on some of the videos and measured on others, fold by fold; what is reported of them is of
videos that they were not chosen on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.errors import ConfigError
from hgrkit.library.library import Library
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.library.removal import rows_named
from hgrkit.library.request import Source, rows_of
from hgrkit.library.scoring import ClipSet, LevelWeights, SearchSettings
from hgrkit.library.store import StoredVideo
from hgrkit.matching.config import fuse

__all__ = ["EVENT_ONLY", "LEAST_VIDEOS", "CaptionedRows", "Measured", "Tuning", "tune_level_weights"]

EVENT_ONLY: LevelWeights = (1.0, 0.0, 0.0)

LEAST_VIDEOS = 10
"""With captions: with fewer, a fold of held-out videos is one or none."""

_STEPS = 10
"""Weights are tried in tenths."""

_FOLDS = 5
_RESAMPLES = 1000
_MEASURES = ("R@1", "mRR")
_CELLS = 1 << 24
"""Clip-node similarities held at once: 64 MiB a level."""

Ranks = npt.NDArray[np.int64]
Chosen = Literal["tuned", "event only", "unchanged"]


@attrs.frozen
class Measured:
    """A figure in per cent, or a difference in points, with its interval of 95 %, by the bootstrap over videos."""

    value: float
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"value": round(self.value, 2), "interval": [round(bound, 2) for bound in self.interval]}


@attrs.frozen(kw_only=True)
class Tuning:
    """What was learned of a library's captions.

    Attributes:
        chosen: `tuned`; `event only`, if neither what was learned nor what was used before finds as much as the
            event alone; `unchanged`, if what was used before finds the most.
        level_weights: of event, action and entity, for later searches.
        before: what searches used so far.
        captions: how many were asked.
        unreadable: those that no graph could be read from; they were left out.
        videos: those that have captions.
        among: the videos that were ranked.
        measures: R@1 and mRR (mean of 1 / rank), text to video, in per cent: `before`, `event only`, and `tuned`,
            which is of videos that the weights were not chosen on.
        gain: of what was chosen over `before`, in points, caption by caption.
    """

    chosen: Chosen
    level_weights: LevelWeights
    before: LevelWeights
    captions: int
    unreadable: int
    videos: int
    among: int
    measures: Mapping[str, Mapping[str, Measured]]
    gain: Mapping[str, Measured]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            **attrs.asdict(self, recurse=False),
            "level_weights": list(self.level_weights),
            "before": list(self.before),
            "measures": {way: _as_json(found) for way, found in self.measures.items()},
            "gain": _as_json(self.gain),
        }


def _as_json(measures: Mapping[str, Measured]) -> dict[str, Any]:
    return {name: measured.to_dict() for name, measured in measures.items()}


@attrs.frozen(kw_only=True, eq=False)
class CaptionedRows:
    """Captions of some of V videos.

    Attributes:
        texts: the captions.
        rows: the position of each one's video.
    """

    texts: Sequence[str]
    rows: Ranks

    @classmethod
    def of(cls, captions: Mapping[str, Sequence[str]], paths: Sequence[str]) -> CaptionedRows:
        """Find the videos that captions describe; a caption said twice of a video counts once.

        Raises:
            BenchmarkError: if a name is not in the library, or fits several of its videos.
            ConfigError: if fewer videos than `LEAST_VIDEOS` have captions.
        """
        asked = {name: list(dict.fromkeys(texts)) for name, texts in captions.items() if texts}
        row_of = rows_named(asked, paths)
        videos = len(set(row_of.values()))
        if videos < LEAST_VIDEOS:
            raise ConfigError(
                f"tuning needs captions of at least {LEAST_VIDEOS} videos, got {videos}; "
                "with fewer, level weights would be those of a few accidents."
            )
        pairs = [(text, row_of[name]) for name, texts in asked.items() for text in texts]
        return cls(texts=[text for text, _ in pairs], rows=np.array([row for _, row in pairs], np.int64))

    def right(self, places: Sequence[int], num_videos: int) -> npt.NDArray[np.bool_]:
        """Which videos have the very captions at these places, bool [V, C]."""
        column_of: dict[str, list[int]] = {}
        for column, place in enumerate(places):
            column_of.setdefault(self.texts[place], []).append(column)
        table = np.zeros((num_videos, len(places)), np.bool_)
        for text, row in zip(self.texts, self.rows.tolist(), strict=True):
            table[row, column_of.get(text, [])] = True
        return table


def tune_level_weights(
    library: Library,
    captions: CaptionedRows,
    queries: Sequence[QueryEmbeddings],
    positions: Sequence[int],
    settings: SearchSettings,
) -> Tuning:
    """Choose level weights by captions of a library's videos; nothing is written.

    Weights in tenths are tried, with those in use. Videos are dealt into five folds; for each, the weights are
    chosen by the mean reciprocal rank of the other folds' captions, and the fold's are ranked by them. Only if
    these ranks are better on average than those by the event alone, and than those by the weights in use, are
    weights chosen by all captions the answer; else the better of the two is.

    Args:
        library: one library.
        captions: whose videos are the rows of `library.indexed_paths()`.
        queries: what of the captions could be read, embedded.
        positions: the place of each query among the captions.
        settings: how clips are scored now.

    Raises:
        ConfigError: if too few videos have captions that could be read.
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    owners = captions.rows[list(positions)]
    if len(set(owners.tolist())) < LEAST_VIDEOS:
        raise ConfigError(f"the captions of fewer than {LEAST_VIDEOS} videos can be read; give more.")
    among = len(library.indexed_paths())
    tried = _tried(settings.level_weights)
    right = captions.right(positions, among)
    ranks = library.ask(lambda sources: _ranks(sources, queries, settings, tried, right))
    chosen, held_out = _choose(100.0 / ranks, owners)
    ways = {"before": ranks[0], "event only": ranks[1], "tuned": ranks[held_out, np.arange(len(owners))]}
    found = {way: float(np.mean(1.0 / own)) for way, own in ways.items()}
    best: Chosen = "unchanged" if found["before"] >= found["event only"] else "event only"
    if found["tuned"] > max(found["before"], found["event only"]):
        best = "tuned"
    weights = {"tuned": tried[chosen], "event only": EVENT_ONLY, "unchanged": settings.level_weights}
    gains = {way: _gains(own) for way, own in ways.items()}
    after = gains["before" if best == "unchanged" else best]
    return Tuning(
        chosen=best,
        level_weights=weights[best],
        before=settings.level_weights,
        captions=len(positions),
        unreadable=len(captions.texts) - len(positions),
        videos=len(set(owners.tolist())),
        among=among,
        measures={way: _measured(own, owners) for way, own in gains.items()},
        gain=_measured({name: after[name] - gains["before"][name] for name in _MEASURES}, owners),
    )


def _tried(before: LevelWeights) -> list[LevelWeights]:
    """The weights in use, the event alone, and all tenths."""
    tenths = [
        (event / _STEPS, action / _STEPS, (_STEPS - event - action) / _STEPS)
        for event in range(_STEPS, -1, -1)
        for action in range(_STEPS - event + 1)
    ]
    return [before, EVENT_ONLY, *(weights for weights in tenths if weights != EVENT_ONLY)]


def _choose(gains: npt.NDArray[np.float64], owners: Ranks) -> tuple[int, Ranks]:
    """The best of S settings by all captions, and for each caption the best by those of other folds' videos.

    Args:
        gains: what each caption brings by each setting, [S, C].
        owners: each caption's video.
    """
    videos = np.unique(owners)
    folds = np.empty(len(videos), np.int64)
    folds[np.random.default_rng(0).permutation(len(videos))] = np.arange(len(videos)) % _FOLDS
    fold_of = folds[np.searchsorted(videos, owners)]
    held_out = np.empty(len(owners), np.int64)
    for fold in range(_FOLDS):
        held_out[fold_of == fold] = _best(gains[:, fold_of != fold])
    return _best(gains), held_out


def _best(gains: npt.NDArray[np.float64]) -> int:
    """The setting with the highest mean; of equal ones the first, which are those in use, then the event."""
    return int(gains.mean(axis=1).round(6).argmax())


def _ranks(
    sources: Sequence[Source],
    queries: Sequence[QueryEmbeddings],
    settings: SearchSettings,
    tried: Sequence[LevelWeights],
    right: npt.NDArray[np.bool_],
) -> Ranks:
    """The rank of each query's best right video by each of S weights, int64 [S, C]; wrong ties are ahead."""
    (source,) = sources
    videos = [video for video in source.view.videos() if video.record.state == "indexed"]
    starts = np.cumsum([0, *(len(video.rows) for video in videos[:-1])])
    clips = _clips(source, videos)
    nodes = max(len(query.action) + len(query.entity) + 1 for query in queries)
    ranks = np.empty((len(tried), len(queries)), np.int64)
    for columns in _slices(len(queries), max(1, _CELLS // (nodes * len(clips.event)))):
        levels = clips.levels(queries[columns], settings)
        for row, weights in enumerate(tried):
            scores: Float32 = np.maximum.reduceat(np.asarray(fuse(levels, weights), np.float32), starts, axis=0)
            best = np.where(right[:, columns], scores, -np.inf).max(axis=0)
            ranks[row, columns] = 1 + (~right[:, columns] & (scores >= best)).sum(axis=0)
    return ranks


def _clips(source: Source, videos: Sequence[StoredVideo]) -> ClipSet:
    rows = rows_of(videos)
    source.view.arrays.check_clips(rows)
    source.view.arrays.check_frames(rows)
    return ClipSet.at(source.view.arrays, rows)


def _slices(count: int, step: int) -> Iterator[slice]:
    return (slice(start, start + step) for start in range(0, count, step))


def _gains(ranks: Ranks) -> dict[str, npt.NDArray[np.float64]]:
    """What each caption brings to R@1 and to mRR, in per cent."""
    return {"R@1": 100.0 * (ranks == 1), "mRR": 100.0 / ranks}


def _measured(gains: Mapping[str, npt.NDArray[np.float64]], owners: Ranks) -> dict[str, Measured]:
    """Means, with percentile intervals of resampled videos, each with all of its captions."""
    videos, of = np.unique(owners, return_inverse=True)
    draws = np.random.default_rng(0).multinomial(len(videos), np.full(len(videos), 1 / len(videos)), _RESAMPLES)
    counts = draws @ np.bincount(of).astype(np.float64)
    found = {}
    for name, own in gains.items():
        low, high = np.percentile(draws @ np.bincount(of, own) / counts, (2.5, 97.5))
        found[name] = Measured(float(own.mean()), (float(low), float(high)))
    return found
