"""A Universal Dependencies tree, which dependency parsers put out, and the phrases that are read off it."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from hgrkit.checks.arguments import check_sequence, check_whole, shown
from hgrkit.errors import GraphError
from hgrkit.parsing.lexicon import AUXILIARY_TAGS, VERB_TAGS, Lexicon
from hgrkit.parsing.phrase import Phrase

__all__ = ["DependencyTree", "TreeReader"]

_BRACKETS = {")": "(", "]": "[", "}": "{"}
_COLUMNS = ("upos", "xpos", "lemma", "feats", "head", "deprel")


def _words(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(check_sequence("a column of a dependency tree", values, str, of="strings", error=GraphError))


def _numbers(values: Sequence[int]) -> tuple[int, ...]:
    whole = functools.partial(check_whole, least=None, error=GraphError)
    return tuple(check_sequence("head", values, int, of="token numbers", error=GraphError, each=whole))


@attrs.frozen(kw_only=True)
class DependencyTree:
    """Tokens with their tags, features, governors and relations (universaldependencies.org, version 2).

    Attributes:
        upos: [T] universal part-of-speech tags.
        xpos: [T] the treebank's own tags, such as Penn's; may be empty strings.
        lemma: [T] lemmas.
        feats: [T] features such as `Tense=Past|VerbForm=Fin`, `_` for none.
        head: [T] each token's governor, -1 for a root.
        deprel: [T] relation to the governor.

    Raises:
        GraphError: if the columns differ in length, a governor does not exist, or the arcs form a circle.
    """

    upos: tuple[str, ...] = attrs.field(converter=_words)
    xpos: tuple[str, ...] = attrs.field(converter=_words)
    lemma: tuple[str, ...] = attrs.field(converter=_words)
    feats: tuple[str, ...] = attrs.field(converter=_words)
    head: tuple[int, ...] = attrs.field(converter=_numbers)
    deprel: tuple[str, ...] = attrs.field(converter=_words)

    def __attrs_post_init__(self) -> None:
        sizes = {len(getattr(self, name)) for name in _COLUMNS}
        if len(sizes) != 1:
            raise GraphError(f"the columns of a dependency tree must be of one length, got {sorted(sizes)}.")
        for token, head in enumerate(self.head):
            if not -1 <= head < len(self.head) or head == token:
                raise GraphError(f"token {token} of a dependency tree is governed by {head}, which cannot be.")
        reached = len(self._top_down)
        if reached != len(self.head):
            raise GraphError(f"{len(self.head) - reached} tokens of a dependency tree are connected to no root.")

    @classmethod
    def from_dict(cls, record: Mapping[str, Sequence[Any]]) -> DependencyTree:
        """Read the tree from a record with the columns as keys.

        Raises:
            GraphError: if a column is missing, beside the rules of the class.
        """
        if not isinstance(record, Mapping):
            raise GraphError(f"a dependency tree needs the columns {', '.join(_COLUMNS)}; got {shown(record)}.")
        missing = [name for name in _COLUMNS if name not in record]
        if missing:
            raise GraphError(f"a dependency tree needs the columns {', '.join(_COLUMNS)}; it lacks {missing}.")
        return cls(**{name: record[name] for name in _COLUMNS})

    def __len__(self) -> int:
        """T, the number of tokens."""
        return len(self.head)

    def children(self, token: int, *relations: str) -> list[int]:
        """A token's dependents in order; of these relations (subtypes too, unless one is named), or all."""
        found = self._children.get(token, [])
        return [child for child in found if not relations or self.is_a(child, *relations)]

    def child(self, token: int, *relations: str) -> int | None:
        """The first dependent of these relations."""
        return next(iter(self.children(token, *relations)), None)

    def is_a(self, token: int, *relations: str) -> bool:
        """Whether a token's relation is one of these; `nsubj` includes `nsubj:pass`."""
        relation = self.deprel[token]
        return relation in relations or relation.partition(":")[0] in relations

    def has(self, token: int, feature: str) -> bool:
        """Whether a token has a feature, such as `Voice=Pass`."""
        return feature in self.feats[token].split("|")

    def extent(self, token: int) -> tuple[int, int]:
        """First token and end of a token's subtree, punctuation at its edges left out."""
        return self._extents[token]

    @functools.cached_property
    def _children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = {}
        for token, head in enumerate(self.head):
            children.setdefault(head, []).append(token)
        return children

    @functools.cached_property
    def _top_down(self) -> list[int]:
        order = list(self._children.get(-1, []))
        for token in order:
            order.extend(self._children.get(token, []))
        return order

    @functools.cached_property
    def _extents(self) -> list[tuple[int, int]]:
        extents = [(token, token + 1) for token in range(len(self))]
        for token in reversed(self._top_down):
            head = self.head[token]
            if head >= 0 and self.upos[token] != "PUNCT":
                start, stop = extents[head]
                extents[head] = (min(start, extents[token][0]), max(stop, extents[token][1]))
        return [self._with_closing(start, stop) for start, stop in extents]

    def _with_closing(self, start: int, stop: int) -> tuple[int, int]:
        """A bracket that is opened inside is closed inside."""
        inside = self.lemma[start:stop]
        if stop < len(self) and self.lemma[stop] in _BRACKETS:
            opening = _BRACKETS[self.lemma[stop]]
            stop += inside.count(opening) > inside.count(self.lemma[stop])
        return start, stop


