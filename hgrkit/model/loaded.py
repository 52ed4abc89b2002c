"""A model as it was asked for: each side is loaded when it is first used, the query side without torch."""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from hgrkit.arguments import check_path, check_text
from hgrkit.errors import CheckpointError
from hgrkit.model.folder import model_fingerprint
from hgrkit.model.query.encoder import QuerySide
from hgrkit.model.registry import model_folder

if TYPE_CHECKING:
    from hgrkit.model.hgr_model import HgrModel

__all__ = ["LoadedModel"]

_WITHOUT_TORCH = frozenset({"auto", "cpu"})
"""Devices on which questions are put without torch: one sentence is too little work for any other."""


@attrs.frozen(kw_only=True, eq=False, slots=False)
class LoadedModel:
    """An installed model or a model folder.

    Attributes:
        name: `default`, an installed name, or the absolute path of a folder.
        folder: where it lies.
        fingerprint: of everything in the folder that decides its numbers.
        device: `auto`, `cpu`, `cuda`, `mps` or the like.
    """

    name: str
    folder: Path
    fingerprint: str
    device: str = "auto"

    @classmethod
    def load(cls, name: str | PathLike[str], *, device: str = "auto") -> LoadedModel:
        """Find a model.

        Raises:
            ModelNotFoundError: if there is no such model.
            CheckpointError: if its config is not JSON.
            ConfigError: if the device cannot be used.
        """
        name = check_path("model", name, hint="; or a model's name, such as 'default'")
        folder = model_folder(name)
        if check_text("device", device, hint="such as 'auto' or 'cpu'") not in _WITHOUT_TORCH:
            from hgrkit.video.frame_encoder import resolve_device

            device = resolve_device(device)
        return cls(
            name=str(folder.absolute()) if folder == Path(name) else name,
            folder=folder.absolute(),
            fingerprint=model_fingerprint(folder),
            device=device,
        )

    @cached_property
    def model(self) -> HgrModel:
        """The model in torch, on its device, in evaluation mode.

        Raises:
            CheckpointError: if its folder is incomplete or damaged, or has changed since it was found.
            ConfigError: if the device cannot be used.
        """
        from hgrkit.model.checkpoint import load_model
        from hgrkit.video.frame_encoder import resolve_device

        model = load_model(self.folder, device=resolve_device(self.device))
        if model_fingerprint(self.folder) != self.fingerprint:
            raise CheckpointError(f"the model {self.folder} has changed while it was in use; open it again.")
        return model

    @cached_property
    def query_side(self) -> QuerySide:
        """How questions are put: without torch, unless the model or the device needs it, or it is in use.

        Raises:
            CheckpointError, ConfigError: as `model` does.
        """
        from hgrkit.model.query.folder import read_query_side

        wants_torch = "model" in vars(self) or self.device not in _WITHOUT_TORCH
        side = None if wants_torch else read_query_side(self.folder)
        return self._torch_side() if side is None else side

    def _torch_side(self) -> QuerySide:
        from hgrkit.model.scorer import ModelQueryEncoder, settings_of

        model = self.model
        return QuerySide(
            encoder=ModelQueryEncoder(model), settings=settings_of(model.matcher), embed_dim=model.embed_dim
        )
