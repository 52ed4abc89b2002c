"""Which captions can carry a foil: plain English sentences, so that a foil is wrong by its change alone."""

from __future__ import annotations

from hgrkit.foils.noun_core import noun_core
from hgrkit.foils.sentence import Sentence
from hgrkit.foils.word_list import beings, things
from hgrkit.foils.word_pair import clashes, first_noun
from hgrkit.graph import Node
from hgrkit.parsing.lexicon import Lexicon

__all__ = ["is_plain"]

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
    if any(clashes(sentence, position) for position in range(stop - 1)):
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
    head = first_noun(sentence, 0)
    return sentence.tags[head][0] in {"NOUN", "ADJ"} and sentence.words[head] not in _EITHER


def _has_bare_verb(sentence: Sentence) -> bool:
    """Whether the first noun is a single person or animal and a verb's base form follows: `a dog leap into`."""
    head = first_noun(sentence, 1)
    known = beings().singular.get(sentence.words[head])
    if sentence.words[0] not in {"a", "an"} or known != sentence.words[head] or known in _EITHER:
        return False
    after = sentence.tags[head + 1 : head + 3]
    base = len(after) == 2 and "VB" in after[0] and not _FINITE & set(after[0])
    return base and after[1][0] in {"PREP", "DET"}


def _agrees(sentence: Sentence) -> bool:
    """Whether no verb contradicts the subject in front of it, and things that are counted have a determiner."""
    nodes = {node.id: node for node in sentence.graph.nodes}
    for edge in sentence.graph.edges:
        action, entity = nodes[edge.action], nodes[edge.entity]
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
