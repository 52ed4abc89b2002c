"""How a verb stands in its sentence: its form, its auxiliary, its subject and its object."""

from __future__ import annotations

import functools

import attrs

from hgrkit.graph import Node, Role
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.research.foils.inflection import VerbForm, inflect
from hgrkit.research.foils.sentence import NOMINAL, Sentence, linked_nodes

__all__ = ["BE", "Clause", "agreeing", "read_clause"]

BE = frozenset({"is", "are", "was", "were", "be", "being", "been", "am"})
_HAVE = frozenset({"has", "have", "had"})
_MODAL = frozenset({"to", "can", "will", "could", "would", "may", "might", "should", "must", "does", "do", "did"})
_LEMMAS = {"doing": "do", "does": "do", "did": "do", "done": "do", "having": "have", "has": "have", "had": "have"}
_PLURALS = {"is": "are", "was": "were", "has": "have", "does": "do"}
_NUMBERED = _PLURALS | {plural: singular for singular, plural in _PLURALS.items()}


@attrs.frozen(kw_only=True, eq=False)
class Clause:
    """A verb and what belongs to it.

    Attributes:
        action: the verb's node.
        verb: the verb's token.
        lemma: its lemma.
        form: its form.
        passive: whether it is a passive participle.
        auxiliary: the token of the finite auxiliary, if there is one in front.
        subject: the phrase in front of the verb.
        object: the phrase right behind the verb; it has no preposition.
        others: the other phrases with their roles.
    """

    action: Node
    verb: int
    lemma: str
    form: VerbForm
    passive: bool
    auxiliary: int | None
    subject: Node | None
    object: Node | None
    others: tuple[tuple[Node, Role], ...]


@functools.lru_cache(maxsize=64)  # every type asks for the same few
def read_clause(sentence: Sentence, action: Node) -> Clause | None:
    """The clause of an action; `None` if the verb's form cannot be told."""
    if action.head is None:
        return None
    verb = action.head
    subject = found = None
    others: list[tuple[Node, Role]] = []
    for other, node, role in linked_nodes(sentence.graph):
        if other.id != action.id:
            continue
        before = node.span.stop <= action.span.start
        if subject is None and before and not _starts_with_preposition(sentence, node):
            subject = node
        elif found is None and node.span.start == action.span.stop and _is_noun_phrase(sentence, node):
            found = node
        else:
            others.append((node, role))
    lemma = _LEMMAS.get(sentence.words[verb]) or Lexicon.load().lemma(sentence.words[verb])
    helper = _helper(sentence, verb)
    form = _form(sentence, verb, lemma, helper, subject)
    if form is None:
        return None
    return Clause(
        action=action,
        verb=verb,
        lemma=lemma,
        form=form,
        passive=form == "VBN" and sentence.words[helper or 0] in BE,
        auxiliary=_finite_helper(sentence, verb),
        subject=subject,
        object=found,
        others=tuple(others),
    )


def agreeing(word: str, *, plural: bool, lemma: str = "") -> str:
    """A finite auxiliary, or a present form of a verb with this lemma, in the number asked for."""
    if word in _NUMBERED:
        return _NUMBERED[word] if (word in _PLURALS) == plural else word
    return inflect(lemma, "VBP" if plural else "VBZ")


def _helper(sentence: Sentence, verb: int) -> int | None:
    """The token of the auxiliary, modal or `to` in front of a verb, adverbs between them skipped."""
    at = verb - 1
    while at >= 0 and "ADV" in sentence.tags[at] and sentence.words[at] not in BE and verb - at < 4:
        at -= 1
    if at >= 0 and sentence.words[at] in BE | _HAVE | _MODAL:
        return at
    return None


def _finite_helper(sentence: Sentence, verb: int) -> int | None:
    at, finite = verb, None
    while (found := _helper(sentence, at)) is not None and at - found < 4:
        at = found
        if sentence.words[found] in _NUMBERED:
            finite = found
    return finite


def _form(sentence: Sentence, verb: int, lemma: str, helper: int | None, subject: Node | None) -> VerbForm | None:
    word = sentence.words[verb]
    possible: tuple[VerbForm, ...] = ("VBG", "VBZ", "VBD")
    if helper is not None:
        possible = ("VBG", "VBN") if sentence.words[helper] in BE | _HAVE else ("VB",)
    elif subject is not None and subject.head is not None:
        plural = sentence.is_plural(subject.span.start, subject.span.stop, subject.head)
        possible = ("VBG", "VBZ", "VBP", "VBD") if plural else possible
    return next((form for form in possible if word == inflect(lemma, form)), None)


def _starts_with_preposition(sentence: Sentence, node: Node) -> bool:
    first = sentence.tags[node.span.start]
    return first[0] in {"PREP", "TO", "SUB", "ADV"} and sentence.words[node.span.start] != "that"


def _is_noun_phrase(sentence: Sentence, node: Node) -> bool:
    if node.head is None or _starts_with_preposition(sentence, node):
        return False
    return not (NOMINAL | {"PRON"}).isdisjoint(sentence.tags[node.head])
