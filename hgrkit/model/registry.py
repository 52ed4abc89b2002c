"""Finds a model by name or by folder; models are packages of their own (entry-point group `hgrkit.models`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from hgrkit.checks.arguments import url_remark
from hgrkit.errors import ModelNotFoundError, PluginError
from hgrkit.model.folder import CONFIG_FILE
from hgrkit.plugins import Registry

__all__ = ["DEFAULT_MODEL", "MODELS", "is_model_folder", "model_folder", "plugin_config"]

MODELS = Registry(
    "hgrkit.models",
    "model",
    ModelNotFoundError,
    {"mini": "hgrkit-model-mini", "clip": "hgrkit-clip", "open_clip": "hgrkit-clip"},
)
"""Installed models. An entry point names a callable without arguments that returns the model's folder.

For models called `NAME:ARGUMENT` it is one of the device and the argument, and returns what a `config.json` would
say, but for the format: the names of a text encoder and of a frame encoder that are plugins, and how they are
compared."""

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
    if is_model_folder(path):
        return path
    if _is_folder(path):
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


def is_model_folder(path: Path) -> bool:
    """Whether a folder has the config of a model."""
    try:
        return (path / CONFIG_FILE).is_file()
    except OSError:  # such as a name too long for a path
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def plugin_config(model: str, device: Callable[[], str]) -> Mapping[str, Any] | None:
    """What a plugin says of its model `NAME:ARGUMENT`; `None` if that is not the name of one.

    Args:
        model: such as `clip:FOLDER`.
        device: called for the name of a torch device, if there is such a model.

    Raises:
        ModelNotFoundError: if the plugin is one of hgrkit's own that is not installed.
        PluginError: if the plugin fails, or says nothing of the kind.
    """
    name, colon, argument = model.partition(":")
    if not colon or (name not in MODELS.packages and name not in {plugin.name for plugin in MODELS.plugins()}):
        return None
    plugin = MODELS.find(name)
    made = plugin.make(device(), argument)
    if not isinstance(made, Mapping):
        raise PluginError(
            f"the model {model!r} ({plugin.distribution}) must be described by a mapping, "
            f"got {type(made).__name__}."
        )
    return made
