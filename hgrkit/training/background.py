"""The background of a model that was trained: events of some of its training clips."""

from __future__ import annotations

import numpy as np
import torch

from hgrkit.matching.background import DEFAULT_TEMPERATURE, Background
from hgrkit.model import HgrModel
from hgrkit.training.clips import CaptionedClips

__all__ = ["draw_background"]

_CLIPS_AT_ONCE = 256


@torch.no_grad()
def draw_background(model: HgrModel, clips: CaptionedClips, *, size: int | None, seed: int) -> Background | None:
    """The background of some clips, drawn at random.

    Args:
        model: in evaluation mode.
        clips: what it was trained on; the first view of each.
        size: how many; all, if there are fewer. `None` is as many as the model has, or none.
        seed: of the draw.
    """
    before = model.background
    if size is None:
        if before is None:
            return None
        size = len(before.events)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(clips))[:size])
    events = [
        model.video(clips.features(part, max_frames=model.video.max_frames).to(model.device)).event
        for part in np.array_split(chosen, -(-len(chosen) // _CLIPS_AT_ONCE))
    ]
    temperature = DEFAULT_TEMPERATURE if before is None else before.temperature
    return Background.of(torch.cat(events), temperature=temperature)
