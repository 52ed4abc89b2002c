"""Finds a model by name or by folder; models are packages of their own (entry-point group `hgrkit.models`)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from hgrkit.checks.arguments import url_remark
from hgrkit.errors import ModelNotFoundError, PluginError
from hgrkit.model.folder import CONFIG_FILE
from hgrkit.plugins import Registry

__all__ = ["DEFAULT_MODEL", "MODELS", "model_folder"]

MODELS = Registry("hgrkit.models", "model", ModelNotFoundError, {"mini": "hgrkit-model-mini"})
"""Installed models. An entry point names a callable without arguments that returns the model's folder."""

DEFAULT_MODEL = "mini"
"""The installed model that the name `default` stands for."""


def model_folder(model: str | Path) -> Path:
    """The folder of a model.

    Args:
        model: `default`, the name of an installed model, or the path of a model folder. A path wins over a name.

    Raises:
        ModelNotFoundError: if it is neither; the message lists the installed names.
        PluginError: if the model's package cannot be loaded.
    """
    path = Path(model)
    try:
        is_model, is_folder = (path / CONFIG_FILE).is_file(), path.is_dir()
    except OSError:  # such as a name too long for a path
        is_model = is_folder = False
    if is_model:
        return path
    if is_folder:
        raise ModelNotFoundError(f"{str(model)!r} is a folder without {CONFIG_FILE}, so it is not a model folder.")
    name = DEFAULT_MODEL if model == "default" else str(model)
    try:
        plugin = MODELS.find(name)
    except ModelNotFoundError as error:
        if name in MODELS.packages:
            raise
        remark = url_remark(str(model)) or f"Nor is there a model folder {str(model)!r}."
        raise ModelNotFoundError(f"{error} {remark}") from None
    made = plugin.make()
    if not isinstance(made, str | PathLike):
        raise PluginError(
            f"the model {name!r} ({plugin.distribution}) must name its folder, got {type(made).__name__}."
        )
    folder = Path(made)
    if not (folder / CONFIG_FILE).is_file():
        raise PluginError(f"the model {name!r} ({plugin.distribution}) has no {CONFIG_FILE} in {folder}.")
    return folder
