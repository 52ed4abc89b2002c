"""Regions of a picture beside the whole of it: entities look at a grid of three by three too.

A frame's features are those of the whole, K numbers, and then those of nine regions, row by row: means of the
frame encoder's last map, whose mean over all positions the features of the whole are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import attrs
import numpy as np
import torch
from cache_file import cache_file
from frame_halves import UpperHalf
from msvd_clips import Clips
from one_frame_loss import NodeLevel, OneFrameLoss
from photographs import FrameNetwork, Photographs
from rich.progress import track
from torch import Tensor

from hgrkit.levels import LEVELS, PerLevel
from hgrkit.matching.embeddings import TextEmbeddings, VideoEmbeddings
from hgrkit.matching.matcher import Matcher
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.video import VideoFeatures
from hgrkit.video.reader import VideoReader
from hgrkit.video.sampling import parse_sampling

__all__ = ["RegionLoss", "clips_with_regions", "photographs_with_regions", "region_features", "score_regions"]

GRID = 3
LOOKS = 1 + GRID * GRID
"""The whole and its regions."""

_PICTURES_AT_ONCE = 64
_CLIPS_AT_ONCE = 14


def photographs_with_regions(photographs: Photographs, upper: UpperHalf, cache: Path) -> Photographs:
    """The same photographs, features [N, 10 K]."""
    views = []
    for view in photographs.views:
        path = cache_file(cache, "regions.npy", view.fingerprint)
        if not path.is_file():
            np.save(path, region_features(upper, view.block_input))
        regions = torch.from_numpy(np.load(path)).float()
        views.append(attrs.evolve(view, features=torch.cat([view.features, regions], dim=1)))
    return attrs.evolve(photographs, views=tuple(views))


def clips_with_regions(
    clips: Clips, folder: Path, upper: UpperHalf, network: FrameNetwork, cache: Path, *, sampling: str
) -> Clips:
    """The same clips, features of frames [V, F, 10 K]."""
    path = cache_file(cache, "regions-msvd.npz", clips.fingerprint)
    if not path.is_file():
        stored: dict[str, Any] = {}
        for name in track(clips.names, description="regions of clips"):
            video = VideoReader(folder / name, (network.frame_size, network.frame_size))
            pictures = np.stack([frame.image for frame in video.sample(parse_sampling(sampling))])
            parts = np.array_split(pictures, -(-len(pictures) // _PICTURES_AT_ONCE))
            stored[name] = region_features(upper, np.concatenate([network.read(part)[1] for part in parts]))
        np.savez(path, **stored)
    features = clips.features
    with np.load(path) as regions:
        frames = [
            torch.cat([whole[mask], torch.from_numpy(regions[name]).float()], dim=1)
            for name, whole, mask in zip(clips.names, features.frames, features.frame_mask, strict=True)
        ]
    return attrs.evolve(clips, features=VideoFeatures.from_arrays(frames))


@torch.inference_mode()
def region_features(upper: UpperHalf, block_input: np.ndarray) -> np.ndarray:
    """Features of the regions of N pictures, float16 [N, 9 K], from what enters the upper half."""
    upper.eval()
    parts = []
    for start in track(range(0, len(block_input), _PICTURES_AT_ONCE), description="regions"):
        part = torch.from_numpy(block_input[start : start + _PICTURES_AT_ONCE].astype(np.float32))
        positions = upper.positions(part).permute(0, 3, 1, 2)
        grid = torch.nn.functional.adaptive_avg_pool2d(positions, GRID)  # [B, K, 3, 3]
        parts.append(grid.flatten(2).transpose(1, 2).flatten(1).half().numpy())
    return np.concatenate(parts)


class RegionLoss(OneFrameLoss):
    """The loss of photographs whose features are [B, 10 K]."""

    def look(self, features: Tensor) -> PerLevel[Tensor]:
        """Event and action of the whole, [B, D]; entity of the whole and its regions, [B, 10, D]."""
        looks = _looks(features)
        whole = super().look(looks[:, 0])
        every = VideoFeatures(frames=looks, frame_mask=torch.ones(looks.shape[:2], dtype=torch.bool))
        return attrs.evolve(whole, entity=self.model.video.frame_views(every).entity)

    def levels(self, views: PerLevel[Tensor], text: TextEmbeddings) -> PerLevel[Tensor]:
        """Entities attend to the whole and its regions, as they do to frames."""
        whole = super().levels(attrs.evolve(views, entity=views.entity[:, 0]), text)
        return attrs.evolve(whole, entity=self.model.matcher(*entity_level(views, text)).levels.entity)

    def fits(self, views: PerLevel[Tensor], text: TextEmbeddings, level: NodeLevel) -> Tensor:
        """As `levels` does, each photograph with its own sentence."""
        if level == "entity":
            return self.model.matcher.pairs(*entity_level(views, text)).entity
        return super().fits(views, text, level)


def entity_level(views: PerLevel[Tensor], text: TextEmbeddings) -> tuple[VideoEmbeddings, TextEmbeddings]:
    """What the matcher compares at the entity level alone: looks [B, 10, D] with sentences without actions."""
    mask = torch.ones(views.entity.shape[:2], dtype=torch.bool)
    looks = VideoEmbeddings(event=views.event, action=views.entity, entity=views.entity, frame_mask=mask)
    return looks, without_actions(text)


def _looks(features: Tensor) -> Tensor:
    """The whole and its regions apart, [..., 10 K] -> [..., 10, K]."""
    return cast("Tensor", features.unflatten(-1, (LOOKS, -1)))  # type: ignore[no-untyped-call]


def without_actions(text: TextEmbeddings) -> TextEmbeddings:
    """The same sentences, their actions left out."""
    return attrs.evolve(text, action=text.action[:, :0], action_mask=text.action_mask[:, :0])


@torch.inference_mode()
def score_regions(
    model: HgrModel, matcher: Matcher, features: VideoFeatures, texts: Sequence[TextEmbeddings]
) -> PerLevel[Tensor]:
    """Each level's scores of clips with features [V, F, 10 K], [V, C]: an entity attends to F x 10 looks."""
    rows = []
    for start in range(0, len(features), _CLIPS_AT_ONCE):
        part = slice(start, start + _CLIPS_AT_ONCE)
        frames, mask = _looks(features.frames[part]), features.frame_mask[part]
        wholes = model.video(VideoFeatures(frames=frames[:, :, 0], frame_mask=mask))
        looks = VideoFeatures(frames=frames.flatten(1, 2), frame_mask=mask.repeat_interleave(LOOKS, dim=1))
        entity = model.video.frame_views(looks).entity
        of_looks = VideoEmbeddings(event=wholes.event, action=entity, entity=entity, frame_mask=looks.frame_mask)
        columns = []
        for text in texts:
            no_entities = attrs.evolve(text, entity=text.entity[:, :0], entity_mask=text.entity_mask[:, :0])
            found = matcher(wholes, no_entities).levels
            columns.append(attrs.evolve(found, entity=matcher(of_looks, without_actions(text)).levels.entity))
        rows.append(PerLevel(**{level: torch.cat([c[level] for c in columns], dim=1) for level in LEVELS}))
    return PerLevel(**{level: torch.cat([row[level] for row in rows]) for level in LEVELS})
