"""A model without weights of its own: a text encoder plugin over frame features of the same space."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Self

import attrs

from hgrkit.checks.device import resolve_device
from hgrkit.checks.settings import read_settings, to_json
from hgrkit.errors import CheckpointError, ConfigError, PluginError, ShapeError
from hgrkit.levels import PerLevel
from hgrkit.library.records import Float32
from hgrkit.library.scoring import SearchSettings
from hgrkit.model.config import HgrModelConfig
from hgrkit.model.folder import read_config
from hgrkit.model.query.encoder import QuerySide
from hgrkit.model.query.phrase_encoder import PhraseConfig, PhraseQueryEncoder, embed_frames
from hgrkit.model.registry import is_model_folder, plugin_config
from hgrkit.model.text.text_encoder_plugin import TextEncoderPlugin, load_text_encoder

__all__ = ["PLUGIN_KIND", "DualEncoder", "find_dual_encoder"]

PLUGIN_KIND = "plugin"
"""The `type` of `text` in the config of a model whose text encoder is a plugin."""


@attrs.frozen(kw_only=True, eq=False)
class DualEncoder:
    """A text encoder and the frame encoder that its config names, read through the graph without training.

    Attributes:
        config: what the parts are called and how they are compared.
        phrases: the settings of the text side.
        text: the text encoder.
    """

    config: HgrModelConfig
    phrases: PhraseConfig
    text: TextEncoderPlugin

    @classmethod
    def load(cls, config: HgrModelConfig, where: str, *, device: str) -> Self:
        """Load the text encoder that a config names.

        Args:
            config: with `plugin` as the kind of its text encoder.
            where: what the config is called in messages.
            device: `auto` or the name of a torch device.

        Raises:
            CheckpointError: if a setting does not fit.
            ShapeError: if texts and frames have vectors of different lengths.
            TextEncoderNotFoundError, PluginError: as `load_text_encoder` does.
        """
        try:
            phrases = read_settings(PhraseConfig, config.text, f"{where}: text")
        except ConfigError as error:
            raise CheckpointError(str(error)) from error
        text = load_text_encoder(phrases.name, device)
        dims = {text.embed_dim, config.video.feature_dim, config.video.embed_dim}
        if len(dims) > 1:
            raise ShapeError(
                f"{where} compares texts of {text.embed_dim} numbers ({phrases.name}) with frames of "
                f"{config.video.feature_dim} in {config.video.embed_dim}; all three must be equal."
            )
        return cls(config=config, phrases=phrases, text=text)

    @property
    def fingerprint(self) -> str:
        """Of the text encoder and of what decides scores beside it; names and places do not."""
        return self._fingerprint(self.text.fingerprint)

    @property
    def equivalent_to(self) -> str | None:
        """Fingerprint of the model whose scores these are but for rounding, if the text encoder names one."""
        original = getattr(self.text, "equivalent_to", None)
        return None if original is None else self._fingerprint(original)

    def _fingerprint(self, text: str) -> str:
        decides = {
            "text": text,
            "prompts": self.phrases.prompts,
            "video": self.config.video.to_json(),
            "matcher": to_json(self.config.matcher),
        }
        return f"sha256:{hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()}"

    @property
    def query_side(self) -> QuerySide:
        """How questions are put."""
        return QuerySide(
            encoder=PhraseQueryEncoder(self.text, self.phrases.prompts),
            settings=SearchSettings(**to_json(self.config.matcher)),
            embed_dim=self.text.embed_dim,
        )

    def embed_clip(self, features: Float32) -> PerLevel[Float32]:
        """Embed a clip: [F, D] -> event [D], and action and entity of each frame, [F, D].

        Raises:
            ShapeError: if the features are not of this model's frames.
        """
        if features.ndim == 2 and features.shape[1] != self.text.embed_dim:
            raise ShapeError(
                f"frame features must be [F, {self.text.embed_dim}] for this model, got {list(features.shape)}."
            )
        return embed_frames(features)


def _placed(config: HgrModelConfig, folder: Path) -> HgrModelConfig:
    """A folder's config; what its plugins are given as `.` or `./...` lies in the folder, wherever that is."""

    def placed(name: Any) -> Any:
        plugin, _, argument = str(name).partition(":")
        return f"{plugin}:{folder.absolute() / argument}" if argument == "." or argument[:2] == "./" else name

    origin = attrs.evolve(config.origin, frame_encoder=placed(config.origin.frame_encoder))
    return attrs.evolve(config, text={**config.text, "name": placed(config.text.get("name"))}, origin=origin)


def find_dual_encoder(name: str, *, device: str) -> DualEncoder | None:
    """The dual encoder of `PLUGIN:ARGUMENT` or of a model folder; `None` if there is none of that name.

    Raises:
        ModelNotFoundError, CheckpointError, ShapeError, PluginError: if it cannot be made.
    """
    folder = Path(name)
    if is_model_folder(folder):
        text = read_config(folder).get("text")
        is_dual = isinstance(text, dict) and text.get("type") == PLUGIN_KIND
        return (
            DualEncoder.load(_placed(HgrModelConfig.read(folder), folder), name, device=device)
            if is_dual
            else None
        )
    record = plugin_config(name, lambda: resolve_device(device))
    if record is None:
        return None
    where = f"the model {name!r}"
    config = HgrModelConfig.of_record(record, where)
    if config.text_kind != PLUGIN_KIND:
        raise PluginError(
            f"{where} must have a text encoder of the type {PLUGIN_KIND!r}, got {config.text_kind!r}."
        )
    return DualEncoder.load(config, where, device=device)
