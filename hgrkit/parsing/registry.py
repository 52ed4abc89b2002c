"""Graph parsers by name: hgrkit's own and those of installed plugins (entry points `hgrkit.parsers`)."""

from __future__ import annotations

from hgrkit.errors import ParserNotFoundError, PluginError
from hgrkit.parsing.protocol import GraphParser
from hgrkit.registry import Registry

__all__ = ["PARSERS", "load_parser"]

PARSERS = Registry(group="hgrkit.parsers", noun="parser", not_found=ParserNotFoundError)


def load_parser(parser: str | GraphParser) -> GraphParser:
    """The parser of that name, or the parser itself if one is given.

    Raises:
        ParserNotFoundError: if no parser of that name is installed; the message lists those that are.
        PluginError: if the plugin cannot be imported or is no parser, or an object that is no parser is given.
    """
    if not isinstance(parser, str):
        return _checked(parser, repr(type(parser).__name__))
    plugin = PARSERS.find(parser)
    made = plugin.load()
    return _checked(plugin.make() if isinstance(made, type) else made, f"{parser!r} ({plugin.distribution})")


def _checked(parser: object, described: str) -> GraphParser:
    if isinstance(parser, GraphParser):
        return parser
    missing = [name for name in ("name", "version", "parse_batch") if not hasattr(parser, name)]
    raise PluginError(
        f"{described} is no graph parser: it lacks {', '.join(missing)}; see hgrkit.parsing.protocol."
    )
