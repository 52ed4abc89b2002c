"""The model: a text encoder, a video encoder and a matcher that fit each other (HGR, section 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import attrs
import torch
from torch import nn

from hgrkit.arguments import check_instance, check_path, check_text, shown
from hgrkit.errors import ConfigError
from hgrkit.graph import RoleGraph
from hgrkit.matching.background import Background
from hgrkit.matching.embeddings import TextEmbeddings
from hgrkit.matching.matcher import Matcher, Scores
from hgrkit.model.folder import BACKGROUND_KEY, write_model_folder
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.video.features import VideoFeatures
from hgrkit.model.video.video_encoder import VideoEncoder

__all__ = ["HgrModel", "ModelOrigin", "TextModel"]


class TextModel(Protocol):
    """What every text encoder offers, beside being a `torch.nn.Module`.

    Attributes:
        kind: name of its type in a model folder's `config.json`, a key of `hgrkit.model.checkpoint.TEXT_ENCODERS`.
        embed_dim: D.
        settings: the JSON arguments that make an encoder of the same shape.
    """

    kind: ClassVar[str]
    embed_dim: int

    @property
    def settings(self) -> dict[str, Any]:
        """The JSON arguments that make an encoder of the same shape."""
        ...

    def batch(self, graphs: Sequence[RoleGraph]) -> GraphBatch:
        """Batch role graphs as this encoder reads them."""
        ...

    def write_files(self, folder: Path) -> None:
        """Write what a model folder needs beside the weights."""
        ...

    def __call__(self, batch: GraphBatch, /) -> TextEmbeddings:
        """Encode C sentences."""
        ...


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


class HgrModel(nn.Module):
    """Both encoders and the matcher.

    Args:
        text: a `TextEncoder`, or another module that is a `TextModel`.
        video: turns frame features into embeddings.
        matcher: compares the two; the published settings by default.
        origin: what the model was made for.
        background: how well sentences fit any clip, taken off their scores where sentences are compared.

    Raises:
        ConfigError: if the embedding sizes differ, or the text encoder is not a module.

    Source: HGR (arXiv 2003.00392), section 3.
    """

    text: TextModel
    video: VideoEncoder
    matcher: Matcher
    background: Background | None

    def __init__(
        self,
        *,
        text: TextModel,
        video: VideoEncoder,
        matcher: Matcher | None = None,
        origin: ModelOrigin | None = None,
        background: Background | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(text, nn.Module) or not hasattr(text, "batch") or not hasattr(text, "embed_dim"):
            raise ConfigError(
                f"text must be a text encoder and a torch module, such as a TextEncoder, got {shown(text)}."
            )
        check_instance("video", video, VideoEncoder, hint="the text encoder is the other argument")
        if text.embed_dim != video.embed_dim:
            raise ConfigError(
                f"the text encoder has embed_dim={text.embed_dim}, the video encoder embed_dim={video.embed_dim}; "
                "they must be equal."
            )
        self.text = text
        self.video = video
        self.matcher = Matcher() if matcher is None else check_instance("matcher", matcher, Matcher)
        self.origin = ModelOrigin() if origin is None else check_instance("origin", origin, ModelOrigin)
        if background is not None:
            check_instance("background", background, Background)
        if background is not None and background.events.shape[1] != video.embed_dim:
            raise ConfigError(
                f"the background has embed_dim={background.events.shape[1]}, the encoders have "
                f"embed_dim={video.embed_dim}; they must be equal."
            )
        self.background = background

    @property
    def embed_dim(self) -> int:
        """D, the size of every embedding."""
        return self.video.embed_dim

    @property
    def feature_dim(self) -> int:
        """K, the numbers of a frame's features."""
        return self.video.feature_dim

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.video.pooling.weight.device

    @property
    def config(self) -> Mapping[str, Any]:
        """What `config.json` of a model folder says, but for the format."""
        origin = {name: value for name, value in attrs.asdict(self.origin).items() if value is not None}
        background = {} if self.background is None else {BACKGROUND_KEY: self.background.settings}
        return {
            **origin,
            "text": {"type": self.text.kind, **self.text.settings},
            "video": self.video.settings,
            "matcher": self.matcher.settings,
            **background,
        }

    def save(self, folder: str | Path, *, card: str = "", notes: Mapping[str, str] | None = None) -> Path:
        """Write a model folder, which `hgrkit.load_model` reads; one that is already there is replaced whole.

        Args:
            folder: where to.
            card: text of `MODEL_CARD.md`: what the model is, its data, terms and numbers.
            notes: further text files by name, such as the settings that it was trained with; they lie in `notes/`
                and never change the model's fingerprint.

        Returns:
            The folder.

        Raises:
            CheckpointError: if something that is not a model folder is already there.
        """
        if notes is not None and not (
            isinstance(notes, Mapping) and all(isinstance(t, str) for t in notes.values())
        ):
            raise ConfigError(f"notes must be texts by the names of their files, got {shown(notes)}.")
        return write_model_folder(
            Path(check_path("folder", folder)),
            config=self.config,
            weights=self.state_dict(),
            write_files=self.text.write_files,
            card=check_text("card", card) or f"# {self.origin.name or 'An hgrkit model'}\n",
            notes=notes or {},
        )

    def forward(self, features: VideoFeatures, graphs: GraphBatch) -> Scores:
        """Score every clip against every sentence."""
        scores: Scores = self.matcher(self.video(features), self.text(graphs))
        return scores
