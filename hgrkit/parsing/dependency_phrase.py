"""Part of the labeller for dependency trees: the token ranges of noun phrases, attributes and prepositions."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.dependency_verb import VerbReader
from hgrkit.parsing.phrase import Phrase

__all__ = ["PhraseReader"]

_CLAUSE_PARTS = (
    "nsubj",
    "csubj",
    "cop",
    "aux",
    "advcl",
    "mark",
    "punct",
    "expl",
    "parataxis",
    "cc",
    "case",
    "discourse",
)
_OBLIQUE = {"obl:agent": "by", "obl:arg": "to"}
"""The English prepositions that say what relations say in any language."""


class PhraseReader:
    """Makes phrases of the subtrees of one sentence.

    Args:
        words: the lower-cased tokens.
        tree: their tree.
        verbs: says which tokens head clauses.
    """

    def __init__(self, words: Sequence[str], tree: DependencyTree, verbs: VerbReader) -> None:
        self._words, self._tree, self._verbs = words, tree, verbs

    def phrase(self, kind: str, token: int) -> Phrase:
        """A token's whole subtree."""
        start, stop = self._tree.extent(token)
        return Phrase(kind, start, stop, token, word=self._words[token], plain_stop=stop)

    def noun(self, token: int) -> Phrase:
        """A subject or object."""
        return self.phrase("clause" if self._tree.is_a(token, "csubj") else "noun", token)

    def preposition(self, token: int, case: Sequence[int]) -> Phrase:
        """A noun's subtree as a prepositional phrase."""
        phrase = self.phrase("preposition", token)
        phrase.word = _OBLIQUE.get(self._tree.deprel[token]) or self._joined(case)
        phrase.add(self.phrase("noun", token), "ground")
        return phrase

    def attribute(self, token: int) -> Phrase:
        """What a copula says of its subject."""
        start, stop = self._nominal(token)
        noun = Phrase("noun", start, stop, token, word=self._words[token], plain_stop=stop)
        case = self._tree.children(token, "case")
        if not case:
            return noun
        start = min(start, self._tree.extent(case[0])[0])
        phrase = Phrase("preposition", start, stop, token, word=self._joined(case), plain_stop=stop)
        phrase.add(noun, "ground")
        return phrase

    def antecedent(self, noun: int) -> Phrase:
        """A noun phrase without the clauses that modify it, and without what makes it a predicate."""
        start, stop = self._nominal(noun)
        clauses = [child for child in self._tree.children(noun, "acl") if child > noun]
        if clauses:
            stop = min(self._tree.extent(child)[0] for child in clauses)
            while stop - 1 > noun and self._tree.upos[stop - 1] == "PUNCT":
                stop -= 1
        stop = max(stop, noun + 1)
        return Phrase("noun", start, stop, noun, word=self._words[noun], plain_stop=stop)

    def is_relative(self, token: int) -> bool:
        """Whether a token is the relative pronoun or adverb of a clause that modifies a noun."""
        tree = self._tree
        clause = tree.head[token]
        relative = tree.has(token, "PronType=Rel") or tree.xpos[token] in {"WDT", "WP", "WRB"}
        return relative and clause >= 0 and tree.is_a(clause, "acl")

    def _joined(self, case: Sequence[int]) -> str:
        """The preposition; of several, or of words with a fixed partner, joined as the role table names them."""
        words = [self._words[token] for first in case for token in (first, *self._tree.children(first, "fixed"))]
        if len(words) == 3 and words[0] in {"in", "on"}:
            words = words[1:]
        return "_".join(words) if len(words) == 2 and words[1] == "of" else words[-1]

    def _nominal(self, token: int) -> tuple[int, int]:
        """A predicate's own subtree: without its clause's subject, copula and adverbial clauses."""
        tree = self._tree
        start, stop = token, token + 1
        for child in tree.children(token):
            clause = tree.is_a(child, "conj") and self._verbs.heads_clause(child)
            if not clause and not tree.is_a(child, *_CLAUSE_PARTS) and not self._is_clausal_adverb(token, child):
                first, end = tree.extent(child)
                start, stop = min(start, first), max(stop, end)
        return start, stop

    def _is_clausal_adverb(self, token: int, child: int) -> bool:
        copula = self._verbs.copula(token)
        return self._tree.is_a(child, "advmod", "obl") and copula is not None and child < copula
