"""Rules of the Lark parser for verbs: a verb group opens a clause and finds its subject and its place."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.parsing.lark.chunker import Chunk
from hgrkit.parsing.lark.state import SentenceState, adjunct_parent, conjunct_clause, modified_noun
from hgrkit.parsing.lexicon import VERB_TAGS, in_class, is_animate
from hgrkit.parsing.phrase import Phrase

__all__ = ["verb_group"]

_LEMMAS = {"BE": "be", "HAVE": "have", "DO": "do"}
_NON_FINITE = {
    "being": "gerund",
    "having": "gerund",
    "doing": "gerund",
    "been": "participle",
    "done": "participle",
}
_FORMS = {"VBZ": "finite", "VBD": "finite", "VBG": "gerund", "VBN": "participle", "VB": "base"}


@attrs.frozen(kw_only=True)
class VerbGroup:
    """A verb group, read.

    Attributes:
        main: token of the verb that names the action.
        lemma: lemma of an auxiliary used as main verb, else empty.
        form: `finite`, `infinitive`, `gerund`, `participle` or `base`.
        passive: whether the main verb is a passive participle.
        bare: whether there are auxiliaries only (a copula, or half of a question).
        inner: modals, negations and adverbs inside, as (token, tag).
    """

    main: int
    lemma: str
    form: str
    passive: bool
    bare: bool
    inner: tuple[tuple[int, str], ...]


def read_verb_group(chunk: Chunk, words: Sequence[str]) -> VerbGroup:
    """Read a chunk of kind `verb_group`."""
    tokens = list(zip(range(chunk.start, chunk.stop), chunk.tags, strict=True))
    verbs = [(token, tag) for token, tag in tokens if tag in VERB_TAGS]
    auxiliaries = [(token, tag) for token, tag in tokens if tag in _LEMMAS or tag == "MD"]
    full = [pair for pair in auxiliaries if pair[1] in _LEMMAS]
    main, tag = (verbs or full or auxiliaries or tokens)[-1]
    helpers = [pair for pair in auxiliaries if pair[0] != main]
    be_before = any(helper == "BE" for _, helper in helpers)
    return VerbGroup(
        main=main,
        lemma="" if verbs else _LEMMAS.get(tag, ""),
        form=_form(chunk, words, helpers, main, tag),
        passive=bool(verbs) and ((tag in {"VBN", "VBD"} and be_before) or (tag == "VBN" and not helpers)),
        bare=not verbs,
        inner=tuple((token, kind) for token, kind in tokens if kind in {"MD", "NEG", "INNER"} and token != main),
    )


def _form(chunk: Chunk, words: Sequence[str], helpers: Sequence[tuple[int, str]], main: int, tag: str) -> str:
    if chunk.tags[0] == "TO":
        return "infinitive"
    if helpers:
        first, kind = helpers[0]
        if kind == "MD":
            return "finite"
        return _NON_FINITE.get(words[first], "base" if words[first] == "be" else "finite")
    if tag in _FORMS:
        return _FORMS[tag]
    return _NON_FINITE.get(words[main], "base" if words[main] in {"be", "have", "do"} else "finite")


_WITH_BARE_VERB = frozenset(["help", "make", "let", "watch", "see", "have", "hear"])
_OBJECT_CONTROL = frozenset(["ask", "tell", "teach", "want", "help", "allow", "force", "get", "cause"])
_CONTENTS = frozenset(["involve", "contain", "feature", "include"])
_POSSESSIVES = frozenset(["his", "her", "their", "its"])


def verb_group(state: SentenceState, chunk: Chunk) -> None:
    """A verb with its auxiliaries: opens a clause, unless it belongs to a verb further on."""
    group = read_verb_group(chunk, state.words)
    following = state.following
    if set(chunk.tags) <= {"NEG", "INNER"}:
        _negation(state)
        return
    if following is not None and _is_auxiliary(state, group, following):
        return
    if _absolute_participle(state, chunk):
        return
    clause = _new_clause(state, chunk, group)
    # "gets [hit]" is a passive of the second verb
    if following is not None and group.lemma == "" and clause.lemma == "get" and following.tags[0] == "VBN":
        state.skipped = state.index + 1
        group = read_verb_group(following, state.words)
        clause.lemma, clause.passive, clause.stop = _lemma(state, group), True, following.stop
        clause.head, clause.verb = group.main, (group.main, following.stop)
    waiting, state.pending = state.pending, []
    _relate(state, clause, group)
    for phrase, relation in waiting:
        _attach_waiting(state, clause, phrase, relation)
    state.clause = state.earlier = state.last = clause
    state.marker = state.relative = state.question = state.preposition = None
    state.conjunction = state.comma = state.inverted = False


def _negation(state: SentenceState) -> None:
    """A "not" without a verb; after a comma or "but" a noun begins anew: ", but not a bird cleaning itself"."""
    following = state.following
    if following is not None and following.kind == "noun_group" and (state.comma or state.conjunction):
        state.clause = state.earlier = state.last = None
        state.subjects.clear()
        state.conjunction = state.comma = False


def _attach_waiting(state: SentenceState, clause: Phrase, phrase: Phrase, relation: str) -> None:
    """Attach what came before its clause: adverbs to the next verb, the rest to a verb that nothing governs."""
    if phrase.kind != "adverb" and clause.parent is not None:
        state.pending.append((phrase, relation))
        return
    clause.add(phrase, relation)
    if phrase.kind == "clause" and phrase.subject is None:
        _control(phrase, clause)


def _is_auxiliary(state: SentenceState, group: VerbGroup, following: Chunk) -> bool:
    """Whether a group without full verb belongs to a verb further on: "has [to go]", "is [the man riding]"."""
    if not group.bare:
        return False
    if group.lemma == "have" and following.kind == "verb_group" and following.tags[0] == "TO":
        return True
    asks = state.question is not None or state.relative is not None or state.index == 0
    if asks and following.kind == "noun_group" and not state.subjects:
        later = state.chunks[state.index + 2 : state.index + 3]
        state.inverted = bool(later) and later[0].kind == "verb_group" and later[0].tags[0] != "TO"
        return state.inverted
    return False


def _absolute_participle(state: SentenceState, chunk: Chunk) -> bool:
    """Whether a participle only describes what someone has: "with [his eyes closed]"."""
    noun = state.last
    if chunk.tags not in {("VBN",), ("VBD",)} or noun is None or noun.relation != "ground" or noun.parent is None:
        return False
    if noun.parent.word != "with" or state.words[noun.start] not in _POSSESSIVES:
        return False
    noun.stop = chunk.stop
    return True


def _new_clause(state: SentenceState, chunk: Chunk, group: VerbGroup) -> Phrase:
    clause = state.new("clause", chunk.start, chunk.stop, group.main)
    clause.lemma, clause.form, clause.passive = _lemma(state, group), group.form, group.passive
    clause.verb = (group.main, group.main + 1)
    # all finite forms count as one: "is tall and runs" is coordinated
    tag = state.tags[group.main]
    clause.word = "VBZ" if tag in {"VBD", "BE", "HAVE", "DO"} else tag
    for token, inner in group.inner:
        relation = {"MD": "modal", "NEG": "negation"}.get(inner, "adverb")
        if state.words[token] in {"either", "both"}:
            continue
        clause.add(state.new("adverb", token, token + 1, token), relation)
    state.clauses.append(clause)
    return clause


def _lemma(state: SentenceState, group: VerbGroup) -> str:
    return group.lemma or state.lexicon.lemma(state.words[group.main])


def _relate(state: SentenceState, clause: Phrase, group: VerbGroup) -> None:
    """Give the clause its place by what came before it; the first case that fits decides."""
    has_own_subject = state.clause is None and bool(state.subjects)
    coordinated = state.conjunction and state.last is not None and state.earlier is not None
    if state.preposition is not None:
        _gerund_ground(state, clause, state.preposition)
    elif state.relative is not None:
        _relative_clause(state, clause, state.relative)
    elif state.marker is not None or state.question is not None:
        _marked_clause(state, clause)
    elif coordinated and not has_own_subject:
        _conjunct(state, clause)
    elif group.form == "infinitive":
        _infinitive(state, clause)
    elif state.subjects and (group.form in {"finite", "base"} or state.inverted):
        _main_clause(state, clause)
    elif group.form in {"gerund", "participle"}:
        _participle(state, clause)
    elif state.earlier is not None:
        _bare_verb(state, clause, state.earlier)


def _main_clause(state: SentenceState, clause: Phrase) -> None:
    subject = _take_subject(state, clause)
    clause.subject, governor = subject, state.earlier
    if governor is None:
        return
    if subject.start == governor.verb[1] and in_class(governor.lemma, "utterance"):
        governor.add(clause, "complement")
        return
    noun = governor.find("object")
    # "the ball he throws": a relative clause without a pronoun
    after_noun = subject.start > 0 and state.tags[subject.start - 1] in {"NOUN", "NOUNS", "PRON"}
    if after_noun and not state.subjects and noun is not None and noun.stop == subject.start:
        noun.add(clause, "relative")
        clause.gap = noun


def _take_subject(state: SentenceState, clause: Phrase) -> Phrase:
    subject = state.subjects.pop()
    clause.add(subject, "subject")
    return subject


def _gerund_ground(state: SentenceState, clause: Phrase, governor: Phrase) -> None:
    governor.add(clause, "ground")
    if state.question is not None:
        clause.add(state.question, "adverb")
    elif governor.parent is not None and governor.parent.kind == "clause":
        _control(clause, governor.parent)


def _relative_clause(state: SentenceState, clause: Phrase, pronoun: Phrase) -> None:
    own = bool(state.subjects) and state.subjects[-1].start > pronoun.start
    subject = _take_subject(state, clause) if own else None
    noun = _antecedent(state, pronoun, clause)
    if noun is not None:
        noun.add(clause, "relative")
    elif state.earlier is not None:
        state.earlier.add(clause, "complement")
    clause.start = min(clause.start, pronoun.start)
    if subject is not None:
        clause.subject, clause.gap = subject, noun or pronoun
    else:
        clause.subject, clause.antecedent = noun or pronoun, noun is not None


def _antecedent(state: SentenceState, pronoun: Phrase, clause: Phrase) -> Phrase | None:
    noun = state.described
    if pronoun.word == "what" or noun is None:
        return None
    return noun if pronoun.word == "which" else modified_noun(noun, state.words, clause.lemma)


def _marked_clause(state: SentenceState, clause: Phrase) -> None:
    marker, governor = state.marker, state.earlier
    if marker is not None and marker.word == "where" and state.described is not None:
        if state.subjects and state.subjects[-1].start > marker.start:
            clause.subject = _take_subject(state, clause)
        clause.add(marker, "marker")
        state.described.add(clause, "relative")
        return
    opening = marker or state.question
    if opening is not None:
        if state.subjects and (state.subjects[-1].start > opening.start or governor is None):
            clause.subject = _take_subject(state, clause)
        clause.add(opening, "marker" if marker is not None else "adverb")
    if governor is None:  # "While he runs, a dog ...": attaches to the verb to come
        state.pending.append((clause, "adjunct"))
        return
    that = marker is not None and marker.word in {"that", "if", "whether"}
    if state.question is not None or (that and in_class(governor.lemma, "utterance")):
        governor.add(clause, "complement")
    else:
        governor = adjunct_parent(governor)
        governor.add(clause, "adjunct")
    if clause.subject is None and not state.question:
        _control(clause, governor)


def _conjunct(state: SentenceState, clause: Phrase) -> None:
    target = conjunct_clause(state.earlier, clause.word)
    if target is None:
        return
    target.add(clause, "conjunct")
    _control(clause, target)
    participle = clause.form == "participle" or "VBN" in state.lexicon.reading(state.words[clause.head])
    if participle and target.passive and clause.form in {"participle", "base"}:
        clause.passive = True


def _infinitive(state: SentenceState, clause: Phrase) -> None:
    governor, last = state.clause, state.last
    if governor is None:
        if state.subjects:  # "a dog to play with ..."
            state.subjects[-1].add(clause, "relative")
        return
    thing = governor.find("object")
    if thing is not None and governor.lemma in _OBJECT_CONTROL:
        # "teaches a dog to jump": the object does it
        governor.add(clause, "complement")
        clause.subject = thing
        return
    # "starts to run" says what is started, "stops at a shop to buy bread" why
    direct = last is governor or (last is not None and last.kind == "adjective")
    raises = governor.lemma in {"get", "be"} or in_class(governor.lemma, "raising")
    aspectual = in_class(governor.lemma, "aspectual") and direct
    governor.add(clause, "complement" if raises or aspectual else "purpose")
    _control(clause, governor)


def _participle(state: SentenceState, clause: Phrase) -> None:
    governor, noun, following = state.clause, state.last, state.following
    if governor is None:
        _modify_first(state, clause)
    elif noun is governor and state.comma and following is not None and following.kind == "CC":
        _conjunct(state, clause)  # "cutting, peeling or washing"
    elif noun is governor:
        relation = "complement" if in_class(governor.lemma, "aspectual") else "adjunct"
        if governor.passive and in_class(governor.lemma, "perception"):
            # "a man is seen running"
            relation = "predicate"
        governor.add(clause, relation)
        _control(clause, governor)
    elif (
        noun is not None and noun.kind == "noun" and not state.comma and _describes(state, clause, governor, noun)
    ):
        _modify(state, clause, noun)
    else:
        # "running, jumping": a participle after a comma continues a row of them
        sibling = conjunct_clause(governor, clause.word)
        if state.comma and sibling is not None and sibling.word == clause.word:
            _conjunct(state, clause)
            return
        governor = adjunct_parent(governor)
        governor.add(clause, "adjunct")
        _control(clause, governor)


def _describes(state: SentenceState, clause: Phrase, governor: Phrase, noun: Phrase) -> bool:
    """Whether a participle after a noun is said of the noun rather than of the clause's subject."""
    target = modified_noun(noun, state.words, clause.lemma)
    if clause.form == "participle" or clause.lemma in _CONTENTS:
        return True
    if noun.relation == "ground" and noun.parent is not None and noun.parent.word == "with" and clause.passive:
        return True  # "with liquid being spilled"
    # "there is a man running", "we see a car turning"; otherwise only people and animals act
    shown = governor.lemma == "be" and target.relation in {"attribute", "object"}
    return shown or in_class(governor.lemma, "perception") or is_animate(state.words[target.head])


