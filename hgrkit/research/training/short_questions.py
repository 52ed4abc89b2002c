"""Short questions, as people type them, from captions: things, actions, actions with their object, places."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np
import numpy.typing as npt

from hgrkit.graph import Node, RoleGraph
from hgrkit.parsing.lexicon import AUXILIARY_TAGS, VERB_TAGS, Lexicon, candidates
from hgrkit.research.foils.inflection import inflect, plural

__all__ = ["KINDS", "ShortQuestion", "mention_counts", "short_questions"]

Counts = npt.NDArray[np.int16]

KINDS = ("thing", "action", "action with object", "place")

_NOUNS = frozenset({"NOUN", "NOUNS"})
_PLACES = frozenset({"in", "on", "at", "near", "under"})
_ARTICLES = frozenset({"a", "an", "the", "some"})


@attrs.frozen
class ShortQuestion:
    """A question of a few words.

    Attributes:
        kind: `thing`, `action`, `action with object` or `place`.
        text: the question.
        heads: lemmas of its head words; what shows all of them answers it.
    """

    kind: str
    text: str
    heads: frozenset[str]


def short_questions(graphs: Sequence[RoleGraph], *, each: int, rng: np.random.Generator) -> list[ShortQuestion]:
    """Questions that the phrases of captions make, every text once: those that at least two captions make.

    Args:
        graphs: parsed captions.
        each: questions of each kind, at most.
        rng: draws them.
    """
    singular = _singulars(graphs)
    made = Counter(question for graph in graphs for question in set(_questions_of(graph, singular)))
    often = [question for question, count in made.items() if count > 1]  # slips are made once
    # In the order of what they are: that of sets differs from one process to the next.
    texts = {question.text: question for question in sorted(often, key=lambda one: (one.kind, sorted(one.heads)))}
    found = []
    for kind in KINDS:
        every = sorted((one for one in texts.values() if one.kind == kind), key=lambda one: one.text)
        found += [every[place] for place in rng.permutation(len(every))[:each].tolist()]
    return found


def mention_counts(
    graphs: Sequence[RoleGraph], owners: npt.NDArray[np.int64], questions: Sequence[ShortQuestion], clips: int
) -> Counts:
    """How many captions of each clip mention all head words of each question, [S, V].

    Args:
        graphs: captions.
        owners: the clip of each.
        questions: S questions.
        clips: V.
    """
    singular, lexicon = _singulars(graphs), Lexicon.load()
    saying: dict[str, set[int]] = defaultdict(set)
    for place, graph in enumerate(graphs):
        for word in map(str.lower, graph.tokens):
            saying[singular.get(word, word)].add(place)
            if VERB_TAGS & set(candidates(lexicon.reading(word))):
                saying[lexicon.lemma(word)].add(place)
    counts = np.zeros((len(questions), clips), np.int16)
    for row, question in enumerate(questions):
        places = set.intersection(*(saying.get(head, set()) for head in question.heads))
        counts[row] = np.bincount(owners[sorted(places)], minlength=clips)
    return counts


def _singulars(graphs: Sequence[RoleGraph]) -> Mapping[str, str]:
    """The singular of each plural whose singular the captions use, too."""
    words = {word.lower() for graph in graphs for word in graph.tokens if word.isalpha()}
    return {plural(word): word for word in sorted(words)}


def _questions_of(graph: RoleGraph, singular: Mapping[str, str]) -> Iterator[ShortQuestion]:
    things = {node.id: _thing(graph, node, singular) for node in graph.nodes if node.role != "V"}
    actions = {node.id: _action(graph, node) for node in graph.nodes if node.role == "V"}
    for thing in filter(None, things.values()):
        yield ShortQuestion("thing", thing[0], frozenset({thing[1]}))
        yield ShortQuestion("thing", thing[0].rpartition(" ")[2], frozenset({thing[1]}))
    for action in filter(None, actions.values()):
        yield ShortQuestion("action", action[0], frozenset({action[1]}))
    for edge in graph.edges:
        does, what = actions.get(edge.action), things.get(edge.entity)
        if does and what and edge.role == "ARG1":
            yield ShortQuestion("action with object", f"{does[0]} {what[0]}", frozenset({does[1], what[1]}))
    yield from _places(graph, things)


def _places(graph: RoleGraph, things: Mapping[int, tuple[str, str] | None]) -> Iterator[ShortQuestion]:
    """Who is where, without a verb: "a man in a kitchen"."""
    nodes = {node.id: node for node in graph.nodes}
    for where in graph.edges:
        preposition = graph.tokens[nodes[where.entity].span.start].lower()
        place = things.get(where.entity)
        if where.role != "ARGM-LOC" or preposition not in _PLACES or not place:
            continue
        for edge in graph.edges:
            who = things.get(edge.entity)
            if edge.action == where.action and edge.role == "ARG0" and who:
                yield ShortQuestion("place", f"{who[0]} {preposition} {place[0]}", frozenset({who[1], place[1]}))


def _thing(graph: RoleGraph, node: Node, singular: Mapping[str, str]) -> tuple[str, str] | None:
    """An entity's head with the article right before it, and the head's lemma."""
    if node.head is None:
        return None
    head, before = graph.tokens[node.head].lower(), graph.tokens[max(node.head - 1, 0)].lower()
    tags = candidates(Lexicon.load().reading(head))
    if tags[0] not in _NOUNS or not _is_word(head):
        return None
    text = f"{before} {head}" if node.head > node.span.start and before in _ARTICLES else head
    return text, singular.get(head, head)


def _action(graph: RoleGraph, node: Node) -> tuple[str, str] | None:
    """An action's verb as a participle, and its lemma."""
    verb = graph.tokens[node.span.start if node.head is None else node.head].lower()
    tags, lemma = set(candidates(Lexicon.load().reading(verb))), Lexicon.load().lemma(verb)
    if not tags & VERB_TAGS or tags & AUXILIARY_TAGS or not _is_word(lemma):
        return None
    return inflect(lemma, "VBG"), lemma


def _is_word(word: str) -> bool:
    return len(word) > 2 and word.isalpha() and word in Lexicon.load().entries
