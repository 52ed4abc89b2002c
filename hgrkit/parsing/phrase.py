"""What parsers build before roles are known: a tree of phrases and clauses; with roles it becomes a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import attrs

from hgrkit.graph import ACTION_ROLE, Edge, Node, Role, RoleGraph, Span
from hgrkit.parsing.lexicon import in_class

__all__ = ["NUMBERED_ROLES", "Phrase", "clause_graph", "close_spans", "share_dependents"]


NUMBERED_ROLES: frozenset[Role] = frozenset({"ARG0", "ARG1", "ARG2", "ARG3", "ARG4"})
"""The roles that a verb gives once; which part each plays depends on the verb."""


@attrs.define(eq=False)
class Phrase:
    """A phrase and what is attached to it; clauses are phrases whose head is a verb.

    Attributes:
        kind: `noun`, `preposition`, `adjective`, `adverb`, `clause` or `mark`.
        start: first token; `close_spans` widens it over the children.
        stop: one past the last token; widened as well.
        head: token of its content word.
        relation: what it is to its parent: `subject`, `object`, `attribute`, `preposition`, `adverb`,
            `complement`, `purpose`, `adjunct`, `relative`, `conjunct`, `ground` (of a preposition), `marker`.
        word: the preposition of a prepositional phrase, the marker of a clause, the lemma of an adverb's word.
        plain_stop: a noun's end without the clauses that modify it.
        lemma: a clause's verb.
        form: a clause's form: `finite`, `infinitive`, `gerund`, `participle`, `base`, or `semi-modal` ("has to").
        passive: whether a clause is passive.
        verb: first token and end of the action, particle included.
        subject: what a clause's verb is said of, wherever it stands.
        antecedent: whether that subject is the noun which the clause modifies.
        gap: the noun that a relative clause's object or preposition stands for.
    """

    kind: str
    start: int
    stop: int
    head: int
    relation: str = ""
    word: str = ""
    parent: Phrase | None = None
    children: list[Phrase] = attrs.field(factory=list, repr=False)
    plain_stop: int = 0
    lemma: str = ""
    form: str = ""
    passive: bool = False
    verb: tuple[int, int] = (0, 0)
    subject: Phrase | None = attrs.field(default=None, repr=False)
    antecedent: bool = False
    gap: Phrase | None = attrs.field(default=None, repr=False)

    def add(self, child: Phrase, relation: str) -> None:
        """Attach a phrase to this one, unless it is attached already."""
        if child.parent is not None:
            return
        child.parent, child.relation = self, relation
        self.children.append(child)

    @property
    def content(self) -> int:
        """Token of its content word: of a preposition, that of what it governs."""
        ground = self.find("ground")
        return self.head if ground is None else ground.head

    def find(self, relation: str) -> Phrase | None:
        """The first child of that relation."""
        return next((child for child in self.children if child.relation == relation), None)


def close_spans(phrases: Sequence[Phrase]) -> None:
    """Widen every phrase over what is attached to it, bottom-up, each phrase once."""
    order = [phrase for phrase in phrases if phrase.parent is None]
    for phrase in order:
        order.extend(phrase.children)
    for phrase in reversed(order):
        phrase.plain_stop = phrase.stop
        for child in phrase.children:
            if child.kind != "clause" or phrase.kind != "noun":  # "then [hands using a tablet]"
                phrase.start = min(phrase.start, child.start)
            phrase.stop = max(phrase.stop, child.stop)
            if child.kind != "clause":
                phrase.plain_stop = max(phrase.plain_stop, child.plain_stop)


_ADVERBIAL = frozenset({"preposition", "adverb"})
_CONJUNCTIONS = frozenset({"and", "or", "nor", "&", "and/or", ",", "either", "/"})


def share_dependents(words: Sequence[str], clauses: Sequence[Phrase]) -> None:
    """Give what follows the last of coordinated verbs to all of them: "washing and drying [the dishes]".

    Verbs joined by "or" share adverbials too: "performing or dancing [outdoors] [at night]"; an object that the
    last one takes with a preposition is shared without it: "lifting or sitting on [a barrel]".

    Args:
        words: the lower-cased tokens.
        clauses: the sentence's clauses in order, spans closed.
    """
    alternative = False
    for first, last in reversed(list(pairwise(clauses))):
        between = set(words[first.verb[1] : last.verb[0]])
        adjacent = bool(between) and between <= _CONJUNCTIONS and first.form == last.form
        alternative = adjacent and (alternative or "or" in between)
        if adjacent:
            more, less = _shared(first, last, alternative=alternative), _of_alternatives(last, first)
            first.children += [child for child in more if child not in first.children]
            last.children += [child for child in less if alternative and child not in last.children]


def _of_alternatives(last: Phrase, first: Phrase) -> list[Phrase]:
    """What trees hang on the first verb and stands after the last."""
    return [child for child in first.children if child.start >= last.verb[1] and child.relation in _ADVERBIAL]


def _shared(first: Phrase, last: Phrase, *, alternative: bool) -> list[Phrase]:
    after = [child for child in last.children if child.start >= last.verb[1]]
    things = [] if first.find("object") else [child for child in after if child.relation == "object"]
    adverbials = [child for child in after if child.relation in _ADVERBIAL]
    transitive = not any(in_class(first.lemma, name) for name in ("intransitive", "motion", "posture"))
    if alternative and not things and in_class(first.lemma, "transitive") and adverbials:
        ground = adverbials[0].find("ground")
        return [] if ground is None else [attrs.evolve(ground, relation="object")]
    return (things if transitive else []) + (adverbials if alternative else [])


def clause_graph(
    tokens: Sequence[str],
    clauses: Iterable[Phrase],
    roles: Callable[[Phrase], Iterable[tuple[Phrase, Role]]],
) -> RoleGraph:
    """Build the graph of a sentence with verbs; a span that serves several verbs is one node.

    Args:
        tokens: the words, which the graph keeps.
        clauses: the clauses, in order.
        roles: gives the phrases of a clause that have a role, each with its role.
    """
    nodes: list[Node] = []
    edges: list[Edge] = []
    entities: dict[Span, int] = {}
    for clause in clauses:
        action = len(nodes) + 1
        nodes.append(Node(action, ACTION_ROLE, Span(*clause.verb), clause.head))
        linked: set[int] = set()
        for phrase, role in roles(clause):
            plain = (phrase is clause.subject and clause.antecedent) or phrase is clause.gap
            span = Span(phrase.start, phrase.plain_stop if plain else phrase.stop)
            # a phrase that contains the verb itself is no argument of it
            if span.start <= clause.head < span.stop:
                continue
            entity = entities.get(span)
            if entity is None:
                entity = entities[span] = len(nodes) + 1
                nodes.append(Node(entity, role, span, phrase.content))
            if entity not in linked:
                linked.add(entity)
                edges.append(Edge(action, entity, role))
    return RoleGraph(tokens=tokens, nodes=nodes, edges=edges)
