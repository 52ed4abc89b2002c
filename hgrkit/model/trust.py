"""Which models a library may choose: installed ones by their names; others only if its user used them here before.

A library that someone else made can name any folder, and a model's folder decides what is computed, and with
plugins what is run. So a name that leads to a folder counts only together with a fingerprint that the user's own
commands remembered, or on the user's word.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from os import sep
from os.path import lexists
from pathlib import Path

from hgrkit.checks.arguments import check_flag, shown
from hgrkit.errors import UntrustedModelError
from hgrkit.library.manifest import Manifest
from hgrkit.model.registry import is_model_folder
from hgrkit.storage.user_folder import is_known_model, remember_model

__all__ = ["remember_parts", "require_trusted"]


def require_trusted(manifest: Manifest, *, trust: bool, library: str, given: Sequence[object] = ()) -> None:
    """Refuse what a library's manifest names by a path, unless the user used it here before.

    Args:
        manifest: of a library that may be a stranger's.
        trust: the user's word that whoever made it is trusted.
        library: what it is called in the message.
        given: the model and the frame encoder that the user named, `None` for the library's choice.

    Raises:
        UntrustedModelError: if the user has to be asked.
    """
    for (what, name, fingerprint), own in zip_longest(_parts(manifest), given):
        if check_flag("trust", trust):
            _remember(name, fingerprint)
        elif own is None and _leads_to_a_folder(name) and not is_known_model(_from_here(name), fingerprint):
            raise UntrustedModelError(
                f"the library {library} names the {what} {shown(name)}, a folder that was not used here before; "
                "if you trust who made the library and that folder, say so once with --trust (trust=True)."
            )


def remember_parts(manifest: Manifest) -> None:
    """Remember what the user made a library with."""
    for _, name, fingerprint in _parts(manifest):
        _remember(name, fingerprint)


def _remember(name: str, fingerprint: str) -> None:
    if _leads_to_a_folder(name):
        remember_model(_from_here(name), fingerprint)


def _from_here(name: str) -> str:
    """A name with its path made absolute: a relative one leads elsewhere from another working folder."""
    kind, colon, path = name.rpartition(":")
    return f"{kind}{colon}{Path(path).absolute()}" if lexists(path) else name


def _parts(manifest: Manifest) -> tuple[tuple[str, str, str], ...]:
    return (
        ("model", manifest.model, manifest.model_fingerprint),
        ("frame encoder", manifest.frame_encoder, manifest.frame_encoder_fingerprint),
    )


def _leads_to_a_folder(name: str) -> bool:
    """Whether a name is a path, or has one behind a colon; a folder wins over an installed model of its name."""
    return any(mark in name for mark in ("/", "\\", ":", sep)) or is_model_folder(Path(name))
