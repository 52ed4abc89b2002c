"""Part of the Lark parser's clause assembly: small words that say what kind of clause comes next."""

from __future__ import annotations

from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.noun_phrases import NounPhrases
from hgrkit.parsing.sentence_state import SentenceState
from hgrkit.parsing.word_classes import in_class

__all__ = ["ClauseOpeners"]

_FOCUS = frozenset(["just", "even", "only", "right"])


class ClauseOpeners:
    """Conjunctions, relative pronouns, question words, existential "there" and punctuation."""

    def __init__(self, state: SentenceState, nouns: NounPhrases) -> None:
        self.state, self.nouns = state, nouns

    def conjunction(self, index: int, chunk: Chunk) -> None:
        """As in "and": what comes now is coordinated."""
        del index, chunk
        self.state.conjunction = True

    def punctuation(self, index: int, chunk: Chunk) -> None:
        """A comma is remembered; a full stop ends everything."""
        del index
        self.state.comma = self.state.words[chunk.start] in {",", ";", ":", "-", "--"}
        if self.state.words[chunk.start] in {".", "!", "?", ";"}:
            self.state.clause = self.state.earlier = self.state.last = None
            self.state.subjects.clear()

    def subordinator(self, index: int, chunk: Chunk) -> None:
        """As in "while", "that": the next verb's clause depends on the one before."""
        described = self.state.last is not None and self.state.last.kind == "noun"
        if (
            self.state.words[chunk.start] == "that"
            and described
            and not (self.state.clause and in_class(self.state.clause.lemma, "utterance"))
        ):
            self.relative_pronoun(index, chunk)
            return
        self.state.marker = self.state.new("mark", chunk.start, chunk.stop, chunk.start)
        self.state.marker.word = self.state.words[chunk.start]
        if chunk.start and self.state.words[chunk.start - 1] in _FOCUS:
            self.state.marker.start -= 1
        self.state.preposition = None

    def relative_pronoun(self, index: int, chunk: Chunk) -> None:
        """As in "who", "which", "what": the next verb's clause describes the noun before, or is a noun itself."""
        pronoun = self.state.new("noun", chunk.start, chunk.stop, chunk.start)
        pronoun.word = self.state.words[chunk.start]
        if pronoun.word == "that" and self.state.last is not None and self.state.last.kind == "clause":
            self.subordinator(index, chunk)
        else:
            self.state.relative = pronoun
            self.state.described = (
                self.state.last if self.state.last is not None and self.state.last.kind == "noun" else None
            )

    def question_word(self, index: int, chunk: Chunk) -> None:
        """As in "how", "where", "why": an adverb of the next verb's clause."""
        del index
        self.state.question = self.state.new("adverb", chunk.start, chunk.stop, chunk.start)
        self.state.question.word = self.state.words[chunk.start]

    def existential(self, index: int, chunk: Chunk) -> None:
        """As in "there": a subject without a node."""
        del index
        phrase = self.state.new("mark", chunk.start, chunk.stop, chunk.start)
        phrase.word = "there"
        self.nouns.wait_for_verb(phrase)
