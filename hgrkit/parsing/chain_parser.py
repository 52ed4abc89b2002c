"""Several parsers in a row: what one cannot read, the next one reads, so that no parser fails a search."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Lock

from hgrkit.arguments import check_sequence
from hgrkit.errors import ConfigError, GraphError, HgrkitError
from hgrkit.graph import RoleGraph
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import PARSERS, load_parser, parse_each
from hgrkit.parsing.tokenize import tokenize

__all__ = ["ChainParser"]

_LOG = logging.getLogger(__name__)


class ChainParser:
    """Asks the first parser, and for every text that it cannot read the next one.

    A parser that cannot be loaded, lacks its models or fails is passed over, and said so once in the log. A text
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
        """One graph a text, in order.

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
            _LOG.warning("the parser %r is passed over: %s", self.name, error)
