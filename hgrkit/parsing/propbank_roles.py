"""Roles as plain PropBank gives them to the phrases of a clause: features and a log-linear model."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from hgrkit.graph import Role
from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.lexicon import table_lines
from hgrkit.parsing.phrase import NUMBERED_ROLES, Phrase

__all__ = ["NO_ROLE", "RoleModel", "propbank_roles", "role_features", "role_phrases"]

NO_ROLE: Role = "-"
"""What the model answers where a phrase has no role, such as the subject of a light verb."""


@attrs.frozen
class RoleModel:
    """Scores roles: a role's score is the sum of the weights that a phrase's features have for it.

    Attributes:
        weights: feature to the weights of roles; the feature `` is in every phrase.
    """

    weights: Mapping[str, Mapping[Role, float]] = attrs.field(repr=False)

    @classmethod
    @functools.cache
    def load(cls) -> RoleModel:
        """Load hgrkit's own model, once."""
        weights = {}
        for line in table_lines("role_model.txt.gz"):
            feature, *pairs = line.split("\t")
            tenths = map(int, pairs[1::2])
            weights[feature] = {role: tenth / 10 for role, tenth in zip(pairs[::2], tenths, strict=True)}
        return cls(weights)

    def ranked(self, features: Iterable[str]) -> list[tuple[float, Role]]:
        """Rank every role with its score, the best first."""
        scores = dict(self.weights[""])
        for feature in features:
            for role, weight in self.weights.get(feature, {}).items():
                scores[role] += weight
        return sorted(((score, role) for role, score in scores.items()), key=lambda pair: (-pair[0], pair[1]))


_LIGHT = frozenset({"do", "get", "give", "have", "make", "pay", "take"})


def role_phrases(clause: Phrase) -> list[Phrase]:
    """The phrases of a clause that may have a role: its subject, its dependents, and its gap."""
    subject = [clause.subject] if clause.subject is not None and clause.subject.kind != "mark" else []
    gap = [clause.gap] if clause.gap is not None else []
    found = [*subject, *clause.children, *gap]
    return [phrase for phrase in found if phrase.content != clause.head]


def role_features(words: Sequence[str], tree: DependencyTree, clause: Phrase, phrase: Phrase) -> list[str]:
    """Compute the features of one phrase of a clause; `role_phrases` lists them.

    Args:
        words: the lower-cased tokens.
        tree: their tree.
        clause: the verb's clause.
        phrase: the phrase.
    """
    head = phrase.content
    verb, noun, tag = clause.lemma, tree.lemma[head].lower(), tree.upos[head]
    objects = [child for child in clause.children if child.relation == "object"]
    thing = tree.lemma[objects[-1].head].lower() if objects else ""
    slot = _slot(words, tree, clause, phrase, objects)
    frame = f"{'passive' if clause.passive else 'active'} {'with' if thing else 'without'}"
    pairs = [
        ("", ""),
        ("verb", verb),
        ("noun", noun),
        ("frame", frame),
        ("verb frame", f"{verb} {frame}"),
    ]
    if phrase.relation == "preposition":
        pairs += [("verb noun", f"{verb} {noun}"), ("tag", tag)]
    if phrase is clause.subject:
        link = _link(words, tree, clause, head)
        prepositions = sorted(child.word for child in clause.children if child.relation == "preposition")
        pairs += [
            ("link", " ".join(link)),
            ("verb link", f"{verb} {link[0]}"),
            ("verb tag", f"{verb} {tag}"),
            ("verb prepositions", " ".join([verb, *prepositions])),
        ]
    if thing:
        pairs += [("verb object", f"{verb} {thing}")]
    if thing and verb in _LIGHT:
        pairs += [("light", thing), ("light ending", thing[-3:])]
    return [f"{slot}|{name}|{value}" for name, value in pairs]


def _slot(
    words: Sequence[str], tree: DependencyTree, clause: Phrase, phrase: Phrase, objects: Sequence[Phrase]
) -> str:
    """What a phrase is to its verb, with the word that says so: `preposition with`, `complement xcomp to`."""
    if phrase is clause.subject:
        kind = "passive subject" if clause.passive else "subject"
        return f"{kind}+object" if objects or (clause.gap is not None and not clause.passive) else kind
    if phrase is clause.gap:
        return "gap"
    return " ".join([phrase.relation, *_slot_words(words, tree, clause, phrase, objects)])


def _slot_words(
    words: Sequence[str], tree: DependencyTree, clause: Phrase, phrase: Phrase, objects: Sequence[Phrase]
) -> Iterator[str]:
    head = phrase.content
    ground, marker = phrase.find("ground"), phrase.find("marker")
    if phrase.relation == "object" and len(objects) > 1:
        yield "first" if phrase is objects[0] else "last"
    elif phrase.relation == "preposition":
        yield "clause" if ground is not None and ground.kind == "clause" else phrase.word
        yield phrase.word if phrase.word != "by" or not clause.passive else "passive by"
    elif phrase.relation == "adverb":
        yield "" if phrase.kind == "noun" else tree.lemma[head].lower()
    elif phrase.relation == "adjunct":
        yield tree.xpos[head] if marker is None else words[marker.head]
    elif phrase.relation == "complement":
        yield tree.deprel[head]
        yield from (words[mark] for mark in tree.children(head, "mark"))
    elif phrase.relation == "attribute":
        yield tree.upos[head]


def _link(words: Sequence[str], tree: DependencyTree, clause: Phrase, head: int) -> list[str]:
    """How a clause comes by its subject: as its own, or by its relation, markers and form."""
    if tree.head[head] == clause.head and not clause.antecedent:
        return ["own"]
    marks = sorted(words[mark] for mark in tree.children(clause.head, "mark", "case"))
    form = "finite" if tree.has(clause.head, "VerbForm=Fin") else tree.xpos[clause.head]
    return [tree.deprel[clause.head].partition(":")[0], *marks, form]


_FIXED = {"modal": "ARGM-MOD", "negation": "ARGM-NEG"}


def propbank_roles(words: Sequence[str], tree: DependencyTree, clause: Phrase) -> Iterator[tuple[Phrase, Role]]:
    """Yield a clause's phrases with their roles, the subject first and a relative clause's noun last.

    Args:
        words: the sentence's lower-cased tokens.
        tree: their tree.
        clause: the verb's clause.
    """
    phrases, model = role_phrases(clause), RoleModel.load()
    ranked = {
        at: model.ranked(role_features(words, tree, clause, phrase))
        for at, phrase in enumerate(phrases)
        if phrase.relation not in _FIXED or phrase is clause.subject
    }
    chosen: dict[int, Role] = {}
    # the surest first, by how far the best role is ahead of the next; a numbered role is given once
    for at in sorted(ranked, key=lambda at: ranked[at][1][0] - ranked[at][0][0]):
        used = NUMBERED_ROLES & set(chosen.values())
        chosen[at] = next(role for _, role in ranked[at] if role not in used)
    for at, phrase in enumerate(phrases):
        role = chosen.get(at) or _FIXED[phrase.relation]
        if role != NO_ROLE:
            yield phrase, role
