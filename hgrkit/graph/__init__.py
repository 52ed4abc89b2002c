"""Semantic role graphs: what a parser makes of a sentence and a text encoder reads (HGR, section 3.1)."""

from hgrkit.graph.drawing import draw_graph
from hgrkit.graph.role_graph import ACTION_ROLE, NOUN_ROLE, Edge, Node, Role, RoleGraph, Span

__all__ = ["ACTION_ROLE", "NOUN_ROLE", "Edge", "Node", "Role", "RoleGraph", "Span", "draw_graph"]
