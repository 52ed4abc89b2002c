"""From sentences to role graphs: the parser protocol, the registry of parsers, and hgrkit's own Lark parser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hgrkit.parsing.lark_parser import LarkParser
    from hgrkit.parsing.protocol import GraphParser
    from hgrkit.parsing.registry import PARSERS, load_parser

__all__ = ["PARSERS", "GraphParser", "LarkParser", "load_parser"]

_HOMES = {"GraphParser": "protocol", "LarkParser": "lark_parser", "PARSERS": "registry", "load_parser": "registry"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import hgrkit` does not import lark."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
