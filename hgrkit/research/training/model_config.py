"""The model that a run trains, as settings: the `[model]` table and the three below it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import attrs
import torch
from torch import nn

from hgrkit.errors import ConfigError, HgrkitError
from hgrkit.graph import RoleGraph
from hgrkit.matching.matcher import Matcher
from hgrkit.model.checkpoint import load_model
from hgrkit.model.hgr_model import HgrModel, ModelOrigin, TextModel
from hgrkit.model.registry import model_folder
from hgrkit.model.text.sentence_encoder import SentenceTextEncoder
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.model.text.vocabulary import Vocabulary
from hgrkit.model.video.video_encoder import VideoEncoder
from hgrkit.research.training.setting import NOTHING, check_keys, check_value, setting
from hgrkit.video.frame_encoder import FRAME_ENCODERS
from hgrkit.video.sampling import parse_sampling

__all__ = ["ModelConfig", "module_range", "module_settings", "text_module"]

_GIVEN = ("vocabulary", "reader", "embed_dim", "feature_dim", "chunk_elements")
_BOUNDS = {
    "word_dim": "[1, 16384]",
    "num_layers": "[1, 16]",
    "num_roles": "[0, 1000]",
    "graph_layers": "[0, 32]",
    "max_actions": "[0, inf)",
    "max_entities": "[0, inf)",
    "max_tokens": "[1, inf)",
    "max_frames": "[1, inf)",
    "sharpness": "[0, 1000000]",
    "level_weights": "[0, 1000000]",
    "dropout": "[0, 1)",
    "graph_dropout": "[0, 1)",
}
"""Ranges of the modules' settings, which a config is held to before anything is built."""
_TEXTS: dict[str, Any] = {TextEncoder.kind: TextEncoder, SentenceTextEncoder.kind: SentenceTextEncoder}


