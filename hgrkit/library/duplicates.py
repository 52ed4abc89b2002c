"""Videos that show the same: copies that were encoded again, resized or cut shorter, found in the stored vectors.

Candidates are videos with clips whose events are near. Two videos are then compared frame by frame at the shift in
time that fits best. Both are done on whitened vectors (Jegou and Chum, "Negative evidences and co-occurrences in
image retrieval", ECCV 2012): what many videos of the library have in common says little of two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.checks.arguments import check_callable, check_number
from hgrkit.library.arrays import ClipArrays, Rows
from hgrkit.library.candidates import NOT_FINITE, ann_available
from hgrkit.library.library import Library
from hgrkit.library.records import Float32, Float64, VideoRecord, path_bytes
from hgrkit.library.request import Source
from hgrkit.library.tables import damaged_library
from hgrkit.matching.frame_weights import unit_vectors

__all__ = ["DUPLICATE_SIMILARITY", "DuplicateGroup", "find_duplicates"]

DUPLICATE_SIMILARITY = 0.4
"""At 0.35 some videos are joined that are no copies, at 0.45 a tenth of the resized, poor copies is missed
(benchmarks/results/examples.json)."""

_PLAIN_SIMILARITY = 0.85
"""The same of frames as they are: what copies and other videos of a small library lie to both sides of."""

_FEW_VIDEOS = 20
"""Fewer videos do not tell what is common; copies among them would be taken for it."""

_SHRINKAGE = 0.3
"""Of the covariance towards a sphere: less needs more videos, more parts copies from others less well."""

_SAMPLE = 20_000
"""Frames, and clips, that the covariance is computed of."""

_NEIGHBOURS = 10
"""Clips with the nearest events whose videos are compared; a copy is nearly always the first."""

_ALL_PAIRS_UP_TO = 30_000
"""Clips up to which every pair of events is multiplied out, in some 15 s; above it hnswlib finds neighbours."""

_MOST_FRAMES = 200
"""Frames of the shorter video that are compared, evenly spaced."""

_LEAST_COMMON = 0.6
"""Share of the shorter video's frames that must have a counterpart in time."""

_LEAST_FRAMES, _FEW_SIMILARITY = 4, 0.6
"""With fewer frames chance decides, unless they are as good as equal."""

_HELD = 0.97
"""Cosine from which on a frame equals the first or the last one: black before a fade, a title that is held. These
are alike in videos that are not, so they count only in a video that has hardly anything else."""

_CLIPS_AT_ONCE, _SHIFTED_FRAMES = 512, 1 << 20
"""Events, and frames at all shifts, that are worked on at once."""

_SHIFTS_A_FRAME = 8

_KEPT_VIDEOS = 64
"""Videos whose frames are kept while they are compared with others."""

Progress = Callable[[int, int], object]


@attrs.frozen(kw_only=True)
class DuplicateGroup:
    """Videos that show the same.

    Attributes:
        videos: their paths, the longest first; equally long ones with the largest file first.
        durations_s: their lengths in seconds, in the same order; `None` where it is not known.
        similarity: of the least similar two that were joined, in [-1, 1].
    """

    videos: tuple[str, ...]
    durations_s: tuple[float | None, ...]
    similarity: float

    def to_dict(self) -> dict[str, Any]:
        """The group as plain JSON types."""
        videos = [
            {"path": path, "duration_s": duration_s}
            for path, duration_s in zip(self.videos, self.durations_s, strict=True)
        ]
        return {"similarity": self.similarity, "videos": videos}


def find_duplicates(
    library: Library, threshold: float | None = None, *, on_progress: Progress | None = None
) -> tuple[DuplicateGroup, ...]:
    """Find groups of videos that show the same, the most similar first.

    A copy may be cut shorter at both ends; one that plays faster, is mirrored or lies inside other material is not
    found.

    Args:
        library: one or several as one.
        threshold: how similar two videos' frames are at least, on average, in (0, 1]; `DUPLICATE_SIMILARITY`, or
            in a library of fewer than 20 videos, whose frames are compared as they are, 0.85.
        on_progress: is told how many pairs of videos are compared, and how many there are.

    Raises:
        ConfigError: if the threshold is out of its range.
        DamagedLibraryError: if stored embeddings are not what was written.
    """
    if threshold is not None:
        threshold = check_number("threshold", threshold, "(0, 1]")
    check_callable("on_progress", on_progress, takes="two counts")
    return library.ask(lambda sources: _groups(_videos(sources), threshold, on_progress))


