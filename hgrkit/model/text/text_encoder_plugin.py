"""Text encoders as plugins: texts to vectors, by name (entry-point group `hgrkit.text_encoders`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from hgrkit.checks.arguments import check_whole, shown
from hgrkit.checks.device import resolve_device
from hgrkit.errors import PluginError, TextEncoderNotFoundError
from hgrkit.library.records import Float32
from hgrkit.plugins import Registry, plugin_errors

__all__ = ["TEXT_ENCODER_PLUGINS", "TextEncoderPlugin", "encode_texts", "load_text_encoder", "omitted_tokens"]

TEXT_ENCODER_PLUGINS = Registry(
    "hgrkit.text_encoders",
    "text encoder",
    TextEncoderNotFoundError,
    {"clip": "hgrkit-clip", "open_clip": "hgrkit-clip"},
)
"""Installed text encoders. An entry point names a callable `(device) -> TextEncoderPlugin`; for a name
with an argument, `NAME:ARGUMENT`, it is called with that as well."""


@runtime_checkable
class TextEncoderPlugin(Protocol):
    """Turns texts into vectors; `hgrkit.testing.TextEncoderPluginContract` holds one to its rules.

    An encoder may also have `omitted_tokens(texts) -> Sequence[int]`: how many tokens of each text lie past what
    it reads. Without it none do. With `equivalent_to`, the fingerprint of another encoder whose vectors it
    computes to 1e-4, it also searches libraries that were made with that one.
    """

    @property
    def embed_dim(self) -> int:
        """D, the length of one text's vector."""

    @property
    def fingerprint(self) -> str:
        """Names the encoder and its weights: vectors of equal fingerprints may be compared with one library."""

    def encode(self, texts: Sequence[str]) -> Float32:
        """Encode texts to vectors `[B, embed_dim]`, each independent of the others."""


def load_text_encoder(encoder: str | TextEncoderPlugin, device: str = "auto") -> TextEncoderPlugin:
    """Load the installed text encoder of that name on a device; an instance is checked and returned.

    Args:
        encoder: a name such as `clip:FOLDER`, or a ready encoder.
        device: `auto` (CUDA, else MPS, else CPU) or the name of a torch device.

    Raises:
        TextEncoderNotFoundError: if no such name is installed.
        PluginError: if the plugin fails, or what it makes is no text encoder.
        ConfigError: if the device is unknown or absent.
    """
    if not isinstance(encoder, str):
        return _checked(encoder, "the text encoder that was given")
    plugin, argument = TEXT_ENCODER_PLUGINS.find_with_argument(encoder)
    made: TextEncoderPlugin = plugin.make(resolve_device(device), *argument)
    return _checked(made, f"the text encoder {encoder!r} ({plugin.distribution})")


def encode_texts(encoder: TextEncoderPlugin, texts: Sequence[str]) -> Float32:
    """Encode texts to vectors `[B, embed_dim]`, and check that the encoder keeps its contract.

    Raises:
        PluginError: if the encoder fails, or does not return that many finite real numbers.
    """
    with plugin_errors(f"the text encoder {encoder.fingerprint} fails"):
        vectors = np.asarray(encoder.encode(texts))
    if vectors.shape != (len(texts), encoder.embed_dim) or vectors.dtype.kind not in "fiu":
        raise PluginError(
            f"the text encoder {encoder.fingerprint} must return numbers [{len(texts)}, {encoder.embed_dim}] "
            f"for {len(texts)} texts, got {vectors.dtype} {list(vectors.shape)}."
        )
    with np.errstate(over="ignore"):
        single = vectors.astype(np.float32, copy=False)
    if not np.isfinite(single).all():
        raise PluginError(
            f"the text encoder {encoder.fingerprint} returns numbers that are NaN or infinite; fix it, "
            "or use another encoder."
        )
    return single


def omitted_tokens(encoder: TextEncoderPlugin, texts: Sequence[str]) -> list[int]:
    """How many tokens of each text the encoder does not read; 0 for one that does not say.

    Raises:
        PluginError: if the encoder fails, or does not return one number for each text.
    """
    count = getattr(encoder, "omitted_tokens", None)
    if count is None:
        return [0] * len(texts)
    with plugin_errors(f"the text encoder {encoder.fingerprint} fails"):
        return [int(number) for _, number in zip(texts, count(texts), strict=True)]


def _checked(encoder: TextEncoderPlugin, owner: str) -> TextEncoderPlugin:
    if isinstance(encoder, type):
        raise PluginError(f"{owner} is {shown(encoder)}, not an instance; give {encoder.__name__}(...).")
    missing = [name for name in ("embed_dim", "fingerprint", "encode") if not hasattr(encoder, name)]
    if missing:
        raise PluginError(f"{owner} is {shown(encoder)}, without {', '.join(missing)}; see TextEncoderPlugin.")
    check_whole(f"embed_dim of {owner}", encoder.embed_dim, error=PluginError)
    if not isinstance(encoder.fingerprint, str) or not callable(encoder.encode):
        raise PluginError(f"{owner} needs a string as its fingerprint and a method encode; see TextEncoderPlugin.")
    return encoder
