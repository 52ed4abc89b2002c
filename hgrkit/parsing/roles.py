"""PropBank roles as annotators of captions give them: a table of what verbs take, and rules above it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

import attrs

from hgrkit.graph import Role
from hgrkit.parsing.lexicon import in_class, is_animate, members, table_lines
from hgrkit.parsing.phrase import NUMBERED_ROLES, Phrase

__all__ = ["RoleLabeller", "RoleTable"]

_PRIOR_WEIGHT = 2.0
"""How many sightings with a verb the shares over all verbs weigh."""
_OF_ALL_VERBS = frozenset({"subject", "subject+object", "passive subject", "passive by", "object", "recipient"})


@attrs.frozen
class RoleTable:
    """Roles of grammatical functions, by verb.

    Attributes:
        counts: (verb, function) to how often each role was seen; verb `*` is any verb.
        frames: (verb, function) to the role that the annotation guidelines of captions fix.
    """

    counts: Mapping[tuple[str, str], Mapping[Role, int]] = attrs.field(repr=False)
    frames: Mapping[tuple[str, str], Role] = attrs.field(repr=False)

    @classmethod
    @functools.cache
    def load(cls) -> RoleTable:
        """Load hgrkit's own table, once."""
        counts = {}
        for line in table_lines("roles.txt.gz"):
            verb, function, *pairs = line.split("\t")
            counts[verb, function] = dict(zip(pairs[::2], map(int, pairs[1::2]), strict=True))
        return cls(counts, _read_frames())

    def role(self, verb: str, function: str, noun: str = "") -> Role | None:
        """Look up the likeliest role; `None` if the function was never seen.

        Args:
            verb: the verb's lemma.
            function: `subject`, `subject+object` (of a verb with an object), `passive subject`, `passive by`,
                `object`, `recipient`, `attribute`, `complement`, `purpose`, `adverb` or a preposition.
            noun: the noun or adverb itself, which distinguishes times from places.

        >>> RoleTable.load().role("put", "on")
        'ARG2'
        """
        fixed = self.frames.get((verb, function))
        if fixed is not None:
            return fixed
        seen = self.counts.get((verb, function), {})
        scores: dict[Role, float] = dict(seen)
        prior = self.counts.get(("*", f"{function}/{noun}")) or self.counts.get(("*", function))
        if prior:
            total = sum(prior.values())
            for role, count in prior.items():
                # numbered roles mean something else with each verb
                if seen or role.startswith("ARGM") or function in _OF_ALL_VERBS:
                    scores[role] = scores.get(role, 0.0) + _PRIOR_WEIGHT * count / total
        return max(sorted(scores), key=scores.__getitem__) if scores else None

    def seen(self, verb: str, function: str) -> Role | None:
        """Look up the role that this verb itself gave most often; `None` if it was never seen."""
        counts = self.counts.get((verb, function), {})
        return max(sorted(counts), key=counts.__getitem__) if counts else None

    def of_any_verb(self) -> RoleTable:
        """Drop what is known of single verbs, for languages whose verbs are not listed."""
        shared = {(verb, function): roles for (verb, function), roles in self.counts.items() if verb == "*"}
        return RoleTable(shared, {})


def _read_frames() -> dict[tuple[str, str], Role]:
    frames: dict[tuple[str, str], Role] = {}
    for line in table_lines("frames.txt"):
        heads, _, pairs = line.partition(": ")
        verbs = [verb for head in heads.split() for verb in (members(head[1:]) if head[0] == "@" else [head])]
        for pair in pairs.split(", "):
            function, role = pair.split()
            of_class = function in {"directional", "static"}
            functions = members(function) if of_class else [function.replace("passive_", "passive ")]
            frames |= {(verb, name): role for verb in verbs for name in functions}
    return frames


