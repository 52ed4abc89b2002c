"""A query's parts: what a parser reads in place of the query, and the graph of the whole query from theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from hgrkit.graph import NOUN_ROLE, Edge, Node, Role, RoleGraph, Span
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.parsing.roles import RoleTable

__all__ = ["QueryPart", "Word", "is_word", "joined", "together"]


@attrs.frozen
class Word:
    """A word that a parser reads, and the tokens of the query that it stands for.

    Attributes:
        text: what is read: the token, or "something" for "which red car".
        start: first token.
        stop: one past the last token.
        head: token of the content word.
    """

    text: str
    start: int
    stop: int
    head: int


def _words(words: Iterable[Word]) -> tuple[Word, ...]:
    return tuple(words)


@attrs.frozen
class QueryPart:
    """Words of a query that are parsed as one sentence.

    Attributes:
        words: what the parser reads.
        question: "when", "in which room": an adverbial of the first verb, which the parser does not see.
        role: of the question.
        refused: whether all of it is excluded, as in "don't show me [dogs]".
    """

    words: tuple[Word, ...] = attrs.field(converter=_words)
    question: Word | None = None
    role: Role = ""
    refused: bool = False

    @property
    def text(self) -> str:
        """The words, joined by blanks."""
        return joined(self.words)


def is_word(word: Word) -> bool:
    """Whether it is no mere punctuation."""
    return any(map(str.isalnum, word.text))


def joined(words: Sequence[Word]) -> str:
    """Words with blanks between them."""
    return " ".join([word.text for word in words])


def together(tokens: Sequence[str], parts: Sequence[QueryPart], graphs: Sequence[RoleGraph]) -> RoleGraph:
    """Make one graph of those of a query's parts; phrases without a verb count only if there is no verb at all.

    Args:
        tokens: the query's.
        parts: what was parsed.
        graphs: a graph for each part, over its words.
    """
    verbal = any(graph.actions for graph in graphs)
    nodes: list[Node] = []
    edges: list[Edge] = []
    for part, graph in zip(parts, graphs, strict=True):
        if verbal and not graph.actions and not part.refused:
            continue
        first = len(nodes)
        ids = {node.id: first + number for number, node in enumerate(graph.nodes, 1)}
        placed = [attrs.evolve(_placed(node, part.words), id=ids[node.id]) for node in graph.nodes]
        if part.refused and not placed:  # what no parser takes for a phrase: "a man jumping -indoors"
            placed = [Node(first + 1, NOUN_ROLE, Span(part.words[0].start, part.words[-1].stop))]
        nodes += [attrs.evolve(node, excluded=node.excluded or part.refused) for node in placed]
        edges += [Edge(ids[edge.action], ids[edge.entity], edge.role) for edge in graph.edges]
        if part.question is not None and graph.actions:
            asked = part.question
            verb = _asked_verb(graph)
            role = _asked_role(part, graph, verb)
            nodes.append(Node(len(nodes) + 1, role, Span(asked.start, asked.stop), asked.head))
            edges.append(Edge(ids[verb.id], len(nodes), role))
    return RoleGraph(tokens=tokens, nodes=nodes, edges=edges)


def _placed(node: Node, words: Sequence[Word]) -> Node:
    inside = words[node.span.start : node.span.stop]
    head = None if node.head is None else words[node.head].head
    return attrs.evolve(node, span=Span(min(w.start for w in inside), max(w.stop for w in inside)), head=head)


def _asked_role(part: QueryPart, graph: RoleGraph, verb: Node) -> Role:
    """The question's role; "where did I put it" asks for the goal that the verb numbers."""
    if part.role != "ARGM-LOC" or part.question is None or part.question.text != "where":
        return part.role
    found = RoleTable.load().role(Lexicon.load().lemma(graph.tokens[verb.span.start]), "on")
    return "ARG2" if found == "ARG2" else part.role


def _asked_verb(graph: RoleGraph) -> Node:
    """The verb that no phrase of the graph contains."""
    inside = {token for node in graph.entities for token in range(node.span.start, node.span.stop)}
    return next((node for node in graph.actions if node.span.start not in inside), graph.actions[0])
