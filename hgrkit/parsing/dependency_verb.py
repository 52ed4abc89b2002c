"""Part of the labeller for dependency trees: which tokens head clauses, and what kind of verb each is."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.lexicon import AUXILIARY_TAGS, VERB_TAGS, Lexicon

__all__ = ["VerbReader"]

_NO_CLAUSE = ("amod", "compound", "case", "fixed", "aux", "mark", "cc", "det", "flat")
_VERBAL = VERB_TAGS | AUXILIARY_TAGS
_SEMI_MODALS = {"have": "VB", "go": "VBG", "get": "VB", "use": "VBD"}
_INFINITIVE_MARKS = frozenset({"to", "na", "ta"})


class VerbReader:
    """Says of the tokens of one sentence whether they are verbs of clauses.

    Args:
        words: the lower-cased tokens.
        tree: their tree.
        language: code of the language; in English the lexicon outvotes a tagger that takes a noun for a verb.
    """

    def __init__(self, words: Sequence[str], tree: DependencyTree, *, language: str = "en") -> None:
        self._words, self._tree = words, tree
        self._lexicon = Lexicon.load() if language == "en" else None

    def heads_clause(self, token: int) -> bool:
        """Whether a token is the main verb of a clause or the attribute of its copula."""
        return self.copula(token) is not None or self.is_main_verb(token)

    def is_main_verb(self, token: int) -> bool:
        """Whether a token is the main verb of a clause; with a copula it is that of "the aim is to [score]"."""
        tree = self._tree
        if tree.upos[token] == "AUX":  # a stranded "is" or "does", an existential "be"
            return not tree.is_a(token, "aux", "cop", "fixed", "case", "mark")
        if tree.upos[token] != "VERB" or not self._can_be_verb(token):
            return False
        return not tree.is_a(token, *_NO_CLAUSE) or (tree.is_a(token, "amod") and token > tree.head[token] >= 0)

    def copula(self, token: int) -> int | None:
        """The copula of an attribute, or `None`."""
        return self._tree.child(token, "cop")

    def lemma(self, verb: int) -> str:
        """A verb's lemma, lower-cased; a copula's is `be` in every language."""
        if self._tree.is_a(verb, "cop"):
            return "be"
        return self._tree.lemma[verb].lower() or self._words[verb]

    def is_semi_modal(self, token: int) -> bool:
        """Whether a verb only helps another: "has to go", "is going to rain", "used to be"."""
        tree = self._tree
        other = tree.child(token, "xcomp")
        form = _SEMI_MODALS.get(self.lemma(token))
        if form is None or other is None or not tree.xpos[token].startswith(form):
            return False
        infinitive = any(self._words[mark] in _INFINITIVE_MARKS for mark in tree.children(other, "mark"))
        return infinitive and tree.child(token, "obj", "obl") is None

    def is_passive(self, token: int) -> bool:
        """Whether a verb is passive, by its auxiliary or as a participle that has none."""
        tree = self._tree
        while tree.child(token, "aux:pass", "nsubj:pass") is None:
            if not self._is_past_participle(token):
                return False
            if not tree.is_a(token, "conj"):
                return self._is_bare_modifier(token)
            if tree.children(token, "nsubj", "obj"):
                return False
            token = tree.head[token]
        return True

    def _is_bare_modifier(self, token: int) -> bool:
        tree = self._tree
        bare = tree.child(token, "nsubj") is None and not tree.is_a(token, "acl:relcl", "root")
        return bare and tree.is_a(token, "acl", "amod", "advcl", "xcomp")

    def _is_past_participle(self, token: int) -> bool:
        """Whether it is one, and no "have" makes it a perfect."""
        tree = self._tree
        if any(tree.lemma[child].lower() == "have" for child in tree.children(token, "aux")):
            return False
        featured = tree.has(token, "VerbForm=Part") and tree.has(token, "Tense=Past")
        return tree.xpos[token] == "VBN" or featured

    def _can_be_verb(self, token: int) -> bool:
        known = None if self._lexicon is None else self._lexicon.entries.get(self._words[token])
        return known is None or bool(_VERBAL & set(known.partition("\t")[0].replace("!", "").split()))
