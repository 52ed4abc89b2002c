"""Rules of the Lark parser for all but verbs: what nouns, prepositions and adverbs are to what came before."""

from __future__ import annotations

from hgrkit.parsing.lark.chunker import Chunk
from hgrkit.parsing.lark.state import SentenceState, attaches_to_noun, conjunct_noun
from hgrkit.parsing.lexicon import in_class
from hgrkit.parsing.phrase import Phrase

__all__ = [
    "adverb",
    "conjunction",
    "existential",
    "noun_group",
    "preposition",
    "punctuation",
    "question_word",
    "relative_pronoun",
    "subordinator",
]

# conjunctions, relative pronouns, question words, existential "there" and punctuation ------------------------

_FOCUS = frozenset(["just", "even", "only", "right"])


def conjunction(state: SentenceState, chunk: Chunk) -> None:
    """As in "and": what comes now is coordinated."""
    del chunk
    state.conjunction = True


def punctuation(state: SentenceState, chunk: Chunk) -> None:
    """A comma is remembered; a full stop ends everything."""
    state.comma = state.words[chunk.start] in {",", ";", ":", "-", "--"}
    if state.words[chunk.start] in {".", "!", "?", ";"}:
        # the words of a sentence never attach to the one before
        state.clause = state.earlier = state.last = None
        state.subjects.clear()


def subordinator(state: SentenceState, chunk: Chunk) -> None:
    """As in "while", "that": the next verb's clause depends on the one before."""
    word, last = state.words[chunk.start], state.last
    # "a man that runs" describes the man, "says that he runs" is what is said
    speaks = state.clause is not None and in_class(state.clause.lemma, "utterance")
    if word == "that" and last is not None and last.kind == "noun" and not speaks:
        relative_pronoun(state, chunk)
        return
    state.marker = state.new("mark", chunk.start, chunk.stop, chunk.start)
    if chunk.start and state.words[chunk.start - 1] in _FOCUS:
        # "just before he jumps": the adverb belongs to the marker
        state.marker.start -= 1
    state.preposition = None


def relative_pronoun(state: SentenceState, chunk: Chunk) -> None:
    """As in "who", "which", "what": the next verb's clause describes the noun before, or is a noun itself."""
    pronoun = state.new("noun", chunk.start, chunk.stop, chunk.start)
    last = state.last
    if pronoun.word == "that" and last is not None and last.kind == "clause":
        subordinator(state, chunk)
    else:
        state.relative = pronoun
        if last is not None and last.kind == "clause" and last.antecedent:  # "a woman cooking who wears a hat"
            last = last.subject
        state.described = last if last is not None and last.kind == "noun" else None


def question_word(state: SentenceState, chunk: Chunk) -> None:
    """As in "how", "where", "why": an adverb of the next verb's clause."""
    last = state.last
    adjacent = last is not None and last.kind == "noun" and chunk.start and state.tags[chunk.start - 1] != "CC"
    if state.words[chunk.start] == "where" and adjacent and state.relative is None:  # "a room where a man sleeps"
        state.marker = state.new("mark", chunk.start, chunk.stop, chunk.start)
        state.described = last
        return
    state.question = state.new("adverb", chunk.start, chunk.stop, chunk.start)


def existential(state: SentenceState, chunk: Chunk) -> None:
    """As in "there": a subject without a node."""
    _wait_for_verb(state, state.new("mark", chunk.start, chunk.stop, chunk.start))


# prepositions and adverbs ------------------------------------------------------------------------------------

# "up to", "out of": the last word says the relation; "next to", "front of" are listed as a pair in the role table
_WITH_DIRECTION = frozenset(["over", "back", "up", "down", "on", "in", "off", "along", "according", "due", "all"])
_FREE_PARTICLES = frozenset(["up", "off", "out", "away"])
_CLAUSE_PREPOSITIONS = frozenset(["as", "after", "before", "until", "since", "like"])
_ABOUT_ADJECTIVE = frozenset(["about", "of", "with", "for", "at", "by"])
_POSTURES = frozenset(["sit", "stand", "lie", "get", "wake"])


