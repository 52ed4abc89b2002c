"""What of a role graph enters a text encoder: tokens, nodes and edges within limits, and which node sees which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypedDict

import attrs

from hgrkit.checks.arguments import check_choice, check_sequence
from hgrkit.checks.settings import setting
from hgrkit.errors import ConfigError, ShapeError
from hgrkit.graph import ACTION_ROLE, NOUN_ROLE, Node, Role, RoleGraph

__all__ = [
    "EDGE_POLICIES",
    "RELEASED_ROLES",
    "GraphLimits",
    "LimitSettings",
    "Omitted",
    "SelectedGraph",
    "SelectedNode",
    "check_edge_policy",
    "check_num_roles",
    "check_words",
    "node_links",
    "released_role_id",
    "select",
    "select_all",
]

RELEASED_ROLES: tuple[Role, ...] = (
    ACTION_ROLE,
    *("ARG1", "ARG0", "ARG2", "ARG3", "ARG4"),
    *("ARGM-LOC", "ARGM-MNR", "ARGM-TMP", "ARGM-DIR", "ARGM-ADV"),
    *("ARGM-PRP", "ARGM-PRD", "ARGM-COM", "ARGM-MOD"),
    NOUN_ROLE,
)
"""The roles that have vectors of their own, in the order of the released models."""

_ROLE_IDS = {prefix + role: number for number, role in enumerate(RELEASED_ROLES) for prefix in ("", "C-", "R-")}


def check_num_roles(num_roles: int) -> None:
    """Refuse a table of role vectors that lacks some of the released roles; 0 is no table.

    Raises:
        ConfigError: if it is too small.
    """
    if num_roles and num_roles < len(RELEASED_ROLES):
        raise ConfigError(f"num_roles must be 0 or at least {len(RELEASED_ROLES)}, got {num_roles}.")


def released_role_id(role: Role) -> int:
    """A role's id in the released models; `C-ROLE` and `R-ROLE` share ROLE's, an unknown role takes `NOUN`'s.

    >>> released_role_id("ARG0"), released_role_id("R-ARG0"), released_role_id("ARGM-CAU")
    (2, 2, 15)
    """
    return _ROLE_IDS.get(role, _ROLE_IDS[NOUN_ROLE])


class LimitSettings(TypedDict, total=False):
    """What limits are made of; `GraphLimits` says what it means."""

    max_actions: int | None
    max_entities: int | None
    max_tokens: int | None


@attrs.frozen(kw_only=True)
class GraphLimits:
    """How much of a sentence enters an encoder; `None` is no limit. The defaults are the released models'.

    Raises:
        ConfigError: if a limit is out of its range.
    """

    max_actions: int | None = setting(4, "actions that are kept of a sentence, in graph order", within="[0, inf)")
    max_entities: int | None = setting(6, "entities that are kept, in graph order", within="[0, inf)")
    max_tokens: int | None = setting(30, "tokens that are kept of a sentence", within="[1, inf)")


@attrs.frozen(kw_only=True)
class Omitted:
    """What the limits cut: nodes, and tokens.

    Attributes:
        actions: actions that are not compared.
        entities: entities that are not compared.
        tokens: of the graphs, that nothing was made of.
        event_tokens: of the text encoder's own, that the events lack; every phrase was read by itself.
    """

    actions: int = 0
    entities: int = 0
    tokens: int = 0
    event_tokens: int = 0

    def __add__(self, other: Omitted) -> Omitted:
        """Both together."""
        return Omitted(
            actions=self.actions + other.actions,
            entities=self.entities + other.entities,
            tokens=self.tokens + other.tokens,
            event_tokens=self.event_tokens + other.event_tokens,
        )

    def __bool__(self) -> bool:
        """Whether anything was cut."""
        return any(attrs.astuple(self))


@attrs.frozen
class SelectedNode:
    """A node as it enters an encoder: where it comes from, its role, and its tokens among those kept."""

    id: int
    role: Role
    tokens: tuple[int, ...]


@attrs.frozen(kw_only=True)
class SelectedGraph:
    """The part of a sentence's graph that enters an encoder.

    Attributes:
        words: the kept tokens.
        actions: the kept actions, in graph order.
        entities: the kept entities, in graph order.
        edges: pairs of positions, (in `actions`, in `entities`).
        omitted: what was left out.
    """

    words: tuple[str, ...]
    actions: tuple[SelectedNode, ...]
    entities: tuple[SelectedNode, ...]
    edges: tuple[tuple[int, int], ...]
    omitted: Omitted = Omitted()

    @classmethod
    def from_nodes(
        cls,
        words: Iterable[str],
        *,
        actions: Sequence[SelectedNode],
        entities: Sequence[SelectedNode],
        edges: Iterable[tuple[int, int]],
        limits: GraphLimits,
    ) -> SelectedGraph:
        """Apply the limits.

        A node whose first token lies past the kept ones is left out before actions and entities are counted; of
        the others, the first `max_actions` and `max_entities` stay, without the tokens that were cut.

        Args:
            words: all tokens.
            actions: all actions in graph order.
            entities: all entities in graph order.
            edges: pairs of ids, (action, entity).
            limits: how much is kept.
        """
        all_words = tuple(words)
        kept_words = all_words[: limits.max_tokens]
        kept_actions = _first(actions, limits.max_actions, len(kept_words))
        kept_entities = _first(entities, limits.max_entities, len(kept_words))
        action_at = {node.id: position for position, node in enumerate(kept_actions)}
        entity_at = {node.id: position for position, node in enumerate(kept_entities)}
        return cls(
            words=kept_words,
            actions=kept_actions,
            entities=kept_entities,
            edges=tuple((action_at[a], entity_at[e]) for a, e in edges if a in action_at and e in entity_at),
            omitted=Omitted(
                actions=len(actions) - len(kept_actions),
                entities=len(entities) - len(kept_entities),
                tokens=len(all_words) - len(kept_words),
            ),
        )


def select(graph: RoleGraph, limits: GraphLimits) -> SelectedGraph:
    """What of a role graph enters an encoder; where node and edge disagree on a role, the edge decides."""
    return SelectedGraph.from_nodes(
        graph.tokens,
        actions=[_selected(graph, node) for node in graph.actions],
        entities=[_selected(graph, node) for node in graph.entities],
        edges=[(edge.action, edge.entity) for edge in graph.edges],
        limits=limits,
    )


def select_all(graphs: Sequence[RoleGraph], limits: GraphLimits) -> list[SelectedGraph]:
    """What of each role graph enters an encoder.

    Raises:
        ShapeError: if they are no role graphs.
    """
    return [
        select(graph, limits)
        for graph in check_sequence("graphs", graphs, RoleGraph, of="RoleGraph objects", error=ShapeError)
    ]


def check_words(graphs: Sequence[SelectedGraph]) -> None:
    """Refuse to encode nothing.

    Raises:
        ShapeError: if there is no graph, or a graph without tokens.
    """
    of = "SelectedGraph objects; GraphBatch.from_graphs takes role graphs"
    check_sequence("graphs", graphs, SelectedGraph, of=of, error=ShapeError)
    if not graphs or not all(graph.words for graph in graphs):
        raise ShapeError("a graph batch needs at least one sentence, and every sentence at least one token.")


def _selected(graph: RoleGraph, node: Node) -> SelectedNode:
    return SelectedNode(node.id, graph.role(node), tuple(range(node.span.start, node.span.stop)))


def _first(nodes: Iterable[SelectedNode], limit: int | None, num_tokens: int) -> tuple[SelectedNode, ...]:
    """The first nodes that have a kept token, with their kept tokens."""
    cut = (attrs.evolve(node, tokens=tuple(t for t in node.tokens if t < num_tokens)) for node in nodes)
    return tuple(islice((node for node in cut if node.tokens), limit))


EDGE_POLICIES = ("released", "two_way")
"""Rules for which nodes see which.

`released`, that of the published models: an action sees the event and its entities, an entity its actions, and
the event sees no node. `two_way`: the event also sees its actions.
"""


def node_links(graph: SelectedGraph, edges: str, num_actions: int) -> Iterator[tuple[int, int]]:
    """Yield which node sees which, by position among the event, `num_actions` actions and the entities.

    Args:
        graph: the nodes and edges.
        edges: one of `EDGE_POLICIES`.
        num_actions: as many as the graph has, or more where a batch is padded.

    Raises:
        ConfigError: if there is no such policy.
    """
    check_edge_policy(edges)
    event, first_action, first_entity = 0, 1, 1 + num_actions
    for action in range(first_action, first_action + len(graph.actions)):
        yield action, event
        if edges == "two_way":
            yield event, action
    for action, entity in graph.edges:
        yield first_action + action, first_entity + entity
        yield first_entity + entity, first_action + action


def check_edge_policy(name: str) -> None:
    """Refuse a name that is none of `EDGE_POLICIES`.

    Raises:
        ConfigError: if it is unknown.
    """
    check_choice("edges", name, EDGE_POLICIES)
