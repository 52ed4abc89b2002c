"""Part of the Lark parser's clause assembly: prepositional phrases, adverbs and the particles of verbs."""

from __future__ import annotations

from hgrkit.parsing.attachment import attaches_to_noun
from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.clause_openers import ClauseOpeners
from hgrkit.parsing.noun_phrases import NounPhrases
from hgrkit.parsing.phrase import Phrase
from hgrkit.parsing.sentence_state import SentenceState
from hgrkit.parsing.word_classes import in_class

__all__ = ["Adverbials"]

_WITH_DIRECTION = frozenset(["over", "back", "up", "down", "on", "in", "off", "along", "according", "due", "all"])
_FREE_PARTICLES = frozenset(["up", "off", "out", "away"])
_FOCUS = frozenset(["just", "even", "only", "right"])
_CLAUSE_PREPOSITIONS = frozenset(["as", "after", "before", "until", "since", "like"])
_ABOUT_ADJECTIVE = frozenset(["about", "of", "with", "for", "at", "by"])


class Adverbials:
    """Prepositions and adverbs on the noun or clause that they belong to."""

    def __init__(self, state: SentenceState, nouns: NounPhrases, openers: ClauseOpeners) -> None:
        self.state, self.nouns, self.openers = state, nouns, openers

    def preposition(self, index: int, chunk: Chunk) -> None:
        """A preposition: hangs its phrase on a noun or the clause, or turns out to be a particle or an adverb."""
        if self._is_particle(index, chunk):
            return
        following = self.state.chunks[index + 1] if index + 1 < len(self.state.chunks) else None
        if self.state.words[chunk.start] in _CLAUSE_PREPOSITIONS and self.nouns.subject_follows(index + 1):
            self.openers.subordinator(index, chunk)
            return
        phrase = self.state.new("preposition", chunk.start, chunk.stop, chunk.stop - 1)
        phrase.word = (
            self.state.words[chunk.stop - 1] if chunk.stop - chunk.start == 1 else self._complex_word(chunk)
        )
        takes = following is not None and (
            following.kind in {"noun_group", "WH"}
            or (
                following.kind == "REL"
                and self.state.words[following.start] in {"what", "which", "who", "whom", "that"}
            )
            or (following.kind == "verb_group" and following.tags[0] in {"VBG", "VBN", "VBZ", "VB"})
        )
        if not takes:
            self._stranded(phrase)
            return
        ground = self.state.words[following.stop - 1] if following is not None else ""
        self._attach_preposition(phrase, ground)
        self.state.preposition = phrase
        self.state.conjunction = self.state.comma = False

    def _complex_word(self, chunk: Chunk) -> str:
        before, last = self.state.words[chunk.stop - 2 : chunk.stop]
        return last if last not in {"of", "to", "from"} or before in _WITH_DIRECTION else before + "_" + last

    def _attach_preposition(self, phrase: Phrase, ground: str) -> None:
        if self.state.clause is None:
            if self.state.subjects and self.state.last is not None:
                (self.state.last if phrase.word == "of" else self.state.subjects[-1]).add(phrase, "preposition")
            else:
                self.state.pending.append((phrase, "preposition"))
            return
        noun = self.state.last
        if noun is not None and noun.kind in {"noun", "adjective"} and not self.state.comma:
            if noun.kind == "adjective" and noun.relation == "attribute" and phrase.word in _ABOUT_ADJECTIVE:
                noun.add(phrase, "preposition")
                return
            if noun.kind == "noun" and attaches_to_noun(phrase.word, self.state.clause, noun, ground):
                noun.add(phrase, "preposition")
                return
        self.state.clause.add(phrase, "preposition")

    def _stranded(self, phrase: Phrase) -> None:
        """A preposition without a noun: of a relative clause's gap, or an adverb of direction."""
        if self.state.clause is None:
            return
        phrase.kind = "adverb"
        if self.state.clause.gap is not None and not self.state.clause.find("gap"):
            phrase.kind = "mark"
            self.state.clause.add(phrase, "gap")
        else:
            self.state.clause.add(phrase, "adverb")

    def _is_particle(self, index: int, chunk: Chunk) -> bool:
        clause = self.state.clause
        word = self.state.words[chunk.start]
        if clause is None or chunk.stop - chunk.start > 1 or not in_class(word, "accompanied"):
            return False
        following = self.state.chunks[index + 1].kind if index + 1 < len(self.state.chunks) else ""
        literal = in_class(clause.lemma, "motion")
        if clause.verb[1] == chunk.start and self.state.last is clause:
            if clause.lemma in {"sit", "stand", "lie", "get", "wake"} and word in {"down", "up"}:
                particle = following != "noun_group"
            elif (following == "noun_group" and chunk.tags[0] == "PREP") or word not in {
                "up",
                "off",
                "out",
                "away",
            }:
                listed = word in {"up", "off", "out"} or in_class(clause.lemma, "particle_" + word)
                particle = not literal and listed and not clause.passive
            else:
                particle = not literal
            if particle:
                clause.verb = (clause.verb[0], chunk.stop)
                clause.stop = max(clause.stop, chunk.stop)
            return particle
        if chunk.kind == "adverb" and self.state.last is not None and self.state.last.relation == "object":
            return word in {"on", "off", "up"} and not literal
        return False

    def adverb(self, index: int, chunk: Chunk) -> None:
        """An adverb: of the clause, of the verb to come, or a particle."""
        if self._is_particle(index, chunk):
            return
        adverb = self.state.new("adverb", chunk.start, chunk.stop, chunk.start)
        adverb.word = self.state.words[chunk.start]
        following = self.state.chunks[index + 1].kind if index + 1 < len(self.state.chunks) else ""
        if following == "SUB" and adverb.word in _FOCUS:
            return
        early = (
            self.state.clause is None
            or self.state.conjunction
            or self.state.comma
            or (following == "verb_group" and adverb.word in {"then", "thus"})
        )
        if early and following != "":
            self.state.pending.append((adverb, "adverb"))
        elif self.state.clause is not None:
            self.state.clause.add(adverb, "adverb")
