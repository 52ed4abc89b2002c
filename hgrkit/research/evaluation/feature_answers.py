"""What a model says of single captions and videos, from frame features: the scores that a report shows."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.graph import RoleGraph
from hgrkit.levels import PerLevel
from hgrkit.matching.windows import Windows
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.long_video import LongVideo, WindowSettings
from hgrkit.model.query.encoder import EmbeddedQuery
from hgrkit.model.scorer import embed_graphs, settings_of
from hgrkit.research.evaluation.failure import Answer, Failure, PhraseScores
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.video_names import match_names

__all__ = ["FeatureAnswers"]

_ALL_FRAMES = 1 << 30


@attrs.frozen(eq=False, repr=False)
class FeatureAnswers:
    """Explains captions by frame features, every video as one clip.

    Attributes:
        model: the model, in evaluation mode.
        features: frame features by the videos' names, with or without a suffix.
    """

    model: HgrModel
    features: Mapping[str, npt.NDArray[np.float32]]

    def explain(self, row: QueryRank, graph: RoleGraph) -> Failure:
        """What the right video and the one in first place say of a caption.

        Args:
            row: the caption's rank, with both videos' names.
            graph: how it was read.
        """
        names = (row.positive, row.top)
        keys = match_names((name for name in names if name is not None), self.features)
        if row.positive is None or row.top is None or len(keys) < len(set(names)):
            return Failure(row=row, graph=graph)
        (query,) = embed_graphs(self.model, [graph])
        nodes = [*query.actions, *query.entities]
        right, preferred = (self._answer(name, keys[name], query) for name in (row.positive, row.top))
        found = {
            node.id: PhraseScores(text=graph.phrase(node), role=graph.role(node), right=ours, preferred=theirs)
            for node, ours, theirs in zip(nodes, right[1], preferred[1], strict=True)
        }
        phrases = tuple(found[node.id] for node in graph.nodes if node.id in found)
        return Failure(row=row, graph=graph, right=right[0], preferred=preferred[0], phrases=phrases)

    def _answer(self, name: str, key: str, query: EmbeddedQuery) -> tuple[Answer, list[float]]:
        """One video's scores, and the similarities of the query's actions and entities."""
        frames = self.model.video.max_frames or _ALL_FRAMES
        video = LongVideo.embed(
            self.model,
            self.features[key],
            settings=settings_of(self.model.matcher),
            windows=WindowSettings(max_frames=frames),
        )
        whole = Windows([0], [video.num_frames])
        levels = video.levels([query.embeddings], whole).map(lambda level: float(level[0, 0]))
        similarities = video.node_similarities(query.embeddings, whole)[0].tolist()
        shown: PerLevel[float | None] = PerLevel(
            event=levels.event,
            action=levels.action if query.actions else None,
            entity=levels.entity if query.entities else None,
        )
        return Answer(video=name, score=float(video.settings.fuse(levels)), levels=shown), similarities
