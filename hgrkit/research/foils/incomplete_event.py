"""Foils that only say a part of the event: a true sentence, or a piece of one, with something left out."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hgrkit.research.foils.clause import Clause, read_clause
from hgrkit.research.foils.evidence import Evidence
from hgrkit.research.foils.sentence import Draft, NounCore, Sentence, noun_core
from hgrkit.research.foils.word_list import beings

__all__ = ["incomplete_event"]

_NEEDED_BY = frozenset(
    "put place set lay be seem become look keep make get go come lead belong consist head hand".split()
)
_DROPPED = frozenset({"ARGM-LOC", "ARGM-TMP", "ARGM-MNR", "ARGM-ADV", "ARGM-PRP", "ARGM-COM"})
_NEVER_LAST = frozenset({"PREP", "DET", "CC", "TO", "BE", "SUB", "PUNCT", "MD", "REL"})
_LINKS = frozenset({"and", "while", "as", ","})


def incomplete_event(sentence: Sentence, evidence: Evidence, rng: Random) -> Iterator[Draft]:
    """Yield what is left without a clause or a phrase, or a phrase alone."""
    spans = _whole_sentences(sentence)
    pieces = _fragments(sentence)
    rng.shuffle(spans)
    rng.shuffle(pieces)
    kept = [*spans, *pieces] if rng.random() < 0.6 else [*pieces, *spans]
    for start, stop in dict.fromkeys(kept):
        draft = _draft(sentence, start, stop, evidence)
        if draft is not None:
            yield draft


def _draft(sentence: Sentence, start: int, stop: int, evidence: Evidence) -> Draft | None:
    end = range(sentence.stop, len(sentence))
    text = sentence.write([*range(start, stop), *end])
    if " ".join(sentence.words[start:stop]) in evidence.captions:
        return None
    left_out = [sentence.text(0, start), sentence.text(stop, sentence.stop)]
    return Draft(text=text, was=" / ".join(part for part in left_out if part), now="")


def _whole_sentences(sentence: Sentence) -> list[tuple[int, int]]:
    """Beginnings of the sentence that are sentences: cut before its last phrases or before a second clause."""
    clauses = [
        clause for action in sentence.graph.actions if (clause := read_clause(sentence, action)) is not None
    ]
    if not clauses or clauses[0].subject is None or clauses[0].subject.span.start != 0:
        return []
    first = clauses[0]
    cuts = []
    for node, role in first.others:
        at = node.span.start
        if at > first.verb and role in _DROPPED and (sentence.words[at] != "to" or role == "ARGM-PRP"):
            cuts.append(at)
    for clause in clauses[1:]:
        link = _link_before(sentence, clause)
        if link is not None:
            cuts.append(link)
    core = noun_core(sentence, first.object) if first.object is not None else None
    if core is not None and first.object is not None and core.stop < first.object.span.stop:
        cuts.append(core.stop)
    return [(0, cut) for cut in cuts if _is_complete(sentence, first, cut)]


def _link_before(sentence: Sentence, clause: Clause) -> int | None:
    """The token of the `and`, comma or `while` that begins a clause, its auxiliary and subject skipped."""
    at = clause.auxiliary if clause.auxiliary is not None else clause.action.span.start
    if clause.subject is not None and clause.subject.span.start > 0 and clause.subject.span.stop == at:
        at = clause.subject.span.start
    while at > 0 and "ADV" in sentence.tags[at - 1][:1]:
        at -= 1
    return at - 1 if at > 0 and sentence.words[at - 1] in _LINKS else None


def _is_complete(sentence: Sentence, clause: Clause, cut: int) -> bool:
    """Whether the words before a cut have the verb with its object, and do not end in the middle of a phrase."""
    if cut <= clause.verb or cut >= sentence.stop or clause.lemma in _NEEDED_BY:
        return False
    if clause.object is not None and clause.object.span.start < cut < clause.object.span.stop:
        core = noun_core(sentence, clause.object)
        if core is None or cut < core.stop:
            return False
    # "washes and dries the dishes": the verb's object stands behind the next verb
    if clause.object is None and cut == clause.action.span.stop and sentence.words[cut] in {"and", ","}:
        return False
    return not _is_torn(sentence, cut)


def _is_torn(sentence: Sentence, cut: int) -> bool:
    """Whether a cut parts what belongs together."""
    words = sentence.words
    if words[cut - 1 : cut] == words[cut + 1 : cut + 2]:  # side by side
        return True
    if words[cut] == "and" and "," in words[:cut]:  # the last of several
        return True
    return sentence.tags[cut - 1][0] in _NEVER_LAST or words[cut - 1] in {"very", "so", "too", "rather"}


def _fragments(sentence: Sentence) -> list[tuple[int, int]]:
    """Phrases that stand alone: who acts, what it is done to, or the deed without who does it."""
    cores = [noun_core(sentence, node) for node in sentence.graph.entities]
    found = [(core.start, core.stop) for core in cores if core is not None and _names(sentence, core)]
    for action in sentence.graph.actions:
        clause = read_clause(sentence, action)
        if clause is not None and clause.form == "VBG" and clause.lemma not in _NEEDED_BY:
            stop = _object_end(sentence, clause)
            if stop is not None:
                found.append((action.span.start, stop))
    return [(start, stop) for start, stop in found if stop - start < sentence.stop]


def _names(sentence: Sentence, core: NounCore) -> bool:
    """Whether a phrase names somebody or something by itself, and its noun is not a verb that was misread."""
    if not core.determined or core.possessive:
        return False
    if any(action.head in range(core.start, core.stop) for action in sentence.graph.actions):
        return False
    known, noun, before = beings().kinds, sentence.words[core.head], core.head - 1
    if before < core.start:
        return True
    of_being = sentence.words[before] in known and noun not in known  # `a woman dance`
    return not of_being and not (noun.endswith("ing") and "NOUN" in sentence.tags[before])  # `a roof dancing`


def _object_end(sentence: Sentence, clause: Clause) -> int | None:
    """Where the verb's object ends, if it is a plain phrase and no part of a longer one."""
    core = noun_core(sentence, clause.object) if clause.object is not None else None
    if core is None or clause.object is None:
        return None
    ends = core.stop == clause.object.span.stop or sentence.tags[core.stop][0] in {"PREP", "CC", "PUNCT"}
    return core.stop if ends else None
