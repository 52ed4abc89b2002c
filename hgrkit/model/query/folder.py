"""Reads a model folder's query side without torch, or leaves the folder to torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.library.scoring import SearchSettings
from hgrkit.model.folder import BACKGROUND_KEY, WEIGHTS_FILE, check_config, listed_keys, read_config
from hgrkit.model.query.captions import Background
from hgrkit.model.query.encoder import QuerySide
from hgrkit.model.query.graph_encoder import GraphAttention, GraphEncoder, NodeReader
from hgrkit.model.query.weights import Weights
from hgrkit.model.text.edge_policy import with_graph_start
from hgrkit.model.text.graph_selection import GraphLimits

__all__ = ["NODE_READERS", "read_query_side"]

Settings = dict[str, Any]


def _sentence(weights: Weights, settings: Settings, folder: Path) -> NodeReader:
    from hgrkit.model.query.sentence_encoder import SentenceNodes
    from hgrkit.model.text.sentence_reader import SentenceReader

    return SentenceNodes(weights, reader=SentenceReader.from_folder(folder), **settings)


def _rnn(weights: Weights, settings: Settings, folder: Path) -> NodeReader:
    from hgrkit.model.query.text_encoder import RecurrentNodes
    from hgrkit.model.text.vocabulary import VOCABULARY_FILE, Vocabulary

    return RecurrentNodes(weights, vocabulary=Vocabulary.load(folder / VOCABULARY_FILE), **settings)


_SENTENCE = frozenset({"dropout", "num_roles"})
_RNN = _SENTENCE | {"word_dim", "recurrence", "bidirectional", "num_layers", "train_words"}

NODE_READERS: Mapping[str, tuple[Callable[[Weights, Settings, Path], NodeReader], frozenset[str]]] = {
    "sentence": (_sentence, _SENTENCE),
    "rnn": (_rnn, _RNN),
}
"""By the `type` of a text encoder in `config.json`: what makes its reader of nodes, and the settings of that."""

_LIMITS = frozenset({"max_actions", "max_entities", "max_tokens"})
_GRAPH = frozenset({"embed_dim", "graph_layers", "graph_attention", "graph_dropout", "graph_start", "edges"})
_TRAINING = frozenset({"dropout", "graph_dropout", "train_words"})
"""Settings that change nothing once a model is trained."""

_MATCHER = frozenset({"sharpness", "fusion", "level_weights"})
_BACKGROUND = frozenset({"size", "temperature"})


def read_query_side(folder: Path) -> QuerySide | None:
    """The query side of a model folder, without torch.

    `None` leaves the folder to `hgrkit.model.checkpoint`: its text encoder is of a type that only torch has,
    something in it is not exactly what is known here, or it is damaged, which torch's loader tells with all that
    is wrong. What is read here answers as torch does, to rounding.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
    """
    try:
        config = read_config(folder)
        check_config(config, folder)
        text, video = config["text"], config["video"]
        if text.get("type") not in NODE_READERS or text.get("embed_dim") != video.get("embed_dim"):
            return None
        _require_keys(config["matcher"], _MATCHER)
        return QuerySide(
            encoder=attrs.evolve(_encoder(text, folder), background=_background(config, folder)),
            settings=SearchSettings(**config["matcher"]),
            embed_dim=text["embed_dim"],
        )
    except (CheckpointError, ConfigError, TypeError, ValueError):
        return None


def _encoder(text: Mapping[str, Any], folder: Path) -> GraphEncoder:
    text = with_graph_start(text)
    make_nodes, known = NODE_READERS[text["type"]]
    _require_keys(text, known | _LIMITS | _GRAPH | {"type"})
    weights = Weights.read(folder / WEIGHTS_FILE, "text")
    of_nodes = {name: text[name] for name in (*(known - _TRAINING), "embed_dim")}
    encoder = GraphEncoder(
        nodes=make_nodes(weights, of_nodes, folder),
        graph=GraphAttention(
            weights.below("graph"),
            embed_dim=text["embed_dim"],
            num_layers=text["graph_layers"],
            attention=text["graph_attention"],
            start=text["graph_start"],
        ),
        limits=GraphLimits(**{name: text[name] for name in _LIMITS}),
        edges=text["edges"],
    )
    weights.require_all_taken()
    return encoder


def _background(config: Mapping[str, Any], folder: Path) -> Background | None:
    weights = Weights.read(folder / WEIGHTS_FILE, BACKGROUND_KEY)
    background = None
    if BACKGROUND_KEY in config:
        _require_keys(config[BACKGROUND_KEY], _BACKGROUND)
        background = Background(weights, **config[BACKGROUND_KEY], embed_dim=config["text"]["embed_dim"])
    weights.require_all_taken()
    return background


def _require_keys(settings: Mapping[str, Any], known: frozenset[str]) -> None:
    """Refuse settings with another key, which may mean anything, or without one of those known."""
    unknown, missing = sorted(settings.keys() - known), sorted(known - settings.keys())
    if unknown or missing:
        raise CheckpointError(f"the settings have {listed_keys(unknown, missing)}.")
