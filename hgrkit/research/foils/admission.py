"""Which captions can carry a foil: plain English sentences, so that a foil is wrong by its change alone."""

from __future__ import annotations

from collections.abc import Callable

from hgrkit.graph import Node
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.research.foils.inflection import with_article
from hgrkit.research.foils.sentence import NOMINAL, Sentence, linked_nodes, noun_core
from hgrkit.research.foils.word_list import beings, places, things

__all__ = ["is_plain"]

_SINGULAR = frozenset({"a", "an", "another", "each", "every", "this"})
_PLURAL = frozenset({"two", "three", "four", "five", "six", "several", "many", "these", "those", "few", "both"})
_DETERMINERS = frozenset({"a", "an", "the", "his", "her", "its", "their"})
_QUANTITIES = frozenset({"few", "lot", "dozen", "couple", "bunch", "group", "pair"})
_PLURAL_NOUNS = frozenset({"people", "men", "women", "children"})
_SAME_PLURAL = (
    frozenset("police fish deer sheep shrimp series scissors pants glasses dozen".split()) | _PLURAL_NOUNS
)
_STANDING = frozenset({"vehicle", "device", "clothing", "utensil", "furniture", "aircraft", "plant", "weapon"})
_PLACING = frozenset({"in", "on", "at", "through", "across", "near", "into", "onto", "along", "with", "of"})
_WITHOUT_ARTICLE = frozenset(
    "stage bed water grass snow sand ice mud dirt rain church school town home air sky wood woods sea "
    "concert".split()
)


def _is_doubled(sentence: Sentence, position: int) -> bool:
    word, after = sentence.words[position : position + 2]
    return word == after and word != "very"


def _has_wrong_article(sentence: Sentence, position: int) -> bool:
    word, after = sentence.words[position : position + 2]
    if word not in {"a", "an"}:
        return word in _DETERMINERS and after in {"something", "someone", "somebody"}
    uncounted = "uncounted" in things().get(after, frozenset()) and not _before_noun(sentence, position + 1)
    return with_article(after) != word or uncounted


def _has_wrong_form(sentence: Sentence, position: int) -> bool:
    """`doing skating`, `being pulling`, `it's mouth`."""
    word, after = sentence.words[position : position + 2]
    if word in {"do", "does", "did", "doing"}:
        return "VBG" in sentence.tags[position + 1]
    if word == "it":
        return after in {"'s", "\u2019s"} and _before_noun(sentence, position + 1)
    return word == "being" and after.endswith("ing")


def _lacks_article(sentence: Sentence, position: int) -> bool:
    """`on road`, `in pan`: a bare singular noun for a place or a thing behind a preposition."""
    noun, tags = sentence.words[position + 1], sentence.tags[position + 1]
    if sentence.tags[position][0] != "PREP" or sentence.words[position] not in _PLACING or "NOUNS" in tags:
        return False
    counted = things().get(noun, frozenset()) - {"of", "uncounted"}
    place = noun in places() and noun not in _WITHOUT_ARTICLE
    return (place or (bool(counted) and counted <= _STANDING)) and not _before_noun(sentence, position + 1)


def _has_wrong_number(sentence: Sentence, position: int) -> bool:
    """`a men`, `two dog`, `some puppy`, `two toys car`."""
    word, after = sentence.words[position : position + 2]
    if word in _SINGULAR:
        return not _is_singular(sentence, position + 1)
    if word == "some":
        return after in beings().kinds and beings().singular[after] == after and after not in _SAME_PLURAL
    if word not in _PLURAL:
        return False
    tags = sentence.tags[position + 1]
    if tags[0] == "NOUNS":
        return sentence.tags[position + 2 : position + 3] == (("NOUN",),)
    singular = tags[0] == "NOUN" and "NOUNS" not in tags and after not in _SAME_PLURAL
    return singular and not _before_noun(sentence, position + 1)


def _is_singular(sentence: Sentence, position: int) -> bool:
    """Whether a noun stands behind a singular determiner, and not in the plural."""
    if sentence.words[position] in _DETERMINERS:
        return False
    if sentence.words[position] in _QUANTITIES:
        return True
    head = _first_noun(sentence, position)
    word, tag = sentence.words[head], sentence.tag(head)
    if word in _PLURAL_NOUNS or (tag == "ADJ" and sentence.tag(head + 1) == "VBG"):
        return False
    if word in _SAME_PLURAL or tag != "NOUNS":
        return True
    possessor = word in beings().kinds  # `a cats hair`
    return _before_noun(sentence, head) and "VBZ" not in sentence.tags[head + 1] and not possessor


def _first_noun(sentence: Sentence, position: int) -> int:
    """The first noun from here, adjectives skipped."""
    modifiers = {"ADJ", "ADV", "VBG", "VBN"}
    while sentence.tag(position) in modifiers and sentence.tag(position + 1) in NOMINAL | {"ADJ"}:
        position += 1
    return position


def _before_noun(sentence: Sentence, position: int) -> bool:
    return sentence.tag(position + 1) in NOMINAL


_CLASHES: tuple[Callable[[Sentence, int], bool], ...] = (
    _is_doubled,
    _has_wrong_article,
    _has_wrong_form,
    _lacks_article,
    _has_wrong_number,
)
"""Reasons why the word at a position cannot stand before the next one."""


