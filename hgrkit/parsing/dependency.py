"""Dependency trees to role graphs: one labeller for every dependency parser, with the Lark parser's roles."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.arguments import check_instance, check_sequence, check_text
from hgrkit.errors import GraphError
from hgrkit.graph import NOUN_ROLE, Node, RoleGraph, Span
from hgrkit.parsing.conventions import Conventions, check_conventions
from hgrkit.parsing.dependency_clause import ClauseReader
from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.graph_builder import clause_graph
from hgrkit.parsing.propbank_labeller import PropbankLabeller
from hgrkit.parsing.role_labeller import RoleLabeller
from hgrkit.parsing.role_model import RoleModel
from hgrkit.parsing.role_table import RoleTable

__all__ = ["label_tree"]

_NO_PHRASE = ("compound", "flat", "fixed", "goeswith", "appos")


def label_tree(
    tokens: Sequence[str], tree: DependencyTree, *, language: str = "en", conventions: Conventions = "captions"
) -> RoleGraph:
    """The role graph of a sentence whose dependency tree is known.

    Every verb that heads a clause is an action, and so is a copula; arguments are the phrases that hang on it,
    and those that it shares or takes over: the subject of a controlled clause, the noun that a clause modifies.

    Args:
        tokens: the words, which the graph keeps.
        tree: their tree.
        language: code of the language. What English verbs and prepositions say is known; in other languages
            a subject acts, an object is acted on, and the tree's relations say the rest.
        conventions: whose annotation to follow; `propbank` is for English.

    Raises:
        GraphError: if there is no token, one is empty, or the tree has another number of tokens.
        ConfigError: if the conventions are unknown.
    """
    check_conventions(conventions)
    tokens = check_sequence("tokens", tokens, str, of="words", error=GraphError)
    check_text("language", language, hint="such as 'en'")
    check_instance("tree", tree, DependencyTree, error=GraphError)
    if len(tokens) != len(tree):
        raise GraphError(f"a dependency tree of {len(tree)} tokens does not fit {len(tokens)} words.")
    words = [token.lower() for token in tokens]
    clauses = ClauseReader(words, tree, language=language).clauses()
    if conventions == "propbank":
        verbal = [clause for clause in clauses if tree.upos[clause.head] != "AUX"]
        return clause_graph(tokens, verbal, PropbankLabeller(words, tree, RoleModel.load()))
    clauses = [clause for clause in clauses if clause.form != "semi-modal"]
    if not clauses:
        return RoleGraph(tokens=tokens, nodes=_nouns(tree))
    table = RoleTable.load() if language == "en" else RoleTable.load().of_any_verb()
    return clause_graph(tokens, clauses, RoleLabeller(words, table))


def _nouns(tree: DependencyTree) -> list[Node]:
    """Every base noun phrase of a sentence without verbs, without what is hung on it by a preposition."""
    nodes: list[Node] = []
    for token in range(len(tree)):
        inside = tree.head[token] >= 0 and tree.is_a(token, *_NO_PHRASE)
        if tree.upos[token] in {"NOUN", "PROPN", "PRON"} and not inside:
            nodes.append(Node(len(nodes) + 1, NOUN_ROLE, _base(tree, token), token))
    return nodes


def _base(tree: DependencyTree, noun: int) -> Span:
    start, stop = noun, noun + 1
    for child in tree.children(
        noun, "det", "amod", "nummod", "compound", "flat", "goeswith", "nmod:poss", "advmod"
    ):
        first, end = tree.extent(child)
        start, stop = min(start, first), max(stop, end) if child > noun and tree.is_a(child, "flat") else stop
    return Span(start, max(stop, noun + 1))
