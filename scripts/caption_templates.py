"""Sentences of caption shape, made from templates and the lexicon, to train the tagger of the Lark parser on.

PropBank EWT has few sentences that read like captions, so the templates put words of every ambiguity class where
captions have them: "a man exercises", "two slides", "person close the door".
"""

from __future__ import annotations

import random
from collections import defaultdict

from hgrkit.parsing.lexicon import Lexicon, candidates

__all__ = ["Sentence", "Templates"]

Sentence = list[tuple[str, str]]
PAST_SHARE = 0.15

PHRASES = {
    "NP": (
        "a:DET N", "the:DET N", "a:DET J N", "a:DET N N", "two:NUM P", "P", "the:DET P",
        "a:DET N in:PREP N", "a:DET N in:PREP a:DET J N", "N and:CC N", "his:DET N", "N", "J N",
        "she:PRON", "he:PRON", "it:PRON", "people:NOUNS", "a:DET group:NOUN of:PREP P", "some:DET P",
        "N P", "a:DET J N N", "J P", "a:DET A N", "the:DET A P", "A N", "U", "the:DET U", "a:DET N U",
        "the:DET N in:PREP C", "a:DET N in:PREP C", "the:DET P in:PREP C", "the:DET N with:PREP J N",
        "the:DET N in:PREP the:DET J N", "a:DET N E in:PREP C", "N 's:POS N", "two:NUM J P",
    ),
    "PP": (
        "on:PREP NP", "in:PREP NP", "with:PREP NP", "to:PREP NP", "down:PREP NP", "into:PREP NP",
        "by:PREP NP", "from:PREP NP", "over:PREP NP", "at:PREP NP", "up:PRT", "down:ADV",
        "around:ADV", "about:PREP G NP", "for:PREP G NP", "by:PREP G NP", "between:PREP G and:CC G",
    ),
    "VP": (
        "T NP", "T NP PP", "I", "I PP", "I PP PP", "T NP and:CC T NP", "I and:CC T NP",
        "I while:SUB G NP", "T to:TO BP", "T NP to:TO BP", "T G NP", "R T NP", "I R PP", "T NP R",
        "I ADV PP", "I R",
    ),
    "GP": (
        "G NP", "G NP PP", "G PP", "G", "G ADV PP",
    ),
    "ADV": (
        "back:ADV", "together:ADV", "quickly:ADV", "slowly:ADV", "away:ADV",
    ),
}  # fmt: skip
STATEMENTS = (
    "NP VP", "NP VP", "NP VP", "NP VP", "NP GP", "NP GP", "NP is:BE GP", "NP are:BE GP", "NP", "NP PP",
    "NP PP PP", "BP", "BP and:CC BP", "NP who:REL VP", "NP VP while:SUB NP VP", "NP MISS NP",
    "NP is:BE E PP", "NP E by:PREP NP VP", "NP GP and:CC GP", "NP VP as:SUB NP VP", "NP E in:PREP NP VP",
    "GP ,:PUNCT NP VP", "NP VP ,:PUNCT then:ADV NP VP", "BP N N and:CC N", "NP and:CC NP",
    "NP VP and:CC NP VP", "NP G NP VP", "NP that:REL VP", "U VP", "U VP and:CC T NP",
    "NP G NP and:CC G PP", "NP is:BE G NP and:CC G PP", "NP is:BE G and:CC G",
)  # fmt: skip
QUESTIONS = (
    "is:BE NP GP", "are:BE NP GP", "what:REL is:BE NP G", "where:WH does:DO NP BP", "does:DO NP BP",
    "who:REL VP", "who:REL is:BE GP", "what:REL does:DO NP BP",
)  # fmt: skip
SENTENCES = 5 * STATEMENTS + QUESTIONS
COLOURS = (
    "red", "black", "white", "blue", "green", "yellow", "pink", "orange", "brown", "gray", "grey",
    "purple", "uniform", "costume",
)  # fmt: skip
LETTERS = ("bcdfghklmnprstvz", "aeiou")


class Templates:
    """Sentences of caption shape with words drawn evenly from the lexicon's ambiguity classes."""

    def __init__(self, lexicon: Lexicon, seed: int) -> None:
        self.rng = random.Random(seed)
        self.words: dict[str, list[str]] = defaultdict(list)
        for word, entry in lexicon.entries.items():
            reading = entry.partition("\t")[0]
            for tag in candidates(reading):
                if word.isalpha():
                    self.words[tag].append(word)
                    if " " in reading:
                        self.words[tag + "?"].append(word)
        self.words["MANNER"] = [word for word in self.words["ADV"] if word.endswith("ly")]
        adjectives = set(self.words["ADJ?"])
        self.words["PARTICIPLE?"] = [word for word in self.words["VBN"] + self.words["VBG"] if word in adjectives]

    def sentence(self) -> Sentence:
        """One sentence with its tags; plural subjects take base forms, others forms in -s."""
        words: Sentence = []
        self._expand(self.rng.choice(SENTENCES), words)
        return words

    def _expand(self, pattern: str, words: Sentence) -> None:
        for symbol in pattern.split():
            word, _, tag = symbol.partition(":")
            if tag:
                words.append((word, tag))
            elif symbol in PHRASES:
                self._expand(self.rng.choice(PHRASES[symbol]), words)
            else:
                words.append(self._leaf(symbol, words))
                if symbol in {"BP", "MISS"}:
                    self._expand("NP PP" if self.rng.random() < 0.5 else "NP", words)

    def _leaf(self, symbol: str, words: Sentence) -> tuple[str, str]:
        if symbol == "U":
            return "".join(self.rng.choice(LETTERS[at % 2]) for at in range(self.rng.randint(5, 7))), "NOUN"
        if symbol == "C":
            return self.rng.choice(COLOURS), "NOUN"
        if symbol == "R":
            return self.rng.choice(self.words["MANNER"]), "ADV"
        if symbol == "A":
            return self.rng.choice(self.words["PARTICIPLE?"]), "ADJ"
        plain = "VBD" if self.rng.random() < PAST_SHARE else "VB" if self._plural(words) else "VBZ"
        tag = {"N": "NOUN", "P": "NOUNS", "J": "ADJ", "G": "VBG", "E": "VBN", "BP": "VB", "MISS": "VB"}.get(
            symbol, plain
        )
        return self.rng.choice(self.words[tag if self.rng.random() < 0.4 else tag + "?"]), tag

    @staticmethod
    def _plural(words: Sentence) -> bool:
        subject = [tag for _, tag in words if tag in {"NOUN", "NOUNS", "CC"}]
        return bool(subject) and (subject[0] == "NOUNS" or "CC" in subject[:2])
