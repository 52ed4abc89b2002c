"""Copulas: in spaCy's trees "be" governs what it says of the subject, in Universal Dependencies it hangs on it."""

from __future__ import annotations

from hgrkit_spacy.mutable_tree import MutableTree

__all__ = ["raise_predicates"]

_SAID = ("attr", "acomp", "oprd")
_PLACES = ("obl", "advmod")
_CLAUSES = ("xcomp", "ccomp")


def raise_predicates(tree: MutableTree) -> None:
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
    for labels in (_SAID, _PLACES, _CLAUSES):
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
