"""A caption as foils read it: its words as they are written, its noun phrases, and how it is changed."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from itertools import pairwise

import attrs

from hgrkit.graph import Node, Role, RoleGraph
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.research.foils.inflection import with_article
from hgrkit.research.foils.word_list import HUMAN, beings, things

__all__ = ["NOMINAL", "Draft", "NounCore", "Sentence", "classes_of", "linked_nodes", "noun_core", "read_sentence"]

NOMINAL = frozenset({"NOUN", "NOUNS"})
"""The tags of nouns, in the singular and in the plural."""


def linked_nodes(graph: RoleGraph) -> Iterator[tuple[Node, Node, Role]]:
    """The action, the entity and the role of every edge."""
    nodes = {node.id: node for node in graph.nodes}
    return ((nodes[edge.action], nodes[edge.entity], edge.role) for edge in graph.edges)


_MARKS = frozenset(".,;:!?)")
_SINGULAR = frozenset({"a", "an", "one", "this", "that", "another", "each", "every", "someone", "somebody"})
_PLURAL = frozenset(
    "two three four five six seven eight nine ten several many some few both these those various".split()
)
_ARTICLES = frozenset({"a", "an"})


@attrs.frozen(kw_only=True)
class Draft:
    """A foil before it has its video and its type.

    Attributes:
        text: the changed sentence.
        was: the words of the caption that were changed.
        now: what stands for them; empty if they were left out.
    """

    text: str
    was: str
    now: str


@attrs.frozen(kw_only=True, eq=False)
class Sentence:
    """One caption, read.

    Attributes:
        caption: as it was given.
        graph: its graph.
        words: the graph's tokens in lower case.
        written: the tokens as the caption has them.
        glued: whether a token follows the one before it without a blank.
        tags: the possible tags of each token, the likeliest first.
    """

    caption: str
    graph: RoleGraph
    words: tuple[str, ...]
    written: tuple[str, ...]
    glued: tuple[bool, ...]
    tags: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.words)

    @property
    def stop(self) -> int:
        """The end of the words, closing marks left out."""
        stop = len(self.words)
        while stop and self.words[stop - 1] in _MARKS:
            stop -= 1
        return stop

    def tag(self, position: int) -> str:
        """The likeliest tag of a token; empty behind the last one."""
        return self.tags[position][0] if position < len(self.tags) else ""

    def text(self, start: int, stop: int) -> str:
        """The words of a span as they are written."""
        return self._join(list(range(start, stop)))

    def is_plural(self, start: int, stop: int, head: int) -> bool | None:
        """Whether a noun phrase takes a verb in the plural; `None` if its words do not say."""
        inside = self.words[start:stop]
        if "and" in inside:
            return True
        first = inside[0]
        if first in _SINGULAR:
            return False
        noun = self.words[head]
        known = beings().singular_of(noun)
        if first in _PLURAL and not (first == "some" and known == noun and not noun.endswith("s")):
            return True
        if known != noun:
            return True
        if noun in {"deer", "fish", "sheep", "shrimp", "news"} or noun.endswith("ics"):
            return None
        tags = self.tags[head]
        return tags[0] == "NOUNS" or ("NOUNS" in tags and noun.endswith("s") and not noun.endswith(("ss", "us")))

    def replaced(self, start: int, stop: int, *words: str) -> Draft:
        """Replace a span of the sentence by other words."""
        text = self.write([*range(start), *words, *range(stop, len(self))])
        return Draft(text=text, was=self.text(start, stop), now=" ".join(words))

    def write(self, pieces: Sequence[int | str]) -> str:
        """Write a sentence of old tokens, by their positions, and new words; correct articles and capitals."""
        text = self._join(_with_right_articles(pieces, self.words))
        return text[:1].upper() + text[1:] if self.caption.strip()[:1].isupper() else text

    def _join(self, pieces: Sequence[int | str]) -> str:
        parts: list[str] = []
        before: int | None = None
        for piece in pieces:
            if isinstance(piece, str):
                glued, word, before = False, piece, None
            else:
                follows = before is not None and piece == before + 1
                glued = self.glued[piece] and (follows or self.words[piece] in _MARKS or "'" in self.words[piece])
                word, before = self._inside(piece, parts), piece
            parts.append(word if glued or not parts else " " + word)
        return "".join(parts)

    def _inside(self, position: int, parts: list[str]) -> str:
        """A token; the caption's first loses its capital where it is not the first any more."""
        word = self.written[position]
        if position == 0 and parts and word[1:].islower() | (len(word) == 1) and word != "I":
            return word.lower()
        return word


def _with_right_articles(pieces: Sequence[int | str], words: Sequence[str]) -> list[int | str]:
    right = list(pieces)
    new = [piece if isinstance(piece, str) else words[piece] for piece in pieces]
    for place, (word, following) in enumerate(pairwise(new)):
        if word in _ARTICLES and with_article(following) != word:
            right[place] = with_article(following)
    return right


