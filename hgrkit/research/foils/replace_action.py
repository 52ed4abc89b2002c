"""Foils in which another verb stands for the caption's: one that takes the same object and is not true."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from hgrkit.research.foils.clause import BE, Clause, read_clause
from hgrkit.research.foils.evidence import Evidence
from hgrkit.research.foils.inflection import inflect
from hgrkit.research.foils.sentence import NOMINAL, Draft, Sentence, classes_of, noun_core
from hgrkit.research.foils.word_list import Verb, beings, verbs

__all__ = ["replace_action"]

_KEPT = frozenset(
    "be have do get keep try start begin stop continue make let help seem appear use want like go come give show "
    "see watch insert put place add pour set lay say tell ask happen perform practice act involve include contain "
    "demonstrate teach learn finish".split()
)
_STATIC = frozenset(
    "in on near inside outside under behind beside by with beneath below above during indoors".split()
)
_DIRECTIONAL = frozenset("across through along down over around into up towards toward past onto around".split())
_NOT_BEHIND = frozenset(
    "half halves pieces slices strips cubes lengthwise off out up down apart open away together back order "
    "phone telephone circle circles hand hands mouth lap arm arms shoulder shoulders line row unison".split()
)
_WAYS = frozenset({"around", "forward", "backward", "backwards", "away"})
_NOTHING: frozenset[str] = frozenset()
"""What stands behind a verb where no verb of the list could stand."""
_OF_MOVING = frozenset({"move", "go", "come", "travel", "play", "work"})


def replace_action(sentence: Sentence, evidence: Evidence, rng: Random) -> Iterator[Draft]:
    """Yield one foil for each verb that can be replaced, drawn by the verbs' frequency in the captions."""
    actions = sentence.graph.actions
    for action in rng.sample(actions, len(actions)):
        clause = read_clause(sentence, action)
        if clause is None or clause.subject is None or _is_kept(sentence, clause):
            continue
        fitting = [verb for verb in _fitting(sentence, clause) if evidence.excludes(verb.near)]
        if fitting:
            (verb,) = rng.choices(fitting, [evidence.weight(verb.lemma) for verb in fitting])
            yield sentence.replaced(action.span.start, action.span.stop, inflect(verb.lemma, clause.form))


def _is_kept(sentence: Sentence, clause: Clause) -> bool:
    """Whether the verb means too little, or may be a participle that describes (`a man dressed in black`)."""
    if clause.lemma in _KEPT or sentence.words[clause.verb] in BE or sentence.words[clause.verb - 1] == "do":
        return True
    if clause.lemma == "take" and clause.action.span.stop == clause.verb + 1:
        return True
    if clause.form in {"VBD", "VBZ", "VBP"} and not _begins_clause(sentence, clause):
        return True
    to = clause.verb - 1  # `food to eat`
    if clause.form == "VB" and sentence.words[to] == "to" and sentence.tags[to - 1][0] in NOMINAL:
        return True
    may_describe = clause.form == "VBD" and inflect(clause.lemma, "VBN") == inflect(clause.lemma, "VBD")
    return may_describe and clause.object is None and clause.action.span.stop < sentence.stop


def _begins_clause(sentence: Sentence, clause: Clause) -> bool:
    """Whether a past form stands where a finite verb does, and is no participle before a noun."""
    before = clause.verb - 1
    ends_subject = clause.subject is not None and clause.subject.span.stop == clause.verb
    if ends_subject or sentence.tags[before][0] in {"ADV", "REL"}:
        return True
    earlier = [action for action in sentence.graph.actions if action.span.stop <= before]
    alone = earlier and "VBG" in sentence.tags[earlier[-1].span.start][:1]  # `removing skin and bones`
    return not alone and (sentence.tags[before][0] == "CC" or sentence.words[before] == ",")


def _fitting(sentence: Sentence, clause: Clause) -> list[Verb]:
    """The verbs that have the same frame: done by the same kind of being, with the same behind them."""
    who = _who(sentence, clause)
    with_object = clause.passive or clause.object is not None
    what = _object_classes(sentence, clause) if with_object else _without_object(sentence, clause)
    return [
        verb
        for verb in verbs()
        if verb.what & what and (clause.passive or who in verb.who) and verb.lemma != clause.lemma
    ]


