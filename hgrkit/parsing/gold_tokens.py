"""Gives parsers sentences that are cut into tokens already, and brings their graphs back onto these tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import attrs

from hgrkit.errors import ConfigError, GraphError
from hgrkit.graph import Edge, Node, RoleGraph, Span
from hgrkit.parsing.conventions import Conventions
from hgrkit.parsing.protocol import GraphParser
from hgrkit.parsing.registry import parse_each

__all__ = ["TokenBatchParser", "TokenParser", "TreeParser", "on_tokens", "parse_gold"]


@runtime_checkable
class TokenParser(Protocol):
    """A parser that can leave the tokens as they are."""

    def parse_tokens(self, tokens: Sequence[str]) -> RoleGraph:
        """The graph of a sentence over exactly these tokens.

        Raises:
            GraphError: if it cannot be made a graph.
        """
        ...


@runtime_checkable
class TokenBatchParser(Protocol):
    """A parser that leaves tokens as they are and is faster on many sentences."""

    def parse_token_batch(self, sentences: Sequence[Sequence[str]]) -> list[RoleGraph]:
        """One graph for each list of tokens, over exactly these tokens.

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
        """The graph of a sentence with its tree: `upos`, `xpos`, `lemma`, `feats`, `head` (-1: root), `deprel`.

        Args:
            tokens: the words.
            tree: the columns of their tree.
            conventions: whose annotation to follow.

        Raises:
            GraphError: if it cannot be made a graph.
        """
        ...


def parse_gold(
    parser: GraphParser,
    records: Sequence[Mapping[str, Any]],
    *,
    gold_trees: bool = False,
    conventions: Conventions = "captions",
) -> list[RoleGraph | GraphError]:
    """One graph over the record's own tokens for each record, or the reason why there is none.

    A parser without `parse_tokens` reads the tokens with spaces between them; its graph is then moved onto them.

    Args:
        parser: the parser.
        records: sentences with `tokens` and, for `gold_trees`, `tree`.
        gold_trees: give the parser the trees; it must have `parse_tree`.
        conventions: whose annotation the labeller of trees is to follow.

    Raises:
        ConfigError: if the parser has no `parse_tree`, or a record no tree.
        PluginError: if the parser fails in its own way.
    """
    if gold_trees:
        return [_from_tree(parser, record, conventions) for record in records]
    if isinstance(parser, TokenBatchParser):
        return list(_from_batch(parser, [record["tokens"] for record in records]))
    if isinstance(parser, TokenParser):
        return [_from_tokens(parser, record["tokens"]) for record in records]
    graphs = parse_each(parser, [" ".join(record["tokens"]) for record in records])
    return [
        graph if isinstance(graph, GraphError) else on_tokens(graph, record["tokens"])
        for graph, record in zip(graphs, records, strict=True)
    ]


def on_tokens(graph: RoleGraph, tokens: Sequence[str]) -> RoleGraph:
    """A graph moved onto other tokens of the same text, by the characters that are no white space.

    A node covers every new token that shares a character with it; two nodes that then cover the same tokens in the
    same level become one. Where the texts differ, what cannot be placed is left out.

    >>> graph = RoleGraph(tokens=["can't", "stop"], nodes=[Node(1, "V", Span(1, 2), 1)])
    >>> on_tokens(graph, ["can", "'t", "stop"]).nodes[0].span
    Span(start=2, stop=3)
    """
    if list(graph.tokens) == list(tokens):
        return graph
    owners = _owners(graph.tokens, tokens)
    nodes: dict[int, Node] = {}
    same: dict[tuple[bool, Span], int] = {}
    renamed: dict[int, int] = {}
    for node in graph.nodes:
        covered = sorted({new for old in range(node.span.start, node.span.stop) for new in owners[old]})
        if not covered:
            continue
        span = Span(covered[0], covered[-1] + 1)
        renamed[node.id] = same.setdefault((node.is_action, span), node.id)
        if renamed[node.id] == node.id:
            head = owners[node.head] if node.head is not None else []
            nodes[node.id] = attrs.evolve(node, span=span, head=head[-1] if head else None)
    edges = {
        (renamed[edge.action], renamed[edge.entity]): edge.role
        for edge in reversed(graph.edges)
        if edge.action in renamed and edge.entity in renamed
    }
    return RoleGraph(
        tokens=tokens,
        nodes=nodes.values(),
        edges=[Edge(action, entity, role) for (action, entity), role in reversed(edges.items())],
    )


def _owners(old: Sequence[str], new: Sequence[str]) -> list[list[int]]:
    """For each old token the new ones that share a character with it."""
    places = [number for number, token in enumerate(new) for character in token if not character.isspace()]
    owners, at = [], 0
    for token in old:
        size = sum(not character.isspace() for character in token)
        owners.append(sorted(set(places[at : at + size])))
        at += size
    return owners


def _from_tokens(parser: TokenParser, tokens: Sequence[str]) -> RoleGraph | GraphError:
    try:
        return parser.parse_tokens(tokens)
    except GraphError as error:
        return error


def _from_batch(parser: TokenBatchParser, sentences: Sequence[Sequence[str]]) -> Iterator[RoleGraph | GraphError]:
    try:
        yield from parser.parse_token_batch(sentences)
    except GraphError as error:
        if len(sentences) == 1:
            yield error
            return
        half = len(sentences) // 2
        yield from _from_batch(parser, sentences[:half])
        yield from _from_batch(parser, sentences[half:])


def _from_tree(parser: GraphParser, record: Mapping[str, Any], conventions: Conventions) -> RoleGraph | GraphError:
    if not isinstance(parser, TreeParser):
        raise ConfigError(f"the parser {parser.name!r} does not read dependency trees; leave out --gold-trees.")
    if "tree" not in record:
        raise ConfigError("--gold-trees needs gold captions with a 'tree'; this file has at least one without.")
    try:
        return parser.parse_tree(record["tokens"], record["tree"], conventions=conventions)
    except GraphError as error:
        return error
