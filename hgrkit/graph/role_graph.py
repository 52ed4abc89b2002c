"""The role graph and its parts: nodes over token spans, edges that carry roles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from hgrkit.checks.arguments import check_instance, check_sequence, check_text, check_whole
from hgrkit.errors import GraphError
from hgrkit.graph.layout import GraphLayout, arrange
from hgrkit.graph.rendering import render

__all__ = ["ACTION_ROLE", "NOUN_ROLE", "Edge", "Node", "Role", "RoleGraph", "Span", "draw_graph", "lay_out"]

Role = str
"""A PropBank role such as `ARG0` or `ARGM-LOC`; `V` for an action, `NOUN` for a phrase that no verb governs."""

ACTION_ROLE: Role = "V"
NOUN_ROLE: Role = "NOUN"


def _token(value: Any) -> int:
    return check_whole("an end of a span", value, least=None, error=GraphError)


@attrs.frozen(order=True)
class Span:
    """A half-open range of tokens, `start` included and `stop` not."""

    start: int = attrs.field(converter=_token)
    stop: int = attrs.field(converter=_token)

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise GraphError(
                f"a span must be [start, stop) with 0 <= start < stop, got [{self.start}, {self.stop})."
            )

    def __len__(self) -> int:
        """Number of tokens."""
        return self.stop - self.start

    def __contains__(self, token: int) -> bool:
        """Whether the token at this index lies inside."""
        return self.start <= check_whole("a token", token, least=None, error=GraphError) < self.stop


@attrs.frozen
class Node:
    """An action (role `V`) or an entity (any other role) of a sentence.

    Attributes:
        id: unique within its graph.
        role: `V`, or the role of the entity's first edge, or `NOUN`; if they differ, the edges' roles count.
        span: the node's tokens.
        head: index of the content word, inside the span; `None` if the parser does not say.
        excluded: whether the searcher does not want it, such as the cars in "a street without cars".
    """

    id: int
    role: Role
    span: Span
    head: int | None = None
    excluded: bool = False

    def __attrs_post_init__(self) -> None:
        check_whole("a node's id", self.id, least=None, error=GraphError)
        check_instance(f"the span of node {self.id}", self.span, Span, error=GraphError)
        if not check_text(f"the role of node {self.id}", self.role, error=GraphError):
            raise GraphError(f"node {self.id} has an empty role; an action's is 'V', a bare phrase's 'NOUN'.")
        check_instance(f"excluded of node {self.id}", self.excluded, bool, error=GraphError)
        if self.head is not None and self.head not in self.span:
            raise GraphError(
                f"node {self.id} has its head at token {self.head}, outside its span "
                f"[{self.span.start}, {self.span.stop})."
            )

    @property
    def is_action(self) -> bool:
        """Whether the node is a verb."""
        return self.role == ACTION_ROLE


@attrs.frozen
class Edge:
    """An entity's role in an action, both by the ids of their nodes."""

    action: int
    entity: int
    role: Role

    def __attrs_post_init__(self) -> None:
        for end in (self.action, self.entity):
            check_whole("an edge's end, a node's id,", end, least=None, error=GraphError)
        check_text("an edge's role", self.role, error=GraphError)