def _modify(state: SentenceState, clause: Phrase, noun: Phrase) -> None:
    target = modified_noun(noun, state.words, clause.lemma)
    target.add(clause, "relative")
    clause.subject, clause.antecedent = target, True


def _modify_first(state: SentenceState, clause: Phrase) -> None:
    """A participle before any verb: of the waiting subject, or a free one ("shouting, a man ...")."""
    if not state.subjects:
        state.pending.append((clause, "adjunct"))
    elif state.subjects[-1].kind == "mark":
        clause.subject = state.subjects[-1]
    else:
        last = state.last
        _modify(state, clause, last if last is not None and last.kind == "noun" else state.subjects[-1])


def _bare_verb(state: SentenceState, clause: Phrase, governor: Phrase) -> None:
    """A verb without subject after another clause: "help move it", "helps her move it", "..., run away"."""
    thing = governor.find("object")
    if state.last is governor and not state.comma:
        governor.add(clause, "complement")
        _control(clause, governor)
    elif thing is not None and governor.lemma in _WITH_BARE_VERB:
        governor.add(clause, "complement")
        clause.subject = thing
    else:
        _conjunct(state, clause)


def _control(clause: Phrase, governor: Phrase) -> None:
    """Let a clause without a subject of its own have that of the clause that governs it."""
    clause.subject, clause.antecedent = governor.subject, governor.antecedent
