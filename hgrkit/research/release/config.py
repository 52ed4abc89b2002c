"""The released `model.json`: every key is read, checked, or known to change no number."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import attrs

from hgrkit.checks.arguments import shown
from hgrkit.checks.settings import check_keys, like, read_settings, setting, settings_like, to_json
from hgrkit.errors import ConfigError, ReleaseError
from hgrkit.matching.config import MatcherConfig
from hgrkit.model.config import HgrModelConfig, ModelOrigin, VideoConfig
from hgrkit.model.text.graph_selection import RELEASED_ROLES
from hgrkit.model.text.text_encoder import RnnTextConfig, TextEncoder
from hgrkit.storage.json_file import read_json

__all__ = ["ReleaseConfig", "ReleaseTextConfig", "ReleaseVideoConfig", "read_config"]

_UNREAD = frozenset(
    {
        *("tst_batch_size", "num_epoch", "val_per_epoch", "save_per_epoch", "val_iter", "save_iter"),
        *("monitor_iter", "summary_iter", "decay_schema"),
    }
)
"""Keys of the whole that change no number here: how often to log and save, how long to train (the caller says),
and `decay_schema`, which the released code reads nowhere."""

_UNREAD_BY_MODULE = frozenset({"opt_alg"})
"""Keys of an encoder that the released code reads nowhere: it always uses Adam."""

_WEIGHT = "[0, inf)"


def _not_empty(dims: tuple[int, ...]) -> None:
    if not dims:
        raise ConfigError("dim_fts must be a list of feature sizes, got ().")


@attrs.frozen(kw_only=True)
class ReleaseModuleConfig:
    """What the configs of both encoders share: how each is trained."""

    freeze: bool = setting(False)
    lr_mult: float = setting(1.0, within=_WEIGHT)
    weight_decay: float = setting(0, within=_WEIGHT)


@attrs.frozen(kw_only=True)
class ReleaseVideoConfig(ReleaseModuleConfig):
    """`subcfgs.video_encoder`."""

    dim_fts: tuple[int, ...] = setting((2048,), within="[1, inf)", check=_not_empty)
    dim_embed: int = like(VideoConfig, "embed_dim", 1024)
    dropout: float = like(VideoConfig, "dropout", 0)
    num_levels: int = setting(3, within="[3, 3]")
    share_enc: bool = like(VideoConfig, "shared_projection")


@attrs.frozen(kw_only=True)
class ReleaseTextConfig(ReleaseModuleConfig):
    """`subcfgs.text_encoder`."""

    num_words: int = setting(0, within="[3, inf)")
    dim_word: int = like(RnnTextConfig, "word_dim")
    fix_word_embed: bool = setting(False)
    rnn_type: Literal["gru", "lstm"] = like(RnnTextConfig, "recurrence")
    bidirectional: bool = like(RnnTextConfig, "bidirectional")
    rnn_hidden_size: int = like(RnnTextConfig, "embed_dim", 1024)
    num_layers: int = like(RnnTextConfig, "num_layers")
    dropout: float = like(RnnTextConfig, "dropout", 0.5)
    num_roles: int = like(RnnTextConfig, "num_roles", len(RELEASED_ROLES))
    gcn_num_layers: int = like(RnnTextConfig, "graph_layers")
    gcn_attention: bool = like(RnnTextConfig, "graph_attention", False)
    gcn_dropout: float = like(RnnTextConfig, "graph_dropout", 0.5)


@attrs.frozen(kw_only=True)
class ReleaseConfig:
    """The whole of `model.json`; defaults are those of the released code."""

    video: ReleaseVideoConfig
    text: ReleaseTextConfig
    max_frames_in_video: int = like(VideoConfig, "max_frames")
    max_words_in_sent: int = like(RnnTextConfig, "max_tokens", 30)
    num_verbs: int = like(RnnTextConfig, "max_actions", 4)
    num_nouns: int = like(RnnTextConfig, "max_entities", 6)
    attn_fusion: Literal["embed", "sim"] = like(MatcherConfig, "fusion", "embed")
    simattn_sigma: float = like(MatcherConfig, "sharpness", 4)
    margin: float = setting(0.2, within=_WEIGHT)
    max_violation: bool = setting(True)
    hard_topk: int = setting(1, within="[1, inf)")
    loss_direction: Literal["bi", "i2t", "t2i"] = setting("bi")
    loss_weights: tuple[float, float, float, float] | None = setting(None)
    trn_batch_size: int = setting(128, within="[1, inf)")
    base_lr: float = setting(1e-4, within=_WEIGHT)
    decay_boundarys: tuple[int, ...] = setting(())
    decay_rate: float = setting(1, within=_WEIGHT)

    def __attrs_post_init__(self) -> None:
        if self.video.dim_embed != self.text.rnn_hidden_size:
            raise ReleaseError(
                f"model.json: dim_embed is {self.video.dim_embed}, rnn_hidden_size {self.text.rnn_hidden_size}; "
                "clips and captions cannot be compared unless they are equal."
            )

    def model(self, *, name: str = "") -> HgrModelConfig:
        """The same model in hgrkit's words."""
        text = RnnTextConfig(
            **settings_like(RnnTextConfig, self.text),
            **settings_like(RnnTextConfig, self),
            train_words=not self.text.fix_word_embed,
        )
        video = VideoConfig(
            **settings_like(VideoConfig, self.video),
            **settings_like(VideoConfig, self),
            feature_dim=sum(self.video.dim_fts),
        )
        return HgrModelConfig(
            text_kind=TextEncoder.kind,
            text=to_json(text),
            video=video,
            matcher=MatcherConfig(**settings_like(MatcherConfig, self)),
            origin=ModelOrigin(name=name),
        )

    def what_differs(self, other: ReleaseConfig) -> list[str]:
        """Names of the keys that decide a model's numbers and are not the same in both."""
        mine, others = _model_keys(self), _model_keys(other)
        return [key for key in mine if mine[key] != others[key]]


