"""The model that a run trains, as settings: the `[model]` table and the three below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import attrs
import torch
from torch import nn

from hgrkit.checks.device import resolve_device
from hgrkit.checks.settings import like, read_settings, setting, to_json
from hgrkit.errors import ConfigError, HgrkitError
from hgrkit.graph import RoleGraph
from hgrkit.matching.config import MatcherConfig
from hgrkit.model.checkpoint import build_model, head_on, load_model
from hgrkit.model.config import HgrModelConfig, ModelOrigin, VideoConfig
from hgrkit.model.dual_encoder import DualEncoder, find_dual_encoder
from hgrkit.model.hgr_model import HgrModel
from hgrkit.model.registry import model_folder
from hgrkit.model.text.config import GraphAttentionConfig
from hgrkit.model.text.registry import text_encoder_kind
from hgrkit.model.text.sentence_reader import SentenceReader
from hgrkit.model.text.text_encoder import TextEncoder
from hgrkit.research.training.word_vectors import LoadedWords, draw_as_released, load_word_vectors
from hgrkit.video.frame_encoder import FRAME_ENCODERS
from hgrkit.video.sampling import parse_sampling

__all__ = ["RNN_ONLY", "ModelConfig"]

RNN_ONLY = ("initialisation", "word_vectors")
"""Settings of `[model]` that say how an rnn's fresh weights are found."""


