"""A model as it was asked for: each side is loaded when it is first used, on a CPU without torch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from hgrkit.checks.arguments import check_path, check_text
from hgrkit.checks.device import resolve_device
from hgrkit.checks.settings import to_json
from hgrkit.errors import CheckpointError, ConfigError
from hgrkit.levels import PerLevel
from hgrkit.library.scoring import SearchSettings
from hgrkit.model.calibration import Calibration
from hgrkit.model.config import HgrModelConfig
from hgrkit.model.dual_encoder import DualEncoder, find_dual_encoder
from hgrkit.model.folder import QUERYBANK_NORM_KEY, WEIGHTS_FILE, model_fingerprint
from hgrkit.model.query.clip_encoder import ClipEncoder
from hgrkit.model.query.encoder import QuerySide
from hgrkit.model.query.layers import Float32, QuerybankNorm, Weights
from hgrkit.model.registry import is_model_folder, model_folder
from hgrkit.model.text.registry import text_encoder_kind

if TYPE_CHECKING:
    from hgrkit.model.hgr_model import HgrModel

__all__ = ["LoadedModel", "read_query_side"]

_WITHOUT_TORCH = frozenset({"auto", "cpu", "cpu:0"})
"""Devices on which questions are put without torch: one sentence is too little work for any other."""


@attrs.frozen(kw_only=True, eq=False, slots=False)
class LoadedModel:
    """An installed model, a model folder, or a dual encoder of plugins.

    Attributes:
        name: `default`, an installed name, `clip:FOLDER`, or the absolute path of a folder.
        folder: where it lies; `None` for a dual encoder.
        fingerprint: of everything that decides its numbers.
        device: `auto`, `cpu`, `cuda`, `mps` or the like.
        dual_encoder: what it is made of, if it has no weights of its own.
    """

    name: str
    folder: Path | None
    fingerprint: str
    device: str = "auto"
    dual_encoder: DualEncoder | None = None

    @classmethod
    def load(cls, name: str | PathLike[str], *, device: str = "auto") -> LoadedModel:
        """Find a model.

        Raises:
            ModelNotFoundError: if there is no such model.
            CheckpointError: if its config is not JSON.
            ConfigError: if the device cannot be used.
            ShapeError, PluginError: if it is a dual encoder whose parts fail or do not fit.
        """
        name = check_path("model", name, hint="; or a model's name, such as 'default'")
        if check_text("device", device, hint="such as 'auto' or 'cpu'") not in _WITHOUT_TORCH:
            device = resolve_device(device)
        dual = find_dual_encoder(name, device=device)
        if dual is not None:
            own_name = (
                str(Path(name).absolute()) if is_model_folder(Path(name)) else dual.config.origin.name or name
            )
            return cls(name=own_name, folder=None, fingerprint=dual.fingerprint, device=device, dual_encoder=dual)
        folder = model_folder(name)
        return cls(
            name=str(folder.absolute()) if folder == Path(name) else name,
            folder=folder.absolute(),
            fingerprint=model_fingerprint(folder),
            device=device,
        )

    @cached_property
    def config(self) -> HgrModelConfig:
        """What the model's folder says of its parts.

        Raises:
            CheckpointError: if it cannot be understood.
        """
        return HgrModelConfig.read(self.weights_folder) if self.dual_encoder is None else self.dual_encoder.config

    @cached_property
    def model(self) -> HgrModel:
        """The model in torch, on its device, in evaluation mode.

        Raises:
            CheckpointError: if its folder is incomplete or damaged, or has changed since it was found.
            ConfigError: if the device cannot be used, or it has no weights of its own.
        """
        from hgrkit.model.checkpoint import load_model

        model = load_model(self.weights_folder, device=resolve_device(self.device))
        self._require_unchanged()
        return model

    @cached_property
    def query_side(self) -> QuerySide:
        """How questions are put: without torch, unless the model or the device needs it, or it is in use.

        Raises:
            CheckpointError, ConfigError: as `model` does.
        """
        if self.dual_encoder is not None:
            return self.dual_encoder.query_side
        wants_torch = "model" in vars(self) or self.device not in _WITHOUT_TORCH
        side = None if wants_torch else read_query_side(self.weights_folder)
        return self._torch_side() if side is None else side

    @cached_property
    def clip_encoder(self) -> Callable[[Float32], PerLevel[Float32]]:
        """How the frame features of a clip are embedded: without torch on a CPU, unless only torch can.

        Takes [F, K]; gives the event [D], and action and entity of each frame, [F, D].

        Raises:
            CheckpointError, ConfigError: as `model` does.
        """
        if self.dual_encoder is not None:
            return self.dual_encoder.embed_clip
        if resolve_device(self.device) == "cpu":
            try:
                encoder = ClipEncoder.from_folder(self.weights_folder, self.config.video)
            except CheckpointError:
                pass  # torch reads what numpy cannot, or tells all that is wrong
            else:
                self._require_unchanged()
                return encoder
        from hgrkit.model.scorer import embed_features

        return partial(embed_features, self.model)

    @cached_property
    def calibration(self) -> Calibration | None:
        """How likely its hits are right, `None` if nobody has calibrated it.

        Raises:
            CheckpointError: if it is damaged, or was made for another model.
        """
        return None if self.folder is None else Calibration.read(self.folder, fingerprint=self.fingerprint)

    def may_search(self, fingerprint: str) -> bool:
        """Whether it may search what a model of that fingerprint indexed: itself, or the original of an export."""
        original = None if self.dual_encoder is None else self.dual_encoder.equivalent_to
        return fingerprint in {self.fingerprint, original}

    def check(self) -> None:
        """Read both sides, so that what is wrong with the model is told before anything is made with it.

        Raises:
            CheckpointError, ConfigError: as `model` does.
        """
        _ = self.query_side, self.clip_encoder

    @property
    def weights_folder(self) -> Path:
        """Where the model's own weights lie.

        Raises:
            ConfigError: if it has none.
        """
        if self.folder is None:
            raise ConfigError(
                f"the model {self.name!r} has no weights of its own: it can index, search and score a library "
                "(hgrkit evaluate --library), and nothing else."
            )
        return self.folder

    def _require_unchanged(self) -> None:
        if model_fingerprint(self.weights_folder) != self.fingerprint:
            raise CheckpointError(f"the model {self.folder} has changed while it was in use; open it again.")

    def _torch_side(self) -> QuerySide:
        from hgrkit.model.scorer import ModelQueryEncoder, settings_of

        model = self.model
        return QuerySide(
            encoder=ModelQueryEncoder(model), settings=settings_of(model.matcher), embed_dim=model.embed_dim
        )


def read_query_side(folder: Path) -> QuerySide | None:
    """The query side of a model folder, without torch.

    `None` leaves the folder to `hgrkit.model.checkpoint`: only torch has its kind of text encoder, or it is
    damaged, which torch's loader tells with all that is wrong. What is read here answers as torch does, to
    rounding.

    Raises:
        ModelNotFoundError: if there is no model folder at that path.
    """
    try:
        config = HgrModelConfig.read(folder)
        make = text_encoder_kind(config.text_kind).query
        embed_dim = config.video.embed_dim
        if make is None or config.text.get("embed_dim") != embed_dim:
            return None
        # both parts are read before either is used, and nothing may be left of them: a setting or a weight that is
        # not known here could change every answer
        weights = [Weights.read(folder / WEIGHTS_FILE, name) for name in ("text", QUERYBANK_NORM_KEY)]
        norm = None
        if config.querybank_norm is not None:
            norm = QuerybankNorm(weights[1], config.querybank_norm, embed_dim=embed_dim)
        encoder = make(config.text, folder, weights[0], norm)
        for part in weights:
            part.require_all_taken()
        return QuerySide(encoder=encoder, settings=SearchSettings(**to_json(config.matcher)), embed_dim=embed_dim)
    except (CheckpointError, ConfigError):
        return None
