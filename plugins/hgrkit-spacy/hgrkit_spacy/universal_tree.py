"""spaCy's English trees (ClearNLP's labels) to the Universal Dependencies that hgrkit's labeller reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit_spacy.copula import raise_predicates
from hgrkit_spacy.mutable_tree import MutableTree
from hgrkit_spacy.preposition import turn_prepositions

__all__ = ["universal_tree"]

_RENAMED = {
    "ROOT": "root",
    "attr": "xcomp",
    "acomp": "xcomp",
    "oprd": "xcomp",
    "auxpass": "aux:pass",
    "csubjpass": "csubj:pass",
    "dative": "iobj",
    "dobj": "obj",
    "intj": "discourse",
    "meta": "discourse",
    "neg": "advmod",
    "npadvmod": "obl",
    "nsubjpass": "nsubj:pass",
    "pcomp": "advcl",
    "pobj": "obl",
    "poss": "nmod:poss",
    "preconj": "cc:preconj",
    "predet": "det:predet",
    "prep": "advmod",
    "agent": "advmod",
    "prt": "compound:prt",
    "quantmod": "advmod",
    "relcl": "acl:relcl",
}
_FINITE = frozenset({"MD", "VBZ", "VBP", "VBD"})
_BARE_FORMS = frozenset({"VB", "VBG", "VBN"})


class SpacyToken(Protocol):
    """What is read of a token of spaCy."""

    i: int
    lower_: str
    pos_: str
    tag_: str
    lemma_: str
    dep_: str
    morph: object

    @property
    def head(self) -> SpacyToken:
        """Its governor; a root governs itself."""
        ...


def universal_tree(doc: Iterable[SpacyToken]) -> DependencyTree:
    """The tree of a parsed sentence; several sentences have several roots.

    Prepositions become `case` of what they govern, copulas `cop` of what they say; conjuncts hang on the first;
    "to" is a `mark`; the subject of "make them go" is the object of "make".
    """
    tokens = list(doc)
    tree = MutableTree(
        words=[token.lower_ for token in tokens],
        tags=[token.tag_ for token in tokens],
        lemmas=[token.lemma_.lower() for token in tokens],
        upos=["VERB" if _is_main(token) else token.pos_ or "X" for token in tokens],
        heads=[-1 if token.head.i == token.i else token.head.i for token in tokens],
        labels=[token.dep_ or "dep" for token in tokens],
    )
    _flatten_conjuncts(tree)
    _mark_infinitives(tree)
    _raise_objects(tree)
    turn_prepositions(tree)
    raise_predicates(tree)
    labels = [_RENAMED.get(label, label) for label in tree.labels]
    feats = [str(token.morph) or "_" for token in tokens]
    return DependencyTree(
        upos=tree.upos,
        xpos=tree.tags,
        lemma=tree.lemmas,
        feats=[_with_negation(feat, token) for feat, token in zip(feats, tokens, strict=True)],
        head=tree.heads,
        deprel=labels,
    )


def _is_main(token: SpacyToken) -> bool:
    """Whether an auxiliary's form is a verb of its own: "has a hat"."""
    return token.pos_ == "AUX" and token.lemma_ != "be" and not token.dep_.startswith("aux")


def _with_negation(feats: str, token: SpacyToken) -> str:
    if token.dep_ != "neg" or "Polarity=Neg" in feats:
        return feats
    return "Polarity=Neg" if feats == "_" else f"{feats}|Polarity=Neg"


def _flatten_conjuncts(tree: MutableTree) -> None:
    """Hang every conjunct on the first one, and a conjunction on the conjunct that follows it."""
    for token in range(len(tree)):
        while tree.labels[token] == "conj" and tree.labels[tree.heads[token]] == "conj":
            tree.heads[token] = tree.heads[tree.heads[token]]
    for token in range(len(tree)):
        if tree.labels[token] == "cc":
            above = tree.heads[token]
            first = tree.heads[above] if tree.labels[above] == "conj" else above
            following = [child for child in tree.children(first, "conj") if child > token]
            if following:
                tree.heads[token] = following[0]


def _mark_infinitives(tree: MutableTree) -> None:
    for token in range(len(tree)):
        if tree.labels[token] == "aux" and tree.tags[token] == "TO":
            tree.labels[token] = "mark"


def _raise_objects(tree: MutableTree) -> None:
    """The subject of a clause without a finite verb, as in "make them go", is what the verb above acts on."""
    for token in range(len(tree)):
        if tree.labels[token] != "ccomp" or tree.tags[token] not in _BARE_FORMS or tree.heads[token] < 0:
            continue
        above = tree.heads[token]
        subjects = tree.children(token, "nsubj")
        finite = any(
            tree.tags[child] in {"MD", "VBZ", "VBP", "VBD"} for child in tree.children(token, "aux", "auxpass")
        )
        if subjects and not finite and not tree.children(above, "dobj") and above < subjects[0]:
            tree.attach(subjects[0], above, "dobj")
            tree.labels[token] = "xcomp"
