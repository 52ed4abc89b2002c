"""What hgrkit keeps of one user, outside of all libraries: a secret key, and which models were used here before.

It lies in `hgrkit` in `$XDG_CONFIG_HOME` or `~/.config`, on Windows in `%APPDATA%`, on macOS in
`~/Library/Application Support`. Where it cannot be written nothing is kept, and nothing else is the worse for it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock

from hgrkit.errors import HgrkitError
from hgrkit.storage.open_folder import OpenFolder

__all__ = ["is_known_model", "remember_model", "user_folder", "user_key"]

_KEY_FILE, _MODELS_FILE = "key", "models.json"
_KEY_BYTES = 32
_MOST_BYTES = 1 << 20
_MOST_MODELS = 1000
_REMEMBERED: set[tuple[str, str]] = set()
_WRITING = Lock()


def user_folder() -> Path:
    """Where it lies; it need not exist."""
    if sys.platform == "win32":
        above = os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming"
    elif sys.platform == "darwin":
        above = os.environ.get("XDG_CONFIG_HOME") or Path.home() / "Library" / "Application Support"
    else:
        above = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(above) / "hgrkit"


def user_key() -> bytes | None:
    """The secret that seals files which only this user's own processes may make; `None` if there is none.

    It is made when it is first asked for.
    """
    try:
        with _opened() as folder:
            key = folder.read(_KEY_FILE, _KEY_BYTES)
            if key is None:
                folder.write(_KEY_FILE, secrets.token_bytes(_KEY_BYTES), mode=0o600)
                key = folder.read(_KEY_FILE, _KEY_BYTES)  # another process may have made one, too
    except (OSError, RuntimeError, HgrkitError):  # RuntimeError: there is no home
        return None
    return key if key is not None and len(key) == _KEY_BYTES else None


def is_known_model(name: str, fingerprint: str) -> bool:
    """Whether a model of this name, and with this content, was used here on the user's own word."""
    return (name, fingerprint) in _REMEMBERED or [name, fingerprint] in _known_models()


def remember_model(name: str, fingerprint: str) -> None:
    """Remember a model that the user named, in this process and in later ones."""
    if is_known_model(name, fingerprint):
        return
    _REMEMBERED.add((name, fingerprint))
    with suppress(OSError, RuntimeError, HgrkitError), _WRITING, _opened() as folder:
        known = [*_known_models(), [name, fingerprint]][-_MOST_MODELS:]
        folder.write(_MODELS_FILE, json.dumps(known, indent=1).encode(), mode=0o600)


def _known_models() -> list[list[str]]:
    try:
        with OpenFolder(user_folder()) as folder:
            found = json.loads(folder.read(_MODELS_FILE, _MOST_BYTES) or b"[]")
    except (OSError, ValueError, RuntimeError, RecursionError, HgrkitError):
        return []
    return [entry for entry in found if isinstance(entry, list)] if isinstance(found, list) else []


def _opened() -> OpenFolder:
    folder = user_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return OpenFolder(folder)
