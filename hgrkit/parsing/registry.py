"""Graph parsers by name, alone or in a chain: hgrkit's own and those of plugins (group `hgrkit.parsers`)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata, util
from threading import Lock
from typing import TypeVar

import attrs

from hgrkit.checks.arguments import check_sequence, shown
from hgrkit.errors import ConfigError, GraphError, HgrkitError, ParserNotFoundError, PluginError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.tokenize import tokenize
from hgrkit.plugins import Plugin, Registry, plugin_errors

__all__ = [
    "MODELS_GROUP",
    "PARSERS",
    "ChainParser",
    "InstalledParser",
    "find_parser",
    "graphs_or_errors",
    "installed_parsers",
    "load_parser",
    "parse_each",
    "parse_texts",
]

T = TypeVar("T")

PARSERS = Registry("hgrkit.parsers", "parser", ParserNotFoundError, {"spacy": "hgrkit-spacy"})


def load_parser(parser: str | GraphParser) -> GraphParser:
    """Load the parser of that name; a parser object is returned as it is.

    `stanza,lark` is a chain: what the first cannot read, the next one reads. `precomputed:graphs.jsonl` makes the
    parser with what follows the colon.

    Raises:
        ParserNotFoundError: if no parser of that name is installed; the message lists those that are.
        PluginError: if the plugin cannot be imported or is no parser, or an object that is no parser is given.
    """
    return find_parser(parser)()


def find_parser(parser: str | GraphParser) -> Callable[[], GraphParser]:
    """Find a parser as `load_parser` does, and load it only when what is returned is called.

    Raises:
        ParserNotFoundError: if no parser of that name is installed.
        PluginError: if an object that is no parser is given.
    """
    if not isinstance(parser, str):
        given = _checked(parser, shown(parser))
        return lambda: given
    if "," in parser:
        chain = ChainParser([name.strip() for name in parser.split(",")])
        return lambda: chain
    name, _, argument = parser.partition(":")
    return partial(_loaded, PARSERS.find(name), argument)


def _loaded(plugin: Plugin, argument: str) -> GraphParser:
    made = plugin.load()
    if argument or isinstance(made, type):
        made = plugin.make(*filter(None, [argument]))
    return _checked(made, f"{plugin.name!r} ({plugin.distribution})")


def _checked(parser: object, described: str) -> GraphParser:
    missing = [name for name in ("name", "version", "parse_batch") if not hasattr(parser, name)]
    if isinstance(parser, type) and not missing:
        raise PluginError(f"{shown(parser)} is not a parser; give an instance: {parser.__name__}(...).")
    if isinstance(parser, GraphParser) and callable(parser.parse_batch):
        return parser
    raise PluginError(
        f"{described} is not a parser: it lacks {', '.join(missing) or 'a method parse_batch'}; give a name "
        "such as 'lark', or see hgrkit.parsing.protocol."
    )


def parse_texts(parser: GraphParser, texts: Sequence[str]) -> list[RoleGraph]:
    """Parse each text into one graph, and check that the parser keeps its contract.

    Raises:
        GraphError: if a text cannot be made a graph.
        PluginError: if the parser fails, or does not return one role graph for each text.
    """
    with plugin_errors(f"the parser {parser.name!r} fails"):
        graphs = list(parser.parse_batch(texts))
    if len(graphs) != len(texts) or not all(isinstance(graph, RoleGraph) for graph in graphs):
        kinds = ", ".join(sorted({type(graph).__name__ for graph in graphs}))
        raise PluginError(
            f"the parser {parser.name!r} must return {len(texts)} role graphs for {len(texts)} texts, "
            f"got {len(graphs)}{f' of {kinds}' if kinds else ''}."
        )
    return graphs


def parse_each(parser: GraphParser, texts: Sequence[str]) -> list[RoleGraph | GraphError]:
    """Parse each text into one graph, or the reason why it has none; a bad text does not affect the others.

    Raises:
        PluginError: as `parse_texts` does.
    """
    return graphs_or_errors(partial(parse_texts, parser), texts)


def graphs_or_errors(
    parse: Callable[[Sequence[T]], list[RoleGraph]], sentences: Sequence[T]
) -> list[RoleGraph | GraphError]:
    """Call a function that parses batches; return a graph or the error for each sentence.

    A batch with a bad sentence is halved until that one is alone, so that the rest is still parsed in batches.
    """
    try:
        return list(parse(sentences))
    except GraphError as error:
        if len(sentences) == 1:
            return [error]
    half = len(sentences) // 2
    return graphs_or_errors(parse, sentences[:half]) + graphs_or_errors(parse, sentences[half:])


_LOG = logging.getLogger(__name__)


class ChainParser:
    """Tries parsers in order: each gets the texts that those before it could not read.

    A parser that cannot be loaded, lacks its models or fails is skipped, with one warning in the log. A text
    with words that no parser reads is a graph without nodes; only one without words is refused.

    Args:
        parsers: names of installed parsers, or instances; those named are loaded when they are first needed.

    Raises:
        ConfigError: if there is none.
        ParserNotFoundError: if a name is not installed.
        PluginError: if two distributions claim a name.

    >>> ChainParser(["lark"]).parse_batch(["a dog runs"])[0].actions[0].span
    Span(start=2, stop=3)
    """

    def __init__(self, parsers: Sequence[str | GraphParser]) -> None:
        parsers = check_sequence("parsers", parsers, None, of="parsers and their names")
        if not parsers:
            raise ConfigError("a chain needs at least one parser, such as 'stanza,lark'.")
        for parser in parsers:
            if isinstance(parser, str):
                PARSERS.find(parser.partition(":")[0])
            else:
                load_parser(parser)
        self._links = [_Link(parser) for parser in parsers]

    @property
    def name(self) -> str:
        """The parsers' names, joined by commas."""
        return ",".join(link.name for link in self._links)

    @property
    def version(self) -> str:
        """The parsers' versions, joined by commas; `-` for one that cannot be loaded."""
        return ",".join(link.version for link in self._links)

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """Parse each text into one graph, in order.

        Raises:
            GraphError: if a text holds nothing to parse.
        """
        texts = check_sequence("texts", texts, str, of="sentences", error=GraphError)
        words = [tokenize(text) for text in texts]
        graphs: dict[int, RoleGraph] = {}
        for link in self._links:
            left = [at for at in range(len(texts)) if at not in graphs]
            if left:
                answers = link.parse([texts[at] for at in left])
                graphs |= {at: graph for at, graph in zip(left, answers, strict=True) if graph is not None}
        return [graphs[at] if at in graphs else RoleGraph(tokens=words[at]) for at in range(len(texts))]


