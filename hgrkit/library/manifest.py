"""What made a library: its format version and the fingerprints that every later use has to fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from hgrkit.checks.arguments import check_number, check_whole, shown
from hgrkit.errors import ConfigError, LibraryMismatchError

__all__ = ["CLIP_SECONDS", "FORMAT_VERSION", "Manifest"]

FORMAT_VERSION = 3
"""The format that this hgrkit writes; it reads every one up to it."""

CLIP_SECONDS = "[0.001, 1e9]"
"""The length of the longest clip, in seconds."""

_LARGEST_DIM = 1 << 16

_FITTING = ("model_fingerprint", "frame_encoder_fingerprint", "sampling", "clip_seconds", "embed_dim")
_NAMED_BY = {"model_fingerprint": "model", "frame_encoder_fingerprint": "frame_encoder"}

_TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(
        ("model", "model_fingerprint", "frame_encoder", "frame_encoder_fingerprint", "sampling"), (str,)
    ),
    "clip_seconds": (int, float, type(None)),
    "embed_dim": (int,),
    "format_version": (int,),
}


def _clip_seconds(value: float | None) -> float | None:
    return None if value is None else check_number("a manifest's clip_seconds", value, CLIP_SECONDS)


def _embed_dim(value: int) -> int:
    return check_whole("a manifest's embed_dim", value, most=_LARGEST_DIM)


@attrs.frozen(kw_only=True)
class Manifest:
    """The parts that a library's embeddings came from.

    Names are for people; only fingerprints, sampling, clip length and size have to agree.

    Attributes:
        model: the model's name or folder, as it was asked for.
        model_fingerprint: what `hgrkit.model.folder` says of its files.
        frame_encoder: the frame encoder's name.
        frame_encoder_fingerprint: what the encoder says of itself.
        sampling: how frames are picked, in one canonical line such as `uniform:20`.
        clip_seconds: the longest clip that a video is cut into, from 0.001 to 1e9; `None` if videos stay whole.
        embed_dim: D of every stored vector.
        format_version: the layout on disk.
    """

    model: str
    model_fingerprint: str
    frame_encoder: str
    frame_encoder_fingerprint: str
    sampling: str
    clip_seconds: float | None = attrs.field(converter=_clip_seconds)
    embed_dim: int = attrs.field(converter=_embed_dim)
    format_version: int = FORMAT_VERSION

    def __attrs_post_init__(self) -> None:
        for name, types in _TYPES.items():
            value = getattr(self, name)
            if type(value) not in types:
                expected = " or ".join(kind.__name__ for kind in types)
                raise ConfigError(f"a manifest's {name} must be {expected}, got {shown(value)}.")

    def fits(self, expected: Manifest) -> bool:
        """Whether what these parts made and what those make may be mixed."""
        return all(getattr(self, name) == getattr(expected, name) for name in _FITTING)

    def require(self, expected: Manifest, *, library: str) -> None:
        """Refuse to be used with other parts than those that made the library.

        Raises:
            LibraryMismatchError: naming every part that differs, with both values.
        """
        differing = [name for name in _FITTING if getattr(self, name) != getattr(expected, name)]
        if differing:
            parts = "; ".join(f"{self._describe(name)}, not {expected._describe(name)}" for name in differing)
            raise LibraryMismatchError(
                f"the library {library} was made with {parts}. "
                "Open it with what made it, or bring it to other parts with `hgrkit index --upgrade`."
            )

    def to_json(self) -> str:
        """One line of JSON, keys sorted."""
        return json.dumps(attrs.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest that `to_json` wrote.

        Raises:
            ValueError: if the text is no manifest.
        """
        values: Any = json.loads(text)
        names = {field.name for field in attrs.fields(cls)}
        if not isinstance(values, dict) or values.keys() != names:
            raise ValueError(f"a manifest has the keys {', '.join(sorted(names))}")
        return cls(**values)

    def _describe(self, name: str) -> str:
        value = getattr(self, name)
        if name in _NAMED_BY:
            label = _NAMED_BY[name]
            return f"{label.replace('_', ' ')} {getattr(self, label)!r} (fingerprint {value})"
        return f"{name} {value}"
