"""Chooses what a library is made with: the model, the frame encoder and how frames are picked."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import attrs

from hgrkit.arguments import check_number, shown
from hgrkit.errors import ConfigError, ShapeError
from hgrkit.indexing.feature_cache import FeatureCache
from hgrkit.indexing.pipeline import index_videos
from hgrkit.indexing.report import IndexReport
from hgrkit.library.manifest import Manifest
from hgrkit.model.loaded import LoadedModel
from hgrkit.model.scorer import embed_features
from hgrkit.video.frame_encoder import FrameEncoder, load_frame_encoder
from hgrkit.video.sampling import Sampling, parse_sampling

__all__ = ["DEFAULT_CLIP_SECONDS", "DEFAULT_SAMPLING", "FEATURES_ONLY", "LoadedModel", "Parts"]

FEATURES_ONLY = "features"
"""The frame encoder's name where there is none: frame features come from files."""

DEFAULT_SAMPLING = "fps:2"
DEFAULT_CLIP_SECONDS = 30.0


@attrs.frozen(kw_only=True, eq=False)
class Parts:
    """What a library's embeddings come from.

    Attributes:
        model: turns features into embeddings.
        frame_encoder: turns pictures into features; `None` if they come from files.
        frame_encoder_name: what it is called, `features` if there is none.
        sampling: how frames are picked.
        clip_seconds: the longest clip that a video is cut into.
    """

    model: LoadedModel
    frame_encoder: FrameEncoder | None
    frame_encoder_name: str
    sampling: Sampling
    clip_seconds: float

    @classmethod
    def choose(
        cls,
        model: LoadedModel,
        *,
        frame_encoder: str | FrameEncoder | None = None,
        sampling: str | Sampling | None = None,
        clip_seconds: float | None = None,
        device: str = "auto",
    ) -> Parts:
        """Fill in what was not asked for from what the model was made for, then from the defaults.

        Raises:
            FrameEncoderNotFoundError: if no such frame encoder is installed.
            ShapeError: if its features do not fit the model.
            ConfigError: if the sampling or the clip length cannot be used.
        """
        origin = model.model.origin
        wanted = origin.frame_encoder or FEATURES_ONLY if frame_encoder is None else frame_encoder
        encoder = None if wanted == FEATURES_ONLY else load_frame_encoder(wanted, device=device)
        name = wanted if isinstance(wanted, str) else type(wanted).__name__
        if encoder is not None and encoder.feature_dim != model.model.feature_dim:
            raise ShapeError(
                f"the frame encoder {name!r} makes {encoder.feature_dim} numbers a frame, but the model "
                f"{model.name!r} was built with feature_dim={model.model.feature_dim}."
            )
        picked = origin.sampling or DEFAULT_SAMPLING if sampling is None else sampling
        if isinstance(picked, str):
            picked = parse_sampling(picked)
        if not isinstance(picked, Sampling) or isinstance(picked, type):
            raise ConfigError(f"sampling must be such as 'fps:2' or 'uniform:20', got {shown(picked)}.")
        length = clip_seconds if clip_seconds is not None else origin.clip_seconds or DEFAULT_CLIP_SECONDS
        return cls(
            model=model,
            frame_encoder=encoder,
            frame_encoder_name=name,
            sampling=picked,
            clip_seconds=check_number("clip_seconds", length, "(0, inf)"),
        )

    @classmethod
    def to_replace(
        cls,
        made_with: Manifest,
        model: LoadedModel,
        *,
        frame_encoder: str | FrameEncoder | None = None,
        sampling: str | Sampling | None = None,
        clip_seconds: float | None = None,
        device: str = "auto",
    ) -> Parts:
        """Parts for a library that other ones made: what was not asked for stays, so far as the model takes it.

        The frame encoder is the one that the model was made for; features from files stay features from files.

        Raises:
            FrameEncoderNotFoundError, ShapeError, ConfigError: as `choose` does.
        """
        made_for = None if made_with.frame_encoder == FEATURES_ONLY else model.model.origin.frame_encoder
        return cls.choose(
            model,
            frame_encoder=made_for or made_with.frame_encoder if frame_encoder is None else frame_encoder,
            sampling=made_with.sampling if sampling is None else sampling,
            clip_seconds=clip_seconds if clip_seconds is not None else made_with.clip_seconds,
            device=device,
        )

    @property
    def index(self) -> partial[IndexReport]:
        """`index_videos` with these parts; the library, the files and the rest are still to be given."""
        return partial(
            index_videos,
            frame_encoder=self.frame_encoder,
            embed=partial(embed_features, self.model.model),
            sampling=self.sampling,
            clip_seconds=self.clip_seconds,
            max_frames=self.model.model.video.max_frames,
        )

    def feature_cache(self, library: Path) -> FeatureCache | None:
        """Where the library in that folder keeps features of these parts; `None` where no frames are encoded."""
        if self.frame_encoder is None:
            return None
        return FeatureCache(library, frame_encoder=self.frame_encoder.fingerprint, sampling=str(self.sampling))

    @property
    def manifest(self) -> Manifest:
        """What a library made with these parts says of itself."""
        return Manifest(
            model=self.model.name,
            model_fingerprint=self.model.fingerprint,
            frame_encoder=self.frame_encoder_name,
            frame_encoder_fingerprint=self.frame_encoder.fingerprint if self.frame_encoder else FEATURES_ONLY,
            sampling=str(self.sampling),
            clip_seconds=self.clip_seconds,
            embed_dim=self.model.model.embed_dim,
        )
