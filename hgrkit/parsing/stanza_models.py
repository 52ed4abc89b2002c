"""Where Stanza's models are on this machine; found without importing stanza."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["MODELS_VARIABLE", "find_models", "models_folder"]

MODELS_VARIABLE = "HGRKIT_STANZA_DIR"
"""The environment variable that names the folder of Stanza's models."""


def models_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that the environment names for hgrkit, or `None`: then Stanza's own folder is used."""
    named = environment.get(MODELS_VARIABLE)
    return Path(named) if named else None


def find_models(language: str = "en", environment: Mapping[str, str] = os.environ) -> str | None:
    """The folder that holds the models of a language, or `None` if it is not there."""
    named = models_folder(environment)
    folders = [named] if named is not None else _own_folders(environment)
    return next((str(folder) for folder in folders if (folder / language / "depparse").is_dir()), None)


def _own_folders(environment: Mapping[str, str]) -> list[Path]:
    """Where Stanza keeps what it downloads: a folder of its version in the user's cache."""
    if environment.get("STANZA_RESOURCES_DIR"):
        return [Path(environment["STANZA_RESOURCES_DIR"])]
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "darwin":
        cache = home / "Library" / "Caches" / "stanza"
    elif sys.platform == "win32":
        cache = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local") / "StanfordNLP/stanza/Cache"
    else:
        cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "stanza"
    return sorted(cache.glob("*/resources"), reverse=True)
