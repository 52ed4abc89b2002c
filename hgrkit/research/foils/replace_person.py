"""Foils in which another person or animal stands for the one of the caption."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hgrkit.graph import Node
from hgrkit.research.foils.evidence import Evidence
from hgrkit.research.foils.inflection import plural
from hgrkit.research.foils.sentence import NOMINAL, Draft, Sentence, noun_core
from hgrkit.research.foils.word_list import HUMAN, beings, things

__all__ = ["replace_person"]

_VAGUE = frozenset({"person", "role", "child", "teen", "animal", "robot"})
_KEPT = frozenset(
    "one figure character being everyone everybody anyone couple crowd group team band audience family gang army "
    "orchestra choir trio duo folk public model individual pet creature toy bar fly bug bass".split()
)
_NOT_REPLACED = frozenset({"robot", "pronoun_man", "pronoun_woman", "plural_person", "insect"})
_PRONOUNS = {
    "he": ("he", "she", "it"),
    "him": ("him", "her", "it"),
    "his": ("his", "her", "its"),
    "himself": ("himself", "herself", "itself"),
}
_ROW = {**dict.fromkeys(("he", "she"), "he"), "him": "him", "his": "his", "its": "his"}
_ROW |= dict.fromkeys(("himself", "herself", "itself"), "himself")
_GENDERED = frozenset({"he", "him", "his", "himself", "she", "her", "hers", "herself"})
_NEUTER = frozenset({"its", "itself"})
_UNCLEAR = frozenset({"it", "they", "their", "them", "themselves"})
_OF_NAME = frozenset({"polar", "grizzly", "teddy", "killer", "sea", "guinea", "wild", "stuffed"})
_COLOURS = frozenset("black white brown yellow red grey gray orange golden spotted striped furry tan".split())
_OF_GENDER = frozenset(
    "male female bearded pregnant shirtless topless mustached bald old elderly teenage adult".split()
)


def replace_person(sentence: Sentence, evidence: Evidence, rng: Random) -> Iterator[Draft]:
    """Yield one foil for each person or animal that can be replaced, drawn by the frequency of the nouns."""
    entities, seen = sentence.graph.entities, set[int]()
    for node in rng.sample(entities, len(entities)):
        if node.head is None or node.head in seen or not _is_replaceable(sentence, node):
            continue
        seen.add(node.head)
        described = set(sentence.words[node.span.start : node.head])
        fitting = [
            word
            for word, kind in beings().offered.items()
            if _is_false(sentence.words[node.head], word, evidence)
            and not (kind in HUMAN and described & _COLOURS)
        ]
        # in random order, words that are frequent in the captions rather first (Efraimidis, Spirakis 2006)
        places = {word: rng.random() ** (1 / evidence.weight(word)) for word in fitting}
        for word in sorted(places, key=places.__getitem__, reverse=True):
            pieces = _pieces(sentence, node, node.head, word)
            if pieces is not None:
                was, now = sentence.words[node.head], pieces[node.head]
                yield Draft(text=sentence.write(pieces), was=was, now=str(now))
                break


def _is_replaceable(sentence: Sentence, node: Node) -> bool:
    head = node.head or 0
    noun = sentence.words[head]
    kinds = beings().kinds_of(noun)
    core = noun_core(sentence, node)
    if not kinds or kinds & _NOT_REPLACED or noun in things() or beings().singular[noun] in _KEPT:
        return noun in {"someone", "somebody"} and sentence.words.count(noun) == 1
    if core is None or core.stop != head + 1 or sentence.words.count(noun) > 1:
        return False
    if not (core.determined or noun == "people") or (head > core.start and _is_noun(sentence, head - 1)):
        return False
    return not (_OF_GENDER | _OF_NAME) & set(sentence.words[core.start : head]) and not _goes_on(sentence, head)


def _is_noun(sentence: Sentence, at: int) -> bool:
    return sentence.tags[at][0] in NOMINAL or sentence.words[at] in beings().kinds


def _goes_on(sentence: Sentence, head: int) -> bool:
    """Whether the noun is only part of a longer name."""
    if head + 1 == len(sentence):
        return False
    noun = sentence.tags[head + 1] in {("NOUN",), ("NOUNS",)}
    return noun or sentence.words[head + 1] in {"'s", "of", "or", "'"}


def _is_false(noun: str, word: str, evidence: Evidence) -> bool:
    """Whether no caption names the new kind, nor one that may mean it, unless a clear one speaks against it."""
    known = beings()
    kind = known.offered[word]
    human = kind in HUMAN
    same = known.kinds.get(noun, frozenset({"person"}))
    if kind in evidence.kinds or kind in same:
        return False
    suspects = known.near.get(kind, frozenset()) & evidence.kinds
    clear = {
        found
        for found in evidence.kinds - _VAGUE - _NOT_REPLACED
        if (found in HUMAN) == human and found not in known.near.get(kind, frozenset())
    }
    if suspects - _VAGUE:
        return False
    if human and evidence.many and (suspects or same & _VAGUE):
        return False
    return not suspects or (bool(clear) and bool(same & (clear | _VAGUE)))


def _pieces(sentence: Sentence, node: Node, head: int, word: str) -> list[int | str] | None:
    """The sentence with the noun replaced, and the pronouns that mean it."""
    noun = sentence.words[head]
    known = beings()
    pieces: list[int | str] = list(range(len(sentence)))
    many = known.singular_of(noun) != noun or noun == "people"
    pieces[head] = plural(word) if many else word
    if noun in {"someone", "somebody"}:
        pieces[head] = word
        pieces.insert(head, "a")
        return None if _any_pronoun(sentence) else pieces
    return pieces if many or _set_pronouns(sentence, node, head, word, pieces) else None


def _any_pronoun(sentence: Sentence) -> bool:
    return not (_GENDERED | _NEUTER | _UNCLEAR).isdisjoint(sentence.words)


def _set_pronouns(sentence: Sentence, node: Node, head: int, word: str, pieces: list[int | str]) -> bool:
    """Change the pronouns that mean the noun; whether it is clear which do."""
    if not _any_pronoun(sentence):
        return True
    known = beings()
    kinds = known.kinds[sentence.words[head]]
    human = bool(kinds & HUMAN)
    others = [
        other
        for at, other in enumerate(sentence.words)
        if at != head and known.kinds_of(other) - _NOT_REPLACED and other not in things()
    ]
    if others or node.span.start > 0 or not _UNCLEAR.isdisjoint(sentence.words):
        return False
    column = {"man": 0, "boy": 0, "woman": 1, "girl": 1}.get(known.offered[word], 2)
    for at, pronoun in enumerate(sentence.words):
        if pronoun not in _GENDERED | (frozenset() if human else _NEUTER):
            continue
        row = _ROW.get(pronoun, "")
        if pronoun == "her":
            row = "his" if sentence.tag(at + 1) in NOMINAL | {"ADJ", "NUM"} else "him"
        if not row or at < head:
            return False
        pieces[at] = _PRONOUNS[row][column]
    return True
