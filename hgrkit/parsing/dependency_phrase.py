"""Part of the labeller for dependency trees: which tokens head clauses, and the token ranges of their phrases."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.lexicon import AUXILIARY_TAGS, VERB_TAGS, Lexicon
from hgrkit.parsing.sentence_state import Phrase

__all__ = ["PhraseReader", "VerbReader"]

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
