"""The default graph parser: lexicon, tagger, LALR grammar of word groups and rules for clauses."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.arguments import check_sequence
from hgrkit.errors import GraphError
from hgrkit.graph import RoleGraph, Span
from hgrkit.parsing.chunker import Chunker, refine
from hgrkit.parsing.clause_builder import build_clauses
from hgrkit.parsing.graph_builder import clause_graph, noun_graph
from hgrkit.parsing.role_labeller import RoleLabeller
from hgrkit.parsing.role_table import RoleTable
from hgrkit.parsing.tagger import Tagger
from hgrkit.parsing.tokenize import tokenize

__all__ = ["LarkParser"]


class LarkParser:
    """Parses captions and queries to role graphs, without a download and in linear time.

    >>> print(LarkParser().parse("A man throws the ball to his dog."))
    a man throws the ball to his dog .
      throws
        ARG0      a man
        ARG1      the ball
        ARG2      to his dog
    """

    name = "lark"
    version = "1"

    def __init__(self) -> None:
        self._tagger = Tagger.load()
        self._chunker = Chunker.load()
        self._roles = RoleTable.load()

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """One graph a text, in order.

        Raises:
            GraphError: if a text holds nothing to parse.
        """
        texts = check_sequence("texts", texts, str, of="sentences", error=GraphError)
        return [self.parse(text) for text in texts]

    def parse(self, text: str) -> RoleGraph:
        """The graph of one text; its tokens are lower-cased, punctuation apart, clitics split.

        Raises:
            GraphError: if the text holds nothing to parse.
        """
        return self.parse_tokens(tokenize(text))

    def parse_tokens(self, tokens: Sequence[str]) -> RoleGraph:
        """The graph of given tokens, which it keeps as they are.

        Raises:
            GraphError: if there is no token, or one is empty.
        """
        tokens = check_sequence("tokens", tokens, str, of="words", error=GraphError)
        if not tokens:
            raise GraphError("nothing to parse: expected at least one token, got none.")
        words = [token.lower() for token in tokens]
        tags = refine(words, self._tagger.tag(words))
        chunks = self._chunker.chunks(tags)
        clauses = build_clauses(words, tags, chunks, self._tagger.lexicon)
        if not clauses:
            return noun_graph(tokens, chunks)
        return clause_graph(tokens, clauses, RoleLabeller(words, self._roles))

    def phrases(self, tokens: Sequence[str]) -> tuple[list[Span], list[Span]]:
        """Base noun phrases and main verbs of given tokens, for those who have no use for roles.

        Raises:
            GraphError: as `parse_tokens` does.
        """
        tokens = check_sequence("tokens", tokens, str, of="words", error=GraphError)
        words = [token.lower() for token in tokens]
        tags = refine(words, self._tagger.tag(words))
        nouns = noun_graph(tokens, self._chunker.chunks(tags))
        verbs = self.parse_tokens(tokens).actions
        return [node.span for node in nouns.nodes], [node.span for node in verbs]
