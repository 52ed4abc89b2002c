"""Scores sentences against frame features with a model, all embeddings in memory: no library, no files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import attrs
import numpy as np
import torch

from hgrkit.library.candidates import unit_vectors
from hgrkit.library.records import Float32
from hgrkit.library.scoring import PackedClips, SearchSettings
from hgrkit.matching.matcher import Matcher
from hgrkit.matching.packed import PackedLevel
from hgrkit.model import HgrModel
from hgrkit.query.captions import EmbeddedCaptions
from hgrkit.video.features import VideoFeatures

__all__ = ["EmbeddedVideos", "embed_videos", "settings_of"]

_VIDEOS_AT_ONCE = 64


def settings_of(matcher: Matcher) -> SearchSettings:
    """A matcher's settings as the library takes them."""
    return SearchSettings(sharpness=matcher.sharpness, fusion=matcher.fusion, level_weights=matcher.level_weights)


@attrs.frozen(kw_only=True, eq=False, repr=False)
class EmbeddedVideos:
    """V videos of one clip each, ready to be scored.

    Attributes:
        clips: their embeddings.
        settings: how the model compares them.
        omitted_frames: frames that the model's `max_frames` left out.
    """

    clips: PackedClips
    settings: SearchSettings
    omitted_frames: int

    def scores(self, captions: EmbeddedCaptions, *, less_background: bool = False) -> Float32:
        """Every video's exact score for every sentence, float32 [V, C]; -1 for one that could not be read.

        `less_background` takes off what a sentence scores with any clip, as in `Retriever.scores`.
        """
        scores = np.empty((len(self), len(captions.queries)), np.float32)
        done = 0
        for part in self.clips.scores(captions.queries, self.settings):
            scores[:, done : done + part.shape[1]] = part
            done += part.shape[1]
        return captions.spread(scores, less_background=less_background)

    def __len__(self) -> int:
        """Number of videos."""
        return len(self.clips.event)

    def __repr__(self) -> str:
        return f"EmbeddedVideos({len(self)})"


def embed_videos(model: HgrModel, features: Iterable[Float32]) -> EmbeddedVideos:
    """Embed videos, each as one clip of all its frames, or of `max_frames` evenly spaced ones.

    Args:
        model: the model, in evaluation mode.
        features: each video's frame features, [F, K].

    Raises:
        ShapeError: if there is no video, or K is not the model's `feature_dim`.
    """
    event: list[Float32] = []
    action: list[Float32] = []
    entity: list[Float32] = []
    omitted = 0
    with torch.inference_mode():
        for part in _parts(iter(features)):
            batch = VideoFeatures.from_arrays(part, max_frames=model.video.max_frames)
            video = model.video(batch.to(model.device))
            lengths = batch.frame_mask.sum(dim=1).tolist()
            event.append(video.event.float().cpu().numpy())
            action += _clips(video.action, lengths)
            entity += _clips(video.entity, lengths)
            omitted += batch.omitted_frames
    clips = PackedClips(
        unit_vectors(np.concatenate(event)), PackedLevel.from_clips(action), PackedLevel.from_clips(entity)
    )
    return EmbeddedVideos(clips=clips, settings=settings_of(model.matcher), omitted_frames=omitted)


def _parts(features: Iterator[Float32]) -> Iterator[list[Float32]]:
    while part := list(islice(features, _VIDEOS_AT_ONCE)):
        yield part


def _clips(frames: torch.Tensor, lengths: list[int]) -> list[Float32]:
    """The real frames of each clip: [V, F, D] -> V arrays of [F, D]."""
    array = frames.float().cpu().numpy()
    return [array[row, :length] for row, length in enumerate(lengths)]
