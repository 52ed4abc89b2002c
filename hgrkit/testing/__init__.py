"""Contract suites for plugins to inherit: parsers, frame encoders, text encoders and stores. Needs pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hgrkit.testing.frame_encoder_contract import FrameEncoderContract
    from hgrkit.testing.model_contract import TextEncoderContract
    from hgrkit.testing.parser_contract import ParserContract
    from hgrkit.testing.store_contract import StoreContract

__all__ = ["FrameEncoderContract", "ParserContract", "StoreContract", "TextEncoderContract"]

_HOMES = {
    "FrameEncoderContract": "frame_encoder_contract",
    "ParserContract": "parser_contract",
    "StoreContract": "store_contract",
    "TextEncoderContract": "model_contract",
}


def __getattr__(name: str) -> Any:
    """Import a suite, and pytest with it, when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
