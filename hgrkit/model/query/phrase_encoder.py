"""Role graphs and frames to queries and clips by a dual encoder: every phrase is a text of its own.

A dual encoder, such as CLIP, has one vector for a text and one for a picture, in one space. A sentence is its
event; its actions and entities are phrases, encoded as sentences are. Nothing is trained, and no map applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Self, get_args

import attrs
import numpy as np

from hgrkit.checks.arguments import check_choice
from hgrkit.checks.settings import like, read_settings, setting
from hgrkit.errors import CheckpointError, ShapeError
from hgrkit.graph import Node, RoleGraph
from hgrkit.levels import LEVELS, Level, PerLevel
from hgrkit.library.records import Float32, QueryEmbeddings
from hgrkit.matching.frame_weights import unit_vectors
from hgrkit.model.query.clip_encoder import frame_array
from hgrkit.model.query.encoder import EmbeddedQuery, query_of
from hgrkit.model.query.layers import GraphAttention, Linear, QuerybankNorm, Weights, adjacency_of
from hgrkit.model.text.config import GraphAttentionConfig, GraphStart, GraphTextConfig
from hgrkit.model.text.graph_selection import (
    GraphLimits,
    Omitted,
    SelectedGraph,
    check_words,
    released_role_id,
    select_all,
)
from hgrkit.model.text.text_encoder_plugin import (
    TextEncoderPlugin,
    encode_texts,
    load_text_encoder,
    omitted_tokens,
)

__all__ = [
    "PhraseConfig",
    "PhraseHeadQueryEncoder",
    "PhraseQueryEncoder",
    "PhraseTextConfig",
    "action_phrase",
    "embed_frames",
    "texts_of",
]

Prompts = Literal["none", "video"]

_PROMPTS = {"none": "{}", "video": "a video of {}"}

_KEPT_TEXTS = 4096
"""Texts whose vectors are kept: phrases such as "a man" come again and again; 8 MB at 512 numbers."""

_TEXTS_AT_ONCE = 64


def _check_prompts(prompts: str) -> None:
    check_choice("prompts", prompts, get_args(Prompts))


@attrs.frozen(kw_only=True)
class PhraseConfig:
    """The settings of a text encoder that is a plugin.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    name: str = setting(meaning="an installed text encoder, such as `clip:FOLDER`")
    prompts: Prompts = setting(
        "none", "none encodes the bare words, video puts `a video of` before them", check=_check_prompts
    )


@attrs.frozen(kw_only=True)
class PhraseTextConfig(GraphTextConfig):
    """The settings of a trained head over a text encoder that is a plugin.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    max_actions: int | None = like(GraphLimits, "max_actions", None)
    max_entities: int | None = like(GraphLimits, "max_entities", None)
    max_tokens: int | None = like(GraphLimits, "max_tokens", None)
    graph_start: GraphStart = like(GraphAttentionConfig, "start", "identity")
    name: str = like(PhraseConfig, "name")
    prompts: Prompts = like(PhraseConfig, "prompts")
    encoder: str = setting("", "fingerprint of the text encoder, which training fills in")

    def load_encoder(self) -> TextEncoderPlugin:
        """The installed text encoder of that name, on a CPU.

        Raises:
            CheckpointError: if it is not the one that the head was trained on.
            TextEncoderNotFoundError, PluginError: as `load_text_encoder` does.
        """
        texts = load_text_encoder(self.name, "cpu")
        if self.encoder not in ("", texts.fingerprint):
            raise CheckpointError(
                f"the head was trained on the text encoder {self.encoder}, but {self.name!r} is now "
                f"{texts.fingerprint}; install that one, or train the head anew."
            )
        return texts


class PhraseQueryEncoder:
    """A `QueryEncoder` over any encoder of texts.

    Args:
        encoder: of texts.
        prompts: what stands before the words.
    """

    querybank_norm: Callable[[Float32], Float32] | None = None

    def __init__(self, encoder: TextEncoderPlugin, prompts: Prompts = "none") -> None:
        self.encoder, self._prompt = encoder, _PROMPTS[prompts]
        self._kept: dict[str, tuple[Float32, int]] = {}
        self._lock = Lock()

    def knows(self, word: str) -> bool:
        """Whether a word is one that the model has met: it reads any, in pieces."""
        del word
        return True

    def embed(
        self, graphs: Sequence[RoleGraph], sentences: Sequence[str] | None = None
    ) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences, as `QueryEncoder` says."""
        if not graphs:
            raise ShapeError("a query encoder needs at least one sentence.")
        texts = sentences or [graph.text for graph in graphs]
        phrases = [
            texts_of(graph, text, [*graph.actions, *graph.entities])
            for graph, text in zip(graphs, texts, strict=True)
        ]
        known = self.vectors([phrase for parts in phrases for phrase in parts])
        queries = [
            _query(graph, np.stack([known[phrase][0] for phrase in parts]))
            for graph, parts in zip(graphs, phrases, strict=True)
        ]
        return queries, Omitted(event_tokens=sum(known[text][1] for text in texts))

    def vectors(self, phrases: Sequence[str]) -> dict[str, tuple[Float32, int]]:
        """The vector of each text and how many of its tokens were not read, all new ones in one batch."""
        with self._lock:
            found = {phrase: self._kept[phrase] for phrase in phrases if phrase in self._kept}
        # texts of like length share a batch: a short one beside a long one is mostly padding
        new = sorted(set(phrases) - found.keys(), key=lambda phrase: (len(phrase), phrase))
        for start in range(0, len(new), _TEXTS_AT_ONCE):
            part = new[start : start + _TEXTS_AT_ONCE]
            prompted = [self._prompt.format(phrase) for phrase in part]
            vectors, cut = encode_texts(self.encoder, prompted), omitted_tokens(self.encoder, prompted)
            found |= {phrase: (row.copy(), count) for phrase, row, count in zip(part, vectors, cut, strict=True)}
        with self._lock:
            self._kept |= {phrase: found[phrase] for phrase in new}
            for phrase in list(self._kept)[: max(0, len(self._kept) - _KEPT_TEXTS)]:
                del self._kept[phrase]
        return found


