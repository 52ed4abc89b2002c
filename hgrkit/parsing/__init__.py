"""From sentences to role graphs: the parser protocol, the registry of parsers, and hgrkit's own parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hgrkit.parsing.dependency_tree import DependencyTree
    from hgrkit.parsing.graph_file import PrecomputedParser
    from hgrkit.parsing.lark.parser import LarkParser
    from hgrkit.parsing.protocol import GraphParser
    from hgrkit.parsing.registry import PARSERS, ChainParser, load_parser
    from hgrkit.parsing.stanza_parser import StanzaParser
    from hgrkit.parsing.tree_labeller import label_tree

__all__ = [
    "PARSERS",
    "ChainParser",
    "DependencyTree",
    "GraphParser",
    "LarkParser",
    "PrecomputedParser",
    "StanzaParser",
    "label_tree",
    "load_parser",
]

_HOMES = {
    "ChainParser": "registry",
    "DependencyTree": "dependency_tree",
    "GraphParser": "protocol",
    "LarkParser": "lark.parser",
    "PARSERS": "registry",
    "PrecomputedParser": "graph_file",
    "StanzaParser": "stanza_parser",
    "label_tree": "tree_labeller",
    "load_parser": "registry",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import hgrkit` does not import lark."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
