"""Semantic role graphs: what a parser makes of a sentence and a text encoder reads (HGR, section 3.1)."""

from hgrkit.graph.exclusion import ExcludedPhrase, SplitGraph, all_wanted, split_excluded
from hgrkit.graph.layout import ROLE_MEANINGS
from hgrkit.graph.role_graph import ACTION_ROLE, NOUN_ROLE, Edge, Node, Role, RoleGraph, Span, draw_graph, lay_out

__all__ = [
    "ACTION_ROLE",
    "NOUN_ROLE",
    "ROLE_MEANINGS",
    "Edge",
    "ExcludedPhrase",
    "Node",
    "Role",
    "RoleGraph",
    "Span",
    "SplitGraph",
    "all_wanted",
    "draw_graph",
    "lay_out",
    "split_excluded",
]