def preposition(state: SentenceState, chunk: Chunk) -> None:
    """A preposition: attaches its phrase to a noun or the clause, or turns out to be a particle or an adverb."""
    if _is_particle(state, chunk):
        return
    if state.words[chunk.start] in _CLAUSE_PREPOSITIONS and _subject_follows(state):
        subordinator(state, chunk)
        return
    phrase = state.new("preposition", chunk.start, chunk.stop, chunk.stop - 1)
    if chunk.stop - chunk.start > 1:
        phrase.word = _complex_word(state, chunk)
    governed = state.following
    if governed is None or not _can_be_governed(state, governed):
        _stranded(state, phrase)
        return
    _attach_preposition(state, phrase, state.words[governed.stop - 1])
    state.preposition = phrase
    state.conjunction = state.comma = False


def _can_be_governed(state: SentenceState, chunk: Chunk) -> bool:
    """Whether a chunk after a preposition is its noun or its clause."""
    if chunk.kind == "REL":
        return state.words[chunk.start] in {"what", "which", "who", "whom", "that"}
    if chunk.kind == "verb_group":
        return chunk.tags[0] in {"VBG", "VBN", "VBZ", "VB"}
    return chunk.kind in {"noun_group", "WH"}


def _complex_word(state: SentenceState, chunk: Chunk) -> str:
    before, last = state.words[chunk.stop - 2 : chunk.stop]
    return last if last not in {"of", "to", "from"} or before in _WITH_DIRECTION else before + "_" + last


def _attach_preposition(state: SentenceState, phrase: Phrase, ground: str) -> None:
    if state.clause is None:
        if state.subjects and state.last is not None:
            # "the leg of a man in a hat": only "of" describes the noun next to it
            (state.last if phrase.word == "of" else state.subjects[-1]).add(phrase, "preposition")
        else:
            state.pending.append((phrase, "preposition"))
        return
    noun, parent = state.last, state.clause
    if noun is not None and not state.comma:
        if noun.kind == "noun":
            attaches = attaches_to_noun(phrase.word, state.clause, noun, ground)
        else:
            adjective = noun.kind == "adjective" and noun.relation == "attribute"
            attaches = adjective and phrase.word in _ABOUT_ADJECTIVE
        parent = noun if attaches else parent
    parent.add(phrase, "preposition")


def _stranded(state: SentenceState, phrase: Phrase) -> None:
    """A preposition without a noun: of a relative clause's gap, or an adverb of direction."""
    if state.clause is None:
        return
    of_gap = state.clause.gap is not None and not state.clause.find("gap")
    phrase.kind = "mark" if of_gap else "adverb"
    state.clause.add(phrase, "gap" if of_gap else "adverb")


def _is_particle(state: SentenceState, chunk: Chunk) -> bool:
    """Whether a word belongs to the verb before it, "picks [up] a ball"; the verb then covers it."""
    clause = state.clause
    word = state.words[chunk.start]
    if clause is None or chunk.stop - chunk.start > 1 or not in_class(word, "accompanied"):
        return False
    if clause.lemma == "get" and chunk.tags[0] == "PREP" and state.following is not None and word != "up":
        return False  # "gets off the bike"
    before_noun = state.following is not None and state.following.kind == "noun_group"
    literal = in_class(clause.lemma, "motion")
    if clause.verb[1] == chunk.start and state.last is clause:
        if clause.lemma in _POSTURES and word in {"down", "up"}:
            # "sits down", but "gets down the stairs"
            particle = not before_noun
        elif (before_noun and chunk.tags[0] == "PREP") or word not in _FREE_PARTICLES:
            # "picks up a ball" against "walks up a hill": verbs of motion take a way, not an object
            listed = word in {"up", "off", "out"} or in_class(clause.lemma, "particle_" + word)
            particle = not literal and listed and not clause.passive
        else:
            particle = not literal
        if particle:
            clause.verb = (clause.verb[0], chunk.stop)
            clause.stop = max(clause.stop, chunk.stop)
        return particle
    if chunk.kind == "adverb" and state.last is not None and state.last.relation == "object":
        # "takes his hat off"
        return word in {"on", "off", "up"} and not literal
    return False


