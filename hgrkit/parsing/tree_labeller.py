"""Dependency trees to role graphs: clauses, their subjects and phrases, with the Lark parser's roles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import get_args

from hgrkit.checks.arguments import check_choice, check_instance, check_sequence, check_text
from hgrkit.errors import GraphError
from hgrkit.graph import NOUN_ROLE, Node, RoleGraph, Span
from hgrkit.parsing.dependency_tree import DependencyTree, TreeReader
from hgrkit.parsing.phrase import Phrase, clause_graph, share_dependents
from hgrkit.parsing.propbank_roles import propbank_roles
from hgrkit.parsing.protocol import Conventions
from hgrkit.parsing.roles import RoleLabeller, RoleTable

__all__ = ["ClauseReader", "label_tree"]

_ATTRIBUTIVE = frozenset({"NOUN", "PROPN", "ADJ", "PRON", "NUM", "ADV", "DET", "X", "SYM"})
_THINGS = frozenset({"NOUN", "PROPN", "PRON"})
_QUESTIONS = frozenset({"how", "when", "where", "why"})
_NEGATIONS = frozenset({"not", "n't", "never"})
_SMALL_CLAUSE = frozenset({"consider", "expect", "find", "get", "have", "leave", "let", "like", "make", "want"})
_SEEMING = frozenset({"feel", "look", "seem", "sound", "smell", "taste"})
_SUBJECT_CONTROL = frozenset({"promise", "threaten"})
_LINKED_MARKERS = frozenset("to while when by after before about between for from without".split())


class ClauseReader:
    """Reads the clauses of one sentence.

    Args:
        words: the lower-cased tokens.
        tree: their tree.
        language: code of the language.
    """

    def __init__(self, words: Sequence[str], tree: DependencyTree, *, language: str = "en") -> None:
        self._words, self._tree = words, tree
        self._reader = TreeReader(words, tree, language=language)
        self._subjects: dict[int, Phrase | None] = {}  # found so far
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
        """Every clause in the order of its verbs, with its subject, its gap and its dependents."""
        found = []
        for token in range(len(self._tree)):
            copula = self._reader.copula(token)
            if copula is not None:
                found.append(self._copular(token, copula))
            if self._reader.is_main_verb(token):
                found.append(self._verbal(token, copula))
        return sorted(found, key=lambda clause: clause.head)

    def _copular(self, token: int, copula: int) -> Phrase:
        """A clause that says something of its subject by "be"; a verb keeps for itself what follows the copula."""
        clause = Phrase("clause", copula, copula + 1, copula, lemma="be", verb=(copula, copula + 1))
        children = self._tree.children(token)
        verbal = self._reader.is_main_verb(token)
        self._attach(clause, [child for child in children if child < copula or not verbal])
        clause.add(self._reader.attribute(token), "attribute")
        return self._with_subject(clause, token)

    def _verbal(self, token: int, copula: int | None) -> Phrase:
        """The clause of a verb; of one that a copula makes an attribute, what follows the copula."""
        clause = Phrase(
            "clause", token, token + 1, token, lemma=self._reader.lemma(token), verb=(token, token + 1)
        )
        clause.passive = self._reader.is_passive(token)
        particle = self._tree.child(token, "compound:prt")
        if particle == token + 1:
            clause.verb = (token, token + 2)
        if self._reader.is_semi_modal(token):
            clause.form = "semi-modal"
            return clause
        self._attach(clause, [child for child in self._tree.children(token) if copula is None or child > copula])
        self._share_object(clause, token)
        if particle is not None and particle != token + 1:
            clause.add(self._reader.phrase("adverb", particle), "particle")
        return clause if copula is not None else self._with_subject(clause, token)

    def _attach(self, clause: Phrase, children: Sequence[int]) -> None:
        for child in children:
            rule = self._rules.get(self._tree.deprel[child].partition(":")[0])
            if rule is not None:
                rule(clause, child)

    # dependents of the verb, by their relation -----------------------------------------------------------------

    def _object(self, clause: Phrase, child: int) -> None:
        if not self._reader.is_relative(child):
            clause.add(self._reader.noun(child), "object")

    def _oblique(self, clause: Phrase, child: int) -> None:
        if self._reader.is_relative(child):
            return
        case = self._tree.children(child, "case")
        if case:
            clause.add(self._reader.preposition(child, case), "preposition")
        else:
            clause.add(self._reader.phrase("noun", child), "adverb")

    def _adverb(self, clause: Phrase, child: int) -> None:
        adverb = self._reader.phrase("adverb", child)
        if self._words[child] in _NEGATIONS or self._tree.has(child, "Polarity=Neg"):
            clause.add(adverb, "negation")
        elif not self._reader.is_relative(child) or self._words[child] in _QUESTIONS - {"where"}:
            clause.add(adverb, "adverb")

    def _auxiliary(self, clause: Phrase, child: int) -> None:
        if self._tree.xpos[child] == "MD" or self._tree.has(child, "VerbType=Mod"):
            clause.add(self._reader.phrase("adverb", child), "modal")

    def _open_complement(self, clause: Phrase, child: int) -> None:
        if clause.lemma in _SMALL_CLAUSE and self._widen_object(clause, child):
            return
        verbal = self._reader.heads_clause(child) and self._reader.copula(child) is None
        kind = "complement" if verbal or self._tree.upos[child] not in _ATTRIBUTIVE else "attribute"
        clause.add(self._reader.phrase("clause" if verbal else "noun", child), kind)

    def _widen_object(self, clause: Phrase, child: int) -> bool:
        """Let the object of "let", "make" and the like be the whole of "them go"; whether there is an object."""
        thing = clause.find("object")
        if thing is None or thing.start > child:
            return False
        thing.stop = thing.plain_stop = max(thing.stop, self._tree.extent(child)[1])
        return True

    def _complement(self, clause: Phrase, child: int) -> None:
        clause.add(self._reader.phrase("clause", child), "complement")

    def _adverbial_clause(self, clause: Phrase, child: int) -> None:
        tree = self._tree
        marks = sorted(tree.children(child, "mark", "case"))
        words = [self._words[mark] for mark in marks]
        gerund = bool(marks) and tree.xpos[child] == "VBG" and not tree.children(child, "aux", "nsubj")
        # "looks like he is running" says how it looks
        if words[:1] in (["like"], ["as"]) and clause.lemma in _SEEMING:
            clause.add(self._reader.phrase("clause", child), "complement")
        # "to" of an adverbial clause is "in order to"
        elif words[:1] == ["to"] or words[:2] == ["in", "order"]:
            clause.add(self._reader.phrase("clause", child), "purpose")
        elif gerund and words[0] not in {"while", "when"}:
            clause.add(self._gerund(child, words[0]), "preposition")
        else:
            clause.add(self._adjunct(child, marks), "adjunct")

    def _gerund(self, child: int, preposition: str) -> Phrase:
        phrase = self._reader.phrase("preposition", child)
        phrase.word = preposition
        phrase.add(self._reader.phrase("clause", child), "ground")
        return phrase

    def _adjunct(self, child: int, marks: Sequence[int]) -> Phrase:
        phrase = self._reader.phrase("clause", child)
        questions = (token for token in self._tree.children(child, "advmod") if self._words[token] in _QUESTIONS)
        opening = next(iter(marks), None)
        opening = next(questions, None) if opening is None else opening
        if opening is not None:
            phrase.add(self._reader.phrase("mark", opening), "marker")
        return phrase

    # its subject, also a shared or controlled one, and the noun that a relative clause leaves out --------------

    def _share_object(self, clause: Phrase, token: int) -> None:
        """The object of "wash and dry the dishes" depends on the first verb and stands after the last."""
        tree = self._tree
        first = tree.head[token]
        if not tree.is_a(token, "conj") or tree.upos[token] != "VERB" or not self._reader.heads_clause(first):
            return
        thing = tree.child(first, "obj")
        if thing is not None and thing > token and clause.find("object") is None:
            clause.add(self._reader.noun(thing), "object")

    def _with_subject(self, clause: Phrase, token: int) -> Phrase:
        """The clause with its subject and its gap; the noun of "there is" is an attribute, an ARG1."""
        clause.subject = self._subject(token)
        if clause.subject is not None and clause.subject.kind == "mark":
            theme = self._tree.child(clause.head, "nsubj")
            if theme is not None and clause.find("attribute") is None:
                clause.add(self._reader.noun(theme), "attribute")
        clause.gap = self._gap(clause, token)
        return clause

    def _subject(self, token: int) -> Phrase | None:
        """What a clause's verb is said of: its own subject, a shared one, or the controller's.

        Existential "there" is a phrase of the kind `mark`.
        """
        # a loop in place of recursion: chains of clauses may be as long as a text
        waiting = []
        while token not in self._subjects:
            found, above = self._own_subject(token)
            if above is None:
                self._subjects[token] = found
                break
            waiting.append(token)
            token = above
        for below in waiting:
            self._subjects[below] = self._subjects[token]
        return self._subjects[token]

    def _gap(self, clause: Phrase, token: int) -> Phrase | None:
        """The noun that a relative clause with a subject of its own leaves out: "the ball that he throws"."""
        tree = self._tree
        first = token
        while tree.is_a(first, "conj") and self._reader.heads_clause(tree.head[first]):
            first = tree.head[first]
        if not tree.is_a(first, "acl:relcl") or clause.subject is None or clause.find("object") is not None:
            return None
        relative = next((child for child in tree.children(first) if self._reader.is_relative(child)), None)
        missing = relative is None or tree.is_a(relative, "obj", "obl")
        return self._reader.antecedent(tree.head[first]) if missing else None

    def _own_subject(self, token: int) -> tuple[Phrase | None, int | None]:
        """The subject, or the clause above whose subject it is."""
        tree = self._tree
        there = tree.child(token, "expl")
        if there is not None and self._words[there] == "there":
            return self._reader.phrase("mark", there), None
        own = tree.children(token, "nsubj:outer", "csubj:outer") or tree.children(token, "nsubj", "csubj")
        if own and not self._reader.is_relative(own[0]):
            return self._reader.noun(own[0]), None
        head = tree.head[token]
        if head < 0:
            return None, None
        modifies = tree.is_a(token, "acl", "amod") and self._is_said_of_noun(token)
        if modifies or self._is_free_participle(token):
            return self._reader.antecedent(head), None
        if not self._takes_over(token):
            return None, None
        return self._controller(head) if tree.is_a(token, "xcomp") else (None, head)

    def _is_free_participle(self, token: int) -> bool:
        """As in "kids in kayaks, throwing paddles", a sentence without a finite verb."""
        tree, head = self._tree, self._tree.head[token]
        participle = tree.xpos[token] in {"VBG", "VBN"}
        return participle and tree.upos[head] in _THINGS and not self._reader.heads_clause(head)

    def _is_said_of_noun(self, token: int) -> bool:
        """Whether a clause that modifies a noun has the noun as its subject."""
        tree = self._tree
        if tree.is_a(token, "acl:relcl"):
            subject = tree.child(token, "nsubj")
            return subject is not None and self._reader.is_relative(subject)
        return tree.child(token, "mark") is None

    def _takes_over(self, token: int) -> bool:
        tree = self._tree
        if not self._reader.heads_clause(tree.head[token]):
            return False
        if tree.is_a(token, "conj", "xcomp"):
            return True
        finite = tree.has(token, "VerbForm=Fin") and tree.xpos[token] != "VBG"
        marks = {self._words[mark] for mark in tree.children(token, "mark", "case")}
        linked = marks <= _LINKED_MARKERS or tree.has(token, "VerbForm=Inf")
        return tree.is_a(token, "advcl") and linked and not finite

    def _controller(self, head: int) -> tuple[Phrase | None, int | None]:
        if self._reader.lemma(head) not in _SUBJECT_CONTROL:
            things = self._tree.children(head, "obj") or self._tree.children(head, "iobj")
            if things and not self._reader.is_relative(things[0]):
                return self._reader.noun(things[0]), None
        return None, head


_NO_PHRASE = ("compound", "flat", "fixed", "goeswith", "appos")


def label_tree(
    tokens: Sequence[str], tree: DependencyTree, *, language: str = "en", conventions: Conventions = "captions"
) -> RoleGraph:
    """Label a sentence whose dependency tree is known with roles.

    Every verb that heads a clause is an action, and so is a copula; arguments are the phrases that depend on it,
    and those that it shares or takes over: the subject of a controlled clause, the noun that a clause modifies.

    Args:
        tokens: the words, which the graph keeps.
        tree: their tree.
        language: code of the language. What English verbs and prepositions say is known; in other languages
            a subject acts, an object is acted on, and the tree's relations say the rest.
        conventions: whose annotation to follow; `propbank` is for English.

    Raises:
        GraphError: if there is no token, one is empty, or the tree has another number of tokens.
        ConfigError: if the conventions are unknown.
    """
    check_choice("conventions", conventions, get_args(Conventions))
    tokens = check_sequence("tokens", tokens, str, of="words", error=GraphError)
    check_text("language", language, hint="such as 'en'")
    check_instance("tree", tree, DependencyTree, error=GraphError)
    if len(tokens) != len(tree):
        raise GraphError(f"a dependency tree of {len(tree)} tokens does not fit {len(tokens)} words.")
    words = [token.lower() for token in tokens]
    clauses = ClauseReader(words, tree, language=language).clauses()
    if conventions == "propbank":
        verbal = [clause for clause in clauses if tree.upos[clause.head] != "AUX"]
        return clause_graph(tokens, verbal, partial(propbank_roles, words, tree))
    clauses = [clause for clause in clauses if clause.form != "semi-modal"]
    share_dependents(words, clauses)
    if not clauses:
        return RoleGraph(tokens=tokens, nodes=_nouns(tree))
    table = RoleTable.load() if language == "en" else RoleTable.load().of_any_verb()
    return clause_graph(tokens, clauses, RoleLabeller(words, table).roles)


def _nouns(tree: DependencyTree) -> list[Node]:
    """Every base noun phrase of a sentence without verbs, without what is hung on it by a preposition."""
    nodes: list[Node] = []
    for token in range(len(tree)):
        inside = tree.head[token] >= 0 and tree.is_a(token, *_NO_PHRASE)
        inside = inside and not _is_listed(tree, token)
        if tree.upos[token] in _THINGS and not inside and not tree.is_a(token, "case"):
            nodes.append(Node(len(nodes) + 1, NOUN_ROLE, _base(tree, token), token))
    return nodes


def _is_listed(tree: DependencyTree, token: int) -> bool:
    """Whether an apposition is set off by a comma, as in "a beach, no people"."""
    return tree.is_a(token, "appos") and any(tree.lemma[at] == "," for at in range(tree.head[token] + 1, token))


def _base(tree: DependencyTree, noun: int) -> Span:
    start, stop = noun, noun + 1
    for child in tree.children(
        noun, "det", "amod", "nummod", "compound", "flat", "goeswith", "nmod:poss", "advmod"
    ):
        first, end = tree.extent(child)
        start, stop = min(start, first), max(stop, end) if child > noun and tree.is_a(child, "flat") else stop
    return Span(start, max(stop, noun + 1))