class _Link:
    """One parser of a chain; answers `None` where it has no graph."""

    def __init__(self, parser: str | GraphParser) -> None:
        self._named = parser
        self._loaded: GraphParser | None = None if isinstance(parser, str) else parser
        self._broken = False
        self._warned = False
        self._lock = Lock()

    @property
    def name(self) -> str:
        return self._named if isinstance(self._named, str) else self._named.name

    @property
    def version(self) -> str:
        parser = self._parser()
        return "-" if parser is None else parser.version

    def parse(self, texts: Sequence[str]) -> list[RoleGraph | None]:
        parser = self._parser()
        if parser is None:
            return [None] * len(texts)
        try:
            answers = parse_each(parser, texts)
        except HgrkitError as error:
            self._warn(error)
            if isinstance(error, FileNotFoundError | ImportError):  # its models or a package are missing, for good
                self._broken = True
                return [None] * len(texts)
            if len(texts) == 1:
                return [None]
            # it may fail at one text only
            return [graph for text in texts for graph in self.parse([text])]
        return [None if isinstance(answer, GraphError) else answer for answer in answers]

    def _parser(self) -> GraphParser | None:
        with self._lock:
            if self._loaded is None and not self._broken:
                try:
                    self._loaded = load_parser(self._named)
                except HgrkitError as error:
                    self._broken = True
                    self._warn(error)
            return None if self._broken else self._loaded

    def _warn(self, error: HgrkitError) -> None:
        if not self._warned:
            self._warned = True
            _LOG.warning("the parser %r is skipped: %s", self.name, error)


MODELS_GROUP = "hgrkit.parser_models"
"""Entry points with a parser's name that say where its models are: `package` is looked for and not imported;
`module:function` is called without arguments and returns the place, or `None` if the models are not there."""


@attrs.frozen(kw_only=True)
class InstalledParser:
    """What is known of a parser before it is used.

    Attributes:
        name: what a user types.
        version: of the distribution.
        distribution: the package that brings it.
        models: whether its models are available; `None` if the plugin does not say.
        models_at: where they are, or what is missing.
    """

    name: str
    version: str
    distribution: str
    models: bool | None
    models_at: str

    def to_dict(self) -> dict[str, str | bool | None]:
        """The record as plain JSON types."""
        return attrs.asdict(self)


def installed_parsers() -> tuple[InstalledParser, ...]:
    """List the installed parsers by name, without importing them.

    Raises:
        PluginError: if two distributions claim one name; the message names both.
    """
    hooks = {point.name: point for point in metadata.entry_points(group=MODELS_GROUP)}
    found = []
    for name in dict.fromkeys(plugin.name for plugin in PARSERS.plugins()):
        distribution, _, version = PARSERS.find(name).distribution.rpartition(" ")
        models, models_at = _models(hooks.get(name))
        found.append(
            InstalledParser(
                name=name, version=version, distribution=distribution, models=models, models_at=models_at
            )
        )
    return tuple(found)


def _models(hook: metadata.EntryPoint | None) -> tuple[bool | None, str]:
    if hook is None:
        return None, "the plugin does not say"
    package, _, function = hook.value.partition(":")
    if not function:
        try:
            present = util.find_spec(package) is not None
        except (ImportError, ValueError):
            present = False
        return present, package if present else f"the package {package} is not installed"
    try:
        place = hook.load()()
    except Exception as error:  # noqa: BLE001 (a broken plugin must not hide the others)
        return None, f"{hook.value} fails: {type(error).__name__}: {error}"
    return (True, str(place)) if place is not None else (False, "not found")
