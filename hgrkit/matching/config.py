"""How clips and sentences are compared, as settings: what the matcher and a search share, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import attrs

from hgrkit.checks.arguments import check_weights
from hgrkit.checks.settings import setting
from hgrkit.levels import LEVELS, PerLevel
from hgrkit.matching.frame_weights import DEFAULT_FUSION, DEFAULT_SHARPNESS, Fusion

__all__ = [
    "DEFAULT_TEMPERATURE",
    "LevelWeights",
    "MatcherConfig",
    "MatcherSettings",
    "QuerybankNormConfig",
    "fuse",
]

LevelWeights = tuple[float, ...]
"""Of event, action and entity in a score."""


def _level_weights(values: Iterable[float]) -> LevelWeights:
    return check_weights("level_weights", values, of=LEVELS)


class MatcherSettings(TypedDict, total=False):
    """What a matcher's constructor takes; `MatcherConfig` says what it means."""

    sharpness: float
    fusion: Fusion
    level_weights: Sequence[float]


@attrs.frozen(kw_only=True)
class MatcherConfig:
    """How a clip's frames are compared with a sentence's nodes, and the levels weighed.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    sharpness: float = setting(
        DEFAULT_SHARPNESS, "lambda of the softmax over frames; 0 weights them equally", within="[0, 1000000]"
    )
    fusion: Fusion = setting(
        DEFAULT_FUSION, "embed compares the attended frame with the node, sim averages the frames' similarities"
    )
    level_weights: LevelWeights = attrs.field(
        default=(1.0, 1.0, 1.0),
        converter=_level_weights,
        metadata={
            "meaning": "of event, action and entity in the fused score; they are scaled to sum to one",
            "within": "[0, inf)",
        },
    )

    def fuse(self, levels: PerLevel[Any]) -> Any:
        """The levels' weighted mean; tensors, arrays or numbers."""
        return fuse(levels, self.level_weights)


DEFAULT_TEMPERATURE = 0.08
"""Chosen with the default model on the photographs of Flickr8k's dev split; 0.05 to 0.1 are as good."""


@attrs.frozen(kw_only=True)
class QuerybankNormConfig:
    """The querybank normalisation of a model.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    size: int = setting(meaning="N, the clips of the bank", within="[1, inf)")
    temperature: float = setting(
        DEFAULT_TEMPERATURE, "the lower, the more the clips that fit best count", within="(0, inf)"
    )


def fuse(levels: PerLevel[Any], level_weights: Sequence[float]) -> Any:
    """The levels' mean, weighted as `level_weights` says; tensors, arrays or numbers."""
    total = sum(level_weights)
    event, action, entity = (weight / total for weight in level_weights)
    return event * levels.event + action * levels.action + entity * levels.entity