def adverb(state: SentenceState, chunk: Chunk) -> None:
    """An adverb: of the clause, of the verb to come, or a particle."""
    if _is_particle(state, chunk):
        return
    found = state.new("adverb", chunk.start, chunk.stop, chunk.start)
    following = state.following.kind if state.following is not None else ""
    if following == "SUB" and found.word in _FOCUS:  # the subordinator takes it
        return
    before_verb = following == "verb_group" and found.word in {"then", "thus"}
    if before_verb and state.clause is not None and state.last is not None:  # "waves then runs off"
        state.conjunction = True
    if following and (state.clause is None or state.conjunction or state.comma or before_verb):
        state.pending.append((found, "adverb"))
    elif state.clause is not None:
        state.clause.add(found, "adverb")


# nouns as subjects, objects, attributes, grounds of prepositions and members of a coordination ---------------

_FINITE = frozenset({"VBZ", "VBD", "BE", "HAVE", "DO", "MD"})
_LOOKAHEAD = 9
"""Chunks that a noun looks ahead for its verb; bounded, so that parsing stays linear."""
_WITH_BARE_VERB = frozenset(["help", "make", "let", "watch", "see", "have", "hear"])
_STATES = frozenset({"visible", "present", "around"})
_MODIFIER_TAGS = frozenset({"ADJ", "DEGREE", "LINK", "ADV"})


def noun_group(state: SentenceState, chunk: Chunk) -> None:
    """A group of nouns, a pronoun, or adjectives alone."""
    if all(tag in _MODIFIER_TAGS for tag in chunk.tags):
        _adjective(state, chunk)
        return
    noun = state.new("noun", chunk.start, chunk.stop, _noun_head(chunk))
    comma, state.comma = state.comma, False
    if state.preposition is not None:
        state.preposition.add(noun, "ground")
        state.preposition = None
    elif _is_new_subject(state, noun, comma=comma):
        state.conjunction = False
        _wait_for_verb(state, noun)
        return
    elif _begins_clause(state, comma=comma):
        _wait_for_verb(state, noun)
        return
    elif state.conjunction or (comma and state.last is not None and state.last.kind == "noun"):
        if not _coordinate(state, noun):
            return
    elif state.clause is not None:
        _complement(state, state.clause, noun)
    else:
        _wait_for_verb(state, noun)
        return
    state.conjunction = False
    state.last = noun


def _begins_clause(state: SentenceState, *, comma: bool) -> bool:
    """Whether the current noun is the subject of a verb to come, rather than part of what came."""
    then = [phrase.word for phrase, relation in state.pending if relation == "adverb"]
    if comma and "then" in then:
        return True
    if state.subjects and state.relative is None and state.clause is not None:
        # "... and a dog runs": only a verb in the singular shows that the noun is a subject of its own
        return (state.conjunction or comma) and _singular_verb_follows(state)
    if state.conjunction and then:
        return True
    if state.clause is None and state.relative is None and not state.conjunction:
        return not state.subjects
    if state.marker is not None or state.relative is not None:
        return True
    return _finite_follows(state, state.index)


def _is_new_subject(state: SentenceState, noun: Phrase, *, comma: bool) -> bool:
    """As in "a man on a beach, a dog jumps", "a match but no goal is scored": the verb is of this noun alone."""
    apart = (comma and not state.conjunction) or (noun.start > 0 and state.words[noun.start - 1] == "but")
    return apart and state.clause is None and _singular_verb_follows(state)


