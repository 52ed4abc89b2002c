"""Which pairs each step of an epoch takes: a pure function of seed and epoch, so any step can be found again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hgrkit.research.training.config import TrainConfig

__all__ = ["epoch_batches", "steps_per_epoch"]

Indices = npt.NDArray[np.int64]


def epoch_batches(config: TrainConfig, epoch: int, owners: Indices, lengths: Indices) -> list[Indices]:
    """The captions of each batch, by position; a caption's clip is its partner.

    Args:
        config: batch size, captions a video, bucketing, seed.
        epoch: from 0.
        owners: the clip of each caption, int64 [S], ascending.
        lengths: tokens of each caption, int64 [S].

    Returns:
        Positions of captions, one array a batch.
    """
    chance = np.random.default_rng([config.seed, epoch])
    captions = chance.permutation(len(owners))
    if config.captions_per_video is not None:
        captions = captions[_place_within_clip(owners[captions]) < config.captions_per_video]
    if config.bucket:
        window = config.bucket * config.batch_size
        starts = range(0, len(captions), window)
        captions = np.concatenate([_by_length(captions[start : start + window], lengths) for start in starts])
    parts = _cut(captions, config)
    return [parts[place] for place in chance.permutation(len(parts))] if config.bucket else parts


def steps_per_epoch(config: TrainConfig, captions_of_clips: Sequence[int]) -> int:
    """How many batches an epoch has, the same for every epoch.

    Args:
        config: batch size and captions a video.
        captions_of_clips: how many captions each clip has.
    """
    most = config.captions_per_video
    pairs = sum(count if most is None else min(count, most) for count in captions_of_clips)
    full, rest = divmod(pairs, config.batch_size)
    return max(1, full) if config.drop_last else full + (rest > 1 or not full)


def _cut(captions: Indices, config: TrainConfig) -> list[Indices]:
    """Batches; a last one that is not full goes if asked, and one of a single pair, which teaches nothing."""
    parts = [captions[start : start + config.batch_size] for start in range(0, len(captions), config.batch_size)]
    smallest = config.batch_size if config.drop_last else 2
    return parts[:-1] if len(parts) > 1 and len(parts[-1]) < smallest else parts


def _by_length(captions: Indices, lengths: Indices) -> Indices:
    ordered: Indices = captions[np.argsort(lengths[captions], kind="stable")]
    return ordered


def _place_within_clip(clips: Indices) -> Indices:
    """How many captions of the same clip stand before each."""
    order = np.argsort(clips, kind="stable")
    grouped = clips[order]
    first = np.searchsorted(grouped, grouped)
    places = np.empty(len(clips), np.int64)
    places[order] = np.arange(len(clips)) - first
    return places