@attrs.frozen(kw_only=True)
class ModelConfig:
    """The `[model]` table of a run.

    With `start`, training continues from a trained model, and nothing else may be set but its name.

    Raises:
        ConfigError: if a setting has the wrong type, is unknown or is out of its range.
    """

    start: str | None = setting(
        None,
        "a model to start from: installed, a folder, or a dual encoder such as clip:FOLDER; none is fresh weights",
    )
    name: str = setting("", "what the model is called")
    text_encoder: str = setting(
        "rnn",
        "rnn: word vectors and a GRU; sentence: a frozen transformer; phrases: a plugin that encodes texts",
    )
    reader: str = setting("default", "sentence: the model whose transformer is used, by name or folder")
    min_count: int = setting(
        1, "rnn: how often a word must occur in the training captions to be in the vocabulary", within="[1, inf)"
    )
    initialisation: Literal["released"] | None = setting(
        None,
        "rnn: released initialises weights as the released code does (word vectors uniform in +-1/sqrt(word_dim), "
        "recurrent weights orthogonal, their biases 0); none is torch's own way",
    )
    word_vectors: str | None = setting(
        None,
        "rnn: a file of word vectors to start from, GloVe's text (a word and its numbers a line) or the released "
        "word_embeds.glove42b.th; words that it lacks stay random",
    )
    embed_dim: int = like(GraphAttentionConfig, "embed_dim", 512)
    even_pooling: bool = setting(False, "an event is the plain mean of its frames; its attention is not trained")
    frame_encoder: str | None = setting(None, "the frame encoder that made the features; saved with the model")
    sampling: str | None = setting(None, "how frames were sampled, such as fps:2; saved with the model")
    clip_seconds: float | None = setting(
        None, "maximum seconds of a clip; saved with the model", within="(0, inf)"
    )
    text: Mapping[str, Any] = setting({}, "settings of the text encoder, a table")
    video: Mapping[str, Any] = setting({}, "settings of the video encoder, a table")
    matcher: Mapping[str, Any] = setting({}, "settings of the matcher, a table")

    def __attrs_post_init__(self) -> None:
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
        stray = [name for name in RNN_ONLY if getattr(self, name) is not None]
        if stray and self.text_encoder != TextEncoder.kind:
            raise ConfigError(
                f"{', '.join(stray)} go with the text encoder {TextEncoder.kind!r}, but it is "
                f"{self.text_encoder!r}; leave them out."
            )
        self._parts(feature_dim=1)

    def make(
        self, graphs: Sequence[RoleGraph], *, feature_dim: int, seed: int, base: Path | None = None
    ) -> HgrModel:
        """The model, its fresh weights drawn with the seed; `load_word_vectors` comes after it.

        Args:
            graphs: the training captions, whose words an rnn knows.
            feature_dim: K, numbers of a frame's features.
            seed: of the weights.
            base: the folder that paths of models start from, the working folder unless given.

        Raises:
            ModelNotFoundError: if there is no model of a name that is given.
            ConfigError: if the model to take the transformer from has none, or the model does not fit into memory.
        """
        if self.start is not None:
            dual = self.dual_encoder(base)
            model = load_model(_folder(self.start, base)) if dual is None else head_on(dual)
            model.origin = attrs.evolve(model.origin, name=self.name or model.origin.name)
            return model
        config, kind = self._parts(feature_dim), text_encoder_kind(self.text_encoder).load()
        reader = partial(self._reader, base)
        try:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                text = kind.from_captions(dict(config.text), graphs, min_count=self.min_count, reader=reader)
                if self.initialisation is not None and isinstance(text, TextEncoder):
                    draw_as_released(text)
                model = build_model(config, text)
        except HgrkitError:
            raise
        except (RuntimeError, MemoryError) as error:
            reason = (str(error).splitlines() or ["out of memory"])[0]
            raise ConfigError(
                f"a model of these sizes cannot be built: {reason}; lower embed_dim ({self.embed_dim}) and what "
                "[model.text] makes large."
            ) from error
        # Weights of 0 weigh every frame alike; without gradients they stay so.
        if self.even_pooling:
            for weight in model.video.pooling.parameters():
                nn.init.zeros_(weight)
                weight.requires_grad_(False)
        return model

    def dual_encoder(self, base: Path | None) -> DualEncoder | None:
        """The dual encoder that training starts from, on whose frozen parts a head is trained; `None` without one.

        Raises:
            HgrkitError: what loading it raises.
        """
        if self.start is None:
            return None
        beside = (base or Path()) / self.start
        return find_dual_encoder(str(beside) if beside.is_dir() else self.start, device=resolve_device("auto"))

    def load_word_vectors(self, model: HgrModel, *, base: Path | None = None) -> LoadedWords | None:
        """Put the word vectors of the file into a model that `make` made; `None` without `word_vectors`.

        Raises:
            MissingPathError, ConfigError: as `hgrkit.research.training.word_vectors.load_word_vectors` does.
        """
        if self.word_vectors is None or not isinstance(model.text, TextEncoder):
            return None
        return load_word_vectors(model.text, (base or Path()) / self.word_vectors)

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

    def _parts(self, feature_dim: int) -> HgrModelConfig:
        """The settings of the model's parts, those of the tables below checked."""
        text = text_encoder_kind(self.text_encoder).load().config
        return HgrModelConfig(
            text_kind=self.text_encoder,
            text=to_json(read_settings(text, self.text, "[model.text]", embed_dim=self.embed_dim)),
            video=read_settings(
                VideoConfig, self.video, "[model.video]", embed_dim=self.embed_dim, feature_dim=feature_dim
            ),
            matcher=read_settings(MatcherConfig, self.matcher, "[model.matcher]"),
            origin=ModelOrigin(
                name=self.name,
                frame_encoder=self.frame_encoder,
                sampling=self.sampling,
                clip_seconds=self.clip_seconds,
            ),
        )

    def _reader(self, base: Path | None) -> SentenceReader:
        reader = getattr(load_model(_folder(self.reader, base)).text, "reader", None)
        if not isinstance(reader, SentenceReader):
            raise ConfigError(f"the model {self.reader!r} has no frozen transformer; name one that has as reader.")
        return reader


def _folder(name: str, base: Path | None) -> Path:
    """A model's folder: a path beside the config file, an installed name, or a path as it stands."""
    beside = (base or Path()) / name
    return model_folder(beside) if beside.is_dir() else model_folder(name)
