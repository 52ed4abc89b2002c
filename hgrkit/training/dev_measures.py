"""Retrieval measures of a model on dev clips, both directions, all captions against all clips."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from hgrkit.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.evaluation.measures import RetrievalMeasures, measure
from hgrkit.evaluation.ranking import Relevance
from hgrkit.model import HgrModel
from hgrkit.training.clips import CaptionedClips, Float32, Indices
from hgrkit.training.text_feed import TextFeed

__all__ = ["RightPairs", "measure_clips"]

Table = npt.NDArray[np.bool_]

_CLIPS_AT_ONCE, _CAPTIONS_AT_ONCE = 64, 256


@torch.no_grad()
def measure_clips(model: HgrModel, clips: CaptionedClips, feed: TextFeed) -> RetrievalMeasures:
    """Rank all clips for every caption and all captions for every clip.

    Args:
        model: in evaluation mode.
        clips: the candidates and queries.
        feed: embeds their captions.
    """
    videos = [_videos(model, clips, part) for part in _parts(len(clips), _CLIPS_AT_ONCE)]
    texts = [feed.embed(model, part) for part in _parts(len(clips.graphs), _CAPTIONS_AT_ONCE)]
    scores = np.concatenate([_row(model, video, texts) for video in videos])
    return measure(scores, RightPairs(clips).relevance)


class RightPairs:
    """Which captions are right for which clips: their own, and those in the very words of their own.

    Args:
        clips: the clips and captions.
    """

    def __init__(self, clips: CaptionedClips) -> None:
        self._wordings = clips.wordings
        self._base = int(self._wordings.max()) + 1
        self._known = np.unique(clips.owners * self._base + self._wordings)  # each clip with each of its wordings
        self._shape = (len(clips), len(clips.graphs))

    def table(self, clips: Indices, captions: Indices) -> Table:
        """Whether each of V clips and each of C captions fit, bool [V, C]."""
        return np.isin(clips[:, None] * self._base + self._wordings[captions][None, :], self._known)

    @property
    def relevance(self) -> Relevance:
        """All pairs that fit, clips as queries."""
        owners, wordings = np.divmod(self._known, self._base)
        by_wording = np.argsort(self._wordings, kind="stable")
        starts = np.searchsorted(self._wordings[by_wording], np.arange(self._base + 1))
        told = [by_wording[starts[wording] : starts[wording + 1]] for wording in wordings.tolist()]
        clips = np.repeat(owners, [len(captions) for captions in told])
        return Relevance.from_pairs(clips, np.concatenate(told), self._shape)


def _videos(model: HgrModel, clips: CaptionedClips, part: Indices) -> VideoEmbeddings:
    features = clips.features(part, max_frames=model.video.max_frames)
    embeddings: VideoEmbeddings = model.video(features.to(model.device))
    return embeddings


def _row(model: HgrModel, video: VideoEmbeddings, texts: list[TextEmbeddings]) -> Float32:
    return np.concatenate([model.matcher(video, text).fused.float().cpu().numpy() for text in texts], axis=1)


def _parts(size: int, step: int) -> list[Indices]:
    return [np.arange(start, min(start + step, size)) for start in range(0, size, step)]
