"""Before trees are labelled: corrects what parsers of full sentences get wrong in queries without finite verbs."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.lexicon import is_animate

__all__ = ["repaired"]

_PLACES = frozenset({"indoors", "outdoors", "underwater", "overhead", "outside", "inside", "visible"})
_NOMINAL = frozenset({"NOUN", "PROPN", "PRON"})
_MODIFIERS = ("amod", "compound", "advmod", "nmod", "obl", "dep", "det", "nummod")


def repaired(tokens: Sequence[str], tree: DependencyTree) -> DependencyTree:
    """The tree of an English query, corrected; of other sentences the tree itself.

    - "short hair [indoors]", "with a tattoo [visible]": the noun before the adverb heads the phrase.
    - "[a train] crossing a bridge": a word with an article before a participle is its subject.
    - "a woman in a white dress [holding] flowers": no modifier of its object.
    - "riding a cart, [without other people]": the phrase belongs to the verb.

    Args:
        tokens: the words.
        tree: their tree, as a parser has it.
    """
    words = [token.lower() for token in tokens]
    repair = _Repair(words, tree)
    for token, word in enumerate(words):
        if word in _PLACES:
            repair.place(token)
        elif tree.xpos[token] == "VBG":
            repair.subject(token)
            repair.participle(token)
    for token, word in enumerate(words):
        if word == "without":
            repair.without(token)
    return repair.tree


class _Repair:
    """A tree that is changed step by step; a step that would tie a knot is not taken."""

    def __init__(self, words: Sequence[str], tree: DependencyTree) -> None:
        self._words, self.tree = words, tree

    def place(self, token: int) -> None:
        """Let the noun before "indoors" or the subject of "visible" without a copula head what the word heads."""
        tree, before = self.tree, token - 1
        if before < 0 or tree.child(token, "cop") is not None or tree.is_a(token, "case", "mark"):
            return
        upos = tree.upos[token]
        if upos == "ADV" and not tree.children(token):
            return
        subject = tree.child(token, "nsubj")
        noun = subject if subject is not None else before
        if tree.head[noun] == token and (noun == before or subject is not None):
            self._exchange(token, noun)
        elif upos in {"NOUN", "PROPN"} and not tree.children(token, "det", "case", "amod"):
            relation = "advmod" if tree.upos[tree.head[token]] in {"VERB", "AUX"} else "amod"
            self._change(
                {token: (tree.head[token], relation if tree.head[token] >= 0 else "root")}, {token: "ADV"}
            )

    def _exchange(self, token: int, noun: int) -> None:
        tree = self.tree
        arcs = {child: (noun, tree.deprel[child]) for child in tree.children(token) if child != noun}
        arcs[noun] = (tree.head[token], tree.deprel[token])
        before = token - 1 if tree.upos[token - 1] in _NOMINAL else noun
        arcs[token] = (before, "advmod" if self._words[token] != "visible" else "amod")
        self._change(arcs, {noun: "NOUN" if tree.upos[noun] not in _NOMINAL else tree.upos[noun], token: "ADV"})

    def subject(self, token: int) -> None:
        """Make a subject of the word between an article and a participle, both of which hang on the participle."""
        tree, noun = self.tree, token - 1
        article = tree.child(token, "det")
        if (
            tree.upos[token] != "VERB"
            or article is None
            or article >= noun
            or tree.head[noun] != token
            or tree.child(token, "nsubj", "aux")
        ):
            return
        if not tree.is_a(noun, *_MODIFIERS) or tree.is_a(token, "amod", "compound"):
            return
        arcs = {child: (noun, tree.deprel[child]) for child in tree.children(token) if article <= child < noun}
        arcs[noun] = (token, "nsubj")
        self._change(arcs, {noun: "NOUN"})

    def participle(self, token: int) -> None:
        """Part "a white dress holding flowers", read as one phrase, into a noun and its participle."""
        tree, noun, thing = self.tree, token - 1, self.tree.head[token]
        if not tree.is_a(token, "amod", "compound") or thing < token or tree.children(token):
            return
        if (
            noun < 0
            or tree.upos[noun] not in _NOMINAL
            or tree.head[noun] != thing
            or not tree.is_a(noun, *_MODIFIERS)
        ):
            return
        arcs = {child: (noun, tree.deprel[child]) for child in tree.children(thing) if child < noun}
        arcs |= {noun: (tree.head[thing], tree.deprel[thing]), token: (noun, "acl"), thing: (token, "obj")}
        self._change(arcs, {token: "VERB"})

    def without(self, token: int) -> None:
        """Hang a phrase with "without" on the verb that governs its noun or modifies it."""
        tree, noun = self.tree, self.tree.head[token]
        if noun < 0 or not tree.is_a(token, "case") or not tree.is_a(noun, "nmod"):
            return
        # "a man without shoes walking": shoes do not walk
        acts = [child for child in tree.children(noun, "acl") if tree.xpos[child] == "VBG"]
        if not is_animate(self._words[noun]):
            self._change(dict.fromkeys(acts, (tree.head[noun], "acl")), {})
        tree = self.tree
        above = tree.head[noun]
        for _ in range(len(self._words)):
            if above < 0 or tree.upos[above] == "VERB":
                break
            inside = [
                child for child in tree.children(above, "acl") if child < token and tree.upos[child] == "VERB"
            ]
            above = inside[-1] if inside else tree.head[above]
        if above >= 0 and above < token:
            self._change({noun: (above, "obl")}, {})

    def _change(self, arcs: dict[int, tuple[int, str]], upos: dict[int, str]) -> None:
        tree = self.tree
        heads, labels, tags = list(tree.head), list(tree.deprel), list(tree.upos)
        for token, (head, label) in arcs.items():
            heads[token], labels[token] = head, label
        for token, tag in upos.items():
            tags[token] = tag
        if _is_tree(heads):
            self.tree = attrs.evolve(tree, head=heads, deprel=labels, upos=tags)


def _is_tree(heads: Sequence[int]) -> bool:
    for token in range(len(heads)):
        above, steps = token, 0
        while above >= 0 and steps <= len(heads):
            above, steps = heads[above], steps + 1
        if above >= 0:
            return False
    return True
