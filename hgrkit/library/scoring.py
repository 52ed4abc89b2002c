"""Exact scores of clips against queries: the levels and their weighted mean, as the matcher has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.arguments import check_choice, check_flag, check_number, check_weights, check_whole
from hgrkit.levels import LEVELS, PerLevel
from hgrkit.library.candidates import unit_vectors
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.matching.packed import Fusion, PackedLevel, mean_over_nodes, packed_similarities

__all__ = ["LevelWeights", "PackedClips", "SearchSettings"]

LevelWeights = tuple[float, ...]
"""Of event, action and entity in a score."""

_CHUNK_SIMILARITIES = 1 << 24
"""Clip-node similarities held at once: 64 MiB a level."""


def _weights(values: Iterable[float]) -> tuple[float, ...]:
    return check_weights("level_weights", values, of=LEVELS)


def _sharpness(value: float) -> float:
    return check_number("sharpness", value, "(0, inf)")


def _candidates(value: int) -> int:
    return check_whole("candidates", value)


@attrs.frozen(kw_only=True)
class SearchSettings:
    """How clips are scored and how many are looked at; the first three must be the matcher's own.

    Attributes:
        sharpness: lambda of the softmax over frames, positive.
        fusion: `embed` or `sim`.
        level_weights: of event, action and entity in the score; they are scaled to sum to one.
        candidates: clips that a search re-ranks exactly, when it does not look at all of them.
        exhaustive: look at every clip; `None` does so while the library is small.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    sharpness: float = attrs.field(default=4.0, converter=_sharpness)
    fusion: Fusion = "embed"
    level_weights: LevelWeights = attrs.field(default=(1.0, 1.0, 1.0), converter=_weights)
    candidates: int = attrs.field(default=500, converter=_candidates)
    exhaustive: bool | None = None

    def __attrs_post_init__(self) -> None:
        check_choice("fusion", self.fusion, get_args(Fusion))
        if self.exhaustive is not None:
            check_flag("exhaustive", self.exhaustive)

    def reweighted(self, level_weights: LevelWeights | None) -> SearchSettings:
        """The settings with other weights of event, action and entity; `None` leaves them as they are."""
        return self if level_weights is None else attrs.evolve(self, level_weights=level_weights)

    def fuse(self, levels: PerLevel[Any]) -> Any:
        """The levels' weighted mean; arrays or numbers."""
        total = sum(self.level_weights)
        event, action, entity = (weight / total for weight in self.level_weights)
        return event * levels.event + action * levels.action + entity * levels.entity


@attrs.frozen(eq=False)
class PackedClips:
    """V clips, ready to be scored against any number of queries.

    Attributes:
        event: [V, D] of length one.
        action: the clips' action frames.
        entity: the clips' entity frames.
    """

    event: Float32
    action: PackedLevel
    entity: PackedLevel

    def take(self, rows: npt.NDArray[np.int64]) -> PackedClips:
        """The clips at these positions."""
        return PackedClips(self.event[rows], self.action.take(rows), self.entity.take(rows))

    def levels(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> PerLevel[Float32]:
        """Every level's score, [V, C] each; 0 where a query has no node of the level."""
        return PerLevel(
            event=self.event @ unit_vectors(np.stack([query.event for query in queries])).T,
            action=_level(self.action, [query.action for query in queries], settings),
            entity=_level(self.entity, [query.entity for query in queries], settings),
        )

    def scores(self, queries: Sequence[QueryEmbeddings], settings: SearchSettings) -> Iterator[Float32]:
        """Fused scores, some queries at a time: [V, c] each, the queries in their order."""
        for chunk in self._chunks(queries):
            fused: Float32 = np.asarray(settings.fuse(self.levels(chunk, settings)), np.float32)
            yield fused

    def _chunks(self, queries: Sequence[QueryEmbeddings]) -> Iterator[Sequence[QueryEmbeddings]]:
        nodes = max((len(query.action) + len(query.entity) + 1 for query in queries), default=1)
        step = max(1, _CHUNK_SIMILARITIES // (nodes * len(self.event)))
        for start in range(0, len(queries), step):
            yield queries[start : start + step]


def _level(packed: PackedLevel, nodes: Sequence[Float32], settings: SearchSettings) -> Float32:
    similarities = packed_similarities(
        packed, np.concatenate(nodes), sharpness=settings.sharpness, fusion=settings.fusion
    )
    return mean_over_nodes(similarities, [len(part) for part in nodes])
