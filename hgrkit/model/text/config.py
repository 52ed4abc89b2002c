"""The settings of text encoders over role graphs, without torch."""

from __future__ import annotations

from typing import Any, Literal, Required, TypedDict

import attrs

from hgrkit.checks.settings import like, setting, settings_like, to_json
from hgrkit.model.text.graph_selection import (
    RELEASED_ROLES,
    GraphLimits,
    LimitSettings,
    check_edge_policy,
    check_num_roles,
)

__all__ = [
    "GraphAttentionConfig",
    "GraphAttentionSettings",
    "GraphStart",
    "GraphTextConfig",
    "GraphTextSettings",
    "SentenceTextConfig",
]

GraphStart = Literal["random", "identity"]


@attrs.frozen(kw_only=True)
class GraphAttentionConfig:
    """How nodes exchange messages along the graph.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    embed_dim: int = setting(meaning="D, numbers of every embedding", within="[1, 16384]")
    num_layers: int = setting(1, "rounds of messages along the graph", within="[0, 32]")
    attention: bool = setting(True, "weight neighbours by attention instead of equally")
    dropout: float = setting(0.0, "share of message entries zeroed in training", within="[0, 1)")
    start: GraphStart = setting(
        "random", "random as published, or identity: untrained messages change nothing, and no LayerNorm"
    )


class GraphAttentionSettings(TypedDict, total=False):
    """What the constructor of graph attention takes; `GraphAttentionConfig` says what it means."""

    embed_dim: Required[int]
    num_layers: int
    attention: bool
    dropout: float
    start: GraphStart


class GraphTextSettings(LimitSettings, total=False):
    """What the constructors of text encoders over role graphs take; `GraphTextConfig` says what it means."""

    embed_dim: Required[int]
    num_roles: int
    graph_layers: int
    graph_attention: bool
    graph_dropout: float
    graph_start: GraphStart
    dropout: float
    edges: str


@attrs.frozen(kw_only=True)
class GraphTextConfig(GraphLimits):
    """What text encoders over role graphs have in common.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    embed_dim: int = like(GraphAttentionConfig, "embed_dim")
    num_roles: int = setting(
        len(RELEASED_ROLES),
        "rows of the role vectors, in the order of `RELEASED_ROLES`; 0 for none",
        within="[0, 1000]",
        check=check_num_roles,
    )
    graph_layers: int = like(GraphAttentionConfig, "num_layers")
    graph_attention: bool = like(GraphAttentionConfig, "attention")
    graph_dropout: float = like(GraphAttentionConfig, "dropout")
    graph_start: GraphStart = like(GraphAttentionConfig, "start")
    dropout: float = setting(0.0, "share of the word encodings zeroed in training", within="[0, 1)")
    edges: str = setting("released", "name of the edge policy: which nodes see which", check=check_edge_policy)

    @property
    def limits(self) -> GraphLimits:
        """How much of a sentence is kept."""
        return GraphLimits(**{field.name: getattr(self, field.name) for field in attrs.fields(GraphLimits)})

    @property
    def graph(self) -> GraphAttentionConfig:
        """How nodes exchange messages."""
        return GraphAttentionConfig(**settings_like(GraphAttentionConfig, self))

    def to_json(self) -> dict[str, Any]:
        """The settings as a model folder holds them."""
        # the published model's folder is older than this setting: written at its default, it would get another
        # fingerprint when it is saved again
        return {name: value for name, value in to_json(self).items() if (name, value) != ("graph_start", "random")}


@attrs.frozen(kw_only=True)
class SentenceTextConfig(GraphTextConfig):
    """The settings of a `SentenceTextEncoder`, whose transformer reads long sentences as well as short ones.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    max_actions: int | None = like(GraphLimits, "max_actions", None)
    max_entities: int | None = like(GraphLimits, "max_entities", None)
    max_tokens: int | None = like(GraphLimits, "max_tokens", 128)
