"""A caption's words as they are written, with the graph over them, and how a changed sentence is written."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.graph import RoleGraph
from hgrkit.parsing.lexicon import Lexicon
from hgrkit.research.foils.inflection import with_article
from hgrkit.research.foils.word_list import beings

__all__ = ["Sentence", "read_sentence"]

_MARKS = frozenset(".,;:!?)")
_SINGULAR = frozenset({"a", "an", "one", "this", "that", "another", "each", "every", "someone", "somebody"})
_PLURAL = frozenset(
    "two three four five six seven eight nine ten several many some few both these those various".split()
)
_ARTICLES = frozenset({"a", "an"})


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

    def text(self, start: int, stop: int) -> str:
        """The words of a span as they are written."""
        return self._join(list(range(start, stop)))

    def is_plural(self, start: int, stop: int, head: int) -> bool | None:
        """Whether a noun phrase takes a verb in the plural; `None` if its words do not say."""
        inside = self.words[start:stop]
        if "and" in inside[: head - start] or "and" in inside[head - start :]:
            return True
        first = inside[0]
        if first in _SINGULAR:
            return False
        noun = self.words[head]
        known = beings().singular.get(noun, noun)
        if first in _PLURAL and not (first == "some" and known == noun and not noun.endswith("s")):
            return True
        if known != noun:
            return True
        if noun in {"deer", "fish", "sheep", "shrimp", "news"} or noun.endswith("ics"):
            return None
        tags = self.tags[head]
        return tags[0] == "NOUNS" or ("NOUNS" in tags and noun.endswith("s") and not noun.endswith(("ss", "us")))

    def write(self, pieces: Sequence[int | str]) -> str:
        """A sentence of old tokens, by their positions, and new words; articles and capitals are set right."""
        return self._sentence(self._join(_with_right_articles(pieces, self.words)))

    def _sentence(self, text: str) -> str:
        first = self.caption.strip()[:1]
        return text[:1].upper() + text[1:] if first.isupper() else text

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
    for place, piece in enumerate(pieces[:-1]):
        word = piece if isinstance(piece, str) else words[piece]
        if word in _ARTICLES:
            following = pieces[place + 1]
            article = with_article(following if isinstance(following, str) else words[following])
            if article != word:
                right[place] = article
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