def _finite_follows(state: SentenceState, noun: int) -> bool:
    """Whether the chunk at this index, a noun, has a finite verb of its own."""
    for later in range(noun + 1, min(noun + _LOOKAHEAD, len(state.chunks))):
        chunk = state.chunks[later]
        if chunk.kind == "verb_group":
            takes_bare_verb = state.clause is not None and state.clause.lemma in _WITH_BARE_VERB
            return chunk.tags[0] in _FINITE or (chunk.tags[0] == "VB" and not takes_bare_verb)
        if chunk.kind == "noun_group" and state.chunks[later - 1].kind != "preposition":
            return False
        if chunk.kind not in {"noun_group", "preposition", "adverb"}:
            return False
    return False


def _singular_verb_follows(state: SentenceState) -> bool:
    following = state.following
    if following is None or following.kind != "verb_group":
        return False
    return following.tags[0] == "VBZ" or state.words[following.start] in {"is", "has", "was"}


def _subject_follows(state: SentenceState) -> bool:
    """Whether a noun with its finite verb comes next."""
    following = state.following
    return following is not None and following.kind == "noun_group" and _finite_follows(state, state.index + 1)


def _wait_for_verb(state: SentenceState, noun: Phrase) -> None:
    """Keep a noun as the subject of a verb to come."""
    last = state.last
    if state.conjunction and state.subjects and last is not None and last.kind == "noun":
        conjunct_noun(last, state.words, state.words[noun.head]).add(noun, "conjunct")
    elif state.subjects and state.relative is None and state.marker is None:
        state.subjects[-1] = noun
    else:
        state.subjects.append(noun)
    if state.clause is not None:
        state.earlier = state.clause
    state.clause, state.last, state.conjunction = None, noun, False


def _coordinate(state: SentenceState, noun: Phrase) -> bool:
    if state.last is not None and state.last.kind == "noun":
        conjunct_noun(state.last, state.words, state.words[noun.head]).add(noun, "conjunct")
        return True
    if state.clause is None:
        _wait_for_verb(state, noun)
        return False
    _complement(state, state.clause, noun)
    return True


def _complement(state: SentenceState, clause: Phrase, noun: Phrase) -> None:
    objects = [child for child in clause.children if child.relation in {"object", "attribute"}]
    # "plays every day" says when, "spends a day" what
    of_time = in_class(state.words[noun.head], "time")
    if of_time and (objects or clause.lemma not in {"spend", "have", "be", "play"}):
        clause.add(noun, "adverb")
    elif clause.lemma == "be" and not clause.passive:
        if not objects:
            clause.add(noun, "attribute")
    elif not objects or (  # "gives his dog a bone"
        len(objects) == 1 and state.last is objects[0] and in_class(clause.lemma, "ditransitive")
    ):
        clause.add(noun, "object")


def _adjective(state: SentenceState, chunk: Chunk) -> None:
    adjective = state.new("adjective", chunk.start, chunk.stop, chunk.stop - 1)
    clause, last = state.clause, state.last
    if state.preposition is not None:
        state.preposition.add(adjective, "ground")
        state.preposition = None
    elif clause is not None and clause.find("attribute") is None:
        if last is clause and not state.conjunction:
            clause.add(adjective, "attribute")
            state.last = adjective
        elif clause.find("object") is not None and in_class(clause.lemma, "attributive"):
            clause.add(adjective, "predicate")
    elif state.conjunction and last is not None and last.kind == "adjective":
        last.add(adjective, "conjunct")
    if adjective.word in _STATES and last is not None and last.relation == "ground" and adjective.parent is None:
        last.add(adjective, "state")  # "without other people visible"
    state.conjunction = False


def _noun_head(chunk: Chunk) -> int:
    nouns = [position for position, tag in enumerate(chunk.tags) if tag in {"NOUN", "NOUNS", "PRON"}]
    return chunk.start + (nouns[-1] if nouns else len(chunk.tags) - 1)
