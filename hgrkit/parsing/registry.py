"""Graph parsers by name: hgrkit's own and those of installed plugins (entry points `hgrkit.parsers`)."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.arguments import shown
from hgrkit.errors import GraphError, HgrkitError, ParserNotFoundError, PluginError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.plugins import Registry

__all__ = ["PARSERS", "load_parser", "parse_each", "parse_texts"]

PARSERS = Registry("hgrkit.parsers", "parser", ParserNotFoundError, {"spacy": "hgrkit-spacy"})


def load_parser(parser: str | GraphParser) -> GraphParser:
    """The parser of that name, or the parser itself if one is given.

    `stanza,lark` is a chain: what the first cannot read, the next one reads. `precomputed:graphs.jsonl` makes the
    parser with what follows the colon.

    Raises:
        ParserNotFoundError: if no parser of that name is installed; the message lists those that are.
        PluginError: if the plugin cannot be imported or is no parser, or an object that is no parser is given.
    """
    if not isinstance(parser, str):
        return _checked(parser, shown(parser))
    if "," in parser:
        from hgrkit.parsing.chain_parser import ChainParser

        return ChainParser([name.strip() for name in parser.split(",")])
    name, _, argument = parser.partition(":")
    plugin = PARSERS.find(name)
    made = plugin.load()
    if argument or isinstance(made, type):
        made = plugin.make(*filter(None, [argument]))
    return _checked(made, f"{name!r} ({plugin.distribution})")


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

    A batch with a bad text is halved until that text is alone, so that the others keep the speed of batches.

    Raises:
        PluginError: as `parse_texts` does.
    """
    try:
        return list(parse_texts(parser, texts))
    except GraphError as error:
        if len(texts) == 1:
            return [error]
    half = len(texts) // 2
    return parse_each(parser, texts[:half]) + parse_each(parser, texts[half:])


def _checked(parser: object, described: str) -> GraphParser:
    missing = [name for name in ("name", "version", "parse_batch") if not hasattr(parser, name)]
    if isinstance(parser, type) and not missing:
        raise PluginError(f"{shown(parser)} is no graph parser but makes one; give {parser.__name__}(...) itself.")
    if isinstance(parser, GraphParser) and callable(parser.parse_batch):
        return parser
    raise PluginError(
        f"{described} is no graph parser: it lacks {', '.join(missing) or 'a method parse_batch'}; give a name "
        "such as 'lark', or see hgrkit.parsing.protocol."
    )
