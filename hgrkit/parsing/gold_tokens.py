"""Parses sentences that are tokenized already, and maps the graphs back onto these tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from hgrkit.errors import ConfigError, GraphError
from hgrkit.graph import ACTION_ROLE, Edge, Node, RoleGraph, Span
from hgrkit.parsing.protocol import Conventions, GraphParser, TokenBatchParser, TokenParser, TreeParser
from hgrkit.parsing.registry import graphs_or_errors, parse_each

__all__ = ["gold_conventions", "on_tokens", "parse_gold"]


def parse_gold(
    parser: GraphParser,
    records: Sequence[Mapping[str, Any]],
    *,
    gold_trees: bool = False,
    conventions: Conventions = "captions",
) -> list[RoleGraph | GraphError]:
    """Parse each record into one graph over its own tokens, or the reason why there is none.

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
    tokens = [record["tokens"] for record in records]
    if gold_trees:
        if not isinstance(parser, TreeParser):
            raise ConfigError(
                f"the parser {parser.name!r} does not read dependency trees; leave out --gold-trees."
            )
        if any("tree" not in record for record in records):
            raise ConfigError(
                "--gold-trees needs gold captions with a 'tree'; this file has at least one without."
            )
        label = partial(parser.parse_tree, conventions=conventions)
        return graphs_or_errors(lambda part: [label(r["tokens"], r["tree"]) for r in part], records)
    if isinstance(parser, TokenBatchParser):
        return graphs_or_errors(parser.parse_token_batch, tokens)
    if isinstance(parser, TokenParser):
        parse = parser.parse_tokens
        return graphs_or_errors(lambda part: [parse(words) for words in part], tokens)
    graphs = parse_each(parser, [" ".join(words) for words in tokens])
    return [
        graph if isinstance(graph, GraphError) else on_tokens(graph, words)
        for graph, words in zip(graphs, tokens, strict=True)
    ]


def on_tokens(graph: RoleGraph, tokens: Sequence[str]) -> RoleGraph:
    """Move a graph onto other tokens of the same text, matched by their non-blank characters.

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


def gold_conventions(records: Iterable[Mapping[str, Any]]) -> Conventions:
    """Detect the conventions of gold graphs with trees: plain PropBank's if no copula is an action.

    Args:
        records: gold graphs with a `tree`; those without one are ignored.
    """
    copulas = 0
    for record in records:
        tree = record.get("tree")
        if tree is None:
            continue
        actions = {node.get("head") for node in record["nodes"] if node["role"] == ACTION_ROLE}
        found = {token for token, relation in enumerate(tree.get("deprel", ())) if relation == "cop"}
        if found & actions:
            return "captions"
        copulas += len(found)
    return "propbank" if copulas else "captions"
