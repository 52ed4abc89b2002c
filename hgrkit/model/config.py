"""What `config.json` of a model folder says, read once for torch and for what needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Required, Self, TypedDict

import attrs

from hgrkit.checks.arguments import shown
from hgrkit.checks.settings import check_keys, like, read_settings, setting, to_json
from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.matching.config import MatcherConfig, QuerybankNormConfig
from hgrkit.model.folder import FORMAT, QUERYBANK_NORM_KEY, read_config
from hgrkit.model.text.config import GraphAttentionConfig

__all__ = ["HgrModelConfig", "ModelOrigin", "VideoConfig", "VideoSettings"]


@attrs.frozen(kw_only=True)
class ModelOrigin:
    """What a model was made for, kept beside its weights.

    Attributes:
        name: what the model is called.
        frame_encoder: name of the frame encoder whose features it reads; `None` if it reads feature files only.
        sampling: how frames were picked in training, as the video side writes it.
        clip_seconds: length of the clips that it was trained on.
    """

    name: str = ""
    frame_encoder: str | None = None
    sampling: Any = None
    clip_seconds: float | None = None


VideoStart = Literal["random", "identity"]


class VideoSettings(TypedDict, total=False):
    """What the constructor of a video encoder takes; `VideoConfig` says what it means."""

    feature_dim: Required[int]
    embed_dim: Required[int]
    dropout: float
    shared_projection: bool
    max_frames: int | None
    start: VideoStart


@attrs.frozen(kw_only=True)
class VideoConfig:
    """The settings of a video encoder.

    Raises:
        ConfigError: if a setting is out of its range.
    """

    feature_dim: int = setting(meaning="K, numbers of a frame's features", within="[1, inf)")
    embed_dim: int = like(GraphAttentionConfig, "embed_dim")
    dropout: float = setting(0.0, "share of embedding entries zeroed in training", within="[0, 1)")
    shared_projection: bool = setting(False, "one linear map for the three levels")
    max_frames: int | None = setting(
        None, "evenly spaced frames that a clip keeps; none keeps all", within="[1, inf)"
    )
    start: VideoStart = setting(
        "random", "random, or identity: untrained maps leave frames of length one as they are, K must be D"
    )

    def __attrs_post_init__(self) -> None:
        if self.start == "identity" and self.feature_dim != self.embed_dim:
            raise ConfigError(
                f"start is 'identity', so feature_dim must be embed_dim, got {self.feature_dim} and "
                f"{self.embed_dim}."
            )

    def to_json(self) -> dict[str, Any]:
        """The settings as a model folder holds them."""
        # folders that are older than this setting would get another fingerprint if it were written at its default
        return {name: value for name, value in to_json(self).items() if (name, value) != ("start", "random")}


@attrs.frozen(kw_only=True)
class HgrModelConfig:
    """The parts of a model and their settings.

    Attributes:
        text_kind: a key of `hgrkit.model.text.registry.TEXT_ENCODERS`.
        text: settings of the text encoder, which its kind reads.
        video: settings of the video encoder.
        matcher: settings of the matcher.
        origin: what the model was made for.
        querybank_norm: settings of the querybank normalisation, if it has one.
    """

    text_kind: Any
    text: Mapping[str, Any]
    video: VideoConfig
    matcher: MatcherConfig
    origin: ModelOrigin = ModelOrigin()
    querybank_norm: QuerybankNormConfig | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read `config.json` of a model folder.

        Raises:
            ModelNotFoundError: if there is none.
            CheckpointError: if its format is unknown, a key is unknown or missing, or a value does not fit.
        """
        record, where = read_config(folder), f"{folder}: config.json"
        if (found := record.pop("format", None)) != FORMAT:
            raise CheckpointError(f"{where} has format {found!r}; this version of hgrkit reads {FORMAT}.")
        return cls.of_record(record, where)

    @classmethod
    def of_record(cls, record: Mapping[str, Any], where: str) -> Self:
        """Read the content of a `config.json`, but for its format.

        Args:
            record: the content.
            where: what it is called in messages.

        Raises:
            CheckpointError: if a key is unknown or missing, or a value does not fit.
        """
        origin = [field.name for field in attrs.fields(ModelOrigin)]
        parts = {"video": VideoConfig, "matcher": MatcherConfig, QUERYBANK_NORM_KEY: QuerybankNormConfig}
        try:
            check_keys(where, record, known=("text", *parts, *origin), required=("text", "video", "matcher"))
            made: dict[str, Any] = {
                name: read_settings(part, record[name], f"{where}: {name}")
                for name, part in parts.items()
                if name in record
            }
            text = record["text"]
            if not isinstance(text, dict):
                raise ConfigError(f"{where}: text must be a table of settings, got {shown(text)}.")
            return cls(
                text_kind=text.get("type"),
                text={name: value for name, value in text.items() if name != "type"},
                video=made["video"],
                matcher=made["matcher"],
                origin=ModelOrigin(**{name: record[name] for name in origin if name in record}),
                querybank_norm=made.get(QUERYBANK_NORM_KEY),
            )
        except ConfigError as error:
            raise CheckpointError(str(error)) from error