def read_sentence(caption: str, graph: RoleGraph) -> Sentence:
    """Align a graph's tokens with the caption that they came from."""
    reading = Lexicon.load().reading
    words = tuple([token.lower() for token in graph.tokens])
    lowered = caption.lower()
    written, glued, at = list(graph.tokens), [False] * len(words), 0
    same_length = len(lowered) == len(caption)
    for position, word in enumerate(words):
        found = lowered.find(word, at) if same_length else -1
        if found >= 0:
            written[position] = caption[found : found + len(word)]
            glued[position] = found == at and position > 0
            at = found + len(word)
        else:
            glued[position] = word in _MARKS
    return Sentence(
        caption=caption,
        graph=graph,
        words=words,
        written=tuple(written),
        glued=tuple(glued),
        tags=tuple([tuple(reading(word).removesuffix("!").split()) for word in words]),
    )


# noun phrases: determiner, adjectives and noun, and nothing more ------------------------------------------------

_NOT_INSIDE = frozenset(
    {"that", "which", "who", "'s", "\u2019s", ",", "other", "each", "something", "it", "them", "there", "own"}
)
_NEITHER = frozenset({"robot", "pronoun_man", "pronoun_woman", "plural_person"})
_GROUPS = frozenset({"group", "bunch", "pair", "herd", "pack", "number", "team", "crowd", "flock"})
_POSSESSIVE = frozenset({"his", "her", "its", "their", "my", "your", "our"})
_INSIDE_TAGS = frozenset({"DET", "NUM", "ADJ", "NOUN", "NOUNS", "ADV", "VBN", "VBG", "CC"})


@attrs.frozen(kw_only=True)
class NounCore:
    """A noun phrase within a node.

    Attributes:
        start: its first token.
        stop: the end, the noun included, and an `of` phrase of a measure with it.
        head: the noun.
        noun: the word that says what it is: the noun, or the one behind `of`.
        determined: whether it begins with a determiner, a number or a plural noun.
        possessive: whether it begins with `his` and the like.
    """

    start: int
    stop: int
    head: int
    noun: str
    determined: bool
    possessive: bool


@functools.lru_cache(maxsize=256)  # every type asks for the same few
def noun_core(sentence: Sentence, node: Node) -> NounCore | None:
    """The core of an entity; `None` if it is a pronoun, coordinated, or not made of plain words."""
    if node.head is None:
        return None
    words, tags, head = sentence.words, sentence.tags, node.head
    start = node.span.start
    while start < head and tags[start][0] in {"PREP", "TO"}:
        start += 1
    plain = all(tags[at][0] in _INSIDE_TAGS and words[at] not in _NOT_INSIDE for at in range(start, head))
    if not plain or tags[head][0] not in NOMINAL | {"VBG", "VB", "ADJ"} or "PRON" in tags[head]:
        return None
    if "NOUN" not in tags[head] and "NOUNS" not in tags[head]:
        return None
    if head + 1 < len(sentence) and not _may_end_before(sentence, head):
        return None
    stop, noun = head + 1, words[head]
    if stop < node.span.stop and words[stop] == "of":
        stop, inside = _of_phrase(sentence, node, stop)
        if not inside:
            return None
        noun = inside if "of" in things().get(noun, ()) or noun in _GROUPS else noun
    first = tags[start][0]
    return NounCore(
        start=start,
        stop=stop,
        head=head,
        noun=noun,
        determined=first in {"DET", "NUM"}
        or tags[head][0] == "NOUNS"
        or words[head] in {"people", "men", "women"},
        possessive=words[start] in _POSSESSIVE,
    )


def _may_end_before(sentence: Sentence, head: int) -> bool:
    """Whether what follows does not show that the noun is an adjective or a part of another word."""
    after = sentence.words[head + 1]
    if after in {"'s", "\u2019s", "'"} or sentence.tags[head + 1][0] == "ADJ":
        return False
    if sentence.tags[head + 1][0] in {"VBN", "VBD"} and sentence.tag(head + 2) in NOMINAL:
        return False
    return not (after in {"and", "or", ","} and sentence.tags[head][0] == "ADJ")


def classes_of(noun: str) -> frozenset[str]:
    """What a noun is, for the choice of a verb: classes of things, `person`, `animal`; empty if not known."""
    found = things().get(noun, frozenset())
    kinds = beings().kinds_of(noun)
    if found or not kinds:
        return found - {"mass", "uncounted", "counted"}
    if kinds & HUMAN:
        return frozenset({"person"})
    return frozenset() if kinds & _NEITHER else frozenset({"animal"})


def _of_phrase(sentence: Sentence, node: Node, of: int) -> tuple[int, str]:
    """The end of `of` and a plain noun phrase behind it, and that noun; the noun is empty if it is not plain."""
    at = of + 1
    while at < node.span.stop and sentence.tags[at][0] in {"DET", "NUM", "ADJ"}:
        at += 1
    if at >= node.span.stop or sentence.tags[at][0] not in NOMINAL:
        return of, ""
    while at + 1 < node.span.stop and sentence.tags[at + 1][0] in NOMINAL:
        at += 1
    return at + 1, sentence.words[at]
