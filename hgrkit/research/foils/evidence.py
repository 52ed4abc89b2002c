"""What all captions of a video say together, so that a foil of one caption is not true by another."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import attrs

from hgrkit.graph import RoleGraph
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.research.foils.sentence import linked_nodes
from hgrkit.research.foils.word_list import beings

__all__ = ["Evidence", "gather_evidence", "word_forms"]

_MANY = frozenset(
    "couple crowd group team band audience family gang army orchestra choir trio duo each other people "
    "folk".split()
)


@attrs.frozen(kw_only=True)
class Evidence:
    """What is said of one video.

    Attributes:
        words: every word and its plainer forms.
        kinds: the kinds of persons and animals that are named.
        many: whether several persons of unknown kind may be there.
        doings: (head of a subject, verb lemma) of every clause, in the singular.
        captions: the captions in lower case, without the final mark.
        frequency: how often each word occurs in the captions of all videos, under all its plainer forms.
    """

    words: frozenset[str]
    kinds: frozenset[str]
    many: bool
    doings: frozenset[tuple[str, str]]
    captions: frozenset[str]
    frequency: Mapping[str, int]

    def excludes(self, near: Iterable[str]) -> bool:
        """Whether no caption has any of these words in any form."""
        return self.words.isdisjoint(near)

    def weight(self, word: str) -> float:
        """The weight with which a word is drawn for a foil: 1, and more if it is frequent in captions."""
        # the root, so that a few frequent words do not make most of the foils
        root: float = self.frequency.get(word, 0) ** 0.5
        return 1 + root


def gather_evidence(graphs: Sequence[RoleGraph], frequency: Mapping[str, int]) -> Evidence:
    """Gather what the captions of one video say."""
    tokens = {token.lower() for graph in graphs for token in graph.tokens}
    known = beings()
    words: set[str] = set()
    kinds: set[str] = set()
    for token in tokens:
        words |= word_forms(token)
        kinds |= known.kinds_of(token)
    return Evidence(
        words=frozenset(words),
        kinds=frozenset(kinds),
        many=any(token in _MANY or _plural_person(token) for token in tokens),
        doings=frozenset(doing for graph in graphs for doing in _doings(graph)),
        captions=frozenset(" ".join(graph.tokens).lower().rstrip(" .!") for graph in graphs),
        frequency=frequency,
    )


@functools.lru_cache(maxsize=20_000)
def word_forms(token: str) -> frozenset[str]:
    """A word, its lemma as a verb, its singular, and the verb behind a doer such as `swimmer`."""
    forms = {token, Lexicon.load().lemma(token), beings().singular_of(token)}
    if token.endswith("s") and len(token) > 3:
        forms |= {token[:-1], token.removesuffix("es")}
        if token.endswith("ies"):
            forms.add(token[:-3] + "y")
    for word in tuple(forms):
        if word.endswith(("er", "ing", "ed")) and len(word) > 5:
            stem = word.removesuffix("er").removesuffix("ing").removesuffix("ed")
            forms |= {stem, stem + "e"}
            if len(stem) > 2 and stem[-1] == stem[-2]:
                forms.add(stem[:-1])
    return frozenset(forms)


def _plural_person(token: str) -> bool:
    vague = {"person", "role", "child", "teen", "baby"}
    return beings().singular_of(token) != token and not vague.isdisjoint(beings().kinds_of(token))


def _doings(graph: RoleGraph) -> Iterable[tuple[str, str]]:
    lemma, singular_of = Lexicon.load().lemma, beings().singular_of
    for action, entity, _ in linked_nodes(graph):
        if action.head is not None and entity.head is not None and entity.span.start < action.span.start:
            head = graph.tokens[entity.head].lower()
            yield singular_of(head), lemma(graph.tokens[action.head].lower())