_FIXED: Mapping[str, Role] = {"modal": "ARGM-MOD", "negation": "ARGM-NEG", "predicate": "ARGM-PRD"}
_CLAUSAL: Mapping[str, Role] = {"complement": "ARG1", "purpose": "ARGM-PRP"}
_SAME_FOR_ALL_VERBS = ("ARGM-TMP", "ARGM-LOC", "ARGM-MNR", "ARGM-DIR", "ARGM-ADV", "ARGM-PRP")
# "the door opens": without an object, a thing as the subject undergoes what the verb says
_LABILE = frozenset(["open", "turn", "close", "roll", "spin", "move", "shake", "break", "play", "fly"])
# "tells a man", "teaches a child": who is addressed is ARG2, what is told ARG1
_ADDRESSED = frozenset(["tell", "teach", "ask"])
# "talks with a man" has a listener, "walks with a man" company
_HEARERS = frozenset(["interact", "communicate", "talk", "speak", "help", "chat", "converse", "provide"])
_TELEPHONES = frozenset(["phone", "telephone", "cellphone", "smartphone"])
_MANNERS = frozenset("motion way manner style circle row rows line lines unison speed pair pairs".split())
_TIME_PREPOSITIONS = frozenset(
    ["around", "between", "by", "in", "on", "at", "during", "for", "before", "after", "throughout", "until"]
)
_TIME_MARKERS = frozenset(["after", "before", "while", "when", "upon", "since"])
_EXTENTS = frozenset(["along", "around", "across", "over", "past"])
_UNSEEN = {"with": "ARGM-MNR", "for": "ARGM-PRP", "about": "ARG1", "like": "ARGM-MNR"}
_UNSEEN_GERUND = {"for": "ARGM-PRP", "without": "ARGM-MNR", "with": "ARGM-MNR", "by": "ARGM-MNR"}


class RoleLabeller:
    """Roles for the phrases of a clause.

    Args:
        words: the sentence's lower-cased tokens.
        table: roles by verb and function.
    """

    def __init__(self, words: Sequence[str], table: RoleTable) -> None:
        self._words, self._table = words, table

    def roles(self, clause: Phrase) -> Iterator[tuple[Phrase, Role]]:
        """Yield a clause's phrases with their roles, the subject first and a relative clause's noun last.

        A numbered role is given once; a second phrase that would have it gets the next likely one.
        """
        used: set[Role] = set()
        for phrase, role in self._candidates(clause):
            chosen = _second_choice(phrase) if role in used & NUMBERED_ROLES else role
            used.add(chosen)
            yield phrase, chosen

    def _candidates(self, clause: Phrase) -> Iterator[tuple[Phrase, Role]]:
        if clause.subject is not None and clause.subject.kind != "mark":
            yield clause.subject, self._subject(clause, clause.subject)
        for child in clause.children:
            role = self._child(clause, child)
            if role is not None:
                yield child, role
        if clause.gap is not None:
            yield clause.gap, self._gap(clause)

    def _subject(self, clause: Phrase, subject: Phrase) -> Role:
        if clause.lemma == "be" and not clause.passive:
            return "ARG1"
        if clause.passive:
            return self._table.role(clause.lemma, "passive subject") or "ARG1"
        transitive = clause.find("object") is not None or (clause.gap is not None and clause.find("gap") is None)
        if clause.lemma in _LABILE and not transitive:
            turns = clause.lemma == "turn" and clause.find("preposition") is None
            return "ARG0" if turns or is_animate(self._words[subject.head]) else "ARG1"
        role = self._table.role(clause.lemma, "subject+object" if transitive else "subject")
        return role if role in {"ARG0", "ARG1", "ARG2"} else "ARG0"

    def _child(self, clause: Phrase, child: Phrase) -> Role | None:
        role: Role | None
        match child.relation:
            case "object":
                role = self._object(clause, child)
            case "attribute":
                role = self._attribute(clause)
            case "preposition":
                role = self._preposition(clause, child)
            case "adverb":
                role = self._adverb(clause, child)
            case "complement" | "purpose" as function:
                role = self._table.frames.get((clause.lemma, function), _CLAUSAL[function])
            case "adjunct":
                role = _adjunct(child)
            case other:
                role = _FIXED.get(other)
        return role

    def _object(self, clause: Phrase, child: Phrase) -> Role:
        objects = [phrase for phrase in clause.children if phrase.relation == "object"]
        if len(objects) > 1:
            return "ARG2" if child is objects[0] else "ARG1"
        if clause.lemma in _ADDRESSED and is_animate(self._words[child.head]):
            return "ARG2"
        role = self._table.role(clause.lemma, "object")
        return role if role in {"ARG1", "ARG2"} else "ARG1"

    def _attribute(self, clause: Phrase) -> Role:
        if clause.lemma == "be" and _is_existential(clause):
            return "ARG1"
        lemma = clause.lemma
        return self._table.role(lemma, "attribute") or self._table.seen(lemma, "complement") or "ARG2"

    def _preposition(self, clause: Phrase, child: Phrase) -> Role:
        ground, word = child.find("ground"), child.word
        if ground is not None and ground.kind == "clause":
            return self._gerund(clause, word)
        noun = "" if ground is None else self._words[ground.head]
        lacks = word == "without" or (word == "with" and self._words[child.start + 1] == "no")
        circumstance = "ARGM-MNR" if lacks else _circumstance(word, noun, clause.lemma)
        if circumstance is not None:
            return circumstance
        if word == "by":
            function, default = ("passive by", "ARG0") if clause.passive else ("by", "ARGM-LOC")
            return self._table.frames.get((clause.lemma, function), default)
        if clause.lemma == "be" and not clause.passive:
            # "is in the water" says so of its subject; "there is a man in the water" only where
            first = clause.find("attribute") is None and clause.find("preposition") is child
            return "ARG2" if first and not _is_existential(clause) else "ARGM-LOC"
        return self._tabled(clause, word, noun) or _untabled(clause, word)

    def _gerund(self, clause: Phrase, word: str) -> Role:
        """The role of a preposition with a clause: "by removing the lid", "about having a dog"."""
        if word in _TIME_MARKERS:
            return "ARGM-TMP"
        found = None if word == "by" else self._table.role(clause.lemma, word)
        return found or _UNSEEN_GERUND.get(word, "ARG1")

    def _tabled(self, clause: Phrase, word: str, noun: str) -> Role | None:
        # "comes to a stop" names no place
        if clause.lemma == "come" and noun in {"stop", "end", "halt"}:
            return "ARG2"
        if (clause.lemma, word) in self._table.frames:
            return self._table.frames[clause.lemma, word]
        found = self._table.role(clause.lemma, word, noun)
        # the counts of one preposition mix times and places; times were already recognised by their nouns
        if found == "ARGM-TMP" and (in_class(word, "static") or in_class(word, "directional")):
            return None
        # the counts of rare verbs have manners where captions have places
        if found in {"ARGM-MNR", "ARGM-PRP"} and word in {"in", "at"} and noun not in _MANNERS:
            return "ARGM-LOC"
        # "sits around the table" is a place, "runs around the table" a way
        if found == "ARGM-DIR" and word in _EXTENTS and not in_class(clause.lemma, "motion"):
            return "ARGM-LOC"
        return found

    def _adverb(self, clause: Phrase, child: Phrase) -> Role:
        if child.word == "never":
            return "ARGM-NEG"
        if child.kind == "noun":
            return "ARGM-TMP"
        fixed = _fixed_role(child.word)
        if fixed is not None:
            return fixed
        role = self._table.role(clause.lemma, "adverb", child.word)
        listed = ("*", "adverb/" + child.word) in self._table.counts
        of_manner = child.word.endswith("ly") or role == "ARGM-TMP"
        return "ARGM-MNR" if role is None or (of_manner and not (listed and role == "ARGM-TMP")) else role

    def _gap(self, clause: Phrase) -> Role:
        stranded = clause.find("gap")
        if stranded is not None:
            return self._table.role(clause.lemma, stranded.word) or "ARG2"
        return self._table.frames.get((clause.lemma, "object"), "ARG2" if clause.lemma == "be" else "ARG1")


