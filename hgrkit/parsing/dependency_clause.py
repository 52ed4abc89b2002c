"""Part of the labeller for dependency trees: the clauses of a tree, as the phrases that get roles."""

from __future__ import annotations

from collections.abc import Sequence

from hgrkit.parsing.dependency_phrase import PhraseReader
from hgrkit.parsing.dependency_subject import SubjectReader
from hgrkit.parsing.dependency_tree import DependencyTree
from hgrkit.parsing.dependency_verb import VerbReader
from hgrkit.parsing.phrase import Phrase

__all__ = ["ClauseReader"]

_ATTRIBUTIVE = frozenset({"NOUN", "PROPN", "ADJ", "PRON", "NUM", "ADV", "DET", "X", "SYM"})
_QUESTIONS = frozenset({"how", "when", "where", "why"})
_NEGATIONS = frozenset({"not", "n't", "never"})
_SMALL_CLAUSE = frozenset({"consider", "expect", "find", "get", "have", "leave", "let", "like", "make", "want"})
_SEEMING = frozenset({"feel", "look", "seem", "sound", "smell", "taste"})


class ClauseReader:
    """Reads the clauses of one sentence.

    Args:
        words: the lower-cased tokens.
        tree: their tree.
        language: code of the language.
    """

    def __init__(self, words: Sequence[str], tree: DependencyTree, *, language: str = "en") -> None:
        self._words, self._tree = words, tree
        self._verbs = VerbReader(words, tree, language=language)
        self._phrases = PhraseReader(words, tree, self._verbs)
        self._subjects = SubjectReader(words, tree, self._verbs, self._phrases)
        self._rules = {
            "obj": self._object,
            "iobj": self._object,
            "obl": self._oblique,
            "advmod": self._adverb,
            "aux": self._auxiliary,
            "xcomp": self._open_complement,
            "ccomp": self._complement,
            "advcl": self._adverbial_clause,
        }

    def clauses(self) -> list[Phrase]:
        """Every clause in the order of its verbs, with its subject, its gap and what hangs on it."""
        found = []
        for token in range(len(self._tree)):
            copula = self._verbs.copula(token)
            if copula is not None:
                found.append(self._copular(token, copula))
            if self._verbs.is_main_verb(token):
                found.append(self._verbal(token, copula))
        return sorted(found, key=lambda clause: clause.head)

    def _copular(self, token: int, copula: int) -> Phrase:
        """A clause that says something of its subject by "be"; a verb keeps for itself what follows the copula."""
        clause = Phrase("clause", copula, copula + 1, copula, lemma="be", verb=(copula, copula + 1))
        children = self._tree.children(token)
        verbal = self._verbs.is_main_verb(token)
        self._hang(clause, [child for child in children if child < copula or not verbal])
        clause.add(self._phrases.attribute(token), "attribute")
        clause.subject = self._subjects.subject(token)
        self._existential(clause)
        clause.gap = self._subjects.gap(clause, token)
        return clause

    def _verbal(self, token: int, copula: int | None) -> Phrase:
        """The clause of a verb; of one that a copula makes an attribute, what follows the copula."""
        clause = Phrase("clause", token, token + 1, token, lemma=self._verbs.lemma(token), verb=(token, token + 1))
        clause.passive = self._verbs.is_passive(token)
        particle = self._tree.child(token, "compound:prt")
        if particle == token + 1:
            clause.verb = (token, token + 2)
        if self._verbs.is_semi_modal(token):
            clause.form = "semi-modal"
            return clause
        self._hang(clause, [child for child in self._tree.children(token) if copula is None or child > copula])
        self._share_object(clause, token)
        if particle is not None and particle != token + 1:
            clause.add(self._phrases.phrase("adverb", particle), "particle")
        if copula is not None:
            return clause
        clause.subject = self._subjects.subject(token)
        self._existential(clause)
        clause.gap = self._subjects.gap(clause, token)
        return clause

    def _hang(self, clause: Phrase, children: Sequence[int]) -> None:
        for child in children:
            rule = self._rules.get(self._tree.deprel[child].partition(":")[0])
            if rule is not None:
                rule(clause, child)

    # what hangs on the verb, by its relation -------------------------------------------------------------------

    def _object(self, clause: Phrase, child: int) -> None:
        if not self._phrases.is_relative(child):
            clause.add(self._phrases.noun(child), "object")

    def _oblique(self, clause: Phrase, child: int) -> None:
        if self._phrases.is_relative(child):
            return
        case = self._tree.children(child, "case")
        if case:
            clause.add(self._phrases.preposition(child, case), "preposition")
        else:
            clause.add(self._phrases.phrase("noun", child), "adverb")

    def _adverb(self, clause: Phrase, child: int) -> None:
        adverb = self._phrases.phrase("adverb", child)
        if self._words[child] in _NEGATIONS or self._tree.has(child, "Polarity=Neg"):
            clause.add(adverb, "negation")
        elif not self._phrases.is_relative(child) or self._words[child] in _QUESTIONS:
            clause.add(adverb, "adverb")

    def _auxiliary(self, clause: Phrase, child: int) -> None:
        if self._tree.xpos[child] == "MD" or self._tree.has(child, "VerbType=Mod"):
            clause.add(self._phrases.phrase("adverb", child), "modal")

    def _open_complement(self, clause: Phrase, child: int) -> None:
        if clause.lemma in _SMALL_CLAUSE and self._widen_object(clause, child):
            return
        verbal = self._verbs.heads_clause(child) and self._verbs.copula(child) is None
        kind = "complement" if verbal or self._tree.upos[child] not in _ATTRIBUTIVE else "attribute"
        clause.add(self._phrases.phrase("clause" if verbal else "noun", child), kind)

    def _widen_object(self, clause: Phrase, child: int) -> bool:
        """Let the object of "let", "make" and the like be the whole of "them go"; whether there is an object."""
        thing = clause.find("object")
        if thing is None or thing.start > child:
            return False
        thing.stop = thing.plain_stop = max(thing.stop, self._tree.extent(child)[1])
        return True

    def _complement(self, clause: Phrase, child: int) -> None:
        clause.add(self._phrases.phrase("clause", child), "complement")

    def _adverbial_clause(self, clause: Phrase, child: int) -> None:
        tree = self._tree
        marks = sorted(tree.children(child, "mark", "case"))
        words = [self._words[mark] for mark in marks]
        gerund = bool(marks) and tree.xpos[child] == "VBG" and not tree.children(child, "aux", "nsubj")
        if words[:1] in (["like"], ["as"]) and clause.lemma in _SEEMING:
            clause.add(self._phrases.phrase("clause", child), "complement")
        elif words[:1] == ["to"] or words[:2] == ["in", "order"]:
            clause.add(self._phrases.phrase("clause", child), "purpose")
        elif gerund and words[0] not in {"while", "when"}:
            clause.add(self._gerund(child, words[0]), "preposition")
        else:
            clause.add(self._adjunct(child, marks), "adjunct")

    def _gerund(self, child: int, preposition: str) -> Phrase:
        phrase = self._phrases.phrase("preposition", child)
        phrase.word = preposition
        phrase.add(self._phrases.phrase("clause", child), "ground")
        return phrase

    def _adjunct(self, child: int, marks: Sequence[int]) -> Phrase:
        phrase = self._phrases.phrase("clause", child)
        questions = (token for token in self._tree.children(child, "advmod") if self._words[token] in _QUESTIONS)
        opening = next(iter(marks), None)
        opening = next(questions, None) if opening is None else opening
        if opening is not None:
            phrase.add(self._phrases.phrase("mark", opening), "marker")
        return phrase

    # what it shares --------------------------------------------------------------------------------------------

    def _share_object(self, clause: Phrase, token: int) -> None:
        """The object of "wash and dry the dishes" hangs on the first verb and stands after the last."""
        tree = self._tree
        first = tree.head[token]
        if not tree.is_a(token, "conj") or tree.upos[token] != "VERB" or not self._verbs.heads_clause(first):
            return
        thing = tree.child(first, "obj")
        if thing is not None and thing > token and clause.find("object") is None:
            clause.add(self._phrases.noun(thing), "object")

    def _existential(self, clause: Phrase) -> None:
        """The noun of "there is" is its ARG1."""
        if clause.subject is None or clause.subject.kind != "mark":
            return
        theme = self._tree.child(clause.head, "nsubj")
        if theme is not None and clause.find("attribute") is None:
            clause.add(self._phrases.noun(theme), "attribute")
