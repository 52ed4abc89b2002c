"""Part of the Lark parser's clause assembly: what nouns, prepositions and adverbs are to what came before."""

from __future__ import annotations

from hgrkit.parsing.attachment import attaches_to_noun, conjunct_noun
from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.lexicon import in_class
from hgrkit.parsing.sentence_state import Phrase, SentenceState

__all__ = ["Adverbials", "ClauseOpeners", "NounPhrases"]

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


_WITH_DIRECTION = frozenset(["over", "back", "up", "down", "on", "in", "off", "along", "according", "due", "all"])
_FREE_PARTICLES = frozenset(["up", "off", "out", "away"])
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


_FINITE = frozenset({"VBZ", "VBD", "BE", "HAVE", "DO", "MD"})
_LOOKAHEAD = 9
_WITH_BARE_VERB = frozenset(["help", "make", "let", "watch", "see", "have", "hear"])
_MODIFIER_TAGS = frozenset({"ADJ", "DEGREE", "LINK", "ADV"})


class NounPhrases:
    """Nouns as subjects, objects, attributes, grounds of prepositions and members of a coordination."""

    def __init__(self, state: SentenceState) -> None:
        self.state = state

    def noun_group(self, index: int, chunk: Chunk) -> None:
        """A group of nouns, a pronoun, or adjectives alone."""
        if all(tag in _MODIFIER_TAGS for tag in chunk.tags):
            self._adjective(chunk)
            return
        noun = self.state.new("noun", chunk.start, chunk.stop, _noun_head(chunk))
        comma, self.state.comma = self.state.comma, False
        if self.state.preposition is not None:
            self.state.preposition.add(noun, "ground")
            self.state.preposition = None
        elif self._begins_clause(index):
            self.wait_for_verb(noun)
            return
        elif self.state.conjunction or (comma and self.state.last is not None and self.state.last.kind == "noun"):
            if not self._coordinate(noun):
                return
        elif self.state.clause is not None:
            self._complement(noun)
        else:
            self.wait_for_verb(noun)
            return
        self.state.conjunction = False
        self.state.last = noun

    def _begins_clause(self, index: int) -> bool:
        """Whether the noun at this index is the subject of a verb to come, rather than part of what came."""
        if self.state.subjects and self.state.relative is None and self.state.clause is not None:
            return self.state.conjunction and self._singular_verb_follows(index)
        if self.state.conjunction and any(relation == "adverb" for _, relation in self.state.pending):
            return True
        if self.state.clause is None and self.state.relative is None and not self.state.conjunction:
            return not self.state.subjects
        if self.state.marker is not None or self.state.relative is not None:
            return True
        return self._finite_follows(index)

    def _finite_follows(self, index: int) -> bool:
        for later in range(index + 1, min(index + _LOOKAHEAD, len(self.state.chunks))):
            chunk = self.state.chunks[later]
            if chunk.kind == "verb_group":
                return chunk.tags[0] in _FINITE or (chunk.tags[0] == "VB" and not self._takes_bare_verb())
            if chunk.kind == "noun_group" and self.state.chunks[later - 1].kind != "preposition":
                return False
            if chunk.kind not in {"noun_group", "preposition", "adverb"}:
                return False
        return False

    def _singular_verb_follows(self, index: int) -> bool:
        following = self.state.chunks[index + 1] if index + 1 < len(self.state.chunks) else None
        return (
            following is not None
            and following.kind == "verb_group"
            and (following.tags[0] == "VBZ" or self.state.words[following.start] in {"is", "has", "was"})
        )

    def _takes_bare_verb(self) -> bool:
        return self.state.clause is not None and self.state.clause.lemma in _WITH_BARE_VERB

    def subject_follows(self, index: int) -> bool:
        """Whether a noun with its finite verb comes at this index."""
        return (
            index < len(self.state.chunks)
            and self.state.chunks[index].kind == "noun_group"
            and self._finite_follows(index)
        )

    def wait_for_verb(self, noun: Phrase) -> None:
        """Keep a noun as the subject of a verb to come."""
        if (
            self.state.conjunction
            and self.state.subjects
            and self.state.last is not None
            and self.state.last.kind == "noun"
        ):
            conjunct_noun(self.state.last, self.state.words, self.state.words[noun.head]).add(noun, "conjunct")
        elif self.state.subjects and self.state.relative is None and self.state.marker is None:
            self.state.subjects[-1] = noun
        else:
            self.state.subjects.append(noun)
        if self.state.clause is not None:
            self.state.earlier = self.state.clause
        self.state.clause, self.state.last, self.state.conjunction = None, noun, False

    def _coordinate(self, noun: Phrase) -> bool:
        if self.state.last is None or self.state.last.kind != "noun":
            if self.state.clause is None:
                self.wait_for_verb(noun)
                return False
            self._complement(noun)
            return True
        conjunct_noun(self.state.last, self.state.words, self.state.words[noun.head]).add(noun, "conjunct")
        return True

    def _complement(self, noun: Phrase) -> None:
        clause = self.state.clause
        if clause is None:
            return
        objects = [child for child in clause.children if child.relation in {"object", "attribute"}]
        if in_class(self.state.words[noun.head], "time") and (
            objects or clause.lemma not in {"spend", "have", "be", "play"}
        ):
            clause.add(noun, "adverb")
        elif clause.lemma == "be" and not clause.passive:
            if not objects:
                clause.add(noun, "attribute")
        elif not objects or (
            len(objects) == 1 and self.state.last is objects[0] and in_class(clause.lemma, "ditransitive")
        ):
            clause.add(noun, "object")

    def _adjective(self, chunk: Chunk) -> None:
        adjective = self.state.new("adjective", chunk.start, chunk.stop, chunk.stop - 1)
        adjective.word = self.state.words[adjective.head]
        if self.state.preposition is not None:
            self.state.preposition.add(adjective, "ground")
            self.state.preposition = None
        elif self.state.clause is not None and self.state.clause.find("attribute") is None:
            if self.state.last is self.state.clause and not self.state.conjunction:
                self.state.clause.add(adjective, "attribute")
                self.state.last = adjective
            elif self.state.clause.find("object") is not None and in_class(self.state.clause.lemma, "attributive"):
                self.state.clause.add(adjective, "predicate")
        elif self.state.conjunction and self.state.last is not None and self.state.last.kind == "adjective":
            self.state.last.add(adjective, "conjunct")
        self.state.conjunction = False


def _noun_head(chunk: Chunk) -> int:
    nouns = [position for position, tag in enumerate(chunk.tags) if tag in {"NOUN", "NOUNS", "PRON"}]
    return chunk.start + (nouns[-1] if nouns else len(chunk.tags) - 1)