def _who(sentence: Sentence, clause: Clause) -> str | None:
    """`p` for a person that does it, `a` for an animal; `None` if its kind is not known."""
    if clause.subject is None or clause.subject.head is None:
        return None
    noun = sentence.words[clause.subject.head]
    if noun in {"group", "bunch", "pair", "herd", "pack", "number"}:
        core = noun_core(sentence, clause.subject)
        noun = core.noun if core is not None else noun
    if noun in {"he", "she", "they"} or "person" in classes_of(noun):
        return "p"
    kinds = beings().kinds_of(noun)
    return "a" if kinds and kinds.isdisjoint({"robot", "pronoun_man", "pronoun_woman"}) else None


def _object_classes(sentence: Sentence, clause: Clause) -> frozenset[str]:
    """What is done something to, as `Verb.what` names it."""
    node = clause.subject if clause.passive else clause.object
    core = noun_core(sentence, node) if node is not None else None
    if core is None:
        return _NOTHING
    behind = clause.action.span.stop if clause.passive else core.stop
    passive_by = clause.passive and sentence.words[behind : behind + 1] == ("by",)
    if not _ends_well(sentence, behind, passive=passive_by):
        return _NOTHING
    if not core.determined and _is_compound(sentence, clause):
        return _NOTHING
    classes = classes_of(core.noun) - {"abstract"}
    mass = bool(classes & {"food", "dish", "liquid"})
    return classes if core.determined or mass or clause.passive else _NOTHING


def _is_compound(sentence: Sentence, clause: Clause) -> bool:
    """Whether a verb in `ing` may be the first part of a noun: `applies shaving cream`."""
    before = sentence.tags[clause.verb - 1][0]
    return clause.form == "VBG" and before not in {"BE", "CC", "NOUN", "NOUNS", "PRON", "ADV", "PUNCT", "SUB"}


def _without_object(sentence: Sentence, clause: Clause) -> frozenset[str]:
    """Whether a verb stands alone or goes with a direction, as `Verb.what` names it."""
    at = clause.action.span.stop
    if any(role in {"ARG1", "ARG2"} and node.span.stop <= clause.verb for node, role in clause.others):
        return _NOTHING  # its object stands in front: `the fish that he caught`
    ends_with_way = at + 1 == sentence.stop and sentence.words[at] in _WAYS
    if ends_with_way or (at < sentence.stop and _is_direction(sentence, at)):
        moves = clause.lemma not in _OF_MOVING and _free_of_odd(sentence, at)
        return frozenset({"motion"}) if moves else _NOTHING
    if len(clause.action.span) > 1 or not _ends_well(sentence, at, passive=False):
        return _NOTHING
    return frozenset({"none"})


def _is_direction(sentence: Sentence, at: int) -> bool:
    """Whether a preposition of a way stands here with its noun behind it."""
    nominal = at + 1 < sentence.stop and sentence.tag(at + 1) in NOMINAL | {"DET", "NUM", "ADJ", "PRON"}
    return sentence.words[at] in _DIRECTIONAL and nominal


def _ends_well(sentence: Sentence, at: int, *, passive: bool) -> bool:
    """Whether what follows goes with any verb: nothing, a place, a tool, or another clause."""
    if at >= sentence.stop:
        return True
    word, more = sentence.words[at], at + 1 < sentence.stop
    if passive:
        return _free_of_odd(sentence, at)
    if word in {"while", "as"} or (word == "," and more):
        return True
    if word == "and":
        return more and at + 1 in {action.span.start for action in sentence.graph.actions}
    if word not in _STATIC or not _free_of_odd(sentence, at) or not more or sentence.tag(at + 1) == "VBG":
        return False
    return word != "with" or any(classes_of(noun) for noun in sentence.words[at + 1 : at + 5])


def _free_of_odd(sentence: Sentence, at: int) -> bool:
    return _NOT_BEHIND.isdisjoint(sentence.words[at : sentence.stop])
