"""Exact scores of clips against queries: the levels and their weighted mean, as the matcher has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.levels import PerLevel
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.matching.config import LevelWeights, SearchSettings
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.matching.packed import PackedLevel, mean_over_nodes, packed_similarities

__all__ = ["LevelWeights", "PackedClips", "SearchSettings"]

_CHUNK_SIMILARITIES = 1 << 24
"""Clip-node similarities held at once: 64 MiB a level."""


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