def _is_existential(clause: Phrase) -> bool:
    return clause.subject is not None and clause.subject.kind == "mark"


def _circumstance(word: str, noun: str, lemma: str) -> Role | None:
    """The role that the noun decides: of company, times, goals and telephones."""
    if word == "with" and is_animate(noun) and lemma not in _HEARERS:
        return "ARGM-COM"
    if _is_time(word, noun):
        return "ARGM-TMP"
    if word == "on" and noun in _TELEPHONES and lemma in _HEARERS:
        return "ARGM-MNR"
    # "runs after a train" has a goal, "rests after a match" a time
    if word == "after" and noun and in_class(lemma, "manner_of_motion"):
        return "ARGM-TMP" if in_class(noun, "event") else "ARGM-DIR"
    return None


def _is_time(word: str, noun: str) -> bool:
    if word == "during":
        return True
    listed = in_class(noun, "time") or (in_class(noun, "event") and word in {"before", "after"})
    return listed and word in _TIME_PREPOSITIONS


def _untabled(clause: Phrase, word: str) -> Role:
    if word == "to" and not in_class(clause.lemma, "motion"):
        return "ARG2"
    return "ARGM-DIR" if in_class(word, "directional") else _UNSEEN.get(word, "ARGM-LOC")


def _adjunct(child: Phrase) -> Role:
    marker = child.find("marker")
    role = "ARGM-ADV" if marker is None else _fixed_role(marker.word)
    return role if role in {"ARGM-ADV", "ARGM-PRP"} else "ARGM-TMP"


def _fixed_role(word: str) -> Role | None:
    return next((role for role in _SAME_FOR_ALL_VERBS if in_class(word, role)), None)


def _second_choice(phrase: Phrase) -> Role:
    if phrase.kind != "preposition":
        return "ARG2"
    if in_class(phrase.word, "directional"):
        return "ARGM-DIR"
    return "ARGM-LOC" if in_class(phrase.word, "static") else "ARGM-MNR"
