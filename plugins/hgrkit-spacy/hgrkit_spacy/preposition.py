"""Prepositions: in spaCy's trees they govern their nouns, in Universal Dependencies they hang on them."""

from __future__ import annotations

from hgrkit_spacy.mutable_tree import MutableTree

__all__ = ["turn_prepositions"]

_LABELS = ("prep", "agent", "dative", "advmod", "prt")
_PARTS = frozenset({("in", "front", "of"), ("on", "top", "of")})
_CLAUSES = frozenset({"relcl", "acl", "advcl", "ccomp", "xcomp", "pcomp", "csubj", "parataxis"})


def turn_prepositions(tree: MutableTree) -> None:
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
