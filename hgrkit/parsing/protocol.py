"""What a graph parser is: the extension point between a sentence and its role graph, and what some parsers add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from hgrkit.graph import RoleGraph

__all__ = ["Conventions", "GraphParser", "TokenBatchParser", "TokenParser", "TreeParser"]

Conventions = Literal["captions", "propbank"]
"""Which annotation a labelled tree follows.

`captions`: copulas are actions, verbs with their roles as annotators of captions fixed them, no light verbs.
`propbank`: copulas are no actions, a light verb has no argument but its noun, roles as in PropBank EWT."""


@runtime_checkable
class GraphParser(Protocol):
    """Turns sentences into role graphs; `hgrkit.testing.ParserContract` says what holds of every parser.

    `name` and `version` together say which graphs to expect; a parser that answers differently has a new version.
    """

    @property
    def name(self) -> str:
        """The name under which it is registered."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the graphs change."""
        ...

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """Parse each text into one graph, in order and independently of the other texts.

        Raises:
            GraphError: if a text cannot be made a graph, such as an empty one.
        """
        ...


@runtime_checkable
class TokenParser(Protocol):
    """A parser that can leave the tokens as they are."""

    def parse_tokens(self, tokens: Sequence[str]) -> RoleGraph:
        """Parse a sentence over exactly these tokens.

        Raises:
            GraphError: if it cannot be made a graph.
        """
        ...


@runtime_checkable
class TokenBatchParser(Protocol):
    """A parser that leaves tokens as they are and is faster on many sentences."""

    def parse_token_batch(self, sentences: Sequence[Sequence[str]]) -> list[RoleGraph]:
        """Parse each list of tokens into one graph over exactly these tokens.

        Raises:
            GraphError: if one cannot be made a graph.
        """
        ...


@runtime_checkable
class TreeParser(Protocol):
    """A parser whose last step reads a Universal Dependencies tree."""

    def parse_tree(
        self, tokens: Sequence[str], tree: Mapping[str, Sequence[Any]], *, conventions: Conventions = "captions"
    ) -> RoleGraph:
        """Label a sentence whose tree is known.

        Args:
            tokens: the words.
            tree: the columns of their tree: `upos`, `xpos`, `lemma`, `feats`, `head` (-1: root), `deprel`.
            conventions: whose annotation to follow.

        Raises:
            GraphError: if it cannot be made a graph.
        """
        ...
