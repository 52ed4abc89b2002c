"""A parser plugin: a sentence is cut at its first word in -s or -ing; what stands before it acts."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit import Edge, Node, RoleGraph, Span
from hgrkit.errors import GraphError


class SplitParser:
    """Finds one action at most; a parser this plain is right about "a dog chases a ball" and little else."""

    name, version = "split", "1"

    def parse_batch(self, texts: Sequence[str]) -> list[RoleGraph]:
        """Parse sentences, each on its own.

        Raises:
            GraphError: if a sentence holds no word.
        """
        return [_parse(text) for text in texts]


def _parse(text: str) -> RoleGraph:
    tokens = text.split()
    if not tokens:
        raise GraphError("cannot parse an empty sentence; give at least one word.")
    verb = next((i for i, word in enumerate(tokens) if i and word.lower().endswith(("s", "ing"))), None)
    if verb is None:
        return RoleGraph(tokens=tokens, nodes=[Node(0, "NOUN", Span(0, len(tokens)))])
    nodes, edges = [Node(0, "V", Span(verb, verb + 1), head=verb)], []
    for role, start, stop in (("ARG0", 0, verb), ("ARG1", verb + 1, len(tokens))):
        if start < stop:
            node = Node(len(nodes), role, Span(start, stop), head=stop - 1)
            nodes.append(node)
            edges.append(Edge(0, node.id, role))
    return RoleGraph(tokens=tokens, nodes=nodes, edges=edges)