def _token_tuple(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(check_sequence("tokens", tokens, None, of="words", error=GraphError))  # each is looked at later


def _node_tuple(nodes: Iterable[Node]) -> tuple[Node, ...]:
    return tuple(check_sequence("nodes", nodes, Node, of="Node objects", error=GraphError))


def _edge_tuple(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    return tuple(check_sequence("edges", edges, Edge, of="Edge objects", error=GraphError))


@attrs.frozen
class RoleGraph:
    """A sentence as event, actions, entities and the roles between them. Holds its own tokens.

    The event node is implicit: it covers all tokens and touches every action.

    >>> graph = RoleGraph.from_dict({
    ...     "tokens": ["a", "dog", "runs"],
    ...     "nodes": [{"id": 1, "role": "V", "span": [2, 3]}, {"id": 2, "role": "ARG0", "span": [0, 2]}],
    ...     "edges": [[1, 2, "ARG0"]],
    ... })
    >>> print(graph)
    a dog runs
      runs
        ARG0      a dog

    Raises:
        GraphError: if a token is empty, an id is used twice, a span or a head lies outside the sentence, or an
            edge does not lead from an action to an entity.

    Source: HGR (arXiv 2003.00392), section 3.1.
    """

    tokens: tuple[str, ...] = attrs.field(converter=_token_tuple)
    nodes: tuple[Node, ...] = attrs.field(converter=_node_tuple, default=())
    edges: tuple[Edge, ...] = attrs.field(converter=_edge_tuple, default=())

    def __attrs_post_init__(self) -> None:
        self._check_tokens()
        self._check_edges(self._check_nodes())

    def _check_tokens(self) -> None:
        if not self.tokens:
            raise GraphError("a role graph needs at least one token, got none.")
        for position, token in enumerate(self.tokens):
            if not isinstance(token, str) or not token.strip():
                raise GraphError(f"token {position} must be a word, got {token!r}.")

    def _check_nodes(self) -> dict[int, Node]:
        by_id: dict[int, Node] = {}
        for node in self.nodes:
            if node.id in by_id:
                raise GraphError(f"two nodes have the id {node.id}; ids must be unique within a graph.")
            if node.span.stop > len(self.tokens):
                raise GraphError(
                    f"node {node.id} spans [{node.span.start}, {node.span.stop}) "
                    f"but the sentence has {len(self.tokens)} tokens."
                )
            by_id[node.id] = node
        return by_id

    def _check_edges(self, by_id: Mapping[int, Node]) -> None:
        seen: set[tuple[int, int]] = set()
        for edge in self.edges:
            for end in (edge.action, edge.entity):
                if end not in by_id:
                    raise GraphError(f"an edge names node {end}, which the graph does not have.")
            if not by_id[edge.action].is_action or by_id[edge.entity].is_action:
                raise GraphError(
                    f"the edge {edge.action} -> {edge.entity} must lead from an action (role 'V') to an entity."
                )
            if not edge.role:
                raise GraphError(f"the edge {edge.action} -> {edge.entity} has an empty role.")
            if (edge.action, edge.entity) in seen:
                raise GraphError(f"the edge {edge.action} -> {edge.entity} is given twice.")
            seen.add((edge.action, edge.entity))

    # reading -----------------------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The sentence, tokens joined by single spaces."""
        return " ".join(self.tokens)

    @property
    def actions(self) -> tuple[Node, ...]:
        """The verbs, in graph order."""
        return tuple(node for node in self.nodes if node.is_action)

    @property
    def entities(self) -> tuple[Node, ...]:
        """The phrases, in graph order."""
        return tuple(node for node in self.nodes if not node.is_action)

    def node(self, node_id: int) -> Node:
        """The node with this id.

        Raises:
            GraphError: if there is none.
        """
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise GraphError(f"the graph has no node {node_id}; its ids are {[node.id for node in self.nodes]}.")

    def phrase(self, node: Node) -> str:
        """A node's tokens joined by single spaces."""
        span = check_instance("node", node, Node, error=GraphError, hint="take one of graph.nodes").span
        return " ".join(self.tokens[span.start : span.stop])

    def role(self, node: Node) -> Role:
        """The role of a node: that of the entity's first edge, otherwise the node's own."""
        check_instance("node", node, Node, error=GraphError, hint="take one of graph.nodes")
        return next((edge.role for edge in self.edges if edge.entity == node.id), node.role)

    # changing ----------------------------------------------------------------------------------------------

    def without(self, phrase: str) -> RoleGraph:
        """The graph without one node's words, to see what a phrase contributes.

        Args:
            phrase: a node's words, or words that occur inside the phrase of exactly one node, any case.

        Raises:
            GraphError: if no node or several nodes fit, or nothing would be left.
        """
        removed = self._find(phrase).span
        kept = [token for token in range(len(self.tokens)) if token not in removed]
        if not kept:
            raise GraphError(f"{phrase!r} is the whole sentence; nothing would be left without it.")
        return self.cut_to(kept)

    def cut_to(self, kept: Sequence[int]) -> RoleGraph:
        """The graph of some of the tokens; nodes keep their ids, and nodes without a token are removed.

        Args:
            kept: at least one token, ascending.

        Raises:
            GraphError: if they are none.
        """
        position = {old: new for new, old in enumerate(kept)}
        nodes = []
        for node in self.nodes:
            left = [position[token] for token in range(node.span.start, node.span.stop) if token in position]
            if left:
                head = position.get(node.head) if node.head is not None else None
                nodes.append(attrs.evolve(node, span=Span(left[0], left[-1] + 1), head=head))
        ids = {node.id for node in nodes}
        return RoleGraph(
            tokens=[self.tokens[token] for token in kept],
            nodes=nodes,
            edges=[edge for edge in self.edges if edge.action in ids and edge.entity in ids],
        )

    def _find(self, phrase: str) -> Node:
        wanted = check_text("the phrase to leave out", phrase, error=GraphError).casefold().split()
        if not wanted:
            raise GraphError("name the words to leave out; got an empty phrase.")
        words = {node.id: self.phrase(node).casefold().split() for node in self.nodes}
        exact = [node for node in self.nodes if words[node.id] == wanted]
        found = exact or [node for node in self.nodes if _occurs(wanted, words[node.id])]
        if len(found) == 1:
            return found[0]
        phrases = ", ".join(repr(self.phrase(node)) for node in self.nodes) or "none"
        many = "several phrases of the sentence have" if found else "no phrase of the sentence has"
        raise GraphError(f"{many} the words {phrase!r}; its phrases: {phrases}.")

    # to and from text --------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """The graph as plain JSON types: `tokens`, `nodes`, `edges` (`[action, entity, role]`), `excluded` ids."""
        nodes = []
        for node in self.nodes:
            record: dict[str, Any] = {
                "id": node.id,
                "role": node.role,
                "span": [node.span.start, node.span.stop],
            }
            if node.head is not None:
                record["head"] = node.head
            nodes.append(record)
        edges = [[edge.action, edge.entity, edge.role] for edge in self.edges]
        excluded = [node.id for node in self.nodes if node.excluded]
        return {"tokens": list(self.tokens), "nodes": nodes, "edges": edges, "excluded": excluded}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RoleGraph:
        """The graph of a record that `to_dict` made; other keys are ignored.

        Without the key `excluded` nothing is excluded.

        Raises:
            GraphError: if a key is missing, a value has the wrong type, or `excluded` names a node that is not
                there, beside the rules of the class.
        """
        try:
            excluded = set(record.get("excluded", ()))
            nodes = [
                Node(node["id"], node["role"], Span(*node["span"]), node.get("head"), node["id"] in excluded)
                for node in record["nodes"]
            ]
            edges = [Edge(*edge) for edge in record["edges"]]
            tokens = record["tokens"]
        except GraphError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise GraphError(
                f"not a role graph: {type(error).__name__}: {error}; expected 'tokens', 'nodes' with id, role "
                "and span, and 'edges' of [action, entity, role]; 'excluded', if there, is a list of ids."
            ) from error
        unknown = sorted(excluded - {node.id for node in nodes}, key=repr)
        if unknown:
            raise GraphError(f"'excluded' names {unknown}, which are not ids of nodes in the graph.")
        return cls(tokens=tokens, nodes=nodes, edges=edges)

    def to_json(self) -> str:
        """The graph as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> RoleGraph:
        """The graph of one line of JSON.

        Raises:
            GraphError: if the text is not JSON or not a role graph.
        """
        try:
            record = json.loads(text)
        except (TypeError, ValueError, RecursionError) as error:
            raise GraphError(f"not a role graph: the text is not JSON ({error}).") from error
        if not isinstance(record, dict):
            raise GraphError(f"not a role graph: expected a JSON object, got {type(record).__name__}.")
        return cls.from_dict(record)

    def __str__(self) -> str:
        """The sentence, then each action with its entities and their roles, then phrases without a verb.

        What is excluded is struck through as in Markdown: `~~cars~~`.
        """
        lines = [self.text]
        for action in self.actions:
            lines.append(f"  {self._marked(action)}")
            for edge in self.edges:
                if edge.action == action.id:
                    lines.append(f"    {edge.role:<9} {self._marked(self.node(edge.entity))}")
        governed = {edge.entity for edge in self.edges}
        lines += [f"  {node.role:<11} {self._marked(node)}" for node in self.entities if node.id not in governed]
        return "\n".join(lines)

    def _marked(self, node: Node) -> str:
        return f"~~{self.phrase(node)}~~" if node.excluded else self.phrase(node)

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return draw_graph(self)


def draw_graph(graph: RoleGraph) -> str:
    """A role graph as a self-contained SVG picture, for light and dark pages.

    The sentence is above its actions, and the actions are above their entities. A line between an action and an
    entity ends at the entity's role. A phrase without a verb is connected to the sentence by a dashed line. Levels
    differ in shape as well as in colour, and excluded phrases are struck through. Notebooks show a `RoleGraph`
    as this picture. The group of an action or entity has its id as `data-node`.

    >>> graph = RoleGraph.from_dict({"tokens": ["dogs"], "nodes": [{"id": 1, "role": "NOUN", "span": [0, 1]}],
    ...     "edges": []})
    >>> draw_graph(graph).startswith("<svg")
    True

    Returns:
        one `<svg>` element with a title and a description in words.
    """
    check_instance("graph", graph, RoleGraph, error=GraphError)
    return render("graph.svg", graph=graph, layout=lay_out(graph))


def lay_out(graph: RoleGraph) -> GraphLayout:
    """Where a drawing has the graph's boxes and lines."""
    nodes = sorted(graph.nodes, key=lambda node: node.span)
    return arrange(
        graph.text,
        {node.id: graph.phrase(node) for node in nodes if node.is_action},
        {node.id: graph.phrase(node) for node in nodes if not node.is_action},
        [(edge.action, edge.entity, edge.role) for edge in graph.edges],
        excluded={node.id for node in nodes if node.excluded},
    )


def _occurs(wanted: Sequence[str], words: Sequence[str]) -> bool:
    size = len(wanted)
    return any(list(words[start : start + size]) == list(wanted) for start in range(len(words) - size + 1))
