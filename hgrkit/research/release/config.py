"""The released `model.json`: every key is read, checked, or known to change no number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from hgrkit.errors import ReleaseError
from hgrkit.model.text.graph_selection import RELEASED_ROLES
from hgrkit.storage.json_file import read_json

__all__ = ["ReleaseConfig", "ReleaseTextConfig", "ReleaseVideoConfig", "read_config"]

T = TypeVar("T")

Validator = Callable[[Any, "attrs.Attribute[Any]", Any], None]

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


def _rule(expected: str, holds: Callable[[Any], bool]) -> Validator:
    """A check that names the key, what it must be, and what it is."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        del instance
        if not holds(value):
            raise ReleaseError(f"model.json: {attribute.name} must be {expected}, got {value!r}.")

    return check


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_integer(value) or isinstance(value, float)


def _integer(minimum: int) -> Validator:
    return _rule(f"an integer from {minimum}", lambda value: _is_integer(value) and value >= minimum)


def _number(minimum: float) -> Validator:
    return _rule(f"a number from {minimum:g}", lambda value: _is_number(value) and value >= minimum)


def _one_of(*values: object) -> Validator:
    listed = " or ".join(map(repr, values))
    return _rule(listed, lambda value: value in values and not isinstance(value, int))


_flag = _rule("true or false", lambda value: isinstance(value, bool))
_share = _rule("a number in [0, 1)", lambda value: _is_number(value) and 0 <= value < 1)


@attrs.frozen(kw_only=True)
class ReleaseModuleConfig:
    """What the configs of both encoders share: how each is trained."""

    freeze: bool = attrs.field(default=False, validator=_flag)
    lr_mult: float = attrs.field(default=1.0, validator=_number(0))
    weight_decay: float = attrs.field(default=0, validator=_number(0))


@attrs.frozen(kw_only=True)
class ReleaseVideoConfig(ReleaseModuleConfig):
    """`subcfgs.video_encoder`."""

    dim_fts: tuple[int, ...] = attrs.field(
        default=(2048,),
        converter=_tuple,
        validator=_rule(
            "a list of feature sizes",
            lambda value: (
                isinstance(value, tuple) and value != () and all(_is_integer(dim) and dim > 0 for dim in value)
            ),
        ),
    )
    dim_embed: int = attrs.field(default=1024, validator=_integer(1))
    dropout: float = attrs.field(default=0, validator=_share)
    num_levels: int = attrs.field(default=3, validator=_rule("3", lambda value: _is_integer(value) and value == 3))
    share_enc: bool = attrs.field(default=False, validator=_flag)


@attrs.frozen(kw_only=True)
class ReleaseTextConfig(ReleaseModuleConfig):
    """`subcfgs.text_encoder`."""

    num_words: int = attrs.field(default=0, validator=_integer(3))
    dim_word: int = attrs.field(default=300, validator=_integer(1))
    fix_word_embed: bool = attrs.field(default=False, validator=_flag)
    rnn_type: str = attrs.field(default="gru", validator=_one_of("gru", "lstm"))
    bidirectional: bool = attrs.field(default=True, validator=_flag)
    rnn_hidden_size: int = attrs.field(default=1024, validator=_integer(1))
    num_layers: int = attrs.field(default=1, validator=_integer(1))
    dropout: float = attrs.field(default=0.5, validator=_share)
    num_roles: int = attrs.field(
        default=len(RELEASED_ROLES),
        validator=_rule(
            f"0 or at least {len(RELEASED_ROLES)}",
            lambda value: _is_integer(value) and (value == 0 or value >= len(RELEASED_ROLES)),
        ),
    )
    gcn_num_layers: int = attrs.field(default=1, validator=_integer(0))
    gcn_attention: bool = attrs.field(default=False, validator=_flag)
    gcn_dropout: float = attrs.field(default=0.5, validator=_share)


@attrs.frozen(kw_only=True)
class ReleaseConfig:
    """The whole of `model.json`; defaults are those of the released code."""

    video: ReleaseVideoConfig
    text: ReleaseTextConfig
    max_frames_in_video: int = attrs.field(default=None, validator=_integer(1))
    max_words_in_sent: int = attrs.field(default=30, validator=_integer(1))
    num_verbs: int = attrs.field(default=4, validator=_integer(0))
    num_nouns: int = attrs.field(default=6, validator=_integer(0))
    attn_fusion: str = attrs.field(default="embed", validator=_one_of("embed", "sim"))
    simattn_sigma: float = attrs.field(default=4, validator=_number(0))
    margin: float = attrs.field(default=0.2, validator=_number(0))
    max_violation: bool = attrs.field(default=True, validator=_flag)
    hard_topk: int = attrs.field(default=1, validator=_integer(1))
    loss_direction: str = attrs.field(default="bi", validator=_one_of("bi", "i2t", "t2i"))
    loss_weights: tuple[float, ...] | None = attrs.field(
        default=None,
        converter=_tuple,
        validator=_rule(
            "null or four numbers (fused, event, action, entity)",
            lambda value: (
                value is None or (isinstance(value, tuple) and len(value) == 4 and all(map(_is_number, value)))
            ),
        ),
    )
    trn_batch_size: int = attrs.field(default=128, validator=_integer(1))
    base_lr: float = attrs.field(default=1e-4, validator=_number(0))
    decay_boundarys: tuple[int, ...] = attrs.field(
        default=(),
        converter=_tuple,
        validator=_rule(
            "a list of epochs", lambda value: isinstance(value, tuple) and all(map(_is_integer, value))
        ),
    )
    decay_rate: float = attrs.field(default=1, validator=_number(0))

    def __attrs_post_init__(self) -> None:
        if self.video.dim_embed != self.text.rnn_hidden_size:
            raise ReleaseError(
                f"model.json: dim_embed is {self.video.dim_embed}, rnn_hidden_size {self.text.rnn_hidden_size}; "
                "clips and captions cannot be compared unless they are equal."
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
    modules = dict(_object(whole.pop("subcfgs", None), "subcfgs"))
    video, text = modules.pop("video_encoder", None), modules.pop("text_encoder", None)
    if modules:
        raise ReleaseError(f"model.json: subcfgs has the unknown encoders {sorted(modules)}.")
    return _filled(
        ReleaseConfig,
        whole,
        "model.json",
        _UNREAD,
        video=_filled(ReleaseVideoConfig, _object(video, "video_encoder"), "video_encoder", _UNREAD_BY_MODULE),
        text=_filled(ReleaseTextConfig, _object(text, "text_encoder"), "text_encoder", _UNREAD_BY_MODULE),
    )


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ReleaseError(f"model.json: {name} must be a JSON object, got {value!r:.60}.")
    return value


def _filled(cls: type[T], record: Mapping[str, Any], name: str, unread: frozenset[str], **given: Any) -> T:
    """An instance of a config class; keys that it does not know are refused by name."""
    known = {field.name for field in attrs.fields(cls)} - set(given)  # type: ignore[arg-type]
    unknown = sorted(set(record) - known - unread)
    if unknown:
        raise ReleaseError(f"model.json: {name} has the unknown keys {unknown}; what they change is not known.")
    return cls(**{key: value for key, value in record.items() if key in known}, **given)
