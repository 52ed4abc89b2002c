"""spaCy's English trees (ClearNLP's labels) to the Universal Dependencies that hgrkit's labeller reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import attrs

from hgrkit.parsing import DependencyTree

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


@attrs.define(kw_only=True)
class MutableTree:
    """A sentence's tokens with governors and labels that may change.

    Attributes:
        words: lower-cased words.
        tags: Penn's tags.
        lemmas: lower-cased lemmas.
        upos: universal tags.
        heads: each token's governor, -1 for a root.
        labels: relations to the governors, spaCy's until the end.
    """

    words: list[str]
    tags: list[str]
    lemmas: list[str]
    upos: list[str]
    heads: list[int]
    labels: list[str]

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.words)

    def children(self, token: int, *labels: str) -> list[int]:
        """A token's dependents in order, of these labels or all."""
        return [
            child
            for child, head in enumerate(self.heads)
            if head == token and (not labels or self.labels[child] in labels)
        ]

    def attach(self, token: int, head: int, label: str) -> None:
        """Hang a token on another one."""
        self.heads[token], self.labels[token] = head, label


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
    _turn_prepositions(tree)
    _raise_predicates(tree)
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
        finite = any(tree.tags[child] in _FINITE for child in tree.children(token, "aux", "auxpass"))
        if subjects and not finite and not tree.children(above, "dobj") and above < subjects[0]:
            tree.attach(subjects[0], above, "dobj")
            tree.labels[token] = "xcomp"


# prepositions: in spaCy's trees they govern their nouns, in Universal Dependencies they hang on them ------------

_LABELS = ("prep", "agent", "dative", "advmod", "prt")
_PARTS = frozenset({("in", "front", "of"), ("on", "top", "of")})
_CLAUSES = frozenset({"relcl", "acl", "advcl", "ccomp", "xcomp", "pcomp", "csubj", "parataxis"})


def _turn_prepositions(tree: MutableTree) -> None:
    """Turn every preposition with what it governs, the outermost first.

    "by a man" after a passive is `obl:agent`, "to the dog" of "gives" an `obl`; a clause becomes `advcl` or `acl`
    with the preposition as its mark; two in a row ("out of", "over to") and "in front of" hang on one noun.
    """
    for token in _top_down(tree):
        if tree.labels[token] in _LABELS and tree.heads[token] >= 0:
            _turn(tree, token)


def _turn(tree: MutableTree, preposition: int) -> None:
    above, label = tree.heads[preposition], tree.labels[preposition]
    words = _words_of(tree, preposition)
    governed = _governed(tree, words[-1])
    if governed is None or (len(words) == 1 and label in {"advmod", "prt"}):
        return
    clausal = tree.labels[governed] == "pcomp"
    for word in words:
        for child in tree.children(word):
            if child not in words and child != governed:
                tree.heads[child] = governed
    verbal = _is_verbal(tree, above)
    if clausal:
        tree.attach(governed, above, "advcl" if verbal else "acl")
    elif verbal:
        tree.attach(governed, above, "obl:agent" if label == "agent" else "obl")
    else:
        tree.attach(governed, above, "nmod")
    for word in words:
        tree.attach(word, governed, "mark" if clausal else "case")


def _words_of(tree: MutableTree, first: int) -> list[int]:
    """The preposition with the words that belong to it: "out [of]", "in [front of]"."""
    nouns = tree.children(first, "pobj")
    if nouns:
        for of in tree.children(nouns[0], "prep"):
            if (tree.words[first], tree.words[nouns[0]], tree.words[of]) in _PARTS and tree.children(of, "pobj"):
                return [first, nouns[0], of]
        return [first]
    inner = [child for child in tree.children(first, "prep") if child > first and tree.children(child, "pobj")]
    return [first, inner[0]] if inner else [first]


def _governed(tree: MutableTree, preposition: int) -> int | None:
    return next((child for child in tree.children(preposition, "pobj", "pcomp") if child > preposition), None)


def _is_verbal(tree: MutableTree, token: int) -> bool:
    return tree.upos[token] in {"VERB", "AUX"} or tree.labels[token] in _CLAUSES


def _top_down(tree: MutableTree) -> list[int]:
    children: dict[int, list[int]] = {}
    for token, head in enumerate(tree.heads):
        children.setdefault(head, []).append(token)
    order = list(children.get(-1, []))
    for token in order:
        order.extend(children.get(token, []))
    return order


# copulas: in spaCy's trees "be" governs what it says of the subject, in Universal Dependencies it hangs on it --

_SAID = ("attr", "acomp", "oprd")
_PLACES = ("obl", "advmod")
_COMPLEMENTS = ("xcomp", "ccomp")


def _raise_predicates(tree: MutableTree) -> None:
    """Put what a copula says in its place; the noun of "there is" becomes its subject."""
    for token in range(len(tree)):
        if tree.lemmas[token] != "be" or tree.labels[token].startswith("aux"):
            continue
        if any(tree.words[child] == "there" for child in tree.children(token, "expl")):
            tree.upos[token] = "VERB"
            for noun in tree.children(token, "attr")[:1]:
                tree.labels[noun] = "nsubj"
            continue
        predicate = _predicate(tree, token)
        if predicate is not None:
            _exchange(tree, token, predicate)


def _predicate(tree: MutableTree, copula: int) -> int | None:
    """What is said: an attribute, otherwise the first place or clause after the copula."""
    for labels in (_SAID, _PLACES, _COMPLEMENTS):
        after = [child for child in tree.children(copula, *labels) if child > copula or labels is _SAID]
        said = [child for child in after if tree.words[child] not in {"not", "n't"}]
        if said:
            return said[0]
    return None


def _exchange(tree: MutableTree, copula: int, predicate: int) -> None:
    head, label = tree.heads[copula], tree.labels[copula]
    for child in tree.children(copula):
        tree.heads[child] = predicate
    tree.attach(predicate, head, label)
    tree.attach(copula, predicate, "cop")
    tree.upos[copula] = "AUX"