def _query(graph: RoleGraph, vectors: Float32) -> EmbeddedQuery:
    """Vectors of the sentence, its actions and its entities, [1 + A + E, D], as a query."""
    entities = 1 + len(graph.actions)
    return EmbeddedQuery(
        embeddings=QueryEmbeddings(event=vectors[0], action=vectors[1:entities], entity=vectors[entities:]),
        actions=graph.actions,
        entities=graph.entities,
    )


def texts_of(graph: RoleGraph, sentence: str, nodes: Sequence[Node]) -> list[str]:
    """A sentence and its phrases, one for each of these nodes."""
    return [
        sentence,
        *(action_phrase(graph, node) if node.is_action else graph.phrase(node) for node in nodes),
    ]


class PhraseHeadQueryEncoder:
    """A trained head over an encoder of texts; twin of `hgrkit.model.text.phrase_text_encoder.PhraseTextEncoder`.

    Args:
        weights: those of the twin.
        config: its settings.
        texts: the frozen encoder.
        querybank_norm: what the model takes off a sentence's scores, if anything.

    Raises:
        CheckpointError: if the weights are not the twin's.
    """

    def __init__(
        self,
        weights: Weights,
        config: PhraseTextConfig,
        *,
        texts: TextEncoderPlugin,
        querybank_norm: QuerybankNorm | None = None,
    ) -> None:
        self.config, self.querybank_norm = config, querybank_norm
        self.frozen = PhraseQueryEncoder(texts, config.prompts)
        dim = config.embed_dim
        self.views: dict[Level, Linear] = {level: Linear(weights.below(level), dim, dim) for level in LEVELS}
        self.roles = weights.below("roles").take("weight", config.num_roles, dim) if config.num_roles else None
        self.graph = GraphAttention(weights.below("graph"), config.graph)

    @classmethod
    def from_folder(
        cls, settings: Mapping[str, Any], folder: Path, weights: Weights, querybank_norm: QuerybankNorm | None
    ) -> Self:
        """The encoder of a model folder, of the `text` settings in its config and the weights of its text encoder.

        Raises:
            CheckpointError: if the frozen encoder or the weights are not those that were written.
            ConfigError: if a setting is unknown or out of its range.
        """
        del folder
        config = read_settings(PhraseTextConfig, settings, "text")
        return cls(weights, config, texts=config.load_encoder(), querybank_norm=querybank_norm)

    def knows(self, word: str) -> bool:
        """Whether a word is one that the model has met: it reads any, in pieces."""
        return self.frozen.knows(word)

    def embed(
        self, graphs: Sequence[RoleGraph], sentences: Sequence[str] | None = None
    ) -> tuple[list[EmbeddedQuery], Omitted]:
        """Embed sentences, as `QueryEncoder` says."""
        selected = select_all(graphs, self.config.limits)
        check_words(selected)
        texts = sentences or [graph.text for graph in graphs]
        phrases = [
            texts_of(graph, text, [graph.node(node.id) for node in (*kept.actions, *kept.entities)])
            for graph, text, kept in zip(graphs, texts, selected, strict=True)
        ]
        known = self.frozen.vectors([phrase for parts in phrases for phrase in parts])
        queries = []
        for graph, kept, parts in zip(graphs, selected, phrases, strict=True):
            nodes = self._viewed(kept, unit_vectors(np.stack([known[phrase][0] for phrase in parts])))
            queries.append(query_of(graph, kept, self.graph(nodes, adjacency_of(kept, self.config.edges))))
        cut = Omitted(event_tokens=sum(known[text][1] for text in texts))
        return queries, sum((kept.omitted for kept in selected), cut)

    def _viewed(self, kept: SelectedGraph, vectors: Float32) -> Float32:
        """Event, actions and entities before messages, [1 + A + E, D]."""
        bounds = (0, 1, 1 + len(kept.actions), len(vectors))
        parts = [
            own + self.views[level](own)
            for level, own in zip(LEVELS, np.split(vectors, bounds[1:-1]), strict=True)
        ]
        if self.roles is not None:
            parts[1] = parts[1] * self.roles[[released_role_id(node.role) for node in kept.actions]]
            parts[2] = parts[2] * self.roles[[released_role_id(node.role) for node in kept.entities]]
        return np.concatenate(parts)


