"""Foils in which the one who acts and another participant have changed places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from hgrkit.graph import Node
from hgrkit.research.foils.clause import BE, Clause, agreeing, read_clause
from hgrkit.research.foils.evidence import Evidence
from hgrkit.research.foils.sentence import Draft, NounCore, Sentence, classes_of, linked_nodes, noun_core
from hgrkit.research.foils.word_list import beings, things

__all__ = ["switch_roles"]

_MUTUAL = frozenset(
    "kiss hug embrace meet fight wrestle box dance talk speak chat argue play race marry date join accompany face "
    "touch greet cuddle snuggle hold spar compete collide converse look watch see stare wave smile laugh walk sit "
    "stand lie run sleep work interview resemble nuzzle be have spend hang".split()
)
_STATES = frozenset("be have give show tell teach ask offer send hand resemble contain involve".split())
_DRESSED = frozenset({"dress", "seat", "cover", "surround", "fill", "gather", "line"})
_PREPOSITIONS = frozenset({"at", "with", "on", "to", "in", "by", "from", "into", "onto", "over", "through"})
_ROLES = frozenset({"ARG0", "ARG1", "ARG2"})
_ANIMATE = frozenset({"person", "animal"})


def switch_roles(sentence: Sentence, evidence: Evidence, rng: Random) -> Iterator[Draft]:
    """Yield one foil for each verb whose roles can be switched."""
    actions = sentence.graph.actions
    for action in rng.sample(actions, len(actions)):
        clause = read_clause(sentence, action)
        if clause is not None and clause.subject is not None and clause.subject.span.start == 0:
            draft = _switched(sentence, clause, clause.subject, evidence)
            if draft is not None:
                yield draft


def _switched(sentence: Sentence, clause: Clause, subject: Node, evidence: Evidence) -> Draft | None:
    agent, other = _agent(sentence, subject), _other(sentence, clause)
    if agent is None or other is None or not _differ(sentence, clause, agent, other, evidence):
        return None
    if not _only_helpers_between(sentence, subject.span.stop, clause):
        return None
    # a verb inside the subject of another only describes it
    described = any(start <= clause.verb < stop for start, stop, _ in _spans_before_verbs(sentence))
    plural = sentence.is_plural(other.start, other.stop, other.head)
    before = _number_of_verb(sentence, clause, sentence.is_plural(0, subject.span.stop, agent.head))
    if plural is None or before is None or clause.lemma in _DRESSED or described:
        return None
    middle = _verb_group(sentence, subject.span.stop, other.start, clause, plural=plural, change=plural != before)
    if middle is None:
        return None
    agent_words = list(range(subject.span.start, subject.span.stop))
    pieces = [*_as_subject(other), *middle, *agent_words, *range(other.stop, len(sentence))]
    first, second = sentence.text(0, subject.span.stop), sentence.text(other.start, other.stop)
    return Draft(text=sentence.write(pieces), was=f"{first} / {second}", now=f"{second} / {first}")


def _agent(sentence: Sentence, subject: Node) -> NounCore | None:
    """The subject, if it is a plain phrase that can stand behind a verb as well."""
    core = noun_core(sentence, subject)
    inside = sentence.words[subject.span.start : subject.span.stop]
    if core is None or not core.determined or core.possessive or "," in inside:
        return None
    acts = any(action.head in range(subject.span.start, subject.span.stop) for action in sentence.graph.actions)
    return None if acts else core


def _other(sentence: Sentence, clause: Clause) -> NounCore | None:
    """The object, or without one the phrase behind a preposition that follows the verb."""
    node = clause.object
    if node is None:
        follows = [
            entity
            for entity, role in clause.others
            if role in _ROLES
            and entity.span.start == clause.action.span.stop
            and sentence.words[entity.span.start] in ({"by"} if clause.passive else _PREPOSITIONS)
        ]
        node = follows[0] if follows else None
    if node is None:
        return None
    core = noun_core(sentence, node)
    if core is None or core.start > node.span.start + 1 or sentence.tags[core.head][0] in {"ADJ", "ADV"}:
        return None
    return core if _is_movable(sentence, core) else None


def _is_movable(sentence: Sentence, core: NounCore) -> bool:
    """Whether a phrase is whole where it ends, has no verb inside, and can begin a sentence."""
    acts = any(action.head in range(core.start, core.stop) for action in sentence.graph.actions)
    if acts or "and" in sentence.words[core.start : core.stop]:
        return False
    if core.stop < sentence.stop:
        coordinated = sentence.words[core.stop] in {"and", "or", ","}
        described = sentence.tags[core.stop][0] in {"PRON", "DET", "REL"}  # by a clause
        if coordinated or described:
            return False
    return core.determined or sentence.words[core.head] in things()


def _differ(sentence: Sentence, clause: Clause, agent: NounCore, other: NounCore, evidence: Evidence) -> bool:
    """Whether the switched sentence says something else, and nothing that another caption says."""
    known = beings()
    if known.kinds_of(agent.noun) & known.kinds_of(other.noun):
        return False
    doer = known.singular_of(sentence.words[other.head])
    if (doer, clause.lemma) in evidence.doings or (clause.lemma in _STATES or sentence.words[clause.verb] in BE):
        return False
    both_act = _ANIMATE & classes_of(agent.noun) and (_ANIMATE & classes_of(other.noun))
    if not both_act:
        # a thing that acts in the place of a being is wrong in any case
        return bool(classes_of(agent.noun) & _ANIMATE) or clause.passive
    related = any(
        kind in known.near.get(near, frozenset())
        for one, two in ((agent.noun, other.noun), (other.noun, agent.noun))
        for near in known.kinds_of(one)
        for kind in known.kinds_of(two)
    )
    return clause.lemma not in _MUTUAL and not related


def _only_helpers_between(sentence: Sentence, start: int, clause: Clause) -> bool:
    helpers = BE | {"has", "have", "had", "does", "do", "did", "can", "will"}
    return all(sentence.words[at] in helpers or sentence.tags[at][0] == "ADV" for at in range(start, clause.verb))


def _spans_before_verbs(sentence: Sentence) -> list[tuple[int, int, int]]:
    """The spans that stand before their verbs, with the verbs' nodes."""
    return [
        (entity.span.start, entity.span.stop, action.id)
        for action, entity, _ in linked_nodes(sentence.graph)
        if entity.span.stop <= action.span.start
    ]