_NO_CLAUSE = ("amod", "compound", "case", "fixed", "aux", "mark", "cc", "det", "flat")
_VERBAL = VERB_TAGS | AUXILIARY_TAGS
_SEMI_MODALS = {"have": "VB", "go": "VBG", "get": "VB", "use": "VBD"}
"""Verbs that may only help another one, with the form that they then have: "going to", "used to"."""
_INFINITIVE_MARKS = frozenset({"to", "na", "ta"})
_CLAUSE_PARTS = tuple("nsubj csubj cop aux advcl mark punct expl parataxis cc case discourse".split())
"""Dependents of a predicate that are not part of it."""
_OBLIQUE = {"obl:agent": "by", "obl:arg": "to"}
"""The English prepositions that say what relations say in any language."""


class TreeReader:
    """Says of the tokens of one sentence which are verbs of clauses, and makes phrases of their subtrees.

    Args:
        words: the lower-cased tokens.
        tree: their tree.
        language: code of the language; in English the lexicon outvotes a tagger that takes a noun for a verb.
    """

    def __init__(self, words: Sequence[str], tree: DependencyTree, *, language: str = "en") -> None:
        self.words, self.tree = words, tree
        self._lexicon = Lexicon.load() if language == "en" else None

    def heads_clause(self, token: int) -> bool:
        """Whether a token is the main verb of a clause or the attribute of its copula."""
        return self.copula(token) is not None or self.is_main_verb(token)

    def is_main_verb(self, token: int) -> bool:
        """Whether a token is the main verb of a clause; with a copula it is that of "the aim is to [score]"."""
        tree = self.tree
        if tree.upos[token] == "AUX":  # a stranded "is" or "does", an existential "be"
            return not tree.is_a(token, "aux", "cop", "fixed", "case", "mark")
        if tree.upos[token] != "VERB" or not self._can_be_verb(token):
            return False
        # "a man wearing a hat": a modifier behind its noun is a clause, "a running man" is none
        return not tree.is_a(token, *_NO_CLAUSE) or (tree.is_a(token, "amod") and token > tree.head[token] >= 0)

    def copula(self, token: int) -> int | None:
        """The copula of an attribute, or `None`."""
        return self.tree.child(token, "cop")

    def lemma(self, verb: int) -> str:
        """A verb's lemma, lower-cased; a copula's is `be` in every language."""
        if self.tree.is_a(verb, "cop"):
            return "be"
        return self.tree.lemma[verb].lower() or self.words[verb]

    def is_semi_modal(self, token: int) -> bool:
        """Whether a verb only helps another: "has to go", "is going to rain", "used to be"."""
        tree = self.tree
        other = tree.child(token, "xcomp")
        form = _SEMI_MODALS.get(self.lemma(token))
        if form is None or other is None or not tree.xpos[token].startswith(form):
            return False
        infinitive = any(self.words[mark] in _INFINITIVE_MARKS for mark in tree.children(other, "mark"))
        return infinitive and tree.child(token, "obj", "obl") is None

    def is_passive(self, token: int) -> bool:
        """Whether a verb is passive, by its auxiliary or as a participle that has none."""
        tree = self.tree
        # of "is washed and dried" only the first verb has the auxiliary
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
        tree = self.tree
        bare = tree.child(token, "nsubj") is None and not tree.is_a(token, "acl:relcl", "root")
        return bare and tree.is_a(token, "acl", "amod", "advcl", "xcomp")

    def _is_past_participle(self, token: int) -> bool:
        """Whether it is one, and no "have" makes it a perfect."""
        tree = self.tree
        if any(tree.lemma[child].lower() == "have" for child in tree.children(token, "aux")):
            return False
        featured = tree.has(token, "VerbForm=Part") and tree.has(token, "Tense=Past")
        return tree.xpos[token] == "VBN" or featured

    def _can_be_verb(self, token: int) -> bool:
        known = None if self._lexicon is None else self._lexicon.entries.get(self.words[token])
        return known is None or bool(_VERBAL & set(known.partition("\t")[0].replace("!", "").split()))

    # phrases: token ranges with a head --------------------------------------------------------------------------

    def phrase(self, kind: str, token: int) -> Phrase:
        """A token's whole subtree."""
        start, stop = self.tree.extent(token)
        return Phrase(kind, start, stop, token, word=self.words[token], plain_stop=stop)

    def noun(self, token: int) -> Phrase:
        """A subject or object."""
        return self.phrase("clause" if self.tree.is_a(token, "csubj") else "noun", token)

    def preposition(self, token: int, case: Sequence[int]) -> Phrase:
        """A noun's subtree as a prepositional phrase."""
        phrase = self.phrase("preposition", token)
        phrase.word = _OBLIQUE.get(self.tree.deprel[token]) or self._joined(case)
        phrase.add(self.phrase("noun", token), "ground")
        return phrase

    def attribute(self, token: int) -> Phrase:
        """What a copula says of its subject."""
        start, stop = self._nominal(token)
        noun = Phrase("noun", start, stop, token, word=self.words[token], plain_stop=stop)
        case = self.tree.children(token, "case")
        if not case:
            return noun
        start = min(start, self.tree.extent(case[0])[0])
        phrase = Phrase("preposition", start, stop, token, word=self._joined(case), plain_stop=stop)
        phrase.add(noun, "ground")
        return phrase

    def antecedent(self, noun: int) -> Phrase:
        """A noun phrase without the clauses that modify it, and without what makes it a predicate."""
        start, stop = self._nominal(noun)
        clauses = [child for child in self.tree.children(noun, "acl", "xcomp") if child > noun]
        if clauses:
            stop = min(self.tree.extent(child)[0] for child in clauses)
            while stop - 1 > noun and self.tree.upos[stop - 1] == "PUNCT":
                stop -= 1
        stop = max(stop, noun + 1)
        return Phrase("noun", start, stop, noun, word=self.words[noun], plain_stop=stop)

    def is_relative(self, token: int) -> bool:
        """Whether a token is the relative pronoun or adverb of a clause that modifies a noun."""
        tree = self.tree
        clause = tree.head[token]
        relative = tree.has(token, "PronType=Rel") or tree.xpos[token] in {"WDT", "WP", "WRB"}
        return relative and clause >= 0 and tree.is_a(clause, "acl")

    def _joined(self, case: Sequence[int]) -> str:
        """The preposition; of several, or of words with a fixed partner, joined as the role table names them."""
        words = [self.words[token] for first in case for token in (first, *self.tree.children(first, "fixed"))]
        if len(words) == 3 and words[0] in {"in", "on"}:
            words = words[1:]
        return "_".join(words) if len(words) == 2 and words[1] == "of" else words[-1]

    def _nominal(self, token: int) -> tuple[int, int]:
        """A predicate's own subtree: without its clause's subject, copula and adverbial clauses."""
        tree = self.tree
        start, stop = token, token + 1
        for child in tree.children(token):
            clause = tree.is_a(child, "conj", "xcomp") and self.heads_clause(child)
            clause = clause or self.words[child] in {"not", "n't"}
            if not clause and not tree.is_a(child, *_CLAUSE_PARTS) and not self._is_clausal_adverb(token, child):
                first, end = tree.extent(child)
                start, stop = min(start, first), max(stop, end)
        return start, stop

    def _is_clausal_adverb(self, token: int, child: int) -> bool:
        copula = self.copula(token)
        return self.tree.is_a(child, "advmod", "obl") and copula is not None and child < copula