_TRAINING_KEYS = frozenset(
    {
        *("freeze", "lr_mult", "weight_decay", "dropout", "gcn_dropout", "fix_word_embed", "dim_fts"),
        *("margin", "max_violation", "hard_topk", "loss_direction", "loss_weights", "trn_batch_size"),
        *("base_lr", "decay_boundarys", "decay_rate"),
    }
)
"""Keys that decide how a model is trained or where its features come from, but not what it computes."""


def _model_keys(config: ReleaseConfig) -> dict[str, Any]:
    whole = attrs.asdict(config)
    modules = {**whole.pop("video"), **whole.pop("text")}
    return {key: value for key, value in (whole | modules).items() if key not in _TRAINING_KEYS}


def read_config(path: Path) -> ReleaseConfig:
    """Read `model.json`.

    Raises:
        ReleaseError: if it is missing or no JSON object, or a key is unknown or holds what cannot be honoured.
    """
    whole = read_json(path, dict, error=ReleaseError, expected="the model.json of a release's checkpoint")
    modules = whole.pop("subcfgs", None)
    kinds = {"video_encoder": ReleaseVideoConfig, "text_encoder": ReleaseTextConfig}
    try:
        if not isinstance(modules, dict):
            raise ConfigError(f"model.json: subcfgs must be a JSON object, got {shown(modules)}.")
        check_keys("model.json: subcfgs", modules, known=kinds, required=kinds)
        parts: dict[str, Any] = {}
        for key, kind in kinds.items():
            read = _without(modules[key], _UNREAD_BY_MODULE)
            parts[key.removesuffix("_encoder")] = read_settings(kind, read, f"model.json: {key}")
        return read_settings(ReleaseConfig, _without(whole, _UNREAD), "model.json", **parts)
    except ConfigError as error:
        raise ReleaseError(str(error)) from error


def _without(record: object, unread: frozenset[str]) -> object:
    if not isinstance(record, dict):
        return record  # which the reader of settings refuses
    return {key: value for key, value in record.items() if key not in unread}
