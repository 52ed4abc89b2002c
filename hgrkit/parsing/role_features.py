"""Part of the PropBank labeller: what a phrase is to its verb, as the features that the role model weighs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.phrase import Phrase

__all__ = ["content_head", "role_features", "role_phrases"]

_LIGHT = frozenset({"do", "get", "give", "have", "make", "pay", "take"})


def role_phrases(clause: Phrase) -> list[Phrase]:
    """The phrases of a clause that may have a role: its subject, what hangs on it, and its gap."""
    subject = [clause.subject] if clause.subject is not None and clause.subject.kind != "mark" else []
    gap = [clause.gap] if clause.gap is not None else []
    found = [*subject, *clause.children, *gap]
    return [phrase for phrase in found if content_head(phrase) != clause.head]


def content_head(phrase: Phrase) -> int:
    """A phrase's content word: of a preposition, what it governs."""
    ground = phrase.find("ground")
    return phrase.head if ground is None else ground.head


def role_features(words: Sequence[str], tree: DependencyTree, clause: Phrase, phrase: Phrase) -> list[str]:
    """The features of one phrase; `role_phrases` lists a clause's phrases.

    Args:
        words: the lower-cased tokens.
        tree: their tree.
        clause: the verb's clause.
        phrase: the phrase.
    """
    head = content_head(phrase)
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
    head = content_head(phrase)
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