@attrs.frozen(eq=False)
class _Video:
    """A video's clips, in the order of time."""

    record: VideoRecord
    arrays: ClipArrays
    rows: Rows

    def frames(self) -> tuple[Float64, Float32, Float32]:
        """Times [F], and action and entity frames [F, D]."""
        self.arrays.check_frames(self.rows)
        records = self.arrays.clips[["first_frame", "num_frames"]][self.rows].tolist()
        frames = np.concatenate([self.arrays.frames[first : first + count] for first, count in records])
        action, entity = (_finite(frames[name].astype(np.float32)) for name in ("action", "entity"))
        return frames["time_s"], unit_vectors(action), unit_vectors(entity)

    def events(self) -> Float32:
        """The clips' events, [V, D]."""
        return unit_vectors(_finite(self.arrays.clips["event"][self.rows].astype(np.float32)))


def _finite(vectors: Float32) -> Float32:
    if not np.isfinite(vectors).all():
        raise damaged_library(NOT_FINITE)
    return vectors


def _videos(sources: Sequence[Source]) -> list[_Video]:
    """Every indexed video, in the order of the paths; what several libraries hold counts once."""
    found: dict[bytes, _Video] = {}
    for source in sources:
        arrays = source.view.arrays
        arrays.check_clips()
        for video in source.view.videos():
            if video.record.state == "indexed":
                rows = np.array(video.rows)
                rows = rows[np.argsort(arrays.clips["start_s"][rows], kind="stable")]
                found.setdefault(path_bytes(video.record.path), _Video(video.record, arrays, rows))
    return [found[key] for key in sorted(found)]


def _groups(
    videos: Sequence[_Video], threshold: float | None, on_progress: Progress | None
) -> tuple[DuplicateGroup, ...]:
    few = len(videos) < _FEW_VIDEOS
    least = threshold or (_PLAIN_SIMILARITY if few else DUPLICATE_SIMILARITY)
    alike = max(least, _FEW_SIMILARITY)
    whiten = _Whitening.plain() if few else _Whitening.of(videos)
    pairs = _candidates(videos, whiten)
    frames = lru_cache(maxsize=_KEPT_VIDEOS)(lambda place: whiten.frames(videos[place]))
    found: list[tuple[float, int, int]] = []
    for done, (one, other) in enumerate(pairs, 1):
        similarity = _similarity(frames(one), frames(other))
        is_short = min(len(frames(one).times_s), len(frames(other).times_s)) < _LEAST_FRAMES
        if similarity >= (alike if is_short else least):
            found.append((similarity, one, other))
        if on_progress is not None:
            on_progress(done, len(pairs))
    made = [_group([videos[place] for place in places], similarity) for places, similarity in _joined(found)]
    return tuple(sorted(made, key=lambda group: (-group.similarity, group.videos)))


def _joined(pairs: Sequence[tuple[float, int, int]]) -> list[tuple[list[int], float]]:
    """Groups of what pairs join, each with the similarity of the least similar pair that was needed for it."""
    groups: dict[int, list[int]] = {}
    least: dict[int, float] = {}
    leader: dict[int, int] = {}
    for similarity, one, other in sorted(pairs, reverse=True):
        new, old = leader.setdefault(one, one), leader.setdefault(other, other)
        if new != old:
            moved = groups.pop(old, [old])
            groups.setdefault(new, [new]).extend(moved)
            leader.update(dict.fromkeys(moved, new))
            least[new] = similarity
    return [(places, least[lead]) for lead, places in groups.items()]


def _group(videos: Sequence[_Video], similarity: float) -> DuplicateGroup:
    records = sorted(
        (video.record for video in videos),
        key=lambda record: (-(record.duration_s or 0.0), -record.size, path_bytes(record.path)),
    )
    return DuplicateGroup(
        videos=tuple(record.path for record in records),
        durations_s=tuple(record.duration_s for record in records),
        similarity=round(similarity, 6),
    )


@attrs.frozen(eq=False)
class _Frames:
    """A video's frames as they are compared: `times_s` [F], unit `vectors` [F, 2D], and which of them count."""

    times_s: Float64
    vectors: Float32
    body: npt.NDArray[np.int64]

    @property
    def step_s(self) -> float:
        """Time between two frames, in seconds."""
        return float(np.median(np.diff(self.times_s))) if len(self.times_s) > 1 else 0.0


