"""Captions of clips without frames: two of one clip mean the same, which teaches the text side alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from hgrkit.errors import BenchmarkError
from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.losses import InfoNCE
from hgrkit.matching.matcher import Scores
from hgrkit.parsing.protocol import GraphParser
from hgrkit.research.training.clips import read_graphs
from hgrkit.research.training.text_feed import TextFeed

__all__ = ["Paraphrases"]

_TEMPERATURE = 0.05
"""The usual one of contrastive sentence embeddings (SimCSE, arXiv 2104.08821)."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Paraphrases:
    """Captions by the clip that they describe.

    Attributes:
        graphs: words without nodes: only the event level is taught.
        clips: positions of each clip's captions, at least two.
    """

    graphs: tuple[RoleGraph, ...]
    clips: tuple[npt.NDArray[np.int64], ...]

    @classmethod
    def of(cls, captions: Mapping[str, Sequence[str]], *, parser: GraphParser) -> Paraphrases:
        """Read captions, `{clip: [captions]}`; a wording counts once a clip, clips with one wording are left out.

        Raises:
            BenchmarkError: if no two clips have two captions each.
        """
        worded = [sorted({text for text in own if text.split()}) for own in captions.values()]
        worded = [own for own in worded if len(own) > 1]
        if len(worded) < 2:
            raise BenchmarkError(
                f"paraphrases need two clips with two captions each, got {len(worded)} such clips."
            )
        graphs, _ = read_graphs(parser, [text for own in worded for text in own])
        ends = np.cumsum([len(own) for own in worded])
        return cls(
            graphs=tuple(RoleGraph(tokens=graph.tokens) for graph in graphs),
            clips=tuple(np.split(np.arange(ends[-1]), ends[:-1])),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the captions and whose they are."""
        text = "\n".join(graph.to_json() for graph in self.graphs) + repr([len(clip) for clip in self.clips])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def loss(self, feed: TextFeed, *, batch_size: int, rng: np.random.Generator) -> Tensor:
        """InfoNCE at temperature 0.05 between two captions of each of up to `batch_size` clips, event level.

        Args:
            feed: of `graphs`.
            batch_size: the most clips.
            rng: draws the clips, and two captions of each.
        """
        clips = rng.permutation(len(self.clips))[:batch_size]
        pairs = np.array([rng.choice(self.clips[clip], 2, replace=False) for clip in clips])
        left, right = (nn.functional.normalize(feed.embed(side).event.float(), dim=1) for side in pairs.T)
        scores = left @ right.T
        levels = PerLevel(event=scores, action=scores, entity=scores)
        value: Tensor = InfoNCE(temperature=_TEMPERATURE).to(scores.device)(Scores(fused=scores, levels=levels))
        return value

    def __repr__(self) -> str:
        return f"Paraphrases(clips={len(self.clips)}, captions={len(self.graphs)})"
