"""The model: a text encoder, a video encoder and a matcher that fit each other (HGR, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import nn

from hgrkit.checks.arguments import check_instance, check_path, check_text, shown
from hgrkit.errors import ConfigError
from hgrkit.matching.matcher import Matcher, Scores
from hgrkit.matching.querybank_norm import QuerybankNorm
from hgrkit.model.config import ModelOrigin
from hgrkit.model.folder import QUERYBANK_NORM_KEY, write_model_folder
from hgrkit.model.text.graph_batch import GraphBatch
from hgrkit.model.text.registry import TextModel
from hgrkit.model.video import VideoEncoder, VideoFeatures

__all__ = ["HgrModel", "ModelOrigin", "TextModel"]


class HgrModel(nn.Module):
    """Both encoders and the matcher.

    Args:
        text: a `TextEncoder`, or another module that is a `TextModel`.
        video: turns frame features into embeddings.
        matcher: compares the two; the published settings by default.
        origin: what the model was made for.
        querybank_norm: how well sentences fit any clip, taken off their scores where sentences are compared.

    Raises:
        ConfigError: if the embedding sizes differ, or the text encoder is not a module.

    Source: HGR (arXiv 2003.00392), section 3.
    """

    text: TextModel
    video: VideoEncoder
    matcher: Matcher
    querybank_norm: QuerybankNorm | None

    def __init__(
        self,
        *,
        text: TextModel,
        video: VideoEncoder,
        matcher: Matcher | None = None,
        origin: ModelOrigin | None = None,
        querybank_norm: QuerybankNorm | None = None,
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
        if querybank_norm is not None:
            check_instance("querybank_norm", querybank_norm, QuerybankNorm)
            if querybank_norm.events.shape[1] != video.embed_dim:
                raise ConfigError(
                    f"querybank_norm has embed_dim={querybank_norm.events.shape[1]}, the encoders have "
                    f"embed_dim={video.embed_dim}; they must be equal."
                )
        self.querybank_norm = querybank_norm
        # files keep the name that querybank normalisation had when they were made
        self.register_state_dict_post_hook(_as_stored)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_from_stored)  # type: ignore[no-untyped-call]

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
        norm = {} if self.querybank_norm is None else {QUERYBANK_NORM_KEY: self.querybank_norm.settings}
        return {
            **origin,
            "text": {"type": self.text.kind, **self.text.settings},
            "video": self.video.settings,
            "matcher": self.matcher.settings,
            **norm,
        }

    def save(self, folder: str | Path, *, card: str = "", notes: Mapping[str, str] | None = None) -> Path:
        """Write a model folder, which `hgrkit.load_model` reads; an existing one is replaced whole.

        Args:
            folder: where to.
            card: text of `MODEL_CARD.md`: what the model is, its data, terms and numbers.
            notes: further text files by name, such as the settings that it was trained with; they lie in `notes/`
                and never change the model's fingerprint.

        Returns:
            The folder.

        Raises:
            CheckpointError: if something other than a model folder exists there.
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


def _as_stored(module: nn.Module, weights: dict[str, Any], prefix: str, *_: object) -> None:
    """Call the querybank's weights as model folders and the states of training runs do."""
    del module
    _rename(weights, f"{prefix}querybank_norm.", f"{prefix}{QUERYBANK_NORM_KEY}.")


def _from_stored(module: nn.Module, weights: dict[str, Any], prefix: str, *_: object) -> None:
    del module
    _rename(weights, f"{prefix}{QUERYBANK_NORM_KEY}.", f"{prefix}querybank_norm.")


def _rename(weights: dict[str, Any], old: str, new: str) -> None:
    for name in [name for name in weights if name.startswith(old)]:
        weights[new + name.removeprefix(old)] = weights.pop(name)