def _number_of_verb(sentence: Sentence, clause: Clause, guess: bool | None) -> bool | None:
    """Whether the verb is in the plural; as the noun is where the verb does not say."""
    if clause.auxiliary is not None:
        return sentence.words[clause.auxiliary] in {"are", "were", "have", "do"}
    return {"VBZ": False, "VBP": True}.get(clause.form, guess)


def _verb_group(
    sentence: Sentence, start: int, stop: int, clause: Clause, *, plural: bool, change: bool
) -> list[int | str] | None:
    """The words between the two participants, in the number of the new subject."""
    group: list[int | str] = list(range(start, stop))
    if not change:
        return group
    if any(start == 0 and action != clause.action.id for start, _, action in _spans_before_verbs(sentence)):
        return None
    if clause.auxiliary is not None:
        group[clause.auxiliary - start] = agreeing(sentence.words[clause.auxiliary], plural=plural)
    elif clause.form in {"VBZ", "VBP"}:
        group[clause.verb - start] = agreeing("", plural=plural, lemma=clause.lemma)
    return group


def _as_subject(core: NounCore) -> Sequence[int | str]:
    """The phrase as a subject: with `the` where it had no determiner or that of the other."""
    words: list[int | str] = list(range(core.start, core.stop))
    if core.possessive:
        return ["the", *words[1:]]
    return words if core.determined else ["the", *words]
