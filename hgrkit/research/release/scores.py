"""Scores of every video of a release's split against every caption, and what is measured on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import TypeVar

import attrs
import numpy as np
import numpy.typing as npt
import torch

from hgrkit.errors import ReleaseError
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.model.hgr_model import HgrModel
from hgrkit.research.evaluation.measures import RetrievalMeasures, measure
from hgrkit.research.evaluation.rank_file import QueryRank
from hgrkit.research.evaluation.retrieval import GroundTruth, rank_queries
from hgrkit.research.release.dataset import ReleaseDataset
from hgrkit.storage.atomic_file import writing

__all__ = ["ReleaseScores", "score_release"]

T = TypeVar("T")
FloatArray = npt.NDArray[np.float32]

_BATCH = 64
"""Videos and captions that are embedded at once, which bounds memory."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class ReleaseScores:
    """Scores of all videos and captions of a split.

    Attributes:
        video_names: the videos, sorted.
        captions: the different captions, sorted.
        level_scores: event, action and entity, float32 [3, V, C].
        fused: the model's fused score, float32 [V, C].
        positives: whether the caption is one of the video's, bool [V, C].
        omitted: what the model's limits left out: actions, entities, tokens and frames.
    """

    video_names: tuple[str, ...]
    captions: tuple[str, ...]
    level_scores: FloatArray
    fused: FloatArray
    positives: npt.NDArray[np.bool_]
    omitted: dict[str, int]

    def measures(self) -> RetrievalMeasures:
        """Measures of both directions on the fused score."""
        return measure(self.fused, self.positives)

    def query_ranks(self) -> tuple[QueryRank, ...]:
        """Every query's rank on the fused score, captions first."""
        truth = GroundTruth.from_positives(self.positives, videos=self.video_names, captions=self.captions)
        return rank_queries(self.fused, truth)

    def save(self, path: str | Path) -> None:
        """Write `level_scores`, `video_names` and `captions` to an npz file, readable without pickle."""
        with writing(Path(path)), Path(path).open("wb") as stream:
            np.savez(
                stream,
                level_scores=self.level_scores,
                video_names=np.array(self.video_names, dtype=np.str_),
                captions=np.array(self.captions, dtype=np.str_),
            )

    def __repr__(self) -> str:
        return f"ReleaseScores(videos={len(self.video_names)}, captions={len(self.captions)})"


def score_release(model: HgrModel, dataset: ReleaseDataset) -> ReleaseScores:
    """Score all videos of a split against all its captions.

    Raises:
        ReleaseError: if there is no caption, or a caption's graph is broken.
    """
    names, captions = dataset.names, sorted({caption for _, caption in dataset.pairs()})
    if not captions:
        raise ReleaseError("the videos of the split have no caption; there is nothing to evaluate.")
    order = sorted(range(len(names)), key=names.__getitem__)
    with torch.inference_mode():
        batches = [dataset.graphs(part) for part in _parts(captions)]
        texts = [model.text(batch.to(model.device)) for batch in batches]
        rows = [_score(model, model.video(dataset.videos(part).to(model.device)), texts) for part in _parts(order)]
    cut = reduce(add, (batch.omitted for batch in batches))
    column = {caption: number for number, caption in enumerate(captions)}
    positives = np.zeros((len(order), len(captions)), dtype=np.bool_)
    for row, position in enumerate(order):
        positives[row, [column[caption] for caption in dataset.captions[position]]] = True
    return ReleaseScores(
        video_names=tuple(names[position] for position in order),
        captions=tuple(captions),
        level_scores=np.concatenate([levels for levels, _ in rows], axis=1),
        fused=np.concatenate([fused for _, fused in rows]),
        positives=positives,
        omitted={
            **{name: count for name, count in attrs.asdict(cut).items() if name != "event_tokens"},
            "frames": dataset.omitted_frames,
        },
    )


def _score(
    model: HgrModel, video: VideoEmbeddings, texts: Sequence[TextEmbeddings]
) -> tuple[FloatArray, FloatArray]:
    """Some videos against all captions: level scores [3, v, C] and fused scores [v, C]."""
    parts = [model.matcher(video, text) for text in texts]
    levels = torch.cat([torch.stack([*scores.levels]) for scores in parts], dim=2)
    return levels.cpu().numpy(), torch.cat([scores.fused for scores in parts], dim=1).cpu().numpy()


def _parts(items: Sequence[T], size: int = _BATCH) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