@attrs.frozen(eq=False)
class _Whitening:
    """A mean [D] and a map [D, D] for vectors of each kind; mapped ones are alike only in what is rare."""

    event: tuple[Float32, Float32] | None
    action: tuple[Float32, Float32] | None
    entity: tuple[Float32, Float32] | None

    @classmethod
    def plain(cls) -> _Whitening:
        """Leave vectors as they are."""
        return cls(None, None, None)

    @classmethod
    def of(cls, videos: Sequence[_Video]) -> _Whitening:
        """By the vectors of some videos, evenly picked."""
        picked = videos[:: -(-sum(len(video.rows) for video in videos) // _SAMPLE)]
        frames: list[tuple[Float32, Float32]] = []
        count = sum(int(video.arrays.clips["num_frames"][video.rows].sum()) for video in picked)
        every = -(-count // _SAMPLE)
        for video in picked:
            _, action, entity = video.frames()
            frames.append((action[::every], entity[::every]))
        action, entity = (np.concatenate(part) for part in zip(*frames, strict=True))
        events = np.concatenate([video.events() for video in picked])
        return cls(_whitener(events), _whitener(action), _whitener(entity))

    def events(self, videos: Sequence[_Video]) -> Float32:
        """All clips' events, [V, D]."""
        return _mapped(np.concatenate([video.events() for video in videos]), self.event)

    def frames(self, video: _Video) -> _Frames:
        """One video's frames."""
        times_s, action, entity = video.frames()
        held = np.maximum(entity @ entity[0], entity @ entity[-1]) >= _HELD
        body = np.flatnonzero(~held)
        if len(body) < max(2, len(held) // 4):
            body = np.arange(len(held))
        levels = [_mapped(action, self.action), _mapped(entity, self.entity)]
        return _Frames(times_s, np.concatenate(levels, axis=1) / np.float32(np.sqrt(2)), body)


def _whitener(vectors: Float32) -> tuple[Float32, Float32]:
    mean = vectors.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov((vectors - mean).T.astype(np.float64)))
    scaled = axes / np.sqrt(np.maximum(values, 0) + _SHRINKAGE * max(float(values.mean()), 1e-12))
    return mean, scaled.astype(np.float32)


def _mapped(vectors: Float32, by: tuple[Float32, Float32] | None) -> Float32:
    return vectors if by is None else unit_vectors((vectors - by[0]) @ by[1])


def _candidates(videos: Sequence[_Video], whiten: _Whitening) -> list[tuple[int, int]]:
    """Pairs of videos of which clips are neighbours, in order."""
    if not videos:
        return []
    events = whiten.events(videos)
    owner = np.repeat(np.arange(len(videos)), [len(video.rows) for video in videos])
    count = min(_NEIGHBOURS + 1, len(events))  # a clip is its own
    pairs = set()
    for first, near in _neighbours(events, count):
        ones, others = np.repeat(owner[first : first + len(near)], count), owner[near.ravel()]
        pairs |= set(zip(np.minimum(ones, others).tolist(), np.maximum(ones, others).tolist(), strict=True))
    return sorted((one, other) for one, other in pairs if one != other)


def _neighbours(events: Float32, count: int) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Some clips at a time: the first of them, and the neighbours of each, [n, count], itself among them."""
    index = None
    if len(events) > _ALL_PAIRS_UP_TO and ann_available():
        import hnswlib

        index = hnswlib.Index(space="ip", dim=events.shape[1])
        index.init_index(max_elements=len(events), random_seed=0)
        index.add_items(events)
        index.set_ef(4 * count)
    for first in range(0, len(events), _CLIPS_AT_ONCE):
        part = events[first : first + _CLIPS_AT_ONCE]
        if index is not None:
            yield first, np.asarray(index.knn_query(part, k=count)[0], np.int64)
        else:
            yield first, np.argpartition(-(part @ events.T), count - 1, axis=1)[:, :count]


def _similarity(one: _Frames, other: _Frames) -> float:
    """Mean similarity of the shorter video's frames and those of the other at the best shift in time."""
    short, long = sorted((one, other), key=lambda video: (len(video.body), len(video.times_s)))
    chosen = short.body[np.unique(np.linspace(0, len(short.body) - 1, _MOST_FRAMES).round().astype(np.int64))]
    step_s = max(one.step_s, other.step_s)
    similarities = short.vectors[chosen] @ long.vectors.T  # [n, F]
    begin_s, end_s = long.times_s[0] - short.times_s[-1], long.times_s[-1] - short.times_s[0]
    # Frames at wild times would make any number of shifts; even ones make about as many as there are frames.
    least_s = (end_s - begin_s) / (_SHIFTS_A_FRAME * (len(long.times_s) + len(short.times_s)))
    shifts_s = np.arange(begin_s, end_s + 1e-6, max(min(one.step_s, other.step_s) or step_s or 1.0, least_s))
    best = -1.0
    for part_s in np.array_split(shifts_s, -(-len(shifts_s) * len(chosen) // _SHIFTED_FRAMES)):
        wanted_s = part_s[:, None] + short.times_s[chosen]  # [shifts, n]
        after = np.searchsorted(long.times_s, wanted_s)
        found = np.full(wanted_s.shape, -np.inf, np.float32)
        for place in (after - 1, after):  # a counterpart is at most a little more than half a step away
            inside = np.clip(place, 0, len(long.times_s) - 1)
            is_near = np.abs(long.times_s[inside] - wanted_s) <= 0.6 * step_s + 1e-6
            there = similarities[np.arange(len(chosen)), inside]
            found = np.where(is_near, np.maximum(found, there), found)
        has_one = np.isfinite(found)
        enough = has_one.mean(axis=1) >= _LEAST_COMMON
        if enough.any():
            best = max(best, float(np.where(has_one, found, 0).mean(axis=1)[enough].max()))
    return best
