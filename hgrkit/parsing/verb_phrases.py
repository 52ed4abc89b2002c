"""Part of the Lark parser's clause assembly: verb groups open clauses and find their subject and their place."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.parsing.attachment import adjunct_parent, conjunct_clause, modified_noun
from hgrkit.parsing.chunker import Chunk
from hgrkit.parsing.lexicon import VERB_TAGS, in_class, is_animate
from hgrkit.parsing.sentence_state import Phrase, SentenceState

__all__ = ["VerbPhrases"]

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


class VerbPhrases:
    """Main, relative, subordinate, coordinated, participial and infinitive clauses."""

    def __init__(self, state: SentenceState) -> None:
        self.state = state

    def verb_group(self, index: int, chunk: Chunk) -> None:
        """A verb with its auxiliaries: opens a clause, unless it belongs to a verb further on."""
        group = read_verb_group(chunk, self.state.words)
        following = self.state.chunks[index + 1] if index + 1 < len(self.state.chunks) else None
        if following is not None and self._is_auxiliary(group, following, index):
            return
        if self._absolute_participle(chunk):
            return
        clause = self._new_clause(chunk, group)
        if following is not None and group.lemma == "" and clause.lemma == "get" and following.tags[0] == "VBN":
            self.state.skipped = index + 1
            group = read_verb_group(following, self.state.words)
            clause.lemma, clause.passive, clause.stop = self._lemma(group), True, following.stop
            clause.head, clause.verb = group.main, (group.main, following.stop)
        waiting, self.state.pending = self.state.pending, []
        self._relate(clause, group)
        for phrase, relation in waiting:
            self._attach_waiting(clause, phrase, relation)
        self.state.clause = self.state.earlier = self.state.last = clause
        self.state.marker = self.state.relative = self.state.question = self.state.preposition = None
        self.state.conjunction = self.state.comma = self.state.inverted = False

    def _attach_waiting(self, clause: Phrase, phrase: Phrase, relation: str) -> None:
        """Hang what came before its clause: adverbs on the next verb, the rest on a verb that nothing governs."""
        if phrase.kind != "adverb" and clause.parent is not None:
            self.state.pending.append((phrase, relation))
            return
        clause.add(phrase, relation)
        if phrase.kind == "clause" and phrase.subject is None:
            self._control(phrase, clause)

    def _is_auxiliary(self, group: VerbGroup, following: Chunk, index: int) -> bool:
        """Whether a group without full verb belongs to a verb further on: "has [to go]", "is [the man riding]"."""
        if not group.bare:
            return False
        if group.lemma == "have" and following.kind == "verb_group" and following.tags[0] == "TO":
            return True
        asks = self.state.question is not None or self.state.relative is not None or index == 0
        if asks and following.kind == "noun_group" and not self.state.subjects:
            later = self.state.chunks[index + 2 : index + 3]
            self.state.inverted = bool(later) and later[0].kind == "verb_group" and later[0].tags[0] != "TO"
            return self.state.inverted
        return False

    def _absolute_participle(self, chunk: Chunk) -> bool:
        """Whether a participle only describes what someone has: "with [his eyes closed]"."""
        noun = self.state.last
        if (
            chunk.tags not in {("VBN",), ("VBD",)}
            or noun is None
            or noun.relation != "ground"
            or noun.parent is None
        ):
            return False
        if noun.parent.word != "with" or self.state.words[noun.start] not in _POSSESSIVES:
            return False
        noun.stop = chunk.stop
        return True

    def _new_clause(self, chunk: Chunk, group: VerbGroup) -> Phrase:
        clause = self.state.new("clause", chunk.start, chunk.stop, group.main)
        clause.lemma, clause.form, clause.passive = self._lemma(group), group.form, group.passive
        clause.verb = (group.main, group.main + 1)
        clause.word = self.state.tags[group.main]
        if clause.word in {"VBD", "BE", "HAVE", "DO"}:
            clause.word = "VBZ"
        for token, tag in group.inner:
            inner = self.state.new("adverb", token, token + 1, token)
            inner.word = self.state.words[token]
            clause.add(inner, {"MD": "modal", "NEG": "negation"}.get(tag, "adverb"))
        self.state.clauses.append(clause)
        return clause

    def _lemma(self, group: VerbGroup) -> str:
        return group.lemma or self.state.lexicon.lemma(self.state.words[group.main])

    def _relate(self, clause: Phrase, group: VerbGroup) -> None:
        """Give the clause its place by what came before it; the first case that fits decides."""
        state = self.state
        coordinated = state.conjunction and state.last is not None and state.earlier is not None
        if state.preposition is not None:
            self._gerund_ground(clause)
        elif state.relative is not None:
            self._relative_clause(clause)
        elif state.marker is not None or state.question is not None:
            self._marked_clause(clause)
        elif coordinated and not self._own_subject():
            self._conjunct(clause)
        elif group.form == "infinitive":
            self._infinitive(clause)
        elif state.subjects and (group.form in {"finite", "base"} or state.inverted):
            self._main_clause(clause)
        elif group.form in {"gerund", "participle"}:
            self._participle(clause)
        elif state.earlier is not None:
            self._bare_verb(clause, state.earlier)

    def _own_subject(self) -> bool:
        return self.state.clause is None and bool(self.state.subjects)

    def _main_clause(self, clause: Phrase) -> None:
        clause.subject = self._take_subject(clause)
        governor = self.state.earlier
        if (
            governor is not None
            and clause.subject.start == governor.verb[1]
            and in_class(governor.lemma, "utterance")
        ):
            governor.add(clause, "complement")
        elif governor is not None and self._contact(clause.subject):
            noun = governor.find("object")
            if noun is not None and noun.stop == clause.subject.start:
                noun.add(clause, "relative")
                clause.gap = noun

    def _take_subject(self, clause: Phrase) -> Phrase:
        subject = self.state.subjects.pop()
        clause.add(subject, "subject")
        return subject

    def _contact(self, subject: Phrase) -> bool:
        return (
            subject.start > 0
            and self.state.tags[subject.start - 1] in {"NOUN", "NOUNS", "PRON"}
            and not self.state.subjects
        )

    def _gerund_ground(self, clause: Phrase) -> None:
        governor = self.state.preposition
        if governor is None:
            return
        governor.add(clause, "ground")
        if self.state.question is not None:
            clause.add(self.state.question, "adverb")
            return
        parent = governor.parent
        if parent is not None and parent.kind == "clause":
            self._control(clause, parent)

    def _relative_clause(self, clause: Phrase) -> None:
        pronoun, subject = self.state.relative, None
        if pronoun is None:
            return
        own = (
            self.state.subjects[-1]
            if self.state.subjects and self.state.subjects[-1].start > pronoun.start
            else None
        )
        if own is not None:
            subject = self._take_subject(clause)
        noun = self._antecedent(pronoun, clause)
        if noun is None:
            clause.subject = subject or pronoun
            if subject is not None:
                clause.gap = pronoun
            if self.state.earlier is not None:
                self.state.earlier.add(clause, "complement")
            clause.start = min(clause.start, pronoun.start)
            return
        noun.add(clause, "relative")
        clause.start = min(clause.start, pronoun.start)
        if subject is None:
            clause.subject, clause.antecedent = noun, True
        else:
            clause.subject, clause.gap = subject, noun

    def _antecedent(self, pronoun: Phrase, clause: Phrase) -> Phrase | None:
        noun = self.state.described
        if pronoun.word == "what" or noun is None:
            return None
        return noun if pronoun.word == "which" else modified_noun(noun, self.state.words, clause.lemma)

    def _marked_clause(self, clause: Phrase) -> None:
        opener = self.state.marker or self.state.question
        governor = self.state.earlier
        if (
            self.state.subjects
            and opener is not None
            and (self.state.subjects[-1].start > opener.start or governor is None)
        ):
            clause.subject = self._take_subject(clause)
        if opener is not None:
            clause.add(opener, "marker" if self.state.marker is not None else "adverb")
        if governor is None:
            self.state.pending.append((clause, "adjunct"))
            return
        complement = self.state.question is not None or (
            self.state.marker is not None
            and self.state.marker.word in {"that", "if", "whether"}
            and in_class(governor.lemma, "utterance")
        )
        if complement:
            governor.add(clause, "complement")
        else:
            governor = adjunct_parent(governor)
            governor.add(clause, "adjunct")
        if clause.subject is None and not self.state.question:
            self._control(clause, governor)

    def _conjunct(self, clause: Phrase) -> None:
        target = conjunct_clause(self.state.earlier, clause.word)
        if target is None:
            return
        target.add(clause, "conjunct")
        clause.subject, clause.antecedent = target.subject, target.antecedent
        if clause.form == "participle" and target.passive:
            clause.passive = True

    def _infinitive(self, clause: Phrase) -> None:
        governor = self.state.clause or self.state.earlier
        if governor is None or self.state.clause is None:
            if self.state.subjects:
                self.state.subjects[-1].add(clause, "relative")
            return
        direct = self.state.last is governor or (
            self.state.last is not None and self.state.last.kind == "adjective"
        )
        aspectual = in_class(governor.lemma, "aspectual") and direct
        if governor.lemma in {"get", "be"} or in_class(governor.lemma, "raising"):
            aspectual = True
        objects = governor.find("object")
        if objects is not None and governor.lemma in _OBJECT_CONTROL:
            governor.add(clause, "complement")
            clause.subject = objects
            return
        governor.add(clause, "complement" if aspectual else "purpose")
        self._control(clause, governor)

    def _participle(self, clause: Phrase) -> None:
        governor, noun = self.state.clause, self.state.last
        if governor is None:
            self._modify(clause)
        elif noun is governor:
            relation = "complement" if in_class(governor.lemma, "aspectual") else "adjunct"
            if governor.passive and in_class(governor.lemma, "perception"):
                relation = "predicate"
            governor.add(clause, relation)
            self._control(clause, governor)
        elif (
            noun is not None
            and noun.kind == "noun"
            and not self.state.comma
            and self._describes(clause, governor, noun)
        ):
            target = modified_noun(noun, self.state.words, clause.lemma)
            target.add(clause, "relative")
            clause.subject, clause.antecedent = target, True
        else:
            sibling = conjunct_clause(governor, clause.word)
            if self.state.comma and sibling is not None and sibling.word == clause.word:
                self._conjunct(clause)
                return
            governor = adjunct_parent(governor)
            governor.add(clause, "adjunct")
            self._control(clause, governor)

    def _describes(self, clause: Phrase, governor: Phrase, noun: Phrase) -> bool:
        target = modified_noun(noun, self.state.words, clause.lemma)
        if clause.form == "participle" or clause.lemma in _CONTENTS:
            return True
        if in_class(governor.lemma, "perception") or (
            governor.lemma == "be" and target.relation in {"attribute", "object"}
        ):
            return True
        return is_animate(self.state.words[target.head])

    def _modify(self, clause: Phrase) -> None:
        """A participle before any verb: of the waiting subject, or a free one ("shouting, a man ...")."""
        if not self.state.subjects:
            self.state.pending.append((clause, "adjunct"))
            return
        noun = (
            self.state.last
            if self.state.last is not None and self.state.last.kind == "noun"
            else self.state.subjects[-1]
        )
        if self.state.subjects[-1].kind == "mark":
            clause.subject = self.state.subjects[-1]
            return
        target = modified_noun(noun, self.state.words, clause.lemma)
        target.add(clause, "relative")
        clause.subject, clause.antecedent = target, True

    def _bare_verb(self, clause: Phrase, governor: Phrase) -> None:
        """A verb without subject after another clause: "help move it", "helps her move it", "..., run away"."""
        noun = governor.find("object")
        if self.state.last is governor and not self.state.comma:
            governor.add(clause, "complement")
            self._control(clause, governor)
        elif noun is not None and governor.lemma in _WITH_BARE_VERB:
            governor.add(clause, "complement")
            clause.subject = noun
        else:
            self._conjunct(clause)

    def _control(self, clause: Phrase, governor: Phrase) -> None:
        clause.subject, clause.antecedent = governor.subject, governor.antecedent
