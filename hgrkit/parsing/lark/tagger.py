"""First step of the Lark parser: one tag a token by its context."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from operator import methodcaller

import attrs

from hgrkit.parsing.lark.clause_tags import restore_verbs
from hgrkit.parsing.lexicon import Lexicon, candidates, table_lines

__all__ = ["Tagger", "candidates", "coarse_class", "context_features", "finite_ahead", "next_state"]

_BOUNDARY = frozenset({"SUB", "REL", "WH", "PUNCT"})
_FINITE = frozenset({"BE", "HAVE", "DO", "MD", "VBZ", "VBD"})


@functools.cache
def coarse_class(reading: str) -> str:
    """An ambiguity class without the order of its tags: what words of all frequencies have in common."""
    return " ".join(sorted(candidates(reading)))


def finite_ahead(readings: Sequence[str]) -> list[bool]:
    """For each token, whether a sure finite verb follows before the next boundary of a clause."""
    ahead, found = [False] * len(readings), False
    for position in range(len(readings) - 1, -1, -1):
        ahead[position] = found
        first = readings[position].partition(" ")[0]
        if first in _BOUNDARY:
            found = False
        elif (
            first in _FINITE
            and first != "VBD"
            and (" " not in readings[position] or readings[position][-1] == "!")
        ):
            found = True
    return ahead


@functools.lru_cache(maxsize=20_000)
def _weights(packed: str) -> tuple[tuple[str, int], ...]:
    fields = packed.split("\t")
    return tuple(zip(fields[::2], map(int, fields[1::2]), strict=True))


def next_state(state: str, tag: str) -> str:
    """Whether the clause has its finite verb: `0` or `1`, after a conjunction `c0` or `c1`."""
    if tag in _BOUNDARY:
        return "0"
    if tag == "CC":
        return "c" + state[-1]
    if tag in _FINITE or (tag == "VB" and state != "t"):
        return "1"
    return state


def context_features(
    words: Sequence[str], readings: Sequence[str], tags: Sequence[str], position: int, state: str, *, ahead: bool
) -> list[str]:
    """What the tagger sees of an ambiguous token: its class, its neighbours, and its clause so far.

    Args:
        words: the caption's tokens, with `END` for closing punctuation and three more `END`s.
        readings: their ambiguity classes, as long as `words`.
        tags: those decided so far, with two `START`s in front.
        position: the token's index in `words`.
        state: see `next_state`.
        ahead: see `finite_ahead`.
    """
    word, own = words[position], readings[position]
    before, second = tags[position + 1], tags[position]
    previous = words[position - 1] if position else "START"
    after, later = readings[position + 1], readings[position + 2]
    coarse = coarse_class(own)
    return [
        "k" + coarse + "|" + before + "|" + state + ("f" if ahead else ""),
        "K" + coarse + "|" + before + "|" + coarse_class(after),
        "m" + coarse + "|" + before + "|" + second,
        "o" + own,
        "w" + word,
        "b" + own + "|" + before,
        "c" + own + "|" + before + "|" + second,
        "a" + own + "|" + after,
        "n" + own + "|" + before + "|" + after,
        "x" + own + "|" + words[position + 1],
        "p" + own + "|" + previous,
        "q" + word + "|" + before,
        "l" + own + "|" + after + "|" + later,
        "s" + own + "|" + state + ("f" if ahead else "") + "|" + before,
        "t" + own + "|" + state + ("f" if ahead else "") + "|" + after,
        "B" + before + "|" + second + "|" + state,
        "F" + before + "|" + after + ("f" if ahead else ""),
    ]


@attrs.frozen
class Tagger:
    """A lexicon, and an averaged perceptron that chooses among the tags which the lexicon allows.

    Attributes:
        lexicon: the words.
        weights: for each feature, the weight of each tag, written `tag<TAB>weight<TAB>tag<TAB>weight...`.
    """

    lexicon: Lexicon
    weights: Mapping[str, str] = attrs.field(repr=False)

    @classmethod
    @functools.cache
    def load(cls) -> Tagger:
        """Load hgrkit's own tagger, once."""
        return cls(Lexicon.load(), dict(map(methodcaller("split", "\t", 1), table_lines("tagger.txt.gz"))))

    def tag(self, tokens: Sequence[str]) -> list[str]:
        """Choose one tag for each token, lower-cased or not.

        >>> Tagger.load().tag("a man exercises".split())
        ['DET', 'NOUN', 'VBZ']
        """
        words = [token.lower() for token in tokens]
        readings = [self.lexicon.reading(word) for word in words]
        stop = len(words)
        while stop and readings[stop - 1] == "PUNCT":
            stop -= 1
        tail = ["END"] * (len(words) - stop + 3)
        words[stop:], readings[stop:] = tail, tail
        ahead = finite_ahead(readings)
        tags, state = ["START", "START"], "0"
        for position in range(stop):
            possible = candidates(readings[position])
            if len(possible) == 1:  # most words, which need no features
                tag = possible[0]
            else:
                features = context_features(words, readings, tags, position, state, ahead=ahead[position])
                tag = self._best(possible, features)
            tags.append(tag)
            state = next_state(state, tag)
        decided = tags[2:] + ["PUNCT"] * (len(tokens) - stop)
        return restore_verbs(words, readings, decided)

    def _best(self, possible: tuple[str, ...], features: Sequence[str]) -> str:
        scores = dict.fromkeys(possible, 0)
        for feature in features:
            weights = self.weights.get(feature)
            if weights:
                for tag, weight in _weights(weights):
                    if tag in scores:
                        scores[tag] += weight
        return max(possible, key=scores.__getitem__)
