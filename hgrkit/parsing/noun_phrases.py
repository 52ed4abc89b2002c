"""Part of the Lark parser's clause assembly: what a group of nouns or adjectives is to what came before."""

from __future__ import annotations

from hgrkit.parsing.attachment import conjunct_noun
from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.phrase import Phrase
from hgrkit.parsing.sentence_state import SentenceState
from hgrkit.parsing.word_classes import in_class

__all__ = ["NounPhrases"]

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