_SHORTEST, _LONGEST = 3, 30
_MARKS_INSIDE = frozenset({",", "-", "'s", "'", "\u2019s"})
_SINGULAR_VERBS = frozenset({"is", "was", "has", "does"})
_PLURAL_VERBS = frozenset({"are", "were", "have", "do"})
_EITHER = frozenset("people men women children police fish deer sheep shrimp".split())
_ODD_WORDS = frozenset(
    "womans mans mens womens childs childrens peoples persons mouses foots tooths potatos tomatos stuffs hairs "
    "poor its'".split()
)
_MAY_START = frozenset({"someone", "somebody", "everyone", "people", "there"})
_COUNTED = frozenset(
    "food instrument vehicle device clothing utensil toy furniture weapon aircraft plant counted abstract".split()
)
_PLAYED = frozenset({"play", "plays", "playing", "played", "skip", "skipping", "jump", "jumping", "jumps", "by"})
_BARE = frozenset("yoga exercise magic something anything karate catch dance operation music video".split())
_FINITE = frozenset({"VBD", "VBG", "VBZ"})


def is_plain(sentence: Sentence) -> bool:
    """Whether every word is known, and articles and verbs agree with their nouns as far as words alone tell."""
    words, stop = sentence.words, sentence.stop
    if not _SHORTEST <= len(words) <= _LONGEST or not sentence.graph.nodes or len(words) - stop > 1:
        return False
    if _is_title(sentence) or not all(map(_is_word, words[:stop])):
        return False
    if any(clashes(sentence, position) for position in range(stop - 1) for clashes in _CLASHES):
        return False
    return not _starts_bare(sentence) and not _has_bare_verb(sentence) and _agrees(sentence)


def _is_title(sentence: Sentence) -> bool:
    """Whether the caption is written in capitals, or most of its words begin with one."""
    later = [word for word in sentence.written[1:] if word.isalpha()]
    return 2 * sum(word[0].isupper() for word in later) > len(later)


def _is_word(word: str) -> bool:
    """Whether a word is in the lexicon, a number, a compound or a mark that sentences have inside."""
    if len(word) == 1 and word.isalpha() and word not in {"a", "i"}:
        return False
    known = word in Lexicon.load().entries and word[0].isalnum()
    return (known or word in _MARKS_INSIDE or word.isdigit() or "-" in word) and word not in _ODD_WORDS


def _starts_bare(sentence: Sentence) -> bool:
    """Whether the caption begins with a singular noun without an article, in telegram style."""
    first, tags = sentence.words[0], sentence.tags[0]
    if first in _MAY_START or "PRON" in tags or "DET" in tags:
        return False
    head = _first_noun(sentence, 0)
    return sentence.tags[head][0] in {"NOUN", "ADJ"} and sentence.words[head] not in _EITHER


def _has_bare_verb(sentence: Sentence) -> bool:
    """Whether the first noun is a single person or animal and a verb's base form follows: `a dog leap into`."""
    head = _first_noun(sentence, 1)
    known = beings().singular.get(sentence.words[head])
    if sentence.words[0] not in {"a", "an"} or known != sentence.words[head] or known in _EITHER:
        return False
    after = sentence.tags[head + 1 : head + 3]
    base = len(after) == 2 and "VB" in after[0] and not _FINITE & set(after[0])
    return base and after[1][0] in {"PREP", "DET"}


def _agrees(sentence: Sentence) -> bool:
    """Whether no verb contradicts the subject in front of it, and things that are counted have a determiner."""
    for action, entity, _ in linked_nodes(sentence.graph):
        if entity.head is None or action.head is None:
            continue
        if entity.span.stop <= action.span.start and not _verb_agrees(sentence, entity, action.head):
            return False
        if entity.span.start >= action.span.stop and _is_bare(sentence, entity):
            return False
    return True


def _is_bare(sentence: Sentence, entity: Node) -> bool:
    core = noun_core(sentence, entity)
    if core is None or core.determined or core.start == 0:
        return False
    if sentence.words[core.start - 1] in _PLAYED and sentence.words[core.head] not in {"instrument", "game"}:
        return False
    noun = sentence.words[core.head]
    if "NOUNS" in sentence.tags[core.head] or noun in _BARE:
        return False
    classes = things().get(noun, frozenset()) - {"of"}
    known = beings().singular.get(noun) == noun and noun not in _EITHER
    return (bool(classes) and classes <= _COUNTED) or (not classes and known)


def _verb_agrees(sentence: Sentence, entity: Node, verb: int) -> bool:
    between = sentence.words[entity.span.stop : verb]
    inside = sentence.words[entity.span.start : entity.span.stop]
    head = entity.head if entity.head is not None else entity.span.start
    plural = sentence.is_plural(entity.span.start, entity.span.stop, head)
    if plural is None or "of" in inside:
        return True
    if between:
        return between[0] not in (_SINGULAR_VERBS if plural else _PLURAL_VERBS)
    tags = set(sentence.tags[verb])
    if plural:
        return "VBZ" not in tags or bool(tags & {"VB", "VBD"})
    return "VB" not in tags or bool(tags & _FINITE)