def action_phrase(graph: RoleGraph, action: Node) -> str:
    """An action with its arguments, as a phrase: who, does, what, and then the rest by their roles.

    The first argument that is no "by" phrase leads if it is the agent or stands before the verb, so that "the ball
    that a man throws" and "a man throws a ball" read alike, and a passive stays one.

    >>> graph = RoleGraph.from_dict({
    ...     "tokens": "in a park a ball is thrown by a man".split(),
    ...     "nodes": [{"id": 1, "role": "V", "span": [6, 7]}, {"id": 2, "role": "ARG1", "span": [3, 5]},
    ...               {"id": 3, "role": "ARG0", "span": [7, 10]}, {"id": 4, "role": "ARGM-LOC", "span": [0, 3]}],
    ...     "edges": [[1, 2, "ARG1"], [1, 3, "ARG0"], [1, 4, "ARGM-LOC"]],
    ... })
    >>> action_phrase(graph, graph.node(1))
    'a ball thrown by a man in a park'
    """
    arguments = [(edge.role, graph.node(edge.entity)) for edge in graph.edges if edge.action == action.id]
    arguments.sort(key=lambda argument: (*_place(graph, *argument), argument[1].span.start))
    lead = next((node for role, node in arguments if _may_lead(graph, role, node, action)), None)
    rest = [node for _, node in arguments if node is not lead]
    return " ".join(map(graph.phrase, [*([] if lead is None else [lead]), action, *rest]))


def _place(graph: RoleGraph, role: str, node: Node) -> tuple[bool, bool, str]:
    """Where an argument stands: numbered ones by their number, a "by" phrase, and then circumstances."""
    return role.startswith("ARGM"), _is_by_phrase(graph, node), role


def _is_by_phrase(graph: RoleGraph, node: Node) -> bool:
    return graph.tokens[node.span.start] == "by"


def _may_lead(graph: RoleGraph, role: str, node: Node, action: Node) -> bool:
    if _is_by_phrase(graph, node) or role.startswith("ARGM"):
        return False
    return role == "ARG0" or node.span.start < action.span.start


def embed_frames(features: Float32) -> PerLevel[Float32]:
    """Embed a clip of frames by a dual encoder: [F, D] -> the mean of their unit vectors, [D], and these, [F, D].

    Raises:
        ShapeError: if the features are no finite numbers of a frame or more.
    """
    units: Float32 = unit_vectors(frame_array("the clip", features))
    return PerLevel(event=units.mean(axis=0), action=units, entity=units)