@attrs.frozen(kw_only=True)
class ModelConfig:
    """The `[model]` table of a run.

    With `start`, training goes on from a trained model, and nothing else may be said but its name.

    Raises:
        ConfigError: if a setting has the wrong type, is unknown or is out of its range.
    """

    start: str | None = setting(None, "an installed model or a model folder to go on from; none starts fresh")
    name: str = setting("", "what the model is called")
    text_encoder: str = setting("rnn", "rnn: word vectors and a GRU; sentence: a frozen transformer")
    reader: str = setting("default", "sentence: the model whose transformer is taken, by name or folder")
    min_count: int = setting(
        1, "rnn: how often a word must stand in the training captions to be known", within="[1, inf)"
    )
    embed_dim: int = setting(512, "numbers of every embedding", within="[1, 16384]")
    even_pooling: bool = setting(False, "an event is the plain mean of its frames; its attention is not trained")
    frame_encoder: str | None = setting(None, "the frame encoder that made the features; kept with the model")
    sampling: str | None = setting(None, "how frames were picked, such as fps:2; kept with the model")
    clip_seconds: float | None = setting(None, "longest clip, seconds; kept with the model", within="(0, inf)")
    text: Mapping[str, Any] = setting({}, "settings of the text encoder, a table")
    video: Mapping[str, Any] = setting({}, "settings of the video encoder, a table")
    matcher: Mapping[str, Any] = setting({}, "settings of the matcher, a table")

    def __attrs_post_init__(self) -> None:
        if self.text_encoder not in _TEXTS:
            known = " or ".join(map(repr, _TEXTS))
            raise ConfigError(f"text_encoder must be {known}, got {self.text_encoder!r}.")
        if self.start is not None:
            defaults = {field.name: field.default for field in attrs.fields(ModelConfig)}
            stray = [
                name
                for name in defaults
                if name not in ("start", "name") and getattr(self, name) != defaults[name]
            ]
            if stray:
                raise ConfigError(
                    f"start takes the model as it is, leave out {', '.join(stray)}; or leave out start."
                )
        for name, cls in (("text", _TEXTS[self.text_encoder]), ("video", VideoEncoder), ("matcher", Matcher)):
            _checked(f"[model.{name}]", cls, getattr(self, name))

    def make(
        self, graphs: Sequence[RoleGraph], *, feature_dim: int, seed: int, base: Path | None = None
    ) -> HgrModel:
        """The model, its fresh weights drawn with the seed.

        Args:
            graphs: the training captions, whose words an rnn knows.
            feature_dim: K, numbers of a frame's features.
            seed: of the weights.
            base: the folder that paths of models start from, the working folder unless given.

        Raises:
            ModelNotFoundError: if there is no model of a name that is given.
            ConfigError: if the model to take the transformer from has none, or the model does not fit into memory.
        """
        try:
            return self._made(graphs, feature_dim=feature_dim, seed=seed, base=base)
        except HgrkitError:
            raise
        except (RuntimeError, MemoryError) as error:
            reason = (str(error).splitlines() or ["out of memory"])[0]
            raise ConfigError(
                f"a model of these sizes cannot be built: {reason}; lower embed_dim ({self.embed_dim}) and what "
                "[model.text] makes large."
            ) from error

    def check_origin(self) -> None:
        """Look up what the model is to say of its frames, which `hgrkit index` will go by.

        Raises:
            FrameEncoderNotFoundError: if no such frame encoder is installed.
            ConfigError: if there is no such sampling.
        """
        if self.frame_encoder is not None:
            FRAME_ENCODERS.find(self.frame_encoder)
        if self.sampling is not None:
            parse_sampling(self.sampling)

    def _made(self, graphs: Sequence[RoleGraph], *, feature_dim: int, seed: int, base: Path | None) -> HgrModel:
        if self.start is not None:
            model = load_model(_folder(self.start, base))
            model.origin = attrs.evolve(model.origin, name=self.name or model.origin.name)
            return model
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = HgrModel(
                text=self._text(graphs, base),
                video=VideoEncoder(
                    feature_dim=feature_dim,
                    embed_dim=self.embed_dim,
                    **_checked("[model.video]", VideoEncoder, self.video),
                ),
                matcher=Matcher(**_checked("[model.matcher]", Matcher, self.matcher)),
                origin=ModelOrigin(
                    name=self.name,
                    frame_encoder=self.frame_encoder,
                    sampling=self.sampling,
                    clip_seconds=self.clip_seconds,
                ),
            )
        if self.even_pooling:
            for weight in model.video.pooling.parameters():
                nn.init.zeros_(weight)
                weight.requires_grad_(False)
        return model

    def _text(self, graphs: Sequence[RoleGraph], base: Path | None) -> TextModel:
        settings = _checked("[model.text]", _TEXTS[self.text_encoder], self.text)
        if self.text_encoder == TextEncoder.kind:
            vocabulary = Vocabulary.from_sentences((graph.tokens for graph in graphs), min_count=self.min_count)
            return TextEncoder(vocabulary=vocabulary, embed_dim=self.embed_dim, **settings)
        source = load_model(_folder(self.reader, base)).text
        if not isinstance(source, SentenceTextEncoder):
            raise ConfigError(f"the model {self.reader!r} has no frozen transformer; name one that has as reader.")
        return SentenceTextEncoder(reader=source.reader, embed_dim=self.embed_dim, **settings)


def module_settings(cls: type) -> dict[str, tuple[Any, Any]]:
    """What a module's constructor takes from a config: type and default by name."""
    hints = get_type_hints(cls.__init__)  # type: ignore[misc]
    parameters = inspect.signature(cls).parameters
    return {name: (hints[name], item.default) for name, item in parameters.items() if name not in _GIVEN}


def module_range(name: str) -> str | None:
    """The range of a module's setting, such as `[1, 16]`; `None` if it has none."""
    return _BOUNDS.get(name)


def text_module(kind: object) -> type | None:
    """The text encoder of a kind; `None` if there is no such kind."""
    return _TEXTS.get(kind) if isinstance(kind, str) else None


def _checked(where: str, cls: type, table: Mapping[str, Any]) -> dict[str, Any]:
    """A module's settings, keys and types checked."""
    known = module_settings(cls)
    check_keys(where, table, known=known, required=())
    values = {name: None if value == NOTHING else value for name, value in table.items()}
    for name, value in values.items():
        check_value(f"{where} {name}", value, known[name][0], _BOUNDS.get(name))
    return values


def _folder(name: str, base: Path | None) -> Path:
    """A model's folder: a path beside the config file, an installed name, or a path as it stands."""
    beside = (base or Path()) / name
    return model_folder(beside) if beside.is_dir() else model_folder(name)
