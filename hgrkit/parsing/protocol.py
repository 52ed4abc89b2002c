"""What a graph parser is: the extension point between a sentence and its role graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hgrkit.graph import RoleGraph

__all__ = ["GraphParser"]


@runtime_checkable
class GraphParser(Protocol):
    """Turns sentences into role graphs; `hgrkit.testing.ParserContract` says what holds of every parser.

    `name` and `version` together say which graphs to expect; a parser that answers differently has a new version.
    """

    @property
    def name(self) -> str:
        """The name that it is registered under."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the graphs change."""
        ...

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """One graph a text, in the same order, whatever the other texts are.

        Raises:
            GraphError: if a text cannot be made a graph, such as an empty one.
        """
        ...
