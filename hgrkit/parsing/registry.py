"""Graph parsers by name: hgrkit's own and those of installed plugins (entry points `hgrkit.parsers`)."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.errors import GraphError, HgrkitError, ParserNotFoundError, PluginError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.registry import Registry

__all__ = ["PARSERS", "load_parser", "parse_each", "parse_texts"]

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


def parse_texts(parser: GraphParser, texts: Sequence[str]) -> list[RoleGraph]:
    """One graph a text, from a parser that is not trusted to keep its contract.

    Raises:
        GraphError: if a text cannot be made a graph.
        PluginError: if the parser fails, or does not return one role graph for each text.
    """
    try:
        graphs = list(parser.parse_batch(texts))
    except HgrkitError:
        raise
    except Exception as error:
        raise PluginError(f"the parser {parser.name!r} fails: {type(error).__name__}: {error}") from error
    if len(graphs) != len(texts) or not all(isinstance(graph, RoleGraph) for graph in graphs):
        kinds = ", ".join(sorted({type(graph).__name__ for graph in graphs}))
        raise PluginError(
            f"the parser {parser.name!r} must return {len(texts)} role graphs for {len(texts)} texts, "
            f"got {len(graphs)}{f' of {kinds}' if kinds else ''}."
        )
    return graphs


def parse_each(parser: GraphParser, texts: Sequence[str]) -> list[RoleGraph | GraphError]:
    """One graph a text, or the reason why that text has none; one bad text never takes the others with it.

    Raises:
        PluginError: as `parse_texts` does.
    """
    try:
        return list(parse_texts(parser, texts))
    except GraphError as error:
        if len(texts) == 1:
            return [error]
    return [graph for text in texts for graph in parse_each(parser, [text])]


def _checked(parser: object, described: str) -> GraphParser:
    if isinstance(parser, GraphParser):
        return parser
    missing = [name for name in ("name", "version", "parse_batch") if not hasattr(parser, name)]
    raise PluginError(
        f"{described} is no graph parser: it lacks {', '.join(missing)}; see hgrkit.parsing.protocol."
    )
